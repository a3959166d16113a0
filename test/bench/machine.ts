/** On what a benchmark ran: figures without it say nothing. */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

export interface Machine {
  cpus: number;
  model: string;
  memoryGb: number;
  node: string;
  /** Mean of the last minute when the benchmark began: what else the machine had to do. */
  load: number;
}

export function thisMachine(): Machine {
  return {
    cpus: availableParallelism(),
    model: cpus()[0]?.model.trim() || process.arch,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    load: Math.round((loadavg()[0] as number) * 10) / 10,
  };
}
