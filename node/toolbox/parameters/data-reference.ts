/** The many ways in which Galaxy's clients name datasets, read into one. */
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';

export interface Reference {
  /** `dce`: a place in a collection, or a collection within another. */
  src: 'hda' | 'hdca' | 'dce';
  id: string;
  /** What the dataset is called in the collection that it came from. */
  elementIdentifier?: string;
  /** The kind of collection that one job is to get, when the collection is mapped over. */
  mapOver?: string;
}

export type ReadReferences = { references: Reference[] } | { wrong: string };

/** `{batch: true, values}` and `{__class__: "Batch", values}`: one job per value. */
export function batchOf(raw: JsonValue | undefined): { values: JsonValue[]; linked: boolean } | undefined {
  if (!isObject(raw) || !Array.isArray(raw.values)) return undefined;
  if (raw.__class__ === 'Batch') return { values: raw.values, linked: raw.linked !== false };
  if (raw.batch !== true && raw.batch !== 'true') return undefined;
  return { values: raw.values, linked: raw.product !== true && raw.linked !== false };
}

/** References in `raw`, whatever its form; none for null, "" and "None". */
export function readReferences(raw: JsonValue | undefined, depth = 0): ReadReferences {
  if (depth > 5) return { wrong: 'The dataset is named in a form that is nested too deeply.' };
  if (raw === undefined || raw === null || raw === '' || raw === 'None' || raw === 'null') return { references: [] };
  if (typeof raw === 'string') return fromText(raw, depth);
  if (Array.isArray(raw)) return fromList(raw, depth);
  if (!isObject(raw)) return { wrong: 'A dataset is named by {"src": "hda", "id": "…"}.' };
  if (Array.isArray(raw.values)) return fromList(raw.values, depth);
  if (raw.__class__ === 'RuntimeValue' || raw.__class__ === 'ConnectedValue') return { references: [] };
  const { src = 'hda', id } = raw;
  if (typeof id !== 'string') return { wrong: 'A dataset is named by {"src": "hda", "id": "…"}; the id is missing.' };
  if (src !== 'hda' && src !== 'hdca' && src !== 'dce') {
    return { wrong: `"${String(src).slice(0, 40)}" is not a source that this node knows: use hda or hdca.` };
  }
  const { element_identifier: identifier, map_over_type: mapOver } = raw;
  return {
    references: [
      {
        src,
        id,
        ...(typeof identifier === 'string' ? { elementIdentifier: identifier } : {}),
        ...(typeof mapOver === 'string' && mapOver !== '' ? { mapOver } : {}),
      },
    ],
  };
}

function fromText(text: string, depth: number): ReadReferences {
  const trimmed = text.trim();
  if (trimmed.startsWith('{') || trimmed.startsWith('[')) {
    const parsed = parseJson(trimmed);
    return parsed === undefined
      ? { wrong: 'The dataset is named by text that is not JSON.' }
      : readReferences(parsed, depth + 1);
  }
  const reduced = /^__collection_reduce__\|(.+)$/.exec(trimmed);
  if (reduced?.[1]) return { references: [{ src: 'hdca', id: reduced[1] }] };
  return { references: trimmed.split(',').map((id) => ({ src: 'hda', id: id.trim() })) };
}

function fromList(list: JsonValue[], depth: number): ReadReferences {
  const references: Reference[] = [];
  for (const item of list) {
    const read = readReferences(item, depth + 1);
    if ('wrong' in read) return read;
    references.push(...read.references);
  }
  return { references };
}

export function parseJson(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A reference as it stands in a job's state. */
export function referenceState({ src, id, elementIdentifier }: Reference): JsonObject {
  return { src, id, ...(elementIdentifier === undefined ? {} : { element_identifier: elementIdentifier }) };
}
