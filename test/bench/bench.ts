/**
 * `npm run bench -- dispatch | transfer | tools`: measures and prints, a table for people or one JSON object. What it prints is
 * what docs/BENCHMARKS.md holds.
 */
import '../../protocol/runtime/polyfill.js';
import { Command, InvalidArgumentError } from 'commander';
import { benchDispatch } from './bench-dispatch.js';
import { benchTools } from './bench-tools.js';
import { benchTransfer } from './bench-transfer.js';
import { type Machine, thisMachine } from './machine.js';
import { type Row, table } from './rows.js';
import { endAllPrograms } from './transfer/programs.js';

interface Report {
  bench: string;
  machine: Machine;
  rows: Row[];
  /** What was not measured, and why. */
  notes?: string[];
}

interface CommonOptions {
  json?: boolean;
  runs: number;
}

const say = (line: string) => void process.stderr.write(`${line}\n`);
const print = (line: string) => void process.stdout.write(`${line}\n`);

function show({ bench, machine, rows, notes }: Report, { json, runs }: CommonOptions): void {
  if (json) {
    print(JSON.stringify({ bench, machine, rows, ...(notes?.length ? { notes } : {}) }));
    return;
  }
  print(`${bench}: medians of ${runs} runs`);
  print(
    `${machine.cpus} CPUs (${machine.model}), ${machine.memoryGb} GB, Node ${machine.node}, load ${machine.load} at the start`,
  );
  print('');
  for (const line of table(rows)) print(line);
  for (const note of notes ?? []) print(`\n${note}`);
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number above 0.');
  return value;
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupted.abort(new Error('it was interrupted'));
    endAllPrograms();
  });
}

const program = new Command('bench')
  .description('Measures this build on this machine.')
  .showHelpAfterError()
  .addHelpText('after', '\nExample:\n  npm run bench -- transfer --json --runs 3');

program
  .command('dispatch')
  .description('From submitting a job until a handler has started it, and jobs accepted a second.')
  .option('--json', 'print one JSON object')
  .option('--runs <count>', 'each figure is the median of so many runs', whole, 3)
  .addHelpText('after', '\nExample:\n  npm run bench -- dispatch')
  .action(async (options: CommonOptions) => {
    const machine = thisMachine();
    show({ bench: 'dispatch', machine, rows: await benchDispatch({ runs: options.runs }) }, options);
  });

program
  .command('transfer')
  .description('One large file and many small ones between two processes, beside rsync and Syncthing.')
  .option('--json', 'print one JSON object')
  .option('--runs <count>', 'each figure is the median of so many runs', whole, 3)
  .option('--only <cases...>', 'ours, rsync, syncthing')
  .option('--large-mib <size>', 'size of the large file', whole, 1024)
  .option('--small-files <count>', 'number of small files, 2 KiB each', whole, 5000)
  .option('--folder <path>', 'where the files are written; its disk is part of what is measured')
  .addHelpText('after', '\nExample:\n  npm run bench -- transfer --only ours --runs 1')
  .action(
    async (
      options: CommonOptions & { only?: string[]; largeMib: number; smallFiles: number; folder?: string },
    ): Promise<void> => {
      const machine = thisMachine();
      const { runs, only, largeMib, smallFiles, folder } = options;
      show(
        {
          bench: 'transfer',
          machine,
          ...(await benchTransfer({ runs, only, largeMib, smallFiles, folder, say, signal: interrupted.signal })),
        },
        options,
      );
    },
  );

program
  .command('tools')
  .description('Loading thousands of tool wrappers, starting a node with them, rendering their templates.')
  .option('--json', 'print one JSON object')
  .option('--runs <count>', 'each figure is the median of so many runs', whole, 3)
  .option('--wrappers <count>', 'wrappers that are made and loaded', whole, 3000)
  .option('--seed <number>', 'the same seed makes the same wrappers', whole, 1)
  .addHelpText('after', '\nExample:\n  npm run bench -- tools --json')
  .action(async (options: CommonOptions & { wrappers: number; seed: number }): Promise<void> => {
    const machine = thisMachine();
    const { runs, wrappers, seed } = options;
    const measured = await benchTools({ runs, wrappers, seed, say, signal: interrupted.signal });
    show({ bench: 'tools', machine, ...measured }, options);
  });

try {
  await program.parseAsync();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
