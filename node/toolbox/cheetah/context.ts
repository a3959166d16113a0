/** What the parsers of one template share: which Python it is, and which names it makes itself. */
import { unsupported } from './errors.js';

/** Python functions that reach files, code or the interpreter itself. A template may still define its own of that name. */
const REFUSED_FUNCTIONS: ReadonlySet<string> = new Set([
  '__import__',
  'apply',
  'breakpoint',
  'buffer',
  'bytearray',
  'bytes',
  'classmethod',
  'coerce',
  'compile',
  'complex',
  'delattr',
  'dir',
  'eval',
  'exec',
  'execfile',
  'exit',
  'file',
  'globals',
  'help',
  'input',
  'intern',
  'locals',
  'memoryview',
  'object',
  'open',
  'print',
  'property',
  'quit',
  'raw_input',
  'reload',
  'setattr',
  'slice',
  'staticmethod',
  'super',
  'vars',
]);

export class ParseContext {
  private readonly made = new Set<string>();
  private readonly called: { name: string; at: number }[] = [];
  /** False within a `#def` within a `#def`, where `$name` is a plain Python name. */
  search = true;

  constructor(readonly python: 2 | 3) {}

  /** A name that the template sets, defines or imports somewhere. */
  make(name: string): void {
    this.made.add(name);
  }

  call(name: string, at: number): void {
    if (REFUSED_FUNCTIONS.has(name)) this.called.push({ name, at });
  }

  /** Throws for the first call of a function that this interpreter will not have. */
  finish(): void {
    const found = this.called.find(({ name }) => !this.made.has(name));
    if (found) throw unsupported(`${found.name}()`, found.at);
  }
}
