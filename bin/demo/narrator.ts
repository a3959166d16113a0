/**
 * Who tells the story while it happens. The same chapters have two: a terse one for `--story`, which never waits, and a
 * guide for a person, who says beforehand what will happen and where to look, and lets her set the pace.
 */
import { createInterface } from 'node:readline';
import { type ProgressBar, progressBar } from '../progress.js';
import type { Line } from './report.js';
import type { Chapter, Scene } from './scene.js';
import { pause } from './waits.js';

export interface Narrator {
  /** Before a chapter happens. */
  announce(chapter: Chapter, scene: Scene): Promise<void>;
  begins(checked: string): void;
  ended(line: Line): void;
  note(text: string): void;
  /** For work that takes longer than a moment. */
  progress(title: string): ProgressBar;
  /** She has heard enough: what is still under way fails now, and nobody needs to hear of it. */
  hush(): void;
}

const SILENT_BAR: ProgressBar = { update: () => {}, end: () => {} };

export class Checker implements Narrator {
  private isHushed = false;

  constructor(private readonly output: { write(text: string): unknown }) {}

  async announce({ step }: Chapter): Promise<void> {
    this.say(`\n${step}`);
  }

  begins(): void {}

  ended(line: Line): void {
    this.say(ending(line));
  }

  note(text: string): void {
    this.say(`      ${text}`);
  }

  progress(): ProgressBar {
    return SILENT_BAR;
  }

  hush(): void {
    this.isHushed = true;
  }

  private say(text: string): void {
    if (!this.isHushed) this.output.write(`${text}\n`);
  }
}

export interface GuideOptions {
  /** Between chapters; null: until Enter is pressed. */
  pauseMs: number | null;
  columns: number;
  /** Whether what is under way can be written over. */
  isTerminal: boolean;
}

export class Guide implements Narrator {
  private number = 0;
  private bar: ProgressBar | undefined;
  private beginning: string | undefined;
  private isHushed = false;

  constructor(
    private readonly output: { write(text: string): unknown },
    private readonly options: GuideOptions,
  ) {}

  async announce(chapter: Chapter, scene: Scene): Promise<void> {
    this.number += 1;
    const title = `${this.number}. ${chapter.title}`;
    const look = chapter.look?.(scene) ?? [];
    this.lines('', title, '─'.repeat(title.length), ...wrap(chapter.telling(scene), this.options.columns));
    if (look.length > 0) this.lines('', 'Look at:', ...look.map((line) => `  ${line}`));
    this.lines('');
    await this.wait();
  }

  begins(checked: string): void {
    if (!this.options.isTerminal || this.isHushed) return;
    this.beginning = `  … ${checked}`.slice(0, this.options.columns - 1);
    this.output.write(this.beginning);
  }

  ended(line: Line): void {
    this.clear();
    this.lines(ending(line));
  }

  note(text: string): void {
    this.clear();
    this.lines(...wrap(text, this.options.columns - 4).map((line) => `    ${line}`));
  }

  progress(title: string): ProgressBar {
    if (this.isHushed) return SILENT_BAR;
    const before = this.beginning;
    this.clear();
    const inner = progressBar(`    ${title}`);
    const bar: ProgressBar = {
      update: (done, total, label) => {
        if (this.bar === bar) inner.update(done, total, label);
      },
      end: () => {
        inner.end();
        if (this.bar !== bar) return;
        this.bar = undefined;
        // What is still under way is said again, below the bar.
        if (before !== undefined) this.output.write(before);
        this.beginning = before;
      },
    };
    this.bar = bar;
    return bar;
  }

  hush(): void {
    this.clear();
    this.isHushed = true;
  }

  private async wait(): Promise<void> {
    const { pauseMs } = this.options;
    if (pauseMs === null) await pressedEnter(this.output);
    else await pause(pauseMs);
  }

  /** What is said next stands on a line of its own. */
  private clear(): void {
    const bar = this.bar;
    this.bar = undefined;
    bar?.end();
    if (this.beginning !== undefined) this.output.write('\r\u001b[2K');
    this.beginning = undefined;
  }

  private lines(...lines: string[]): void {
    if (!this.isHushed) this.output.write(`${lines.join('\n')}\n`);
  }
}

function ending({ outcome, checked, seconds, reason }: Line): string {
  const mark = outcome === 'passed' ? '✓' : '✗';
  return `  ${mark} ${checked} (${seconds.toFixed(1)} s)${reason === undefined ? '' : `\n      ${reason}`}`;
}

function pressedEnter(output: { write(text: string): unknown }): Promise<void> {
  output.write('Press Enter to go on. ');
  const reader = createInterface({ input: process.stdin });
  return new Promise((resolve) => {
    // At the end of the input nobody is there to press anything.
    reader.once('close', () => resolve());
    reader.once('line', () => reader.close());
  });
}

/** Paragraphs, broken at spaces. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > columns) {
        lines.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines;
}
