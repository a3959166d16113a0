/**
 * JavaScript of tools, in QuickJS compiled to WebAssembly: a runtime of its own for every evaluation, with bounds on
 * memory, stack and steps, and without one function of the host. The only file that imports the library. It runs in a
 * thread that can be ended (isolate-main.ts): a loop within a builtin asks nobody whether it may go on.
 * Rejected: node:vm, which is no boundary at all.
 */
import quickjsVariant from '@jitl/quickjs-wasmfile-release-sync';
import {
  newQuickJSWASMModuleFromVariant,
  type QuickJSContext,
  type QuickJSSyncVariant,
  type QuickJSWASMModule,
} from 'quickjs-emscripten-core';
import { type Evaluated, type EvaluationRequest, type EvaluationResult, type Fault, LIMITS } from './evaluation.js';

export interface Engine {
  evaluate(request: EvaluationRequest): EvaluationResult;
  /** After a fault that left the engine in an unknown state: it is not to be used again. */
  isSpent(): boolean;
}

export async function openEngine(): Promise<Engine> {
  // The variant's types are those of a CommonJS module; Node gives its default either way.
  const variant = 'default' in quickjsVariant ? (quickjsVariant as { default: unknown }).default : quickjsVariant;
  return new QuickjsEngine(await newQuickJSWASMModuleFromVariant(variant as QuickJSSyncVariant));
}

/** Lines before the author's code, which positions are counted from. */
const HEADER_LINES = 1;
const PRELUDE = 'prelude';

class QuickjsEngine implements Engine {
  private spent = false;

  constructor(private readonly module: QuickJSWASMModule) {}

  isSpent(): boolean {
    return this.spent;
  }

  evaluate(request: EvaluationRequest): EvaluationResult {
    const values: Evaluated[] = [];
    for (const [index] of request.expressions.entries()) {
      const plain = this.one(request, index, request.plain);
      if ('reason' in plain) return { fault: plain };
      const marked: string[] = [];
      for (const inputs of request.checkOnly ? [] : request.marked) {
        const other = inputs === request.plain ? plain : this.one(request, index, inputs);
        if ('reason' in other && this.spent) return { fault: other };
        // A failure on marked text is no failure of the expression.
        if ('text' in other) marked.push(other.text);
      }
      values.push({ plain: plain.text, marked, isText: plain.isText });
    }
    return { values };
  }

  private one(request: EvaluationRequest, index: number, inputs: string): { text: string; isText: boolean } | Fault {
    const here = (reason: string, line = 0): Fault => ({ where: 'expression', index, line, reason });
    const runtime = this.module.newRuntime({
      memoryLimitBytes: LIMITS.memoryBytes,
      maxStackSizeBytes: LIMITS.stackBytes,
    });
    let asks = 0;
    runtime.setInterruptHandler(() => ++asks > LIMITS.asksMax);
    let context: QuickJSContext | undefined;
    try {
      context = runtime.newContext();
      return this.run(context, request, index, inputs);
    } catch (error) {
      // The host's own stack, or WebAssembly itself, gave up in the middle of something.
      this.spent = true;
      return here(error instanceof RangeError ? TOO_DEEP : 'it exhausts the memory that it may use');
    } finally {
      if (!this.spent) {
        context?.dispose();
        runtime.dispose();
      }
    }
  }

  private run(context: QuickJSContext, request: EvaluationRequest, index: number, inputs: string) {
    const { kind, code } = request.expressions[index] as EvaluationRequest['expressions'][number];
    const fault = (where: Fault['where'], at: number, error: unknown): Fault => {
      const { reason, line } = inWords(error);
      // What is wrong with the end is found behind it.
      const last = ((where === 'library' ? request.libraries[at] : code)?.split('\n').length ?? 1) - 1;
      return { where, index: at, line: Math.min(line, last), reason };
    };
    const evaluate = (code: string, file: string): unknown => {
      const result = context.evalCode(code, file);
      if (result.error) {
        const error: unknown = context.dump(result.error);
        result.error.dispose();
        return { thrown: error };
      }
      const value: unknown = context.dump(result.value);
      result.value.dispose();
      return { value };
    };
    const prelude = evaluate(preludeText(inputs, request.runtime), PRELUDE) as Outcome;
    if ('thrown' in prelude) return fault('expression', index, prelude.thrown);
    for (const [at, library] of request.libraries.entries()) {
      const code = request.checkOnly ? `(function () {\n${library}\n})` : `\n${library}`;
      const loaded = evaluate(code, `library ${at}`) as Outcome;
      if ('thrown' in loaded) return fault('library', at, loaded.thrown);
    }
    const body = kind === 'body' ? code : `return (${code}\n);`;
    const made = `(function () { 'use strict';\n${body}\n})`;
    const outcome = evaluate(request.checkOnly ? `void ${made}` : `__written(${made})`, 'expression') as Outcome;
    if ('thrown' in outcome) return fault('expression', index, outcome.thrown);
    if (request.checkOnly) return { text: '', isText: true };
    const written = outcome.value as { text?: unknown; isText?: unknown };
    if (typeof written?.text !== 'string') return fault('expression', index, { message: 'it gives no value' });
    if (written.text.length > LIMITS.resultChars) {
      return fault('expression', index, { message: `it gives more than ${LIMITS.resultChars} characters` });
    }
    return { text: written.text, isText: written.isText === true };
  }
}

type Outcome = { thrown: unknown } | { value: unknown };

/** `inputs` and `runtime` cannot be changed, so that no expression depends on another one having been evaluated. */
function preludeText(inputs: string, runtime: string): string {
  return `'use strict';
(() => {
  const { stringify, parse } = JSON;
  const { freeze, defineProperty, values } = Object;
  const frozen = (value) => {
    if (typeof value === 'object' && value !== null) { values(value).forEach(frozen); freeze(value); }
    return value;
  };
  const fixed = (name, value) => defineProperty(globalThis, name, { value, enumerable: true });
  fixed('inputs', frozen(parse(${JSON.stringify(inputs)})));
  fixed('runtime', frozen(parse(${JSON.stringify(runtime)})));
  fixed('self', null);
  fixed('__written', (run) => {
    const value = run();
    return typeof value === 'string' ? { text: value, isText: true } : { text: stringify(value), isText: false };
  });
})();`;
}

const TOO_DEEP = 'it calls itself too deeply';

function inWords(error: unknown): { reason: string; line: number } {
  const { name, message, stack } = (typeof error === 'object' && error !== null ? error : {}) as Record<
    string,
    unknown
  >;
  const text = typeof message === 'string' ? message : String(error);
  const found = /\((?:expression|library \d+):(\d+)|at (?:<eval> )?\(?(?:expression|library \d+):(\d+)/.exec(
    typeof stack === 'string' ? stack : '',
  );
  const line = Math.max(0, Number(found?.[1] ?? found?.[2] ?? 1) - 1 - HEADER_LINES);
  if (text === 'interrupted') return { reason: 'it does not come to an end', line };
  if (/^(?:out of memory|string too long)$/.test(text))
    return { reason: 'it exhausts the memory that it may use', line };
  if (/stack overflow|call stack size/i.test(text)) return { reason: TOO_DEEP, line };
  return { reason: typeof name === 'string' ? `${name}: ${text}` : text, line };
}
