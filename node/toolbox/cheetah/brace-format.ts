/** `"{}".format(x)`, `format(x, spec)` and the fields of f-strings: the format mini-language. */
import { fixedText } from './decimal.js';
import { PythonError, typeError, valueError } from './errors.js';
import { keyError } from './exceptions.js';
import { bounded, floatSpec } from './percent.js';
import { characterOf, repr, str } from './text.js';
import { Float, type Meter, numeric, plain, typeName, type Value, WEIGHT } from './values.js';

/** How a field's `.name` and `[key]` are looked up. */
export interface Lookup {
  attribute(value: Value, name: string): Value;
  item(value: Value, key: Value): Value;
}

const DEPTH_MAX = 2;

export function formatBraces(
  template: string,
  args: readonly Value[],
  named: ReadonlyMap<string, Value>,
  lookup: Lookup,
  meter: Meter,
): string {
  let counter = 0;
  let manual: boolean | undefined;
  const field = (path: string): Value => {
    const head = /^[^.[]*/.exec(path)?.[0] ?? '';
    let value: Value | undefined;
    if (head === '' || /^\d+$/.test(head)) {
      if (manual !== undefined && manual !== (head !== '')) {
        throw valueError(
          manual
            ? 'cannot switch from manual field specification to automatic field numbering'
            : 'cannot switch from automatic field numbering to manual field specification',
        );
      }
      manual = head !== '';
      const index = manual ? Number(head) : counter++;
      value = args[index];
      if (value === undefined) {
        throw new PythonError('IndexError', `Replacement index ${index} out of range for positional args tuple`);
      }
    } else value = named.get(head);
    if (value === undefined) throw keyError(head);
    const steps = /\.([^.[]+)|\[([^\]]+)\]|[\s\S]/g;
    steps.lastIndex = head.length;
    for (let found = steps.exec(path); found; found = steps.exec(path)) {
      const [, name, key] = found;
      if (name !== undefined) value = lookup.attribute(value, name);
      else if (key !== undefined) value = lookup.item(value, /^\d+$/.test(key) ? Number(key) : key);
      else throw valueError("Only '.' or '[' may follow ']' in format field specifier");
    }
    return value;
  };
  const expand = (text: string, depth: number): string => {
    if (depth > DEPTH_MAX) throw valueError('Max string recursion exceeded');
    let out = '';
    let at = 0;
    while (at < text.length) {
      const next = /[{}]/g;
      next.lastIndex = at;
      const found = next.exec(text);
      const end = found?.index ?? text.length;
      out += text.slice(at, end);
      at = end;
      if (!found) break;
      if (text[at + 1] === text[at] && depth === 0) {
        out += text[at];
        at += 2;
        continue;
      }
      if (text[at] === '}') throw valueError("Single '}' encountered in format string");
      const close = closing(text, at);
      const parts = /^([^!:]*)(?:!([^:]*))?(?::([\s\S]*))?$/.exec(text.slice(at + 1, close));
      if (!parts) throw valueError('invalid format field');
      const value = converted(field(parts[1] ?? ''), parts[2], meter);
      out += formatValue(value, expand(parts[3] ?? '', depth + 1), meter);
      meter.size(out.length, WEIGHT.character);
      at = close + 1;
    }
    return out;
  };
  return expand(template, 0);
}

function closing(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === '{') depth++;
    else if (text[at] === '}' && --depth === 0) return at;
  }
  throw valueError(
    open === text.length - 1 ? "Single '{' encountered in format string" : "expected '}' before end of string",
  );
}

/** `!s` and `!r` of a field. */
export function converted(value: Value, how: string | undefined, meter: Meter): Value {
  if (how === undefined) return value;
  if (how === 's') return str(value, meter.python);
  if (how === 'r' || how === 'a') return repr(value);
  throw valueError(`Unknown conversion specifier ${how}`);
}

