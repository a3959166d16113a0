/** Arithmetic on numbers: integers without an end (up to a bound of ours), floats, and Python's rounding of `//` and `%`. */
import { limitFault, PythonError, typeError, unsupported, valueError } from './errors.js';
import type { BinaryOperator } from './syntax.js';
import { Float, numeric, type Value } from './values.js';

const DIGITS_MAX = 4300;
const BITS_MAX = Math.floor(DIGITS_MAX * Math.log2(10));

/** An integer as a value: a number while it is exact. */
export function integer(value: number | bigint): number | bigint {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
    if (!Number.isFinite(value)) throw valueError('cannot convert float NaN or infinity to integer');
    return integer(BigInt(value));
  }
  if (value >= -9007199254740991n && value <= 9007199254740991n) return Number(value);
  tooLarge(bitsOf(value));
  return value;
}

function bitsOf(value: bigint): number {
  return value.toString(16).length * 4;
}

function tooLarge(bits: number): void {
  if (bits > BITS_MAX + 8) throw limitFault(`an integer of more than ${DIGITS_MAX} digits`);
}

const zeroDivision = (reason: string) => new PythonError('ZeroDivisionError', reason);

/** Undefined when one of the two is no number. */
export function calculate(operator: BinaryOperator, left: Value, right: Value, python: 2 | 3): Value | undefined {
  const a = numeric(left);
  const b = numeric(right);
  if (a === undefined || b === undefined) return undefined;
  if (left instanceof Float || right instanceof Float) {
    return ofFloats(operator, Number(a), Number(b));
  }
  if (typeof left === 'boolean' && typeof right === 'boolean' && typeof a === 'number' && typeof b === 'number') {
    if (operator === '&') return (a & b) === 1;
    if (operator === '|') return (a | b) === 1;
    if (operator === '^') return (a ^ b) === 1;
  }
  return ofIntegers(operator, a, b, python);
}

function ofIntegers(
  operator: BinaryOperator,
  a: number | bigint,
  b: number | bigint,
  python: 2 | 3,
): Value | undefined {
  if (operator === '/' && python === 3) {
    if (Number(b) === 0) throw zeroDivision('division by zero');
    return new Float(Number(a) / Number(b));
  }
  if (typeof a === 'number' && typeof b === 'number') {
    const result = small(operator, a, b);
    if (result !== undefined && Number.isSafeInteger(result)) return result === 0 ? 0 : result;
  }
  return large(operator, BigInt(a), BigInt(b));
}

/** With doubles, where that is exact; otherwise undefined. */
function small(operator: BinaryOperator, a: number, b: number): number | undefined {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
    case '//': {
      if (b === 0) throw zeroDivision('integer division or modulo by zero');
      return (a - modulo(a, b)) / b;
    }
    case '%': {
      if (b === 0) throw zeroDivision('integer modulo by zero');
      return modulo(a, b);
    }
    case '**':
      return b >= 0 ? a ** b : undefined;
    default:
      return undefined;
  }
}

