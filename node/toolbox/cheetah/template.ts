/**
 * Cheetah templates, as Galaxy's tool wrappers use them, without Cheetah: the whole interface of this folder. Compiling
 * refuses, by name and place, what this interpreter does not have; rendering reaches only the names it is given.
 * Rejected: running the real Cheetah, which compiles a template to Python and gives it the whole process.
 */
import { Fault, located, type Place } from './errors.js';
import { type Limits, Machine, type Names } from './evaluate.js';
import { ExpressionParser } from './expression.js';
import { Lexer } from './lexer.js';
import { TemplateParser } from './parser.js';
import type { Value } from './values.js';

export type { Place } from './errors.js';
export { TemplateError } from './errors.js';
export type { Limits, Names } from './evaluate.js';

export const DEFAULT_LIMITS: Limits = {
  stepsMax: 2_000_000,
  outputCharsMax: 2 * 1024 * 1024,
  valueUnitsMax: 1024 * 1024,
};

export interface Template {
  render(names: Names, limits?: Limits): string;
}

export interface CompiledExpression {
  evaluate(names: Names, limits?: Limits): Value;
}

/** Throws TemplateError. */
export function compileTemplate(source: string, place: Place): Template {
  const nodes = located(source, place, () => new TemplateParser(source).parse());
  return {
    render: (names, limits = DEFAULT_LIMITS) =>
      located(source, place, () => {
        const machine = new Machine(names, limits, false);
        machine.run(nodes);
        return machine.output();
      }),
  };
}

/** One Python expression over bare names: an output filter. Throws TemplateError. */
export function compileExpression(source: string, place: Place): CompiledExpression {
  const expression = located(source, place, () => {
    const lexer = new Lexer(source, 0, source.length);
    lexer.enter();
    const parsed = new ExpressionParser(lexer).parse();
    const rest = lexer.peek();
    if (rest.kind !== 'end') throw new Fault('syntax', `unexpected ${lexer.found()}`, rest.start);
    return parsed;
  });
  return {
    evaluate: (names, limits = DEFAULT_LIMITS) =>
      located(source, place, () => new Machine(names, limits, true).evaluate(expression)),
  };
}
