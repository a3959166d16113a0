/** `math`. */
import { overflowError, typeError, valueError } from './errors.js';
import { define, wholeOf } from './functions.js';
import { iterate } from './iterate.js';
import { integer } from './numbers.js';
import { arithmetic } from './operators.js';
import { Float, type Meter, numeric, plain, typeName, type Value } from './values.js';

function real(given: Value | undefined): number {
  const value = plain(given ?? null, new Float(0));
  const number = numeric(value);
  if (number === undefined) throw typeError(`must be real number, not ${typeName(value)}`);
  return Number(number);
}

function checked(result: number, ...args: number[]): Float {
  if (Number.isNaN(result) && !args.some(Number.isNaN)) throw valueError('math domain error');
  if (!Number.isFinite(result) && args.every(Number.isFinite)) throw overflowError('math range error');
  return new Float(result);
}

function simple(name: string, body: (x: number) => number): [string, Value] {
  return [
    name,
    define(name, 'x', ([given]) => {
      const x = real(given);
      return checked(body(x), x);
    }),
  ];
}

/** To a whole number, which Python 2 gives as a float. */
function whole(name: string, body: (x: number) => number): [string, Value] {
  return [
    name,
    define(name, 'x', ([given], meter) => {
      const value = plain(given ?? null, new Float(0));
      const exact = typeof value === 'number' || typeof value === 'bigint';
      if (meter.python === 2 && name !== 'trunc') return new Float(body(real(value)));
      return exact ? value : integer(body(real(value)));
    }),
  ];
}

function positive(x: number): number {
  if (x <= 0) throw valueError('math domain error');
  return x;
}

const logarithm = (x: number) => Math.log(positive(x));

function big(given: Value | undefined, name: string): bigint {
  const value = plain(given ?? null, 0);
  if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'boolean') {
    throw typeError(`'${typeName(value)}' object cannot be interpreted as an integer in ${name}()`);
  }
  return BigInt(value);
}

function gcd(values: readonly bigint[], meter: Meter): bigint {
  return values.reduce((a, b) => {
    let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
    while (y !== 0n) {
      meter.step();
      [x, y] = [y, x % y];
    }
    return x;
  }, 0n);
}

/** Without losing digits: partial sums that do not overlap, after Shewchuk. */
function exactSum(numbers: readonly number[]): number {
  let partials: number[] = [];
  for (const number of numbers) {
    let x = number;
    const kept: number[] = [];
    for (const part of partials) {
      const [big, small] = Math.abs(x) < Math.abs(part) ? [part, x] : [x, part];
      const high = big + small;
      const low = small - (high - big);
      if (low !== 0) kept.push(low);
      x = high;
    }
    partials = [...kept, x];
  }
  return partials.reduceRight((sum, part) => sum + part, 0);
}

function closeEnough([a, b, relative, absolute]: (Value | undefined)[]): boolean {
  const [x, y] = [real(a), real(b)];
  if (x === y) return true;
  const tolerance = Math.max(
    (relative === undefined ? 1e-9 : real(relative)) * Math.max(Math.abs(x), Math.abs(y)),
    absolute === undefined ? 0 : real(absolute),
  );
  return Number.isFinite(x) && Number.isFinite(y) && Math.abs(x - y) <= tolerance;
}

export const MATH: readonly [string, Value][] = [
  ['pi', new Float(Math.PI)],
  ['e', new Float(Math.E)],
  ['tau', new Float(Math.PI * 2)],
  ['inf', new Float(Number.POSITIVE_INFINITY)],
  ['nan', new Float(Number.NaN)],
  whole('ceil', Math.ceil),
  whole('floor', Math.floor),
  whole('trunc', Math.trunc),
  simple('sqrt', Math.sqrt),
  simple('exp', Math.exp),
  simple('fabs', Math.abs),
  simple('log2', (x) => Math.log2(positive(x))),
  simple('log10', (x) => Math.log10(positive(x))),
  simple('log1p', Math.log1p),
  simple('sin', Math.sin),
  simple('cos', Math.cos),
  simple('tan', Math.tan),
  simple('atan', Math.atan),
  simple('degrees', (x) => (x * 180) / Math.PI),
  simple('radians', (x) => (x * Math.PI) / 180),
  [
    'log',
    define('log', 'x base?', ([given, base]) => {
      const x = logarithm(real(given));
      return new Float(base === undefined ? x : x / logarithm(real(base)));
    }),
  ],
  [
    'pow',
    define('pow', 'x y', ([a, b]) => {
      const [x, y] = [real(a), real(b)];
      return checked(x === 1 ? 1 : x ** y, x, y);
    }),
  ],
  ['fmod', define('fmod', 'x y', ([a, b]) => checked(real(a) % real(b), real(a), real(b)))],
  ['hypot', define('hypot', 'x y', ([a, b]) => new Float(Math.hypot(real(a), real(b))))],
  [
    'copysign',
    define('copysign', 'x y', ([a, b]) => {
      const y = real(b);
      return new Float(Math.abs(real(a)) * (y < 0 || Object.is(y, -0) ? -1 : 1));
    }),
  ],
  ['isnan', define('isnan', 'x', ([x]) => Number.isNaN(real(x)))],
  ['isinf', define('isinf', 'x', ([x]) => Math.abs(real(x)) === Number.POSITIVE_INFINITY)],
  ['isfinite', define('isfinite', 'x', ([x]) => Number.isFinite(real(x)))],
  ['isclose', define('isclose', 'a b rel_tol? abs_tol?', closeEnough)],
  ['gcd', define('gcd', 'a b', ([a, b], meter) => integer(gcd([big(a, 'gcd'), big(b, 'gcd')], meter)))],
  [
    'factorial',
    define('factorial', 'x', ([given], meter) => {
      const x = wholeOf(given, 'factorial()');
      if (x < 0) throw valueError('factorial() not defined for negative values');
      let product: number | bigint = 1;
      for (let i = 2; i <= x; i++) {
        meter.step();
        product = integer(BigInt(product) * BigInt(i));
      }
      return product;
    }),
  ],
  [
    'prod',
    define('prod', 'iterable start?', ([items = null, start = 1], meter) =>
      iterate(items, meter).reduce<Value>((product, item) => arithmetic('*', product, item, meter), start),
    ),
  ],
  ['fsum', define('fsum', 'iterable', ([items = null], meter) => new Float(exactSum(iterate(items, meter).map(real))))],
];
