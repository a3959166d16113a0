/** Whether a draft may become an entry. Once written it is everybody's for ever, so it is checked before. */
import { entrySchemas, isEntryType } from '../account/entries.js';
import { printable } from '../runtime/errors.js';
import { ENTRY_PAYLOAD_BYTES_MAX } from '../wire/limits.js';
import type { Draft, JsonObject } from './entry.js';
import { logErrors } from './errors.js';
import { isShallow, PAYLOAD_DEPTH_MAX, payloadBytes } from './segment.js';

export interface CheckedDraft {
  type: string;
  /** The payload as JSON: nothing of what the caller passed is kept. */
  bytes: Uint8Array;
}

/** Errors: `log/invalid-entry`, `log/too-large`. */
export function checkDraft({ type, payload }: Draft): CheckedDraft {
  if (!isEntryType(type)) throw logErrors('invalid-entry', { type, reason: 'there is no such type' });
  if (!isShallow(payload)) {
    throw logErrors('invalid-entry', { type, reason: `it is nested deeper than ${PAYLOAD_DEPTH_MAX}` });
  }
  const parsed = entrySchemas[type].safeParse(payload);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = issue && issue.path.length > 0 ? `${issue.path.join('.')}: ` : '';
    throw logErrors('invalid-entry', { type, reason: `${where}${printable(issue?.message ?? 'not valid')}` });
  }
  const data = parsed.data as JsonObject;
  // A schema drops what it does not know; a misspelt field would be lost without a word.
  const unknown = Object.keys(payload).find((field) => payload[field] !== undefined && !Object.hasOwn(data, field));
  if (unknown !== undefined) throw logErrors('invalid-entry', { type, reason: `it has no field "${unknown}"` });
  const bytes = payloadBytes(data);
  if (bytes.byteLength > ENTRY_PAYLOAD_BYTES_MAX) {
    throw logErrors('too-large', { type, bytes: bytes.byteLength, bytesMax: ENTRY_PAYLOAD_BYTES_MAX });
  }
  return { type, bytes };
}
