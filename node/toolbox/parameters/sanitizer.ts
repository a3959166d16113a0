/**
 * What stands between a user's text and the shell: every character that is not allowed becomes a harmless word
 * (`'` → `__sq__`) or `X`. The default is Galaxy's; a wrapper's `<sanitizer>` may say otherwise, per parameter.
 */
import { malformed, unsupported } from '../errors.js';
import { elements, flag, type XmlElement } from '../wrapper/wrapper-xml.js';

export type Sanitize = (text: string) => string;

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const DIGITS = '0123456789';
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const WHITESPACE = ' \t\n\r\v\f';
const ALLOWED = `${LETTERS}${DIGITS} -=_.()/+*^,:?!`;
const INVALID = 'X';
/** https://docs.galaxyproject.org, "sanitizer": the characters with a name of their own. */
const NAMED: readonly [string, string][] = [
  ['>', '__gt__'],
  ['<', '__lt__'],
  ["'", '__sq__'],
  ['"', '__dq__'],
  ['[', '__ob__'],
  [']', '__cb__'],
  ['{', '__oc__'],
  ['}', '__cc__'],
  ['@', '__at__'],
  ['\n', '__cn__'],
  ['\r', '__cr__'],
  ['\t', '__tc__'],
  ['#', '__pd__'],
];

const PRESETS: ReadonlyMap<string, string> = new Map([
  ['default', ALLOWED],
  ['none', ''],
  ['string.letters', LETTERS],
  ['string.ascii_letters', LETTERS],
  ['string.lowercase', LETTERS.slice(0, 26)],
  ['string.ascii_lowercase', LETTERS.slice(0, 26)],
  ['string.uppercase', LETTERS.slice(26)],
  ['string.ascii_uppercase', LETTERS.slice(26)],
  ['string.digits', DIGITS],
  ['string.hexdigits', `${DIGITS}abcdefABCDEF`],
  ['string.octdigits', '01234567'],
  ['string.punctuation', PUNCTUATION],
  ['string.whitespace', WHITESPACE],
  ['string.printable', `${DIGITS}${LETTERS}${PUNCTUATION}${WHITESPACE}`],
]);

function build(allowed: ReadonlySet<string>, named: ReadonlyMap<string, string>, invalid: string): Sanitize {
  return (text) => {
    let out = '';
    for (const char of text) out += allowed.has(char) ? char : (named.get(char) ?? invalid);
    return out;
  };
}

export const defaultSanitize: Sanitize = build(new Set(ALLOWED), new Map(NAMED), INVALID);
/** Names, identifiers and metadata of datasets: Galaxy lets them keep their `@`. */
export const nameSanitize: Sanitize = build(new Set(`${ALLOWED}@`), new Map(NAMED), INVALID);
export const noSanitize: Sanitize = (text) => text;

/** `<sanitizer>`. Throws toolbox errors. */
export function parseSanitizer(given: XmlElement): Sanitize {
  if (!flag(given.attributes.sanitize, true)) return noSanitize;
  let allowed = new Set(ALLOWED);
  let named = new Map(NAMED);
  for (const child of elements(given)) {
    if (child.name === 'valid') allowed = validCharacters(child);
    else if (child.name === 'mapping') named = mapping(child);
    else throw unsupported(`<${child.name}> in <sanitizer>`, child);
  }
  return build(allowed, named, given.attributes.invalid_char ?? INVALID);
}

function validCharacters(given: XmlElement): Set<string> {
  const characters = new Set<string>();
  for (const preset of (given.attributes.initial ?? 'default').split(',')) {
    for (const char of presetOf(preset.trim(), given)) characters.add(char);
  }
  for (const change of elements(given)) {
    const value =
      change.attributes.value ?? (change.attributes.preset ? presetOf(change.attributes.preset, change) : undefined);
    if (value === undefined) throw malformed(`<${change.name}> in <valid> needs a value or a preset`, change);
    if (change.name === 'add') for (const char of value) characters.add(char);
    else if (change.name === 'remove') for (const char of value) characters.delete(char);
    else throw unsupported(`<${change.name}> in <valid>`, change);
  }
  return characters;
}

function presetOf(name: string, at: XmlElement): string {
  const preset = PRESETS.get(name);
  if (preset === undefined) throw unsupported(`the set of characters "${name}"`, at);
  return preset;
}

function mapping(given: XmlElement): Map<string, string> {
  const initial = given.attributes.initial ?? 'default';
  if (initial !== 'default' && initial !== 'none') throw unsupported(`the mapping "${initial}"`, given);
  const named = new Map(initial === 'default' ? NAMED : []);
  for (const change of elements(given)) {
    const source = change.attributes.source ?? change.attributes.value;
    if (source === undefined) throw malformed(`<${change.name}> in <mapping> needs a source`, change);
    if (change.name === 'add') named.set(source, change.attributes.target ?? '');
    else if (change.name === 'remove') named.delete(source);
    else throw unsupported(`<${change.name}> in <mapping>`, change);
  }
  return named;
}