/** The rest has the sign of the divisor. */
function modulo(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

function large(operator: BinaryOperator, a: bigint, b: bigint): Value | undefined {
  switch (operator) {
    case '+':
      return integer(a + b);
    case '-':
      return integer(a - b);
    case '*':
      return integer(a * b);
    case '/':
    case '//':
    case '%': {
      if (b === 0n) throw zeroDivision('integer division or modulo by zero');
      const rest = a % b;
      const floored = rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
      return integer(operator === '%' ? floored : (a - floored) / b);
    }
    case '**':
      if (b < 0n) return ofFloats('**', Number(a), Number(b));
      if (a * a > 1n) tooLarge(((a < 0n ? -a : a).toString(2).length - 1) * Number(b));
      return integer(a ** b);
    case '<<':
      if (b < 0n) throw valueError('negative shift count');
      if (a !== 0n) tooLarge(Number(b));
      return integer(a === 0n ? 0n : a << b);
    case '>>':
      if (b < 0n) throw valueError('negative shift count');
      return integer(b > BigInt(BITS_MAX * 2) ? (a < 0n ? -1n : 0n) : a >> b);
    case '&':
      return integer(a & b);
    case '|':
      return integer(a | b);
    case '^':
      return integer(a ^ b);
    default:
      return undefined;
  }
}

function ofFloats(operator: BinaryOperator, a: number, b: number): Value | undefined {
  switch (operator) {
    case '+':
      return new Float(a + b);
    case '-':
      return new Float(a - b);
    case '*':
      return new Float(a * b);
    case '/':
      if (b === 0) throw zeroDivision('float division by zero');
      return new Float(a / b);
    case '//': {
      if (b === 0) throw zeroDivision('float floor division by zero');
      const quotient = (a - floatModulo(a, b)) / b;
      const floor = Math.floor(quotient);
      return new Float(quotient - floor > 0.5 ? floor + 1 : floor);
    }
    case '%':
      if (b === 0) throw zeroDivision('float modulo');
      return new Float(floatModulo(a, b));
    case '**':
      return new Float(floatPower(a, b));
    default:
      return undefined;
  }
}

function floatModulo(a: number, b: number): number {
  const rest = modulo(a, b);
  return rest === 0 ? (b < 0 ? -0 : 0) : Number.isFinite(b) || rest === a ? rest : b;
}

function floatPower(a: number, b: number): number {
  if (a === 0 && b < 0) throw zeroDivision('0.0 cannot be raised to a negative power');
  if (a === 1) return 1;
  if (a < 0 && Number.isFinite(a) && Number.isFinite(b) && !Number.isInteger(b)) throw unsupported('complex numbers');
  const power = a ** b;
  if (!Number.isFinite(power) && Number.isFinite(a) && Number.isFinite(b)) {
    throw new PythonError('OverflowError', "(34, 'Numerical result out of range')");
  }
  return power;
}

/** `-x`, `+x`, `~x`; undefined when it is no number. */
export function signed(operator: '-' | '+' | '~', value: Value): Value | undefined {
  const number = numeric(value);
  if (number === undefined) return undefined;
  if (value instanceof Float) {
    if (operator === '~') throw typeError("bad operand type for unary ~: 'float'");
    return operator === '-' ? new Float(-value.value) : value;
  }
  if (operator === '+') return number;
  if (operator === '-') return integer(-number);
  return integer(-BigInt(number) - 1n);
}

/** The text as `int()` reads it; `base` 0 takes the base from its prefix. */
export function parseInteger(text: string, base: number): number | bigint | undefined {
  if (text.length > DIGITS_MAX + 20) throw limitFault(`an integer of more than ${DIGITS_MAX} digits`);
  const found = /^\s*([+-]?)(0[xX]|0[oO]|0[bB])?(_?[0-9A-Za-z](?:_?[0-9A-Za-z])*)\s*$/.exec(text);
  if (!found) return undefined;
  const [, sign = '', prefix = '', body = ''] = found;
  const named = { '0x': 16, '0o': 8, '0b': 2 }[prefix.toLowerCase()];
  let digits = body;
  let radix = base === 0 ? (named ?? 10) : base;
  if (prefix !== '' && named !== radix) {
    // `0b1` in base 16 is a number without a prefix.
    digits = prefix + body;
    if (base === 0) radix = 10;
  } else if (prefix === '' && digits.startsWith('_')) return undefined;
  if (base === 0 && prefix === '' && /^0+[1-9_]/.test(digits)) return undefined;
  let value = 0n;
  for (const char of digits.replace(/_/g, '').toLowerCase()) {
    const digit = Number.parseInt(char, 36);
    if (!(digit < radix)) return undefined;
    value = value * BigInt(radix) + BigInt(digit);
  }
  return integer(sign === '-' ? -value : value);
}

/** The text as `float()` reads it. */
export function parseFloatText(text: string): Float | undefined {
  const trimmed = text.trim();
  const digits = trimmed.replace(/(\d)_(?=\d)/g, '$1');
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(digits)) return new Float(Number(digits));
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(trimmed);
  if (!special) return undefined;
  if (/nan/i.test(trimmed)) return new Float(Number.NaN);
  return new Float(special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
}
