/** `re`: patterns, matches, and what is done with them. */
import { indexError, PythonError, typeError } from './errors.js';
import { call, define, textOf, wholeOf } from './functions.js';
import { lazily } from './iterate.js';
import { Input, type MatchMode, runRegex } from './regex-machine.js';
import { compileRegex, type Program } from './regex-program.js';
import { FLAGS, regexError } from './regex-syntax.js';
import { lengthOfText, quote } from './text.js';
import { Callable, Dict, type Meter, PyObject, plain, Tuple, type Value, WEIGHT } from './values.js';

const CACHED_MAX = 300;
const PATTERN_CHARS_MAX = 20_000;
const cached = new Map<string, Program>();

function programOf(pattern: string, flags: number): Program {
  const key = `${flags}:${pattern}`;
  const held = cached.get(key);
  if (held) return held;
  if (pattern.length > PATTERN_CHARS_MAX) throw regexError('a pattern that is too long');
  const made = compileRegex(pattern, flags);
  if (cached.size >= CACHED_MAX) cached.clear();
  cached.set(key, made);
  return made;
}

class MatchValue extends PyObject {
  readonly typeName = 're.Match';
  constructor(
    readonly pattern: PatternValue,
    readonly input: Input,
    readonly slots: readonly number[],
  ) {
    super();
  }

  override repr(): string {
    return `<re.Match object; span=(${this.slots[0]}, ${this.slots[1]}), match=${quote(this.part(0) ?? '')}>`;
  }

  part(index: number): string | undefined {
    const [from = -1, to = -1] = [this.slots[index * 2], this.slots[index * 2 + 1]];
    return from < 0 || to < 0 ? undefined : this.input.slice(from, to);
  }

  indexOf(given: Value): number {
    const value = plain(given);
    const { program } = this.pattern;
    const index = typeof value === 'string' ? program.names.get(value) : value;
    if (typeof index !== 'number' || index < 0 || index > program.groups) throw indexError('no such group');
    return index;
  }

  override item(key: Value): Value {
    return this.part(this.indexOf(key)) ?? null;
  }

  groups(otherwise: Value): Tuple {
    const { groups } = this.pattern.program;
    return new Tuple(Array.from({ length: groups }, (_, i) => this.part(i + 1) ?? otherwise));
  }

  attribute(name: string): Value | undefined {
    const at = (which: 0 | 1) => (given: Value | undefined) => this.slots[this.indexOf(given ?? 0) * 2 + which] ?? -1;
    switch (name) {
      case 'group':
        return new Callable('group', ({ positional }) => {
          if (positional.length <= 1) return this.item(positional[0] ?? 0);
          return new Tuple(positional.map((one) => this.item(one)));
        });
      case 'groups':
        return define('groups', 'default?', ([otherwise = null]) => this.groups(otherwise));
      case 'groupdict':
        return define('groupdict', 'default?', ([otherwise = null]) => {
          const pairs = [...this.pattern.program.names];
          return new Dict(pairs.map(([key, index]): [Value, Value] => [key, this.part(index) ?? otherwise]));
        });
      case 'start':
        return define('start', 'group?', ([group]) => at(0)(group));
      case 'end':
        return define('end', 'group?', ([group]) => at(1)(group));
      case 'span':
        return define('span', 'group?', ([group]) => new Tuple([at(0)(group), at(1)(group)]));
      case 'expand':
        return define('expand', 'template', ([template]) =>
          expander(textOf(template, 'template'), this.pattern.program)(this),
        );
      case 'string':
        return this.input.text;
      case 're':
        return this.pattern;
      case 'pos':
        return 0;
      case 'endpos':
        return this.input.codes.length;
      case 'lastindex': {
        const last = this.groups(null).items.findLastIndex((item) => item !== null);
        return last < 0 ? null : last + 1;
      }
      default:
        return undefined;
    }
  }
}

export class PatternValue extends PyObject {
  readonly typeName = 're.Pattern';
  constructor(readonly program: Program) {
    super();
  }

  override repr(): string {
    return `re.compile(${quote(this.program.pattern)})`;
  }

  match(text: string, start: number, search: boolean, mode: MatchMode, meter: Meter): MatchValue | undefined {
    return this.from(new Input(text), start, search, mode, meter);
  }

  from(input: Input, start: number, search: boolean, mode: MatchMode, meter: Meter): MatchValue | undefined {
    const slots = runRegex(this.program, input, start, search, mode, meter);
    return slots && new MatchValue(this, input, slots);
  }

