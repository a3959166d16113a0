/**
 * Progress for people on standard error: a bar with rate and estimate on a terminal; elsewhere each new thing that is done
 * as a line, and how far it is now and then. `bytes` have a rate in bytes; `steps` are few and unlike each other, so what is
 * said of them is the time so far and about how long the rest takes at that pace.
 */
import cliProgress from 'cli-progress';
import { inBytes, inTime } from '../protocol/runtime/amounts.js';
import { Pace } from '../protocol/runtime/pace.js';

export type ProgressUnit = 'bytes' | 'steps';

export interface ProgressBar {
  /** `done` of `total` are behind us; a total of 0 is not known yet. */
  update(done: number, total: number, label?: string): void;
  end(): void;
}

export interface ProgressOutput {
  write(text: string): unknown;
  isTTY?: boolean;
}

export function progressBar(title: string, unit: ProgressUnit = 'bytes', output?: ProgressOutput): ProgressBar {
  return process.stderr.isTTY && output === undefined
    ? new TerminalBar(title, unit)
    : new PlainLines(title, unit, output ?? process.stderr);
}

const SO_FAR_FROM_MS = 1000;
const PLAIN_EVERY_MS = 5000;

/** How far, how fast, how long still. */
export class ProgressText {
  private readonly pace = new Pace();
  private begun: number | undefined;

  /** `at`: monotonic ms. */
  at(at: number, done: number, total: number, unit: ProgressUnit): string {
    this.begun ??= at;
    this.pace.record(at, done);
    const rate = this.pace.perSecond();
    const parts =
      unit === 'bytes'
        ? [`${inBytes(done)} of ${total > 0 ? inBytes(total) : '?'}`]
        : [total > 0 && done >= total ? 'done' : `step ${done + 1} of ${total > 0 ? total : '?'}`];
    if (unit === 'bytes' && rate !== undefined) parts.push(`${inBytes(rate)}/s`);
    if (unit === 'steps' && at - this.begun >= SO_FAR_FROM_MS) parts.push(`${inTime(at - this.begun)} so far`);
    if (rate !== undefined && total > done) parts.push(`about ${inTime(((total - done) * 1000) / rate)} left`);
    return parts.join(', ');
  }
}

class TerminalBar implements ProgressBar {
  private readonly text = new ProgressText();
  private readonly bar: cliProgress.SingleBar;
  private started = false;

  constructor(
    private readonly title: string,
    private readonly unit: ProgressUnit,
  ) {
    this.bar = new cliProgress.SingleBar({
      format: '{title} [{bar}] {detail}',
      barCompleteChar: '█',
      barIncompleteChar: '░',
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: false,
      barsize: 24,
    });
  }

  update(done: number, total: number, label?: string): void {
    const payload = { title: label ?? this.title, detail: this.text.at(performance.now(), done, total, this.unit) };
    if (!this.started) {
      this.started = true;
      this.bar.start(Math.max(1, total), done, payload);
    } else {
      this.bar.setTotal(Math.max(1, total));
      this.bar.update(done, payload);
    }
  }

  end(): void {
    if (this.started) this.bar.stop();
    this.started = false;
  }
}

class PlainLines implements ProgressBar {
  private readonly text = new ProgressText();
  private saidAt = Number.NEGATIVE_INFINITY;
  private said = '';
  private label: string | undefined;
  private last = '';

  constructor(
    private readonly title: string,
    private readonly unit: ProgressUnit,
    private readonly output: ProgressOutput,
  ) {}

  update(done: number, total: number, label?: string): void {
    const now = performance.now();
    const isNew = label !== this.label;
    this.label = label;
    this.last = `${label ?? this.title}: ${this.text.at(now, done, total, this.unit)}`;
    if (isNew || now - this.saidAt >= PLAIN_EVERY_MS) this.say(now);
  }

  end(): void {
    if (this.last !== '' && this.last !== this.said) this.say(performance.now());
    this.last = '';
    this.said = '';
  }

  private say(now: number): void {
    this.saidAt = now;
    this.said = this.last;
    this.output.write(`${this.last}\n`);
  }
}
