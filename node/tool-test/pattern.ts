/**
 * Regular expressions of tests, in Python's words, on a tool's output. They run on the interpreter's own machine: a
 * pattern that would never end is stopped after so many steps, which JavaScript's engine cannot be.
 */
import { describeError } from '../../protocol/runtime/errors.js';
import { Input, runRegex } from '../toolbox/cheetah/regex-machine.js';
import { compileRegex, type Program } from '../toolbox/cheetah/regex-program.js';
import { FLAGS } from '../toolbox/cheetah/regex-syntax.js';
import type { Meter } from '../toolbox/cheetah/values.js';

/** About a minute of matching. */
const STEPS_MAX = 40_000_000;

/** A pattern that is none, or one that did not end: the test fails with this sentence. */
export class PatternFault extends Error {}

export class Pattern {
  private readonly program: Program;
  private readonly source: string;

  constructor(source: string, options: { multiline?: boolean } = {}) {
    this.source = source;
    try {
      this.program = compileRegex(source, options.multiline ? FLAGS.M : 0);
    } catch (error) {
      throw new PatternFault(`"${source}" is not a regular expression: ${describeError(error)}`);
    }
  }

  /** Anchored at the start, as `re.match` is. */
  matches(text: string): boolean {
    return this.run(new Input(text), 0, false) !== undefined;
  }

  /** How often it is found, without overlaps; no further than `most`. */
  count(text: string, most = Number.POSITIVE_INFINITY): number {
    const input = new Input(text);
    const meter = new Steps();
    let found = 0;
    let at = 0;
    while (at <= input.codes.length && found < most) {
      const slots = this.run(input, at, true, meter);
      if (slots === undefined) break;
      found += 1;
      const [start = 0, end = 0] = slots;
      at = end > start ? end : end + 1;
    }
    return found;
  }

  private run(input: Input, at: number, search: boolean, meter = new Steps()): number[] | undefined {
    try {
      return runRegex(this.program, input, at, search, {}, meter);
    } catch (error) {
      throw new PatternFault(`"${this.source}" could not be matched: ${describeError(error)}`);
    }
  }
}

/** For text that is meant as it stands. */
export function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9_]/gu, (char) => (char === '\n' ? '\\n' : `\\${char}`));
}

class Steps implements Meter {
  readonly python = 3;
  readonly files = { exists: () => false, isFile: () => false, isFolder: () => false };
  private steps = 0;

  attribute(): undefined {
    return undefined;
  }

  step(count = 1): void {
    this.steps += count;
    if (this.steps > STEPS_MAX) throw new Error('it takes too many steps');
  }

  size(): void {}

  fits(): void {}
}
