/**
 * Floats as decimal digits, exactly: JavaScript's toFixed and toExponential round a tie upwards and stop at 100 digits,
 * Python rounds it to even. A double is a whole number times a power of two, so integers do it all.
 */

/** `x` (finite, not negative) times ten to the `digits`, rounded to a whole number, ties to even. */
export function scaled(x: number, digits: number): bigint {
  const [mantissa, exponent] = split(x);
  let above = digits >= 0 ? mantissa * 10n ** BigInt(digits) : mantissa;
  let below = digits >= 0 ? 1n : 10n ** BigInt(-digits);
  if (exponent >= 0) above <<= BigInt(exponent);
  else below <<= BigInt(-exponent);
  const whole = above / below;
  const twice = (above % below) * 2n;
  return twice > below || (twice === below && whole % 2n === 1n) ? whole + 1n : whole;
}

function split(x: number): [mantissa: bigint, exponent: number] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const power = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  return power === 0 ? [fraction, -1074] : [fraction | 0x10000000000000n, power - 1075];
}

/** `%.{digits}f` of a finite, not negative number. */
export function fixedText(x: number, digits: number): string {
  const text = scaled(x, digits)
    .toString()
    .padStart(digits + 1, '0');
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** The decimal exponent and digits + 1 digits of a finite, not negative number. */
function significant(x: number, digits: number): { text: string; exponent: number } {
  if (x === 0) return { text: '0'.repeat(digits + 1), exponent: 0 };
  const exponent = Number(x.toExponential().split('e')[1]);
  const text = scaled(x, digits - exponent).toString();
  return text.length > digits + 1 ? { text: text.slice(0, -1), exponent: exponent + 1 } : { text, exponent };
}

function exponentText(exponent: number): string {
  return `e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** `%.{digits}e`. */
export function exponentialText(x: number, digits: number): string {
  const { text, exponent } = significant(x, digits);
  return `${text[0]}${digits > 0 ? `.${text.slice(1)}` : ''}${exponentText(exponent)}`;
}

/** `%.{precision}g`; `keep`: trailing zeros stay, as with the flag `#`. */
export function generalText(x: number, precision: number, keep = false): string {
  const { text, exponent } = significant(x, precision - 1);
  const trim = (digits: string) => (keep || !digits.includes('.') ? digits : digits.replace(/\.?0+$/, ''));
  if (exponent < -4 || exponent >= precision) {
    const mantissa = text.length > 1 ? `${text[0]}.${text.slice(1)}` : text;
    return trim(mantissa) + exponentText(exponent);
  }
  if (exponent < 0) return trim(`0.${'0'.repeat(-exponent - 1)}${text}`);
  const whole = text.slice(0, exponent + 1);
  return trim(text.length > exponent + 1 ? `${whole}.${text.slice(exponent + 1)}` : whole);
}

/** `repr(float)`: the shortest digits that give the number back; Python 2's `str` has at most twelve. */
export function floatText(value: number, short = false): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const size = Math.abs(value);
  if (size === 0) return `${sign}0.0`;
  if (short) {
    const text = generalText(size, 12);
    return sign + (/[.e]/.test(text) ? text : `${text}.0`);
  }
  const [mantissa = '0', power = '0'] = size.toExponential().split('e');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) return sign + mantissa + exponentText(exponent);
  const text = exponent < 0 ? `0.${'0'.repeat(-exponent - 1)}${mantissa.replace('.', '')}` : size.toString();
  return sign + (text.includes('.') ? text : `${text}.0`);
}
