/** `"%s" % x`. */

import { exponentialText, fixedText, generalText } from './decimal.js';
import { limitFault, typeError, valueError } from './errors.js';
import { keyError } from './exceptions.js';
import { repr, str } from './text.js';
import {
  Dict,
  Float,
  firstOf,
  type Meter,
  numeric,
  plain,
  TemplateObject,
  Tuple,
  typeName,
  type Value,
  WEIGHT,
} from './values.js';

const WIDTH_MAX = 10_000;
const CONVERSION = /%(?:\(([^()]*(?:\([^()]*\)[^()]*)*)\))?([-+ 0#]*)(\*|\d+)?(?:\.(\*|\d*))?[hlL]?([\s\S]?)/g;

interface Spec {
  flags: string;
  width: number;
  precision: number | undefined;
  type: string;
}

export function formatPercent(template: string, given: Value, meter: Meter): string {
  const args = given instanceof Tuple ? given.items : [given];
  let used = 0;
  let byName = false;
  const next = (): Value => {
    const value = args[used++];
    if (value === undefined) throw typeError('not enough arguments for format string');
    return value;
  };
  const count = (text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const number = text === '*' ? plain(next()) : Number(text);
    if (typeof number !== 'number') throw typeError('* wants int');
    return number;
  };
  let length = 0;
  const out = template.replace(CONVERSION, (_all, key, flags, width, precision, type, at) => {
    if (type === '') throw valueError('incomplete format');
    let wide = count(width) ?? 0;
    const spec: Spec = { flags, width: 0, precision: count(precision), type };
    if (wide < 0) {
      spec.flags += '-';
      wide = -wide;
    }
    spec.width = bounded(wide);
    if (type === '%') return '%';
    let value: Value;
    if (key === undefined) value = next();
    else {
      byName = true;
      const held = plain(given);
      if (!(held instanceof Dict)) throw typeError('format requires a mapping');
      const found = firstOf(held.get(key), held.missing?.(meter));
      if (found === undefined) throw keyError(key);
      value = found;
    }
    const text = convert(value, spec, meter, at);
    length += text.length;
    meter.size(length, WEIGHT.character);
    return text;
  });
  const spare = given instanceof Tuple || !(isMapping(given) || byName);
  if (spare && !byName && used < args.length) {
    throw typeError('not all arguments converted during string formatting');
  }
  meter.size(out.length, WEIGHT.character);
  return out;
}

function isMapping(value: Value): boolean {
  return value instanceof Dict || Array.isArray(value) || value instanceof TemplateObject;
}

export function bounded(width: number): number {
  if (width > WIDTH_MAX) throw limitFault(`a format width of more than ${WIDTH_MAX}`);
  return width;
}

function convert(value: Value, spec: Spec, meter: Meter, at: number): string {
  const { flags, width, precision, type } = spec;
  if (type === 's' || type === 'r' || type === 'a') {
    const full = type === 's' ? str(value, meter.python) : repr(value);
    const text = precision === undefined ? full : Array.from(full).slice(0, precision).join('');
    return flags.includes('-') ? text.padEnd(width) : text.padStart(width);
  }
  if (type === 'c') return character(value).padStart(width);
  const body = 'diu'.includes(type)
    ? decimal(value, precision, type)
    : 'xXo'.includes(type)
      ? radix(value, spec)
      : 'eEfFgG'.includes(type)
        ? float(value, spec)
        : undefined;
  if (body === undefined) {
    const code = (type.codePointAt(0) ?? 0).toString(16);
    throw valueError(`unsupported format character '${type}' (0x${code}) at index ${at}`);
  }
  const sign = body.startsWith('-') ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  const digits = body.replace(/^-/, '');
  if (flags.includes('-')) return (sign + digits).padEnd(width);
  if (!flags.includes('0')) return (sign + digits).padStart(width);
  const prefix = /^0[xXo](?=[0-9a-fA-F]+$)/.exec(flags.includes('#') ? digits : '')?.[0] ?? '';
  return sign + prefix + digits.slice(prefix.length).padStart(width - sign.length - prefix.length, '0');
}

function character(given: Value): string {
  const value = plain(given, 0);
  if (typeof value === 'number' && value >= 0 && value <= 0x10ffff) return String.fromCodePoint(value);
  if (typeof value === 'string' && Array.from(value).length === 1) return value;
  throw typeError('%c requires int or char');
}

function whole(given: Value, type: string, kind: string): bigint {
  const value = plain(given, 0);
  const number = numeric(value);
  if (number === undefined) throw typeError(`%${type} format: ${kind} is required, not ${typeName(value)}`);
  if (typeof number === 'number' && !Number.isFinite(number)) throw valueError('cannot convert float to integer');
  if (value instanceof Float && kind === 'an integer')
    throw typeError(`%${type} format: ${kind} is required, not float`);
  return BigInt(typeof number === 'number' ? Math.trunc(number) : number);
}

function decimal(value: Value, precision: number | undefined, type: string): string {
  const number = whole(value, type, 'a real number');
  const digits = (number < 0n ? -number : number).toString().padStart(bounded(precision ?? 0), '0');
  return number < 0n ? `-${digits}` : digits;
}

function radix(value: Value, { flags, precision, type }: Spec): string {
  const number = whole(value, type, 'an integer');
  const text = (number < 0n ? -number : number).toString(type === 'o' ? 8 : 16).padStart(bounded(precision ?? 0), '0');
  const body = (flags.includes('#') ? (type === 'o' ? '0o' : '0x') : '') + text;
  return (number < 0n ? '-' : '') + (type === 'X' ? body.toUpperCase() : body);
}

function float(given: Value, { flags, precision, type }: Spec): string {
  const value = plain(given, new Float(0));
  const number = numeric(value);
  if (number === undefined) throw typeError(`must be real number, not ${typeName(value)}`);
  const text = floatSpec(Number(number), type.toLowerCase(), precision, flags.includes('#'));
  return type === type.toUpperCase() ? text.toUpperCase() : text;
}

/** The digits of `%e`, `%f` or `%g`, with a `-` when negative. */
export function floatSpec(value: number, type: string, precision: number | undefined, alternate: boolean): string {
  const size = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return `${sign}inf`;
  const digits = bounded(precision ?? 6);
  if (type === 'f') return sign + fixedText(size, digits) + (alternate && digits === 0 ? '.' : '');
  if (type === 'e') return sign + exponentialText(size, digits);
  return sign + generalText(size, Math.max(1, digits), alternate);
}
