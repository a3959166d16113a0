/**
 * What goes wrong in a template, always with the place. This folder imports nothing of the rest of the node, so the
 * error is a class of its own; node/toolbox translates it.
 */

export type TemplateFault =
  /** The language has it, this interpreter does not. Found when the template is compiled. */
  | 'unsupported'
  | 'syntax'
  /** A name, attribute, key or index that is not there. */
  | 'missing'
  | 'type'
  | 'limit';

export class TemplateError extends Error {
  constructor(
    readonly fault: TemplateFault,
    readonly reason: string,
    readonly file: string,
    readonly line: number,
  ) {
    super(`${file}:${line}: ${reason}`);
    this.name = 'TemplateError';
  }
}

/** Raised inside, before the place is known; `at` puts the place to it. */
export class Fault extends Error {
  constructor(
    readonly fault: TemplateFault,
    readonly reason: string,
    /** Offset in the source, when known. */
    readonly offset?: number,
  ) {
    super(reason);
    this.name = 'Fault';
  }
}

/** Where a template stands in its file. */
export interface Place {
  file: string;
  /** Line of the template's first character, from 1. */
  line: number;
}

/** Runs `work`; a fault inside becomes a TemplateError with file and line. */
export function located<T>(source: string, place: Place, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Fault) {
      const before = source.slice(0, error.offset ?? 0);
      throw new TemplateError(error.fault, error.reason, place.file, place.line + before.split('\n').length - 1);
    }
    if (error instanceof RangeError && /call stack/i.test(error.message)) {
      throw new TemplateError('limit', 'the template is nested too deeply', place.file, place.line);
    }
    throw error;
  }
}
