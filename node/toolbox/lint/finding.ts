/** What lint has to say, in the form of a good compiler: where, what, and what to do. */
import type { Spot } from '../errors.js';

export type LintLevel = 'error' | 'warning' | 'info';

export interface Finding {
  level: LintLevel;
  file: string;
  line: number;
  column?: number;
  /** Stable, for scripts: `unknown-attribute`. */
  code: string;
  message: string;
  mend: string;
}

const FINDINGS_MAX = 500;

export class Findings {
  private readonly list: Finding[] = [];
  private readonly seen = new Set<string>();

  add(level: LintLevel, code: string, { file, line, column }: Spot, message: string, mend: string): void {
    // A macro that is expanded ten times is wrong once.
    const key = `${file}\0${line}\0${column ?? ''}\0${code}\0${message}`;
    if (this.seen.has(key) || this.list.length >= FINDINGS_MAX) return;
    this.seen.add(key);
    this.list.push({ level, file, line, ...(column === undefined ? {} : { column }), code, message, mend });
  }

  /** Whether something is said of that line already. */
  has({ file, line }: Spot): boolean {
    return this.list.some((finding) => finding.file === file && finding.line === line);
  }

  /** In the order of the files' lines; the wrapper's own first. */
  sorted(first: string): Finding[] {
    const rank = (file: string) => (file === first ? 0 : 1);
    return [...this.list].sort(
      (a, b) =>
        rank(a.file) - rank(b.file) ||
        (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) ||
        a.line - b.line ||
        (a.column ?? 0) - (b.column ?? 0),
    );
  }
}
