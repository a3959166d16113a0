/**
 * Cheetah templates, as Galaxy's tool wrappers use them, without Cheetah: the whole interface of this folder, together
 * with the values in values.ts. Compiling refuses, by name and place, what this interpreter does not have; rendering
 * reaches only the names it is given. What differs from Cheetah, and why, is in docs/CHEETAH.md.
 * Rejected: running the real Cheetah, which compiles a template to Python and gives it the whole process.
 */
import { ExpressionCompiler } from './compile-expression.js';
import { StatementCompiler } from './compile-statement.js';
import { ParseContext } from './context.js';
import { located, type Place, syntaxFault, typeError } from './errors.js';
import { ExpressionParser } from './expression.js';
import { Lexer } from './lexer.js';
import { type Limits, Machine, type Names, type SharedSteps } from './machine.js';
import { imported } from './modules.js';
import { TemplateParser } from './parser.js';
import { type FileFacts, typeName, type Value } from './values.js';

export type { Place, TemplateFault } from './errors.js';
export { TemplateError } from './errors.js';
export type { Limits, Names } from './machine.js';
export { str } from './text.js';
export type { FileFacts } from './values.js';

export const DEFAULT_LIMITS: Limits = {
  stepsMax: 2_000_000,
  outputCharsMax: 2 * 1024 * 1024,
  valueUnitsMax: 1024 * 1024,
  builtUnitsMax: 20_000_000,
  callDepthMax: 100,
};

export interface CompileOptions {
  /** Which Python the template was written for; 3 unless the wrapper's profile says otherwise. */
  python?: 2 | 3;
}

/** What a rendering may use besides its names; limits that are not given are the default ones. */
export interface RenderOptions extends Partial<Limits> {
  /** What `os.path.exists` and its like answer from. */
  files?: FileFacts;
  /** Steps that several renderings share; these stop where either is used up. */
  effort?: SharedSteps | undefined;
}

export interface Template {
  /** Throws TemplateError. */
  render(names: Names, options?: RenderOptions): string;
}

export interface CompiledExpression {
  /** Throws TemplateError. */
  evaluate(names: Names, options?: RenderOptions): Value;
}

/** Throws TemplateError. */
export function compileTemplate(source: string, place: Place, options: CompileOptions = {}): Template {
  const python = options.python ?? 3;
  const { main, functions, modules } = located(
    source,
    place,
    () => 0,
    () => {
      const program = new TemplateParser(source, new ParseContext(python)).parse();
      const found = new Map(program.imports.map((one): [string, Value] => [one.name, imported(one)]));
      const statements = new StatementCompiler(new ExpressionCompiler(python, found));
      return {
        main: statements.body(program.body),
        functions: program.definitions.map((one) => ({ name: one.name, make: statements.method(one) })),
        modules: found,
      };
    },
  );
  return {
    render: (names, given = {}) => {
      const { files, effort } = given;
      const machine = new Machine(names, { limits: limitsOf(given), python, files, effort, bareNames: false });
      return located(
        source,
        place,
        () => machine.at,
        () => {
          for (const [name, module] of modules) machine.modules.set(name, module);
          const outside = machine.frame();
          for (const { name, make } of functions) machine.functions.set(name, make(outside));
          const frame = machine.frame();
          if (main(frame) !== 'return') return frame.out.text();
          // As in Cheetah, what a template returns takes the place of what it wrote.
          if (typeof frame.returned !== 'string') {
            throw typeError(`__str__ returned non-string (type ${typeName(frame.returned)})`);
          }
          return frame.returned;
        },
      );
    },
  };
}

/** One Python expression over bare names: an output filter. Throws TemplateError. */
export function compileExpression(source: string, place: Place, options: CompileOptions = {}): CompiledExpression {
  const python = options.python ?? 3;
  const run = located(
    source,
    place,
    () => 0,
    () => {
      const lexer = new Lexer(source, 0, source.length, python);
      const context = new ParseContext(python);
      lexer.enter();
      const parsed = new ExpressionParser(lexer, context).parse();
      const rest = lexer.peek();
      if (rest.kind !== 'end') throw syntaxFault(`unexpected ${lexer.found()}`, rest.start);
      context.finish();
      return new ExpressionCompiler(python, new Map()).compile(parsed);
    },
  );
  return {
    evaluate: (names, given = {}) => {
      const { files, effort } = given;
      const machine = new Machine(names, { limits: limitsOf(given), python, files, effort, bareNames: true });
      return located(
        source,
        place,
        () => machine.at,
        () => run(machine.frame()),
      );
    },
  };
}

function limitsOf({ stepsMax, outputCharsMax, valueUnitsMax, builtUnitsMax, callDepthMax }: RenderOptions): Limits {
  return {
    stepsMax: stepsMax ?? DEFAULT_LIMITS.stepsMax,
    outputCharsMax: outputCharsMax ?? DEFAULT_LIMITS.outputCharsMax,
    valueUnitsMax: valueUnitsMax ?? DEFAULT_LIMITS.valueUnitsMax,
    builtUnitsMax: builtUnitsMax ?? DEFAULT_LIMITS.builtUnitsMax,
    callDepthMax: callDepthMax ?? DEFAULT_LIMITS.callDepthMax,
  };
}
