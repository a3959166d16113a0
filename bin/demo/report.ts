/** The story's table: step, what was checked, seconds, bytes, passed or not. How it is told meanwhile is the narrator's. */
import { inBytes } from '../../protocol/runtime/amounts.js';
import type { Narrator } from './narrator.js';

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

  constructor(private readonly narrator: Pick<Narrator, 'begins' | 'ended'>) {}

  /** Runs one check; a check that throws has failed, and the chapter goes on where it can. */
  async check(
    step: string,
    checked: string,
    work: (count: (bytes: number) => void) => Promise<unknown>,
  ): Promise<void> {
    const started = performance.now();
    let bytes = 0;
    let reason: string | undefined;
    this.narrator.begins(checked);
    try {
      await work((more) => {
        bytes += more;
      });
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    this.add({
      step,
      checked,
      seconds: (performance.now() - started) / 1000,
      bytes,
      outcome: reason === undefined ? 'passed' : 'failed',
      ...(reason === undefined ? {} : { reason }),
    });
  }

  notReached(step: string): void {
    this.add({ step, checked: 'not reached', seconds: 0, bytes: 0, outcome: 'failed' });
  }

  get failed(): number {
    return this.lines.filter((line) => line.outcome === 'failed').length;
  }

  table(): string[] {
    const rows = this.lines.map((line) => [
      line.step,
      line.checked,
      line.seconds.toFixed(1),
      line.bytes > 0 ? inBytes(line.bytes) : '',
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
    this.narrator.ended(line);
  }
}
