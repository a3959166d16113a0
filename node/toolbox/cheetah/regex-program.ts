/** A regular expression's tree → instructions for regex-machine.ts. */
import { limitFault } from './errors.js';
import { type RegexStart, startOf } from './regex-start.js';
import { type Node, parseRegex, regexError, type Test } from './regex-syntax.js';

export type Step =
  | { op: 'set'; test: Test }
  /** One set, many times: by far the most common loop. */
  | { op: 'run'; test: Test; least: number; most: number; lazy: boolean; possessive: boolean }
  | { op: 'split'; first: number; second: number }
  | { op: 'jump'; to: number }
  | { op: 'save'; slot: number }
  /** Goes on only when something was matched since the slot was saved. */
  | { op: 'moved'; slot: number }
  | { op: 'anchor'; at: Extract<Node, { kind: 'anchor' }>['at']; ascii: boolean }
  | { op: 'look'; program: Step[]; negative: boolean; back: number }
  | { op: 'atomic'; program: Step[] }
  | { op: 'back'; index: number; fold: boolean }
  | { op: 'condition'; index: number; otherwise: number }
  | { op: 'match' };

export interface Program {
  pattern: string;
  flags: number;
  steps: Step[];
  groups: number;
  /** Captures and the marks of loops. */
  slots: number;
  names: ReadonlyMap<string, number>;
  start: RegexStart;
}

const STEPS_MAX = 20_000;

export function compileRegex(pattern: string, flags: number): Program {
  const syntax = parseRegex(pattern, flags);
  const writer = new Writer((syntax.groups + 1) * 2);
  const steps = writer.program(syntax.root);
  const { flags: all, groups, names } = syntax;
  return { pattern, flags: all, steps, groups, slots: writer.slots, names, start: startOf(steps) };
}

class Writer {
  private written = 0;

  constructor(public slots: number) {}

  program(node: Node): Step[] {
    const steps: Step[] = [];
    this.write(node, steps);
    this.push(steps, { op: 'match' });
    return steps;
  }

  private push(steps: Step[], step: Step): number {
    if (++this.written > STEPS_MAX) throw limitFault('a regular expression that is too large');
    return steps.push(step) - 1;
  }

  private write(node: Node, steps: Step[]): void {
    switch (node.kind) {
      case 'set':
        this.push(steps, { op: 'set', test: node.test });
        return;
      case 'sequence':
        for (const item of node.items) this.write(item, steps);
        return;
      case 'choice':
        this.choice(node.items, steps);
        return;
      case 'group':
        this.push(steps, { op: 'save', slot: node.index * 2 });
        this.write(node.body, steps);
        this.push(steps, { op: 'save', slot: node.index * 2 + 1 });
        return;
      case 'repeat':
        this.repeat(node, steps);
        return;
      case 'anchor':
        this.push(steps, { op: 'anchor', at: node.at, ascii: node.ascii });
        return;
      case 'look': {
        const back = node.behind ? widthOf(node.body) : 0;
        if (back === undefined) throw regexError('look-behind requires fixed-width pattern');
        this.push(steps, { op: 'look', program: this.program(node.body), negative: node.negative, back });
        return;
      }
      case 'atomic':
        this.push(steps, { op: 'atomic', program: this.program(node.body) });
        return;
      case 'back':
        this.push(steps, { op: 'back', index: node.index, fold: node.fold });
        return;
      case 'condition': {
        const condition: Step = { op: 'condition', index: node.index, otherwise: 0 };
        this.push(steps, condition);
        this.write(node.yes, steps);
        const jump: Step = { op: 'jump', to: 0 };
        this.push(steps, jump);
        condition.otherwise = steps.length;
        this.write(node.no, steps);
        jump.to = steps.length;
      }
    }
  }

  private choice(items: readonly Node[], steps: Step[]): void {
    const jumps: { op: 'jump'; to: number }[] = [];
    for (const [index, item] of items.entries()) {
      if (index === items.length - 1) {
        this.write(item, steps);
        continue;
      }
      const split = { op: 'split' as const, first: steps.length + 1, second: 0 };
      this.push(steps, split);
      this.write(item, steps);
      const jump = { op: 'jump' as const, to: 0 };
      this.push(steps, jump);
      jumps.push(jump);
      split.second = steps.length;
    }
    for (const jump of jumps) jump.to = steps.length;
  }

  private repeat(node: Extract<Node, { kind: 'repeat' }>, steps: Step[]): void {
    const { body, least, most, mode } = node;
    if (body.kind === 'set') {
      this.push(steps, {
        op: 'run',
        test: body.test,
        least,
        most,
        lazy: mode === 'lazy',
        possessive: mode === 'possessive',
      });
      return;
    }
    if (mode === 'possessive') {
      this.push(steps, { op: 'atomic', program: this.program({ ...node, mode: 'greedy' }) });
      return;
    }
    for (let i = 0; i < least; i++) this.write(body, steps);
    const lazy = mode === 'lazy';
    const split = () => {
      const step = { op: 'split' as const, first: 0, second: 0 };
      this.push(steps, step);
      return step;
    };
    const aim = (step: { first: number; second: number }, into: number, out: number) => {
      step.first = lazy ? out : into;
      step.second = lazy ? into : out;
    };
    if (most === Number.POSITIVE_INFINITY) {
      const slot = this.slots++;
      const start = steps.length;
      const step = split();
      const into = this.push(steps, { op: 'save', slot });
      this.write(body, steps);
      this.push(steps, { op: 'moved', slot });
      this.push(steps, { op: 'jump', to: start });
      aim(step, into, steps.length);
      return;
    }
    const splits: { step: { first: number; second: number }; into: number }[] = [];
    for (let i = least; i < most; i++) {
      const step = split();
      splits.push({ step, into: steps.length });
      this.write(body, steps);
    }
    for (const { step, into } of splits) aim(step, into, steps.length);
  }
}

/** How many characters a pattern takes, when that is always the same. */
function widthOf(node: Node): number | undefined {
  switch (node.kind) {
    case 'set':
      return 1;
    case 'sequence':
      return node.items.reduce<number | undefined>((sum, item) => {
        const width = widthOf(item);
        return sum === undefined || width === undefined ? undefined : sum + width;
      }, 0);
    case 'choice': {
      const [first, ...rest] = node.items.map(widthOf);
      return rest.every((width) => width === first) ? first : undefined;
    }
    case 'group':
    case 'atomic':
      return widthOf(node.body);
    case 'repeat': {
      const width = widthOf(node.body);
      return node.least === node.most && width !== undefined ? width * node.least : undefined;
    }
    case 'anchor':
    case 'look':
      return 0;
    default:
      return undefined;
  }
}
