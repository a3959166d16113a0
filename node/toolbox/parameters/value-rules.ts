/** What validators of values and validators of datasets both ask: is it in a range, is it in a data table? */
import { malformed } from '../errors.js';
import type { ToolContext } from '../tool.js';
import { flag, type XmlElement } from '../wrapper/wrapper-xml.js';

export type Validated = string | number | boolean | null;

export function inRange(given: XmlElement, min: number, max: number): (value: Validated) => boolean {
  const aboveMin = flag(given.attributes.exclude_min, false);
  const belowMax = flag(given.attributes.exclude_max, false);
  return (value) => {
    const number = Number(value);
    return (aboveMin ? number > min : number >= min) && (belowMax ? number < max : number <= max);
  };
}

/** Whether a table has a line with that value in that column, a name or a number. */
export function inTable(
  context: Pick<ToolContext, 'tables'> | undefined,
  name: string,
  column: string,
  value: string,
): boolean {
  const table = context?.tables?.table(name);
  const place = table?.columns.get(column) ?? (/^\d+$/.test(column) ? Number(column) : undefined);
  return place !== undefined && (table?.rows.some((row) => row[place] === value) ?? false);
}

export function bound(given: XmlElement, name: 'min' | 'max'): number {
  const text = given.attributes[name];
  if (text === undefined) return name === 'min' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const number = Number(text === 'inf' ? 'Infinity' : text === '-inf' ? '-Infinity' : text);
  if (text.trim() === '' || Number.isNaN(number)) throw malformed(`${name}="${text}" is not a number`, given);
  return number;
}
