/**
 * What the beginning of a regular expression says about where a search need not try. Without it a search through
 * megabytes of a tool's output would set out at every character, and `.*error` would read each line once for each of
 * its characters.
 */
import type { Step } from './regex-program.js';
import type { Test } from './regex-syntax.js';

export interface RegexStart {
  /** By ASCII code: 1 where a match may begin. Other characters may begin one. Undefined: a match may be empty. */
  firsts: Uint8Array | undefined;
  /**
   * The set that the expression begins to run over without end. Where that fails, it fails at each later place of the
   * same run too: what follows would have been reached from there as well.
   */
  runs: Test | undefined;
}

export function startOf(steps: readonly Step[]): RegexStart {
  const firsts = new Uint8Array(128);
  const mayBeEmpty = collect(steps, firsts);
  return { firsts: mayBeEmpty ? undefined : firsts, runs: leadingRun(steps) };
}

/** Marks what a match may begin with. True when one may take no character, as far as can be seen. */
function collect(steps: readonly Step[], firsts: Uint8Array): boolean {
  const seen = new Set<number>();
  const waiting = [0];
  let empty = false;
  const add = (test: Test) => {
    for (let code = 0; code < firsts.length; code++) if (test(code)) firsts[code] = 1;
  };
  for (let pc = waiting.pop(); pc !== undefined; pc = waiting.pop()) {
    if (seen.has(pc)) continue;
    seen.add(pc);
    const step = steps[pc];
    switch (step?.op) {
      case 'set':
        add(step.test);
        break;
      case 'run':
        add(step.test);
        if (step.least === 0) waiting.push(pc + 1);
        break;
      case 'split':
        waiting.push(step.first, step.second);
        break;
      case 'jump':
        waiting.push(step.to);
        break;
      case 'moved':
        // A round that takes nothing goes past the jump that follows.
        waiting.push(pc + 1, pc + 2);
        break;
      case 'save':
      case 'anchor':
      case 'look':
        waiting.push(pc + 1);
        break;
      case 'atomic':
        if (collect(step.program, firsts)) waiting.push(pc + 1);
        break;
      case 'condition':
        waiting.push(pc + 1, step.otherwise);
        break;
      default:
        empty = true;
    }
  }
  return empty;
}

function leadingRun(steps: readonly Step[]): Test | undefined {
  const first = steps.find(({ op }) => op !== 'save');
  if (first?.op !== 'run' || first.most !== Number.POSITIVE_INFINITY || remembers(steps)) return undefined;
  return first.test;
}

/** Whether what follows may depend on what a group took, and so on where the match began. */
function remembers(steps: readonly Step[]): boolean {
  return steps.some(
    (step) =>
      step.op === 'back' ||
      step.op === 'condition' ||
      ((step.op === 'look' || step.op === 'atomic') && remembers(step.program)),
  );
}
