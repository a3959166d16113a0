/** What joining gave this node, kept in its store: everything it needs to find its network again without anybody's help. */

import { z } from 'zod';
import { defineErrors } from '../protocol/runtime/errors.js';
import { check, sentenceOf } from '../protocol/runtime/schema-words.js';
import type { Store } from '../protocol/runtime/store.js';
import { locationSchema } from '../protocol/trust/credential.js';

const recordErrors = defineErrors('network', {
  'damaged-record': {
    kind: 'corrupt',
    say: 'What this node knows of its network cannot be read from its store: {reason}.',
    mend: 'Nothing was changed. Restore the data folder from a backup, or start with an empty one and join anew.',
  },
});

const NS = 'network';
const KEY = 'record';

export const networkRecord = z.object({
  network: z.string(),
  /** PeerId. */
  coordinator: z.string(),
  /** Where members reach the coordinator. */
  addresses: z.array(z.string()).max(32),
  /** Where the coordinator meets strangers. Absent: joined by an older version. */
  lobby: z.array(z.string()).max(32).optional(),
  /** The network's address for users. */
  networkUrl: z.string(),
  /** Seals API keys, hex. */
  networkKey: z.string().regex(/^[0-9a-f]{64}$/),
  credential: z.string(),
  nodeNumber: z.number().int().nonnegative(),
  name: z.string(),
  location: locationSchema.nullable(),
  joinedAt: z.number(),
});
export type NetworkRecord = z.output<typeof networkRecord>;

/** Undefined: this node belongs to no network. Errors: `network/damaged-record`. */
export async function readNetworkRecord(store: Pick<Store, 'get'>): Promise<NetworkRecord | undefined> {
  const bytes = await store.get(NS, KEY);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw recordErrors('damaged-record', { reason: 'it is not JSON' }, { cause });
  }
  const { data, problem } = check(networkRecord, value);
  if (problem !== undefined) throw recordErrors('damaged-record', { reason: sentenceOf(problem) });
  return data;
}

export async function writeNetworkRecord(store: Store, record: NetworkRecord): Promise<void> {
  await store.commit([{ ns: NS, key: KEY, value: JSON.stringify(networkRecord.parse(record)) }]);
}
