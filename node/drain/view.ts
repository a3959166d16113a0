/** What a drain shows while it goes on: its step, what is left and how fast that shrinks, why it waits. Told to listeners. */
import type { Clock } from '../../protocol/runtime/clock.js';
import { Pace } from '../../protocol/runtime/pace.js';
import type { Unsafe } from './handover.js';
import type { JournalRecord } from './journal.js';
import type { Drainable, Left } from './part.js';
import { type DrainProgress, type DrainStatus, describeLeft, statusText } from './report.js';

const TELL_EACH_MS = 500;
const LISTENERS_MAX = 1000;

export class DrainView {
  private readonly pace = new Pace();
  private readonly listeners = new Set<() => void>();
  private step: Pick<Drainable, 'name' | 'say' | 'bar'> | undefined;
  private left: Left | undefined;
  private problem: string | undefined;
  private unsafe: Unsafe | undefined;
  private overdue = false;
  private toldAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly deps: { clock: Clock }) {}

  onChange(listener: () => void): () => void {
    if (this.listeners.size >= LISTENERS_MAX) throw new Error('too many follow the drain');
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  enter(step: Pick<Drainable, 'name' | 'say' | 'bar'>): void {
    if (this.step?.name === step.name) return;
    this.step = step;
    this.left = undefined;
    this.problem = undefined;
    this.pace.clear();
    this.tell();
    // What is left at first is told in any case.
    this.toldAt = Number.NEGATIVE_INFINITY;
  }

  report(left: Left): void {
    this.left = left;
    this.problem = undefined;
    const at = this.deps.clock.monotonic();
    if (left.bytesDone !== undefined) this.pace.record(at, left.bytesDone);
    if (at - this.toldAt >= TELL_EACH_MS) this.tell();
  }

  waitsFor(problem: string): void {
    if (this.problem === problem) return;
    this.problem = problem;
    this.tell();
  }

  /** What the coordinator did not find enough of. */
  found(unsafe: Unsafe | undefined): void {
    this.unsafe = unsafe;
    this.tell();
  }

  late(overdue: boolean): void {
    this.overdue = overdue;
    this.tell();
  }

  clear(): void {
    this.step = undefined;
    this.left = undefined;
    this.problem = undefined;
    this.unsafe = undefined;
    this.overdue = false;
    this.pace.clear();
  }

  /** By the coordinator's word; undefined while it has not been asked, or found everything. */
  get notSafe(): Unsafe | undefined {
    return this.unsafe;
  }

  get waiting(): string | undefined {
    return this.problem;
  }

  /** "copying data to other nodes: 3 objects to copy, 2.0 MB" */
  doing(): string {
    const more = describeLeft(this.left, this.pace.perSecond());
    return `${this.step?.say ?? 'beginning'}${more === undefined ? '' : `: ${more}`}`;
  }

  private bytesPerSecond(): number | undefined {
    const rate = this.pace.perSecond();
    return rate === undefined ? undefined : Math.round(rate);
  }

  progress(): DrainProgress {
    const bytesPerSecond = this.bytesPerSecond();
    const name = this.step?.name ?? 'begin';
    const say = this.step?.say ?? 'beginning';
    const { left, problem } = this;
    return {
      step: problem === undefined ? name : `${name}: ${problem}`,
      say: problem === undefined ? say : `${say}; waiting: ${problem}`,
      ...(left === undefined ? {} : { objectsLeft: left.objects, bytesLeft: left.bytes ?? 0 }),
      ...(left?.bytesTotal === undefined ? {} : { bytesDone: left.bytesDone ?? 0, bytesTotal: left.bytesTotal }),
      ...(this.step?.bar === undefined ? {} : { bar: this.step.bar }),
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    };
  }

  status(
    state: DrainStatus['state'],
    steps: readonly Drainable[],
    record: Readonly<JournalRecord> | undefined,
  ): DrainStatus {
    const { left } = this;
    const bytesPerSecond = this.bytesPerSecond();
    const status: Omit<DrainStatus, 'text'> = {
      state,
      step: this.step?.name ?? null,
      say: this.step?.say ?? null,
      steps: steps.map(({ name }) => ({ name, done: record?.done.includes(name) ?? false })),
      startedAt: record?.startedAt ?? null,
      deadlineAt: record?.deadlineAt ?? null,
      overdue: this.overdue,
      left: left === undefined ? null : { objects: left.objects, bytes: left.bytes ?? 0 },
      bytesDone: left?.bytesDone ?? null,
      bytesTotal: left?.bytesTotal ?? null,
      bytesPerSecond: bytesPerSecond ?? null,
      estimateMs: left?.bytes && bytesPerSecond ? Math.ceil((left.bytes * 1000) / bytesPerSecond) : null,
      waiting: this.problem ?? null,
      unsafe: this.unsafe ?? null,
      receipt: record?.receipt ?? null,
    };
    return { ...status, text: statusText(status, left) };
  }

  tell(): void {
    this.toldAt = this.deps.clock.monotonic();
    for (const listener of this.listeners) listener();
  }
}