  /** All matches, one after the other, at most `most`. */
  *all(text: string, most: number, meter: Meter): Generator<MatchValue> {
    const input = new Input(text);
    meter.size(input.codes.length, WEIGHT.character);
    let at = 0;
    let advance = false;
    for (let count = 0; at <= input.codes.length && (most === 0 || count < most); count++) {
      const found = this.from(input, at, true, { advance }, meter);
      if (!found) return;
      yield found;
      at = found.slots[1] ?? 0;
      advance = found.slots[0] === at;
    }
  }

  attribute(name: string): Value | undefined {
    if (name === 'pattern') return this.program.pattern;
    if (name === 'flags') return this.program.flags | FLAGS.U;
    if (name === 'groups') return this.program.groups;
    if (name === 'groupindex') return new Dict(this.program.names);
    const method = METHODS.get(name);
    if (!method) return undefined;
    return define(name, method.signature, (args, meter) => method.body(this, args, meter));
  }
}

interface PatternMethod {
  signature: string;
  body: (pattern: PatternValue, args: (Value | undefined)[], meter: Meter) => Value;
}

function matcher(search: boolean, full: boolean): PatternMethod['body'] {
  return (pattern, [given, from, to], meter) => {
    const whole = textOf(given, 'expected string or bytes-like object, got something else: the text');
    const text = to === undefined ? whole : Array.from(whole).slice(0, wholeOf(to, 'endpos')).join('');
    const start = Math.min(lengthOfText(text), Math.max(0, from === undefined ? 0 : wholeOf(from, 'pos')));
    meter.size(text.length, WEIGHT.character);
    return pattern.match(text, start, search, { full }, meter) ?? null;
  };
}

const countOf = (given: Value | undefined) => (given === undefined ? 0 : Math.max(0, wholeOf(given, 'count')));

const METHODS: ReadonlyMap<string, PatternMethod> = new Map([
  ['match', { signature: 'string pos? endpos?', body: matcher(false, false) }],
  ['fullmatch', { signature: 'string pos? endpos?', body: matcher(false, true) }],
  ['search', { signature: 'string pos? endpos?', body: matcher(true, false) }],
  [
    'findall',
    {
      signature: 'string',
      body: (pattern, [text], meter) => {
        const { groups } = pattern.program;
        const found: Value[] = [];
        for (const match of pattern.all(textOf(text, 'the text'), 0, meter)) {
          meter.fits(found.length + 1);
          found.push(groups === 0 ? (match.part(0) ?? '') : groups === 1 ? (match.part(1) ?? '') : match.groups(''));
        }
        return found;
      },
    },
  ],
  [
    'finditer',
    {
      signature: 'string',
      body: (pattern, [text], meter) => {
        const all = pattern.all(textOf(text, 'the text'), 0, meter);
        return lazily('callable_iterator', meter, () => {
          const { done, value } = all.next();
          return done ? undefined : value;
        });
      },
    },
  ],
  ['sub', { signature: 'repl string count?', body: (pattern, args, meter) => substituted(pattern, args, meter).text }],
  [
    'subn',
    {
      signature: 'repl string count?',
      body: (pattern, args, meter) => {
        const { text, count } = substituted(pattern, args, meter);
        return new Tuple([text, count]);
      },
    },
  ],
  [
    'split',
    {
      signature: 'string maxsplit?',
      body: (pattern, [given, most], meter) => {
        const parts: Value[] = [];
        let from = 0;
        const text = textOf(given, 'the text');
        const input = new Input(text);
        for (const match of pattern.all(text, countOf(most), meter)) {
          parts.push(input.slice(from, match.slots[0] ?? 0), ...match.groups(null).items);
          meter.fits(parts.length);
          from = match.slots[1] ?? 0;
        }
        parts.push(input.slice(from, input.codes.length));
        return parts;
      },
    },
  ],
]);

