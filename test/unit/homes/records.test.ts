import { describe, expect, it } from 'vitest';
import { Sealer } from '../../../node/accounts/api-keys.js';
import { KeyRing } from '../../../node/accounts/key-ring.js';
import { type NetworkRecord, readNetworkRecord, writeNetworkRecord } from '../../../node/network-record.js';
import { MemoryStore } from '../../support/memory-store.js';
import { seededRandom } from '../wire/fixture.js';

const RECORD: NetworkRecord = {
  network: 'nordic',
  coordinator: 'c',
  addresses: ['/ip4/127.0.0.1/tcp/1'],
  networkUrl: 'http://127.0.0.1:1',
  networkKey: 'ab'.repeat(32),
  credential: 'x',
  nodeNumber: 7,
  name: 'Uppsala',
  location: null,
  joinedAt: 1,
};

describe('what joining gave', () => {
  it('is there again after a restart, and nothing before', async () => {
    const store = new MemoryStore();
    expect(await readNetworkRecord(store)).toBeUndefined();
    await writeNetworkRecord(store, RECORD);
    expect(await readNetworkRecord(store)).toEqual(RECORD);
  });

  it('is not taken for "no network" when it is damaged', async () => {
    const store = new MemoryStore();
    for (const value of ['{"network": 7}', 'no json']) {
      await store.commit([{ ns: 'network', key: 'record', value }]);
      await expect(readNetworkRecord(store)).rejects.toMatchObject({ code: 'network/damaged-record' });
    }
  });
});

describe('the keys under which API keys are sealed', () => {
  const random = seededRandom(1);
  const sealer = (byte: number) => new Sealer(Buffer.alloc(32, byte), { random });

  it('open what was sealed before joining, and let every other node open what is sealed afterwards', () => {
    const uppsala = new KeyRing(sealer(1), { random });
    const before = uppsala.seal('key', 'account');
    uppsala.use('ab'.repeat(32));
    const after = uppsala.seal('key', 'account');
    expect(uppsala.open(before, 'account')).toBe('key');
    const freiburg = new KeyRing(sealer(2), { random });
    freiburg.use('ab'.repeat(32));
    expect(freiburg.open(after, 'account')).toBe('key');
    expect(freiburg.open(before, 'account')).toBeUndefined();
    expect(freiburg.open(after, 'another account')).toBeUndefined();
  });
});
