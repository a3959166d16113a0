/** `string`, `shlex`, `textwrap`, and the few harmless facts of `sys`. */
import { valueError } from './errors.js';
import { call, define, textOf } from './functions.js';
import { iterate } from './iterate.js';
import { makeTranslation } from './string-methods.js';
import { Callable, type Meter, plain, Tuple, type Value, WEIGHT } from './values.js';

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const DIGITS = '0123456789';
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const WHITESPACE = ' \t\n\r\v\f';

/** Python 2's functions on text: `string.upper(s)`. */
function old(name: string): [string, Value] {
  return [
    name,
    new Callable(name, ({ positional: [self = null, ...args] }, meter) =>
      call(meter.attribute(plain(self), name) ?? null, args, meter),
    ),
  ];
}

export const STRING: readonly [string, Value][] = [
  ['ascii_letters', LOWER + UPPER],
  ['ascii_lowercase', LOWER],
  ['ascii_uppercase', UPPER],
  ['letters', LOWER + UPPER],
  ['lowercase', LOWER],
  ['uppercase', UPPER],
  ['digits', DIGITS],
  ['hexdigits', `${DIGITS}abcdefABCDEF`],
  ['octdigits', '01234567'],
  ['punctuation', PUNCTUATION],
  ['whitespace', WHITESPACE],
  ['printable', DIGITS + LOWER + UPPER + PUNCTUATION + WHITESPACE],
  [
    'capwords',
    define('capwords', 's sep?', ([given, by], meter) => {
      const text = textOf(given, 'the text');
      const separator = by === undefined || by === null ? undefined : textOf(by, 'sep');
      const words = separator === undefined ? text.trim().split(/\s+/) : text.split(separator);
      meter.size(text.length, WEIGHT.character);
      return words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase()).join(separator ?? ' ');
    }),
  ],
  ['maketrans', new Callable('maketrans', ({ positional }) => makeTranslation(positional))],
  [
    'join',
    define('join', 'words sep?', ([words = null, by = ' '], meter) =>
      call(meter.attribute(by, 'join') ?? null, [words], meter),
    ),
  ],
  ...['lower', 'upper', 'strip', 'lstrip', 'rstrip', 'split', 'replace', 'find', 'count', 'capitalize', 'zfill'].map(
    old,
  ),
];

function quoted(text: string): string {
  if (text === '') return "''";
  return /[^\w@%+=:,./-]/.test(text) ? `'${text.replaceAll("'", `'"'"'`)}'` : text;
}

/** As a POSIX shell splits words. */
function words(text: string, comments: boolean, meter: Meter): string[] {
  meter.size(text.length, WEIGHT.character);
  const found: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? '';
    if (/\s/.test(char)) {
      if (word !== undefined) found.push(word);
      word = undefined;
    } else if (char === "'" || char === '"') {
      const inner = (char === "'" ? /[^']*'/y : /(?:[^"\\]|\\[\s\S])*"/y) as RegExp;
      inner.lastIndex = at + 1;
      const rest = inner.exec(text);
      if (!rest) throw valueError('No closing quotation');
      const body = rest[0].slice(0, -1);
      word = (word ?? '') + (char === '"' ? body.replace(/\\(["\\])/g, '$1') : body);
      at += rest[0].length;
    } else if (char === '\\') {
      if (at + 1 >= text.length) throw valueError('No escaped character');
      word = (word ?? '') + text[++at];
    } else if (char === '#' && comments && word === undefined) {
      while (at < text.length && text[at] !== '\n') at++;
    } else word = (word ?? '') + char;
  }
  if (word !== undefined) found.push(word);
  return found;
}

export const SHLEX: readonly [string, Value][] = [
  ['quote', define('quote', 's', ([text]) => quoted(textOf(text, 'the text')))],
  [
    'split',
    define('split', 's comments?', ([text, comments], meter) =>
      words(textOf(text, 'the text'), comments === true, meter),
    ),
  ],
  [
    'join',
    define('join', 'split_command', ([items = null], meter) =>
      iterate(items, meter)
        .map((item) => quoted(textOf(item, 'a word')))
        .join(' '),
    ),
  ],
];

function dedented(text: string): string {
  const lines = text.replace(/^[ \t]+$/gm, '').split('\n');
  const margins = lines.filter((line) => line !== '').map((line) => /^[ \t]*/.exec(line)?.[0] ?? '');
  const [first = '', ...rest] = margins;
  let length = first.length;
  for (const other of rest) while (!other.startsWith(first.slice(0, length))) length--;
  return lines.map((line) => line.slice(line === '' ? 0 : length)).join('\n');
}

export const TEXTWRAP: readonly [string, Value][] = [
  ['dedent', define('dedent', 'text', ([text]) => dedented(textOf(text, 'the text')))],
  [
    'indent',
    define('indent', 'text prefix', ([text, prefix], meter) => {
      const lines = textOf(text, 'the text').split(/(?<=\n)/);
      const lead = textOf(prefix, 'the prefix');
      meter.size(lines.length * lead.length, WEIGHT.character);
      return lines.map((line) => (line.trim() === '' ? line : lead + line)).join('');
    }),
  ],
];

export const SYS: readonly [string, Value][] = [
  ['maxsize', 9223372036854775807n],
  ['maxint', 9223372036854775807n],
  ['byteorder', 'little'],
  ['platform', 'linux'],
  ['version_info', new Tuple([3, 11, 0, 'final', 0])],
];