function substituted(
  pattern: PatternValue,
  [by, given, count]: (Value | undefined)[],
  meter: Meter,
): { text: string; count: number } {
  const text = textOf(given, 'expected string or bytes-like object, got something else: the text');
  const input = new Input(text);
  const replacement = plain(by ?? null);
  const expand = typeof replacement === 'string' ? expander(replacement, pattern.program) : undefined;
  const parts: string[] = [];
  let from = 0;
  let length = 0;
  let times = 0;
  for (const match of pattern.all(text, countOf(count), meter)) {
    const made = expand ? expand(match) : textOf(call(replacement, [match], meter), 'the replacement');
    const before = input.slice(from, match.slots[0] ?? 0);
    parts.push(before, made);
    length += before.length + made.length;
    meter.fits(length);
    meter.step(1 + Math.floor(made.length / 100));
    from = match.slots[1] ?? 0;
    times++;
  }
  parts.push(input.slice(from, input.codes.length));
  return { text: parts.join(''), count: times };
}

const REFERENCE = /\\(?:g<([^>]*)>|(0[0-7]{0,2}|[0-3][0-7]{2})|(\d{1,2})|([\s\S]?))/g;

/** A replacement with `\1`, `\g<name>` and escapes, read once. */
function expander(template: string, program: Program): (match: MatchValue) => string {
  if (!template.includes('\\')) return () => template;
  const parts: (string | number)[] = [];
  let from = 0;
  for (const found of template.matchAll(REFERENCE)) {
    parts.push(template.slice(from, found.index));
    from = found.index + found[0].length;
    const [, name, octal, digits, char] = found;
    if (octal !== undefined) parts.push(String.fromCharCode(Number.parseInt(octal, 8) & 255));
    else if (name !== undefined || digits !== undefined) parts.push(groupIndex(name ?? digits ?? '', program));
    else parts.push(escapeOf(char ?? ''));
  }
  parts.push(template.slice(from));
  return (match) => parts.map((part) => (typeof part === 'string' ? part : (match.part(part) ?? ''))).join('');
}

function groupIndex(name: string, program: Program): number {
  const index = /^\d+$/.test(name) ? Number(name) : program.names.get(name);
  if (index === undefined) throw indexError(`unknown group name '${name}'`);
  if (index > program.groups) throw regexError(`invalid group reference ${index}`);
  return index;
}

function escapeOf(char: string): string {
  const known = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\' }[char];
  if (known !== undefined) return known;
  if (char === '') throw regexError('bad escape (end of pattern)');
  if (/[A-Za-z]/.test(char)) throw regexError(`bad escape \\${char}`);
  return `\\${char}`;
}

function patternOf(given: Value | undefined, flags: Value | undefined): PatternValue {
  const number = flags === undefined ? 0 : wholeOf(flags, 'flags');
  if (given instanceof PatternValue) {
    if (number !== 0) throw new PythonError('ValueError', 'cannot process flags argument with a compiled pattern');
    return given;
  }
  const pattern = plain(given ?? null);
  if (typeof pattern !== 'string') throw typeError('first argument must be string or compiled pattern');
  return new PatternValue(programOf(pattern, number));
}

function functions(): [string, Value][] {
  return [...METHODS].map(([name, { body, signature }]): [string, Value] => {
    // The pattern comes first, and flags instead of positions.
    const words = `pattern ${signature.replace(/ pos\? endpos\?/, '')} flags?`;
    const made = define(name, words, ([pattern, ...args], meter) => body(patternOf(pattern, args.pop()), args, meter));
    return [name, made];
  });
}

const LETTERS = {
  A: 'ASCII',
  I: 'IGNORECASE',
  L: 'LOCALE',
  M: 'MULTILINE',
  S: 'DOTALL',
  U: 'UNICODE',
  X: 'VERBOSE',
} as const;

/** `re.escape`: everything but letters, digits and `_`; since Python 3.7 only what means something. */
const escapeText = define('escape', 'pattern', ([given], meter) => {
  const text = textOf(given, 'the text');
  meter.size(text.length * 2, WEIGHT.character);
  const special = meter.python === 2 ? /[^A-Za-z0-9]/g : /[()[\]{}?*+\-|^$\\.&~# \t\n\r\v\f]/g;
  return text.replace(special, (char) => `\\${char}`);
});

export function reMembers(error: Value): [string, Value][] {
  return [
    ...functions(),
    ['compile', define('compile', 'pattern flags?', ([pattern, flags]) => patternOf(pattern, flags))],
    ['escape', escapeText],
    ['purge', define('purge', '', () => null)],
    ['error', error],
    ...(Object.keys(LETTERS) as (keyof typeof LETTERS)[]).flatMap((letter): [string, Value][] => [
      [letter, FLAGS[letter]],
      [LETTERS[letter], FLAGS[letter]],
    ]),
  ];
}
