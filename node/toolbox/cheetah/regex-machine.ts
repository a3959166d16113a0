/**
 * Runs the instructions of a regular expression by backtracking with a stack of its own. Every step is counted with the
 * template's, so a pattern that would run for years ends with the template's limit on steps; JavaScript's own engine
 * cannot be stopped from within.
 */
import { limitFault } from './errors.js';
import type { Program, Step } from './regex-program.js';
import { folded, isAsciiWordCode, isWord } from './regex-syntax.js';
import type { Meter } from './values.js';

const STACK_MAX = 400_000;
/** So many instructions cost a step of the template. */
const CHUNK = 16;

export interface MatchMode {
  /** Must end at the end of the text. */
  full?: boolean;
  /** Must not be empty at its first place: what follows an empty match. */
  advance?: boolean;
}

const BRANCH = 0;
const RESTORE = 1;
const SHORTER = 2;
const LONGER = 3;

export class Input {
  readonly codes: Uint32Array;
  private readonly wide: boolean;

  constructor(readonly text: string) {
    this.wide = /[\ud800-\udfff]/.test(text);
    if (this.wide) this.codes = Uint32Array.from(text, (char) => char.codePointAt(0) ?? 0);
    else {
      this.codes = new Uint32Array(text.length);
      for (let i = 0; i < text.length; i++) this.codes[i] = text.charCodeAt(i);
    }
  }

  slice(from: number, to: number): string {
    if (!this.wide) return this.text.slice(from, to);
    return Array.from(this.codes.subarray(from, to), (code) => String.fromCodePoint(code)).join('');
  }
}

/** Tries at `start` and, when `search`, at each later place. Gives the slots of the match. */
export function runRegex(
  program: Program,
  input: Input,
  start: number,
  search: boolean,
  mode: MatchMode,
  meter: Meter,
): number[] | undefined {
  const runner = new Runner(input, meter, mode.full ?? false);
  const last = search ? input.codes.length : start;
  const { codes } = input;
  const { firsts, runs } = program.start;
  for (let at = start; at <= last; at++) {
    const code = codes[at];
    if (firsts && (code === undefined || (code < 128 && firsts[code] === 0))) {
      runner.count();
      continue;
    }
    const slots = new Array<number>(program.slots).fill(-1);
    const banned = mode.advance && at === start ? at : -1;
    const end = runner.run(program.steps, at, slots, banned);
    if (end < 0) {
      if (runs && banned < 0) for (; at < last && runs(codes[at] ?? 0); at++) runner.count();
      continue;
    }
    slots[0] = at;
    slots[1] = end;
    return slots;
  }
  return undefined;
}

class Runner {
  private instructions = 0;

  constructor(
    private readonly input: Input,
    private readonly meter: Meter,
    private readonly full: boolean,
  ) {}

  count(): void {
    if (++this.instructions % CHUNK === 0) this.meter.step();
  }

