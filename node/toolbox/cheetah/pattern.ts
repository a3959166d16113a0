/**
 * A regular expression that a wrapper or a user's tool has outside its templates, in Python's words: of a validator, a
 * filter, `<discover_datasets>`, `<stdio>`. It runs on the interpreter's own machine within a number of steps, because
 * JavaScript's engine holds its thread for as long as an evil pattern likes.
 */
import { Fault } from './errors.js';
import { Input, runRegex } from './regex-machine.js';
import { compileRegex, type Program } from './regex-program.js';
import { FLAGS } from './regex-syntax.js';
import type { Meter, Value } from './values.js';

/** Not a pattern, or one that this machine does not have: found when it is compiled. */
export class PatternRefused extends Error {}

/** It took more steps than there were. */
export class PatternExhausted extends Error {}

/** Steps that are used up together: of one request, one job. */
export class Effort implements Meter {
  readonly python = 3;
  readonly files = { exists: () => false, isFile: () => false, isFolder: () => false };
  private spent = 0;

  /** `whole`: what this is a part of, and is counted in. */
  constructor(
    readonly stepsMax: number,
    private readonly whole?: Effort,
  ) {}

  /** What is left, for an evaluation that counts for itself and says with `step` what it took. */
  get left(): number {
    return Math.max(0, Math.min(this.stepsMax - this.spent, this.whole?.left ?? Number.POSITIVE_INFINITY));
  }

  step(count = 1): void {
    this.spent += count;
    this.whole?.step(count);
    if (this.spent > this.stepsMax) throw new PatternExhausted('a regular expression takes too many steps');
  }

  attribute(): Value | undefined {
    return undefined;
  }

  size(): void {}

  fits(): void {}
}

/** A text that several patterns are tried on. */
export class Subject {
  readonly input: Input;

  constructor(text: string) {
    this.input = new Input(text);
  }
}

const CHARS_MAX = 20_000;

export class BoundedPattern {
  private readonly program: Program;

  /** Throws PatternRefused. `ignoreCase`: as `re.IGNORECASE` beside what the pattern says itself. */
  constructor(
    readonly source: string,
    { ignoreCase = false }: { ignoreCase?: boolean } = {},
  ) {
    if (source.length > CHARS_MAX) throw new PatternRefused(`it is longer than ${CHARS_MAX} characters`);
    try {
      this.program = compileRegex(source, ignoreCase ? FLAGS.I : 0);
    } catch (error) {
      if (error instanceof Fault) throw new PatternRefused(error.reason);
      throw error;
    }
  }

  /** As `re.match`: from the beginning. Its named groups, or undefined. Throws PatternExhausted. */
  match(text: string, effort: Effort): Record<string, string | undefined> | undefined {
    const { input } = new Subject(text);
    const slots = this.run(input, false, effort);
    if (slots === undefined) return undefined;
    const groups: Record<string, string | undefined> = Object.create(null) as Record<string, string | undefined>;
    for (const [name, index] of this.program.names) {
      const [from = -1, to = -1] = [slots[index * 2], slots[index * 2 + 1]];
      groups[name] = from < 0 || to < 0 ? undefined : input.slice(from, to);
    }
    return groups;
  }

  /** As `re.search`: anywhere. Throws PatternExhausted. */
  isIn(subject: Subject, effort: Effort): boolean {
    return this.run(subject.input, true, effort) !== undefined;
  }

  private run(input: Input, search: boolean, effort: Effort): number[] | undefined {
    // Short texts would cost nothing otherwise, and there may be many.
    effort.step();
    try {
      return runRegex(this.program, input, 0, search, {}, effort);
    } catch (error) {
      if (error instanceof Fault) throw new PatternExhausted(error.reason);
      throw error;
    }
  }
}
