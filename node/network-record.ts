/** What joining gave this node, kept in its store: everything it needs to find its network again without anybody's help. */
import { z } from 'zod';
import type { Store } from '../protocol/runtime/store.js';
import { locationSchema } from '../protocol/trust/credential.js';

const NS = 'network';
const KEY = 'record';

export const networkRecord = z.object({
  network: z.string(),
  /** PeerId. */
  coordinator: z.string(),
  /** Where members reach the coordinator. */
  addresses: z.array(z.string()).max(32),
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

export async function readNetworkRecord(store: Store): Promise<NetworkRecord | undefined> {
  const bytes = await store.get(NS, KEY);
  return bytes === undefined ? undefined : networkRecord.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
}

export async function writeNetworkRecord(store: Store, record: NetworkRecord): Promise<void> {
  await store.commit([{ ns: NS, key: KEY, value: JSON.stringify(networkRecord.parse(record)) }]);
}