  /** The end of the match, or -1. `banned`: where it must not end. `part`: of a look-around, which ends anywhere. */
  run(steps: readonly Step[], start: number, slots: number[], banned: number, part = false): number {
    const { codes } = this.input;
    const stack: number[] = [];
    let pc = 0;
    let at = start;
    while (true) {
      this.count();
      const step = steps[pc] as Step;
      let ok = true;
      switch (step.op) {
        case 'set':
          ok = at < codes.length && step.test(codes[at] as number);
          if (ok) {
            at++;
            pc++;
          }
          break;
        case 'run': {
          const most = Math.min(step.most, codes.length - at);
          let length = 0;
          const want = step.lazy ? Math.min(step.least, most) : most;
          while (length < want && step.test(codes[at + length] as number)) {
            length++;
            this.count();
          }
          ok = length >= step.least;
          if (!ok) break;
          pc++;
          if (step.lazy) {
            if (length < most) stack.push(LONGER, pc - 1, at + length, at + most);
          } else if (!step.possessive && length > step.least) stack.push(SHORTER, pc, at + step.least, at + length);
          at += length;
          break;
        }
        case 'split':
          stack.push(BRANCH, step.second, at, 0);
          pc = step.first;
          break;
        case 'jump':
          pc = step.to;
          break;
        case 'save':
          stack.push(RESTORE, step.slot, slots[step.slot] ?? -1, 0);
          slots[step.slot] = at;
          pc++;
          break;
        case 'moved':
          ok = slots[step.slot] !== at;
          // A round that matched nothing is not repeated, but what follows may go on.
          if (!ok) {
            ok = true;
            pc += 2;
          } else pc++;
          break;
        case 'anchor':
          ok = this.holds(step.at, step.ascii, at);
          pc++;
          break;
        case 'look': {
          const from = at - step.back;
          const before = [...slots];
          const end = from < 0 ? -1 : this.run(step.program, from, slots, -1, true);
          const found = end >= 0 && (step.back === 0 || end === at);
          ok = found !== step.negative;
          if (ok && found) this.keep(before, slots, stack);
          else slots.splice(0, slots.length, ...before);
          pc++;
          break;
        }
        case 'atomic': {
          const before = [...slots];
          const end = this.run(step.program, at, slots, -1, true);
          ok = end >= 0;
          if (ok) {
            this.keep(before, slots, stack);
            at = end;
          } else slots.splice(0, slots.length, ...before);
          pc++;
          break;
        }
        case 'back': {
          const length = this.repeats(slots[step.index * 2] ?? -1, slots[step.index * 2 + 1] ?? -1, at, step.fold);
          ok = length >= 0;
          at += Math.max(0, length);
          pc++;
          break;
        }
        case 'condition':
          pc = (slots[step.index * 2 + 1] ?? -1) >= 0 ? pc + 1 : step.otherwise;
          break;
        case 'match':
          if (part || ((!this.full || at === codes.length) && at !== banned)) return at;
          ok = false;
      }
      if (stack.length > STACK_MAX) throw limitFault('a regular expression that remembers too much');
      if (ok) continue;
      const back = this.backtrack(stack, slots, steps);
      if (back === undefined) return -1;
      [pc, at] = back;
    }
  }

  /** What was captured inside is undone when the match goes back behind it. */
  private keep(before: readonly number[], slots: readonly number[], stack: number[]): void {
    for (const [slot, old] of before.entries()) if (slots[slot] !== old) stack.push(RESTORE, slot, old, 0);
  }

  private backtrack(stack: number[], slots: number[], steps: readonly Step[]): [pc: number, at: number] | undefined {
    while (stack.length > 0) {
      const d = stack.pop() as number;
      const c = stack.pop() as number;
      const b = stack.pop() as number;
      const kind = stack.pop() as number;
      if (kind === BRANCH) return [b, c];
      if (kind === RESTORE) slots[b] = c;
      else if (kind === SHORTER) {
        if (d - 1 > c) stack.push(SHORTER, b, c, d - 1);
        return [b, d - 1];
      } else {
        const step = steps[b];
        if (step?.op !== 'run' || !step.test(this.input.codes[c] ?? 0)) continue;
        if (c + 1 < d) stack.push(LONGER, b, c + 1, d);
        return [b + 1, c + 1];
      }
    }
    return undefined;
  }

  private holds(kind: Extract<Step, { op: 'anchor' }>['at'], ascii: boolean, at: number): boolean {
    const { codes } = this.input;
    const test = ascii ? isAsciiWordCode : isWord;
    switch (kind) {
      case 'start':
        return at === 0;
      case 'end':
        return at === codes.length;
      case 'final':
        return at === codes.length || (at === codes.length - 1 && codes[at] === 10);
      case 'line-start':
        return at === 0 || codes[at - 1] === 10;
      case 'line-end':
        return at === codes.length || codes[at] === 10;
      default: {
        const before = at > 0 && test(codes[at - 1] as number);
        const after = at < codes.length && test(codes[at] as number);
        return (before !== after) === (kind === 'word');
      }
    }
  }

  /** The length of what a group matched, when it stands here again; -1 when not. */
  private repeats(from: number, to: number, at: number, fold: boolean): number {
    if (from < 0 || to < 0) return -1;
    const { codes } = this.input;
    for (let i = 0; i < to - from; i++) {
      this.count();
      const [one, other] = [codes[from + i], codes[at + i]];
      if (one === undefined || other === undefined) return -1;
      if (one !== other && !(fold && folded(one) === folded(other))) return -1;
    }
    return to - from;
  }
}
