/** Progress for people on standard error: a bar with rate and estimate on a terminal, a line now and then elsewhere. */
import cliProgress from 'cli-progress';

export interface ProgressBar {
  /** `done` of `total` in bytes (or in items, when `unit` says so). A total of 0 is not known yet. */
  update(done: number, total: number, label?: string): void;
  end(): void;
}

export function progressBar(title: string, unit: 'bytes' | 'items' = 'bytes'): ProgressBar {
  return process.stderr.isTTY ? new TerminalBar(title, unit) : new PlainLines(title, unit);
}

/** Rate and estimate from the first report on: short bursts do not make the estimate jump. */
class Pace {
  private begun: { at: number; done: number } | undefined;

  text(done: number, total: number, unit: 'bytes' | 'items'): string {
    this.begun ??= { at: performance.now(), done };
    const seconds = (performance.now() - this.begun.at) / 1000;
    const rate = seconds > 0.5 ? (done - this.begun.done) / seconds : 0;
    const parts = [`${amount(done, unit)} of ${total > 0 ? amount(total, unit) : '?'}`];
    if (rate > 0) parts.push(`${amount(rate, unit)}/s`);
    if (rate > 0 && total > done) parts.push(`about ${duration((total - done) / rate)} left`);
    return parts.join(', ');
  }
}

class TerminalBar implements ProgressBar {
  private readonly pace = new Pace();
  private readonly bar: cliProgress.SingleBar;
  private started = false;

  constructor(
    private readonly title: string,
    private readonly unit: 'bytes' | 'items',
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
    const payload = { title: label ?? this.title, detail: this.pace.text(done, total, this.unit) };
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
  private readonly pace = new Pace();
  private saidAt = Number.NEGATIVE_INFINITY;
  private last = '';

  constructor(
    private readonly title: string,
    private readonly unit: 'bytes' | 'items',
  ) {}

  update(done: number, total: number, label?: string): void {
    this.last = `${label ?? this.title}: ${this.pace.text(done, total, this.unit)}`;
    if (performance.now() - this.saidAt < 5000) return;
    this.saidAt = performance.now();
    process.stderr.write(`${this.last}\n`);
  }

  end(): void {
    if (this.last) process.stderr.write(`${this.last}\n`);
    this.last = '';
  }
}

export function amount(value: number, unit: 'bytes' | 'items'): string {
  if (unit === 'items') return String(Math.round(value));
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = value;
  let index = 0;
  while (size >= 1000 && index < units.length - 1) {
    size /= 1000;
    index += 1;
  }
  return `${index === 0 ? Math.round(size) : size.toFixed(1)} ${units[index]}`;
}

export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
