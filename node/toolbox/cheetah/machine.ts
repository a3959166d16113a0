/**
 * What one rendering holds: the names it is given, what it sets, its output and its bounds. Nothing else can be reached
 * from a template. Every step, every built value and the output are counted.
 */
import { limitFault } from './errors.js';
import { findAttribute } from './names.js';
import type { Callable, FileFacts, Meter, Value } from './values.js';

export type Names = ReadonlyMap<string, Value>;

export interface Limits {
  stepsMax: number;
  outputCharsMax: number;
  /** Characters of one string, items of one list. */
  valueUnitsMax: number;
  /** Of all values that one rendering builds, each by its weight; it may hold all of them. */
  builtUnitsMax: number;
  /** Functions of the template that call each other. */
  callDepthMax: number;
}

const NO_FILES: FileFacts = { exists: () => false, isFile: () => false, isFolder: () => false };

/** Text that is being written: the template's, or that of a function until it returns. */
export class Output {
  private readonly parts: string[] = [];
  private length = 0;

  constructor(private readonly charsMax: number) {}

  write(text: string): void {
    this.length += text.length;
    if (this.length > this.charsMax) throw limitFault(`more than ${this.charsMax} characters of output`);
    this.parts.push(text);
  }

  text(): string {
    return this.parts.join('');
  }
}

/** The variables of a function, a comprehension or the template itself. */
export interface Frame {
  readonly machine: Machine;
  readonly locals: Map<string, Value>;
  /** The frame around it, whose variables a plain name sees too. */
  readonly parent: Frame | undefined;
  readonly out: Output;
  returned: Value;
}

export interface MachineOptions {
  limits: Limits;
  python: 2 | 3;
  files?: FileFacts | undefined;
  /** An output filter's plain names are parameters; a template's are Python's. */
  bareNames: boolean;
  /** Steps that several renderings share. */
  effort?: SharedSteps | undefined;
}

export interface SharedSteps {
  readonly left: number;
  step(count: number): void;
}

export class Machine implements Meter {
  readonly python: 2 | 3;
  readonly files: FileFacts;
  readonly bareNames: boolean;
  /** Offset in the source of what ran last: where an error is. */
  at = 0;
  /** `#set global`. */
  readonly globals = new Map<string, Value>();
  /** The template's functions. */
  readonly functions = new Map<string, Callable>();
  /** What the template imports. */
  readonly modules = new Map<string, Value>();
  /** The exceptions that are being handled, innermost last: what a bare `#raise` raises. */
  readonly handling: Error[] = [];
  private readonly limits: Limits;
  private steps = 0;
  private built = 0;
  private calls = 0;
  private readonly effort: SharedSteps | undefined;

  constructor(
    readonly names: Names,
    options: MachineOptions,
  ) {
    this.limits = options.limits;
    this.python = options.python;
    this.files = options.files ?? NO_FILES;
    this.bareNames = options.bareNames;
    this.effort = options.effort;
  }

  step(count = 1): void {
    this.steps += count;
    if (this.steps > this.limits.stepsMax) throw limitFault(`more than ${this.limits.stepsMax} steps`);
    if (this.effort === undefined) return;
    if (this.effort.left < count) throw limitFault('more steps than one request may take');
    this.effort.step(count);
  }

  size(units: number, weight = 1): void {
    this.fits(units);
    this.built += units * weight;
    if (this.built > this.limits.builtUnitsMax) {
      throw limitFault(`values that together have more than ${this.limits.builtUnitsMax} items`);
    }
    this.step(Math.ceil(units / 100));
  }

  fits(units: number): void {
    if (units > this.limits.valueUnitsMax) {
      throw limitFault(`a value of more than ${this.limits.valueUnitsMax} characters or items`);
    }
  }

  attribute(value: Value, name: string): Value | undefined {
    return findAttribute(value, name, this);
  }

  enter(): void {
    if (++this.calls > this.limits.callDepthMax) {
      throw limitFault(`more than ${this.limits.callDepthMax} calls within each other`);
    }
  }

  leave(): void {
    this.calls--;
  }

  output(): Output {
    return new Output(this.limits.outputCharsMax);
  }

  frame(parent?: Frame): Frame {
    return { machine: this, locals: new Map(), parent, out: parent?.out ?? this.output(), returned: null };
  }
}
