/** `"%s" % x` and `"{}".format(x)`: the conversions that tools use. */
import { Fault } from './errors.js';
import { Dict, Float, type Meter, numeric, plain, repr, str, Tuple, typeName, type Value } from './values.js';

interface Spec {
  flags: string;
  width: number;
  precision: number | undefined;
  type: string;
}

const WIDTH_MAX = 10_000;

export function formatPercent(template: string, given: Value, meter: Meter): string {
  const args = given instanceof Tuple ? [...given.items] : [given];
  let used = 0;
  let named = false;
  const out = template.replace(
    /%(?:\(([^)]*)\))?([-+ 0#]*)(\*|\d+)?(?:\.(\d+))?(.)/gs,
    (
      all,
      key: string | undefined,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      type: string,
    ) => {
      if (type === '%') return '%';
      if (width === '*') throw new Fault('unsupported', `the conversion '${all}'`);
      let value: Value | undefined;
      if (key !== undefined) {
        named = true;
        value = given instanceof Dict ? given.get(key) : undefined;
        if (value === undefined) throw new Fault('missing', `no key '${key}' for the format`);
      } else {
        value = args[used++];
        if (value === undefined) throw new Fault('type', 'not enough arguments for the format string');
      }
      return convert(value, {
        flags,
        width: bounded(width),
        precision: precision === undefined ? undefined : bounded(precision),
        type,
      });
    },
  );
  if (!named && used < args.length && !(given instanceof Dict)) {
    throw new Fault('type', 'not all arguments were used by the format string');
  }
  meter.size(out.length);
  return out;
}

export function formatBraces(template: string, args: Value[], named: ReadonlyMap<string, Value>, meter: Meter): string {
  let next = 0;
  const out = template.replace(
    /\{\{|\}\}|\{([A-Za-z_0-9]*)(?:!([rs]))?(?::([^{}]*))?\}|[{}]/g,
    (all, field, how, spec) => {
      if (all === '{{') return '{';
      if (all === '}}') return '}';
      if (all === '{' || all === '}') throw new Fault('unsupported', `the format field in ${repr(template)}`);
      const value = field === '' ? args[next++] : /^\d+$/.test(field) ? args[Number(field)] : named.get(field);
      if (value === undefined) throw new Fault('missing', `no value for the format field '${all}'`);
      const converted = how === 'r' ? repr(value) : how === 's' ? str(value) : value;
      if (spec === undefined || spec === '') return str(converted);
      const found = /^(?:(.)?([<>^]))?([+ ])?(0)?(\d+)?(?:\.(\d+))?([dfgesxXoE%])?$/.exec(spec);
      if (!found || found[7] === '%') throw new Fault('unsupported', `the format '${all}'`);
      const isNumber = numeric(plain(converted)) !== undefined;
      const align = found[2] ?? (isNumber ? '>' : '<');
      const precision = found[6] === undefined ? undefined : bounded(found[6]);
      const type = found[7] ?? (isNumber ? (precision === undefined ? 's' : 'g') : 's');
      const bare = convert(converted, { flags: found[3] ?? '', width: 0, precision, type });
      const width = bounded(found[5]);
      if (found[4] && found[2] === undefined) return bare.padStart(width, '0');
      const fill = found[1] ?? ' ';
      if (align === '<') return bare.padEnd(width, fill);
      if (align === '>') return bare.padStart(width, fill);
      return bare.padStart(bare.length + Math.floor(Math.max(0, width - bare.length) / 2), fill).padEnd(width, fill);
    },
  );
  meter.size(out.length);
  return out;
}

function bounded(digits: string | undefined): number {
  const number = Number(digits ?? '0');
  if (number > WIDTH_MAX) throw new Fault('limit', `a format width of more than ${WIDTH_MAX}`);
  return number;
}

function convert(given: Value, spec: Spec): string {
  let body: string;
  if (spec.type === 's') body = truncated(str(given), spec.precision);
  else if (spec.type === 'r') body = truncated(repr(given), spec.precision);
  else {
    const number = numeric(plain(given));
    if (number === undefined) throw new Fault('type', `%${spec.type} needs a number, got ${typeName(given)}`);
    body = numberText(number, spec);
    if (number >= 0 && spec.flags.includes('+')) body = `+${body}`;
    else if (number >= 0 && spec.flags.includes(' ')) body = ` ${body}`;
  }
  if (spec.flags.includes('-')) return body.padEnd(spec.width);
  if (!spec.flags.includes('0') || spec.type === 's' || spec.type === 'r') return body.padStart(spec.width);
  const sign = /^[+-]/.exec(body)?.[0] ?? '';
  return sign + body.slice(sign.length).padStart(spec.width - sign.length, '0');
}

function truncated(text: string, precision: number | undefined): string {
  return precision === undefined ? text : text.slice(0, precision);
}

function numberText(number: number, spec: Spec): string {
  const precision = Math.min(spec.precision ?? 6, 100);
  switch (spec.type) {
    case 'd':
    case 'i':
      return String(Math.trunc(number));
    case 'f':
    case 'F':
      return number.toFixed(precision);
    case 'e':
    case 'E': {
      const text = number.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2');
      return spec.type === 'E' ? text.toUpperCase() : text;
    }
    case 'g':
      return general(number, precision === 0 ? 1 : precision);
    case 'x':
      return Math.trunc(number).toString(16);
    case 'X':
      return Math.trunc(number).toString(16).toUpperCase();
    case 'o':
      return Math.trunc(number).toString(8);
    default:
      throw new Fault('unsupported', `the conversion %${spec.type}`);
  }
}

function general(number: number, precision: number): string {
  if (number === 0) return '0';
  const exponent = Number(number.toExponential(precision - 1).split('e')[1]);
  if (exponent < -4 || exponent >= precision) {
    const [mantissa = '', power = ''] = number.toExponential(precision - 1).split('e');
    const short = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
    return `${short}e${power.replace(/^([+-])(\d)$/, '$10$2')}`;
  }
  const fixed = number.toFixed(Math.max(0, precision - 1 - exponent));
  return fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed;
}

/** A value as a float, from text too: what `float()` accepts. */
export function parseFloatText(text: string): Float {
  const trimmed = text.trim();
  if (/^[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(trimmed))
    return new Float(Number(trimmed.replace(/_/g, '')));
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(trimmed);
  if (!special) throw new Fault('type', `could not convert string to float: ${repr(text)}`);
  if (/nan/i.test(trimmed)) return new Float(Number.NaN);
  return new Float(special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
}
