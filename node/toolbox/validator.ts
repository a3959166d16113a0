/** `<validator>`s: what a value must be beyond its type. Those that would run Python are refused by name. */
import { malformed, unsupported } from './errors.js';
import { flag, textOf, type XmlElement } from './wrapper-xml.js';

/** The sentence that says what is wrong, or undefined. */
export type Validate = (value: string | number | null) => string | undefined;

export function parseValidator(given: XmlElement): Validate {
  const { type = '', message } = given.attributes;
  const negate = flag(given.attributes.negate, false);
  const rule = (passes: (value: string | number | null) => boolean, otherwise: string): Validate => {
    return (value) => (passes(value) === negate ? (message ?? otherwise) : undefined);
  };
  switch (type) {
    case 'in_range': {
      const [min, max] = [bound(given, 'min'), bound(given, 'max')];
      const aboveMin = flag(given.attributes.exclude_min, false);
      const belowMax = flag(given.attributes.exclude_max, false);
      return rule((value) => {
        const number = Number(value);
        if (value === null || value === '') return !negate;
        return (aboveMin ? number > min : number >= min) && (belowMax ? number < max : number <= max);
      }, `The value must be between ${min} and ${max}.`);
    }
    case 'length': {
      const [min, max] = [bound(given, 'min'), bound(given, 'max')];
      return rule(
        (value) => {
          const length = [...String(value ?? '')].length;
          return length >= min && length <= max;
        },
        `The text must be ${lengthRange(min, max)} characters long.`,
      );
    }
    case 'regex': {
      const pattern = pythonPattern(textOf(given).trim(), given, true);
      return rule((value) => pattern.test(String(value ?? '')), `The value must match ${textOf(given).trim()}.`);
    }
    case 'empty_field':
      return rule((value) => value !== null && String(value) !== '', 'A value is needed here.');
    case 'no_options':
      return rule((value) => value !== null && String(value) !== '', 'Choose at least one option.');
    case '':
      throw malformed('a <validator> without a type', given);
    default:
      throw unsupported(`the validator "${type}"`, given);
  }
}

function bound(given: XmlElement, name: 'min' | 'max'): number {
  const text = given.attributes[name];
  if (text === undefined) return name === 'min' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const number = Number(text === 'inf' ? 'Infinity' : text === '-inf' ? '-Infinity' : text);
  if (text.trim() === '' || Number.isNaN(number)) throw malformed(`${name}="${text}" is not a number`, given);
  return number;
}

function lengthRange(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) return `at least ${min}`;
  return Number.isFinite(min) ? `${min} to ${max}` : `at most ${max}`;
}

/** A Python pattern as JavaScript understands it; refused when that cannot be. `anchored`: as re.match reads it. */
export function pythonPattern(source: string, at: XmlElement, anchored: boolean): RegExp {
  const flags = /^\(\?([ims]+)\)/.exec(source);
  const body = source
    .slice(flags?.[0].length ?? 0)
    .replace(/\(\?P</g, '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replace(/\\A/g, '^')
    .replace(/\\Z/g, '$');
  try {
    return new RegExp(anchored ? `^(?:${body})` : body, flags?.[1] ?? '');
  } catch {
    throw unsupported(`the regular expression "${source}"`, at);
  }
}
