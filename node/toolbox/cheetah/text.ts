/** `str()` and `repr()`, and what a placeholder prints. */
import { floatText } from './decimal.js';
import { limitFault, valueError } from './errors.js';
import {
  Callable,
  Dict,
  DictView,
  Float,
  identity,
  PyIterator,
  PySet,
  Range,
  TemplateObject,
  Tuple,
  type Value,
} from './values.js';

const DEPTH_MAX = 100;
/** Lists that hold each other many times would print without end. */
const CHARS_MAX = 4 * 1024 * 1024;

/** `str(value)`. */
export function str(value: Value, python: 2 | 3 = 3): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (value instanceof TemplateObject) return value.text();
  if (value instanceof Float) return floatText(value.value, python === 2);
  return repr(value);
}

/** What a placeholder prints: None prints nothing. */
export function printed(value: Value, python: 2 | 3): string {
  if (typeof value === 'string') return value;
  return value === null ? '' : str(value, python);
}

export function repr(value: Value): string {
  return new Writer().write(value, 0);
}

class Writer {
  private chars = 0;
  private readonly open: Value[] = [];

  write(value: Value, depth: number): string {
    const text = this.one(value, depth);
    this.chars += text.length;
    if (this.chars > CHARS_MAX) throw limitFault(`a value of more than ${CHARS_MAX} characters`);
    return text;
  }

  private one(value: Value, depth: number): string {
    if (value === null) return 'None';
    if (typeof value === 'string') return quote(value);
    if (typeof value === 'boolean') return value ? 'True' : 'False';
    if (typeof value === 'number' || typeof value === 'bigint') return String(value);
    if (value instanceof Float) return floatText(value.value);
    if (value instanceof Range) {
      const step = value.step === 1 ? '' : `, ${value.step}`;
      return `range(${value.start}, ${value.stop}${step})`;
    }
    if (value instanceof PyIterator) return `<${value.kind} object at 0x${address(value)}>`;
    if (value instanceof Callable) {
      return value.isType ? `<class '${value.name}'>` : `<function ${value.name} at 0x${address(value)}>`;
    }
    if (value instanceof TemplateObject) return value.repr() ?? quote(value.text());
    if (this.open.includes(value)) return value instanceof Dict ? '{...}' : Array.isArray(value) ? '[...]' : '(...)';
    if (depth > DEPTH_MAX) throw limitFault(`a value nested more than ${DEPTH_MAX} levels deep`);
    this.open.push(value);
    const text = this.container(value, depth + 1);
    this.open.pop();
    return text;
  }

  private container(value: Value[] | Tuple | Dict | PySet | DictView, depth: number): string {
    const list = (items: Iterable<Value>) => Array.from(items, (item) => this.write(item, depth)).join(', ');
    if (Array.isArray(value)) return `[${list(value)}]`;
    if (value instanceof Tuple) return value.items.length === 1 ? `(${list(value.items)},)` : `(${list(value.items)})`;
    if (value instanceof DictView) return `dict_${value.kind}([${list(value.list())}])`;
    if (value instanceof PySet) {
      const items = list(value.items.values());
      if (value.frozen) return items === '' ? 'frozenset()' : `frozenset({${items}})`;
      return items === '' ? 'set()' : `{${items}}`;
    }
    if (value.kind === 'OrderedDict')
      return value.size === 0 ? 'OrderedDict()' : `OrderedDict([${list(value.items())}])`;
    const pairs = value.items().map(({ items: [key = null, held = null] }) => {
      return `${this.write(key, depth)}: ${this.write(held, depth)}`;
    });
    const body = `{${pairs.join(', ')}}`;
    return value.kind === 'Counter' ? (value.size === 0 ? 'Counter()' : `Counter(${body})`) : body;
  }
}

/** No address of this process: a number that tells one object from another. */
function address(value: object): string {
  return identity(value).toString(16).padStart(12, '0');
}

export function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  if (/^[ -&(-[\]-~]*$/.test(text)) return mark + text + mark;
  let out = mark;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (char === mark || char === '\\') out += `\\${char}`;
    else if (char === '\n') out += '\\n';
    else if (char === '\r') out += '\\r';
    else if (char === '\t') out += '\\t';
    else if (char !== ' ' && /[\p{C}\p{Z}]/u.test(char)) out += escaped(code);
    else out += char;
  }
  return out + mark;
}

function escaped(code: number): string {
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** A string as Python counts it: by code points. Most hold none beyond the first 65536, and are their own. */
export function characters(text: string): readonly string[] | string {
  return /[\ud800-\udfff]/.test(text) ? Array.from(text) : text;
}

/** The JavaScript index of a code point's index, for texts that need it. */
export function lengthOfText(text: string): number {
  return characters(text).length;
}

/** The character of a number, when there is one. */
export function characterOf(code: number, what: string): string {
  if (!Number.isInteger(code) || code < 0 || code > 0x10ffff) throw valueError(`${what} arg not in range(0x110000)`);
  return String.fromCodePoint(code);
}