const SPEC = /^(?:([\s\S])?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/u;

export function formatValue(given: Value, text: string, meter: Meter): string {
  if (text === '') return str(given, meter.python);
  const found = SPEC.exec(text);
  const value = plain(given);
  const number = numeric(value);
  if (!found) throw valueError(`Invalid format specifier '${text}'`);
  const [, fill, align, sign = '-', , alternate, zero, width, comma, precision, type] = found;
  const wide = bounded(Number(width ?? 0));
  const digits = precision === undefined ? undefined : bounded(Number(precision));
  meter.size(wide, WEIGHT.character);
  if (number === undefined || (typeof value === 'boolean' && type === 's')) {
    if (typeof value !== 'string' && !(typeof value === 'boolean')) {
      throw typeError(`unsupported format string passed to ${typeName(value)}.__format__`);
    }
    if (type !== undefined && type !== 's') throw unknown(type, value);
    if (align === '=') throw valueError("'=' alignment not allowed in string format specifier");
    const full = str(value);
    const body = digits === undefined ? full : Array.from(full).slice(0, digits).join('');
    return padded(body, wide, fill ?? (zero ? '0' : ' '), align ?? '<');
  }
  const isFloat = value instanceof Float;
  const body =
    isFloat || (type !== undefined && 'eEfFgG%'.includes(type))
      ? floatBody(Number(number), type, digits, alternate !== undefined, value)
      : integerBody(number, type, alternate !== undefined, value, digits);
  const negative = body.startsWith('-');
  const mark = negative ? '-' : sign === '-' ? '' : sign;
  const prefix = /^0[xob]/i.exec(alternate && !isFloat ? body.replace(/^-/, '') : '')?.[0] ?? '';
  let rest = body.replace(/^-/, '').slice(prefix.length);
  const inner = zero && align === undefined;
  const filling = fill ?? (inner ? '0' : ' ');
  if (comma !== undefined) rest = grouped(rest, comma, type, inner ? wide - mark.length - prefix.length : 0);
  if (inner || align === '=') {
    return mark + prefix + rest.padStart(wide - mark.length - prefix.length, filling);
  }
  return padded(mark + prefix + rest, wide, filling, align ?? '>');
}

function unknown(type: string, value: Value): Error {
  return valueError(`Unknown format code '${type}' for object of type '${typeName(value)}'`);
}

function integerBody(
  number: number | bigint,
  type: string | undefined,
  alternate: boolean,
  value: Value,
  precision: number | undefined,
): string {
  if (precision !== undefined) throw valueError('Precision not allowed in integer format specifier');
  const size = number < 0 ? -number : number;
  const sign = number < 0 ? '-' : '';
  switch (type) {
    case undefined:
    case 'd':
    case 'n':
      return sign + String(size);
    case 'x':
      return `${sign}${alternate ? '0x' : ''}${size.toString(16)}`;
    case 'X':
      return `${sign}${alternate ? '0X' : ''}${size.toString(16).toUpperCase()}`;
    case 'o':
      return `${sign}${alternate ? '0o' : ''}${size.toString(8)}`;
    case 'b':
      return `${sign}${alternate ? '0b' : ''}${size.toString(2)}`;
    case 'c':
      return characterOf(Number(number), '%c');
    default:
      throw unknown(type, value);
  }
}

function floatBody(
  number: number,
  type: string | undefined,
  precision: number | undefined,
  alternate: boolean,
  value: Value,
): string {
  if (type === undefined) {
    if (precision === undefined) return str(new Float(number));
    const text = floatSpec(number, 'g', Math.max(1, precision), alternate);
    // Without a type there is always a digit behind the point.
    if (/[.einf]/.test(text)) return text;
    return `${text}.0`.length - 1 > Math.max(1, precision) + 1
      ? floatSpec(number, 'e', Math.max(0, precision - 1), false)
      : `${text}.0`;
  }
  if (type === '%') {
    const size = Math.abs(number) * 100;
    if (!Number.isFinite(number)) return `${floatSpec(number, 'f', 0, false)}%`;
    return `${number < 0 ? '-' : ''}${fixedText(size, precision ?? 6)}%`;
  }
  if (!'eEfFgGn'.includes(type)) throw unknown(type, value);
  const kind = type === 'n' ? 'g' : type.toLowerCase();
  const text = floatSpec(number, kind, precision, alternate);
  return type === type.toUpperCase() ? text.toUpperCase() : text;
}

function grouped(text: string, mark: string, type: string | undefined, width: number): string {
  const [, whole = '', rest = ''] = /^([0-9a-fA-F]*)([\s\S]*)$/.exec(text) ?? [];
  const every = type !== undefined && 'xXob'.includes(type) ? 4 : 3;
  let digits = whole;
  const join = (given: string) => given.replace(new RegExp(`\\B(?=(?:[0-9a-fA-F]{${every}})+$)`, 'g'), mark);
  // Zeros that fill are grouped as well.
  while (join(digits).length + rest.length < width) digits = `0${digits}`;
  return join(digits) + rest;
}

function padded(body: string, width: number, fill: string, align: string): string {
  const length = Array.from(body).length;
  const missing = Math.max(0, width - length);
  if (align === '<') return body + fill.repeat(missing);
  if (align === '>' || align === '=') return fill.repeat(missing) + body;
  const before = Math.floor(missing / 2);
  return fill.repeat(before) + body + fill.repeat(missing - before);
}
