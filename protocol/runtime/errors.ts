/**
 * Errors of the world, as opposed to our own bugs (those are assertions and plain `Error`s).
 *
 * Each folder declares one catalogue with `defineErrors`; each entry says in plain words what happened and what the
 * reader can do about it. Only the code and the (public) data cross the wire. `docs/ERRORS.md` is tested against the
 * catalogues. Rejected: an Error subclass per failure, which spreads the texts over the tree.
 */
import { withoutControlCharacters } from './text.js';

/** What kind of failure it is; doors translate this to an HTTP status or an RPC status, nothing else does. */
export type ErrorKind =
  | 'bad-request'
  | 'malformed-id'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-owner'
  | 'admin-required'
  | 'not-found'
  | 'moved'
  | 'conflict'
  | 'too-large'
  | 'too-many'
  | 'no-space'
  | 'unavailable'
  | 'timeout'
  | 'not-implemented'
  | 'untrusted'
  | 'corrupt'
  | 'internal';

export interface ErrorSpec {
  kind: ErrorKind;
  /** One sentence; `{name}` is replaced from the data. */
  say: string;
  /** What the reader can do next. */
  mend: string;
}

export type ErrorData = Record<string, string | number | boolean | undefined>;

const registry = new Map<string, ErrorSpec>();

/** Every error of this process, for docs/ERRORS.md and its test. */
export function allErrors(): ReadonlyMap<string, ErrorSpec> {
  return registry;
}

export class DomainError extends Error {
  /** `area/name`, stable: it is what crosses the wire and what scripts may test for. */
  readonly code: string;
  readonly kind: ErrorKind;
  readonly mend: string;
  readonly data: ErrorData;

  constructor(code: string, spec: ErrorSpec, data: ErrorData, options?: { cause?: unknown }) {
    super(fill(spec.say, data), options);
    this.name = 'DomainError';
    this.code = code;
    this.kind = spec.kind;
    this.mend = fill(spec.mend, data);
    this.data = data;
  }
}

/** Declares a folder's errors: `const errors = defineErrors('log', {...}); throw errors('corrupt', { file })`. */
export function defineErrors<const T extends Record<string, ErrorSpec>>(area: string, specs: T) {
  for (const [name, spec] of Object.entries(specs)) {
    const code = `${area}/${name}`;
    if (registry.has(code)) throw new Error(`error ${code} is declared twice`);
    registry.set(code, spec);
  }
  return (name: keyof T & string, data: ErrorData = {}, options?: { cause?: unknown }): DomainError =>
    new DomainError(`${area}/${name}`, specs[name] as ErrorSpec, data, options);
}

/** An error that another process has put into words already, mend included. */
export function toldError(told: { code: string; message: string; mend: string; data: ErrorData }): DomainError {
  const kind = registry.get(told.code)?.kind ?? 'internal';
  // As data, so that braces in a name are not taken for places to fill.
  const said = { said: told.message, whatToDo: told.mend };
  const error = new DomainError(told.code, { kind, say: '{said}', mend: '{whatToDo}' }, said);
  return Object.assign(error, { data: told.data });
}

/** Rebuilds an error that another process reported by code; an unknown code becomes an internal one with that code. */
export function errorFromCode(code: string, data: ErrorData, fallbackMessage: string): DomainError {
  const spec = registry.get(code);
  return new DomainError(
    code,
    spec ?? { kind: 'internal', say: printable(fallbackMessage), mend: 'See the log of the other process.' },
    data,
  );
}

export function isDomainError(error: unknown, code?: string): error is DomainError {
  return error instanceof DomainError && (code === undefined || error.code === code);
}

/** The one line a person sees: what happened, the cause, what to do. */
export function describeError(error: unknown): string {
  if (error instanceof DomainError) return `${error.message} ${error.mend}`.trim();
  if (error instanceof Error) return printable(error.message);
  return printable(String(error));
}

/** Foreign text made safe for a terminal or a log line: no control characters, at most 300 characters. */
export function printable(text: string): string {
  const clean = withoutControlCharacters(text);
  return clean.length > 300 ? `${clean.slice(0, 299)}…` : clean;
}

function fill(template: string, data: ErrorData): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => printable(String(data[name] ?? '?')));
}
