/**
 * What goes wrong in a template, always with the place. This folder imports nothing of the rest of the node, so the
 * error is a class of its own; node/toolbox translates it.
 */

export type TemplateFault =
  /** The language has it, this interpreter does not. Found when the template is compiled, where that is possible. */
  | 'unsupported'
  | 'syntax'
  /** A name, attribute, key or index that is not there. */
  | 'missing'
  | 'type'
  /** The template's own `#raise` or `#assert`. */
  | 'raised'
  /** One of this interpreter's own bounds; a template cannot catch it. */
  | 'limit';

export class TemplateError extends Error {
  constructor(
    readonly fault: TemplateFault,
    readonly reason: string,
    readonly file: string,
    /** From 1. */
    readonly line: number,
    /** From 1, in characters of that line. */
    readonly column = 1,
    /** The text of that line, shortened when it is very long. */
    readonly sourceLine = '',
    /** The Python exception that it is, when it is one: `KeyError`. */
    readonly pythonType?: string,
  ) {
    super(`${file}:${line}:${column}: ${reason}`);
    this.name = 'TemplateError';
  }

  /** The same error where the text came from: a macro file, another line. */
  movedTo(file: string, line: number): TemplateError {
    return new TemplateError(this.fault, this.reason, file, line, this.column, this.sourceLine, this.pythonType);
  }
}

/** Raised inside, before the place is known; `located` puts the place to it. */
export class Fault extends Error {
  constructor(
    readonly fault: TemplateFault,
    readonly reason: string,
    /** Offset in the source, when known. */
    public offset?: number,
  ) {
    super(reason);
    this.name = 'Fault';
  }
}

/** A Python exception: what `#try` and `#except` can catch. */
export class PythonError extends Fault {
  constructor(
    /** The name of its class; exceptions.ts knows the classes. */
    readonly type: string,
    reason: string,
    /** The exception object, when the template made it or asked for it. */
    public value?: object,
    fault?: TemplateFault,
  ) {
    super(fault ?? (MISSING.has(type) ? 'missing' : 'type'), reason);
    this.name = 'PythonError';
  }
}

const MISSING = new Set(['NotFound', 'NameError', 'AttributeError', 'KeyError', 'IndexError', 'UnboundLocalError']);

export const typeError = (reason: string) => new PythonError('TypeError', reason);
export const valueError = (reason: string) => new PythonError('ValueError', reason);
export const attributeError = (reason: string) => new PythonError('AttributeError', reason);
export const indexError = (reason: string) => new PythonError('IndexError', reason);
export const overflowError = (reason: string) => new PythonError('OverflowError', reason);
export const limitFault = (reason: string) => new Fault('limit', reason);
export const unsupported = (what: string, offset?: number) => new Fault('unsupported', what, offset);
export const syntaxFault = (reason: string, offset?: number) => new Fault('syntax', reason, offset);

/** Where a template stands in its file. */
export interface Place {
  file: string;
  /** Line of the template's first character, from 1. */
  line: number;
}

const SOURCE_LINE_MAX = 200;

function errorAt(
  source: string,
  place: Place,
  offset: number,
  fault: TemplateFault,
  reason: string,
  pythonType?: string,
): TemplateError {
  const at = Math.max(0, Math.min(offset, source.length));
  const before = source.slice(0, at);
  const lines = before.split(/\r\n|\r|\n/);
  const start = at - (lines.at(-1)?.length ?? 0);
  const end = /[\r\n]|$/.exec(source.slice(start))?.index ?? 0;
  const sourceLine = source.slice(start, start + end);
  const shown = sourceLine.length > SOURCE_LINE_MAX ? `${sourceLine.slice(0, SOURCE_LINE_MAX)}…` : sourceLine;
  const line = place.line + lines.length - 1;
  return new TemplateError(fault, reason, place.file, line, at - start + 1, shown, pythonType);
}

/** Runs `work`; a fault inside becomes a TemplateError with its place. `at` tells the offset of what ran last. */
export function located<T>(source: string, place: Place, at: () => number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Fault) {
      const type = error instanceof PythonError ? error.type : undefined;
      const reason = type === undefined ? error.reason : error.reason === '' ? type : `${type}: ${error.reason}`;
      throw errorAt(source, place, error.offset ?? at(), error.fault, reason, type);
    }
    // The bounds on nesting should be met first; this is the net below them.
    if (error instanceof RangeError && /call stack/i.test(error.message)) {
      throw errorAt(source, place, at(), 'limit', 'the template is nested too deeply');
    }
    throw error;
  }
}
