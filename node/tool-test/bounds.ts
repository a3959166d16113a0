/** How many, how large: `n`, `delta`, `min`, `max`, `negate` of assertions, with Galaxy's suffixes (`10k`, `1Mi`). */

const UNITS = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

/** A number with or without suffix; undefined when it is none. */
export function amount(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const found = /^\s*([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([kKMGTPE]?)(i?)[bB]?\s*$/.exec(text);
  if (!found) return undefined;
  const unit = found[2] === 'K' ? 'k' : (found[2] ?? '');
  return Number(found[1]) * (found[3] ? 1024 : 1000) ** UNITS.indexOf(unit);
}

export class BoundsFault extends Error {}

/**
 * Whether `found` is what `attributes` ask for. `what`: "lines", "bytes". Without any bound there must be at least
 * `least`, when it is given.
 */
export function checkBounds(
  found: number,
  what: string,
  attributes: Readonly<Record<string, string>>,
  options: { exact?: string; least?: number } = {},
): string | undefined {
  const read = (name: string): number | undefined => {
    const text = attributes[name];
    if (text === undefined || text.trim() === '') return undefined;
    const number = amount(text);
    if (number === undefined) throw new BoundsFault(`${name}="${text}" is not a number`);
    return number;
  };
  const n = options.exact === undefined ? read('n') : (read(options.exact) ?? read('n'));
  const [delta = 0, min, max] = [read('delta'), read('min'), read('max')];
  const asked: [boolean, string][] = [];
  if (n !== undefined) asked.push([Math.abs(found - n) <= delta, delta > 0 ? `${n} ± ${delta}` : String(n)]);
  if (min !== undefined) asked.push([found >= min, `at least ${min}`]);
  if (max !== undefined) asked.push([found <= max, `at most ${max}`]);
  if (asked.length === 0 && options.least !== undefined) {
    asked.push([found >= options.least, `at least ${options.least}`]);
  }
  const ok = asked.every(([holds]) => holds);
  if (negated(attributes) === !ok) return undefined;
  const words = asked.map(([, said]) => said).join(' and ');
  return `${found} ${what} were found, ${negated(attributes) ? 'which must not be' : 'expected'}: ${words}`;
}

export function negated(attributes: Readonly<Record<string, string>>): boolean {
  return ['true', 'yes', 'on', '1'].includes((attributes.negate ?? '').trim().toLowerCase());
}
