/**
 * The attributes of a dataset that her user may set by hand, besides those that every dataset has: which there are depends
 * on the datatype. Names and labels are Galaxy's, because its client shows them and its tools read them.
 */
import type { JsonObject } from '../../protocol/log/entry.js';
import type { Datatypes } from './datatypes.js';
import type { DatasetFacts } from './facts.js';

export interface Attribute {
  name: string;
  label: string;
  /** A column's number, counted from 1; or a count of lines. */
  kind: 'column' | 'count';
  /** May have no value. */
  optional: boolean;
  /** What holds while neither the bytes nor her user said anything. */
  usual?: number;
}

const INTERVAL: readonly Attribute[] = [
  { name: 'chromCol', label: 'Chrom column', kind: 'column', optional: false, usual: 1 },
  { name: 'startCol', label: 'Start column', kind: 'column', optional: false, usual: 2 },
  { name: 'endCol', label: 'End column', kind: 'column', optional: false, usual: 3 },
  { name: 'strandCol', label: 'Strand column', kind: 'column', optional: true },
  { name: 'nameCol', label: 'Name/Identifier column', kind: 'column', optional: true },
];
const TABLE: readonly Attribute[] = [
  { name: 'comment_lines', label: 'Number of comment lines', kind: 'count', optional: true },
];
/** When nobody knows how many there are. */
const COLUMNS_MAX = 10_000;

export function attributesOf(extension: string, datatypes: Pick<Datatypes, 'get'>): readonly Attribute[] {
  const kinds = [extension, ...(datatypes.get(extension)?.parents ?? [])];
  return [
    ...(kinds.includes('interval') ? INTERVAL : []),
    ...(kinds.includes('tabular') || kinds.includes('csv') ? TABLE : []),
  ];
}

export function columnsOf({ metadata }: Pick<DatasetFacts, 'metadata'>): number | undefined {
  return typeof metadata.columns === 'number' ? metadata.columns : undefined;
}

export type AttributeChange =
  | { change: JsonObject; problem?: undefined }
  | { change?: undefined; problem: { name: string; reason: string } };

/** What of `wanted` is new and may be set: an entry's `metadata`, where an empty text says that there is none. Names that are no attribute of the datatype are nobody's. */
export function attributeChange(
  facts: Pick<DatasetFacts, 'metadata'>,
  attributes: readonly Attribute[],
  wanted: Readonly<Record<string, unknown>>,
): AttributeChange {
  const change: JsonObject = {};
  for (const attribute of attributes) {
    const { name, optional } = attribute;
    if (!Object.hasOwn(wanted, name)) continue;
    const read = readAttribute(attribute, wanted[name], columnsOf(facts) ?? COLUMNS_MAX);
    if (read.reason !== undefined) return { problem: { name, reason: read.reason } };
    if (read.value === null && !optional) return { problem: { name, reason: 'must be set' } };
    if (read.value !== (facts.metadata[name] ?? null)) change[name] = read.value ?? '';
  }
  return { change };
}

function readAttribute(
  { kind }: Attribute,
  given: unknown,
  columns: number,
): { value: number | null; reason?: undefined } | { reason: string } {
  const text = typeof given === 'number' ? String(given) : given;
  if (text === null || text === '' || text === undefined) return { value: null };
  if (typeof text !== 'string' || !/^\d{1,9}$/.test(text)) return { reason: 'must be a whole number' };
  const value = Number(text);
  if (kind === 'column' && (value < 1 || value > columns)) return { reason: `must be a column from 1 to ${columns}` };
  return { value };
}
