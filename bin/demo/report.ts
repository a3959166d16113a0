/** The story's table: step, what was checked, seconds, bytes, passed or not. */
import { amount } from '../progress.js';

export interface Line {
  step: string;
  checked: string;
  seconds: number;
  bytes: number;
  outcome: 'passed' | 'failed';
  /** Why not. */
  reason?: string;
}

export class Report {
  readonly lines: Line[] = [];

  constructor(private readonly say: (text: string) => void) {}

  /** Runs one check; a check that throws has failed, and the story goes on where it can. */
  async check<T>(
    step: string,
    checked: string,
    work: (count: (bytes: number) => void) => Promise<T>,
  ): Promise<T | undefined> {
    const started = performance.now();
    let bytes = 0;
    const line = (outcome: Line['outcome'], reason?: string): Line => ({
      step,
      checked,
      seconds: (performance.now() - started) / 1000,
      bytes,
      outcome,
      ...(reason === undefined ? {} : { reason }),
    });
    try {
      const value = await work((more) => {
        bytes += more;
      });
      this.add(line('passed'));
      return value;
    } catch (error) {
      this.add(line('failed', error instanceof Error ? error.message : String(error)));
      return undefined;
    }
  }

  notReached(step: string): void {
    this.add({ step, checked: 'not reached', seconds: 0, bytes: 0, outcome: 'failed' });
  }

  note(text: string): void {
    this.say(text);
  }

  get failed(): number {
    return this.lines.filter((line) => line.outcome === 'failed').length;
  }

  table(): string[] {
    const rows = this.lines.map((line) => [
      line.step,
      line.checked,
      line.seconds.toFixed(1),
      line.bytes > 0 ? amount(line.bytes, 'bytes') : '',
      line.outcome === 'passed' ? 'passed' : 'FAILED',
    ]);
    const header = ['STEP', 'CHECKED', 'SECONDS', 'BYTES', ''];
    const widths = header.map((title, column) =>
      Math.max(title.length, ...rows.map((row) => (row[column] as string).length)),
    );
    const text = (cells: string[]) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join('  ')
        .trimEnd();
    return [text(header), ...rows.map(text)];
  }

  private add(line: Line): void {
    this.lines.push(line);
    const mark = line.outcome === 'passed' ? '✓' : '✗';
    this.say(`  ${mark} ${line.checked} (${line.seconds.toFixed(1)} s)${line.reason ? `\n      ${line.reason}` : ''}`);
  }
}
