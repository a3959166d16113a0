/** Stand-ins for what the job side uses: an executor that runs nothing, a toolbox of shell lines, simple datatypes. */
import { readFile, stat } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import type { Datatype, Datatypes, Inspection } from '../../../node/datasets/datatypes.js';
import type { Executor, RunEvents, RunResult, RunSpec } from '../../../node/jobs/run-spec.js';
import type { FailureRule, PlannedOutput, PreparedCommand, Tool, Toolbox } from '../../../node/toolbox/tool.js';
import type { LeaseSource } from '../../../protocol/log/account-log.js';

export class FakeLeases implements LeaseSource {
  private readonly epochs = new Map<string, number>();

  constructor(private readonly node: string) {}

  set(account: string, epoch: number | undefined): void {
    if (epoch === undefined) this.epochs.delete(account);
    else this.epochs.set(account, epoch);
  }

  current(account: string) {
    const epoch = this.epochs.get(account);
    return epoch === undefined ? undefined : { account, epoch, token: `lease:${account}:${epoch}:${this.node}` };
  }
}

export interface FakeRun {
  spec: RunSpec;
  events: RunEvents;
  cancelled: boolean;
}

export class FakeExecutor implements Executor {
  readonly runs: FakeRun[] = [];
  /** Every run ever given, in order. */
  readonly given: RunSpec[] = [];
  private readonly listeners = new Set<() => void>();
  private readonly waiting = new Set<() => void>();

  constructor(public slotCount = 2) {}

  slots(): number {
    return this.slotCount;
  }

  free(): number {
    return Math.max(0, this.slotCount - this.runs.length);
  }

  run(spec: RunSpec, events: RunEvents): boolean {
    if (this.free() === 0) return false;
    this.runs.push({ spec, events, cancelled: false });
    this.given.push(spec);
    events.started(1);
    for (const listener of [...this.waiting]) listener();
    return true;
  }

  cancel(job: string, attempt: number): void {
    const run = this.runs.find(({ spec }) => spec.job === job && spec.attempt === attempt);
    if (run === undefined) return;
    run.cancelled = true;
    this.finish(job, { state: 'stopped' });
  }

  onFree(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Resolves when `count` runs were given in all. */
  until(count: number): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (this.given.length < count) return;
        this.waiting.delete(check);
        resolve();
      };
      this.waiting.add(check);
      check();
    });
  }

  finish(job: string, result: Partial<RunResult> = {}): void {
    const run = this.takeRun(job);
    run.events.finished({ ...okResult(), ...result });
    this.announce();
  }

  lose(job: string, reason = 'its handler process ended (SIGKILL)'): void {
    this.takeRun(job).events.lost(reason);
    this.announce();
  }

  grow(slots: number): void {
    this.slotCount = slots;
    this.announce();
  }

  private takeRun(job: string): FakeRun {
    const index = this.runs.findIndex(({ spec }) => spec.job === job);
    const [run] = index < 0 ? [] : this.runs.splice(index, 1);
    if (run === undefined) throw new Error(`job ${job} does not run`);
    return run;
  }

  private announce(): void {
    for (const listener of this.listeners) listener();
  }
}

export function okResult(): RunResult {
  return {
    state: 'ok',
    exitCode: 0,
    stdout: { head: '' },
    stderr: { head: '' },
    startedAt: 1000,
    endedAt: 2500,
    outputs: [],
  };
}

export const FAIL_ON_EXIT_CODE: FailureRule[] = [
  { when: 'exit-code', from: 1, to: Number.MAX_SAFE_INTEGER, level: 'fatal', description: '' },
];

/**
 * Tools whose id is `sh` and whose parameter `script` is the script: `$in` stands for the first input's path and
 * `$out_NAME` for an output's.
 */
export class FakeToolbox implements Pick<Toolbox, 'tool' | 'plan' | 'prepare'> {
  fromWorkDir: Record<string, string> = {};
  failureRules = FAIL_ON_EXIT_CODE;

  tool(id: string): Tool | undefined {
    return id === 'sh' ? ({ id, version: '1' } as Tool) : undefined;
  }

  plan(): PlannedOutput[] {
    return Object.entries(this.fromWorkDir).map(([name, fromWorkDir]) => ({
      name,
      label: name,
      extension: 'txt',
      hidden: false,
      fromWorkDir,
    }));
  }

  prepare(...[, job, , files]: Parameters<Toolbox['prepare']>): PreparedCommand {
    const [first] = Object.values(job.inputs).flat();
    let script = String(job.state.script ?? 'true');
    if (first) script = script.replaceAll('$in', `'${files.inputPath(first.id)}'`);
    script = script.replace(/\$out_(\w+)/g, (_, name: string) => `'${files.outputPath(name)}'`);
    return { script, configFiles: [], environment: {}, failureRules: this.failureRules };
  }
}

export class FakeDatatypes implements Datatypes {
  private readonly known: Datatype[] = ['txt', 'tabular', 'fasta', 'fastqsanger', 'fastqsanger.gz', 'data'].map(
    (extension) => ({
      extension,
      description: '',
      mimetype: 'text/plain',
      className: '',
      parents: extension === 'data' || extension.endsWith('.gz') ? ['data'] : ['txt', 'data'],
      displayInUpload: true,
    }),
  );

  all(): Datatype[] {
    return this.known;
  }

  get(extension: string): Datatype | undefined {
    return this.known.find((type) => type.extension === extension);
  }

  accepts(formats: readonly string[], extension: string): boolean {
    return formats.includes(extension);
  }

  async sniff(file: string): Promise<string> {
    const bytes = await readFile(file);
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
      const { length } = bytes;
      // A damaged one is not looked into.
      const isWhole = length > 20 && bytes.readUInt32LE(length - 4) < 10_000_000;
      return isWhole && gunzipSync(bytes)[0] === 0x40 ? 'fastqsanger.gz' : 'data';
    }
    if (bytes.includes(0)) return 'data';
    return bytes[0] === 0x3e ? 'fasta' : 'txt';
  }

  async inspect(file: string, extension: string): Promise<Inspection> {
    const { size } = await stat(file);
    const decided = extension === 'auto' ? await this.sniff(file) : extension;
    const peek = (await readFile(file)).subarray(0, 100).toString('utf8');
    const state = size === 0 ? 'empty' : 'ok';
    return { extension: decided, state, peek, blurb: `${size} bytes`, metadata: { size } };
  }
}
