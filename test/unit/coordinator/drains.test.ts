import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { peerTable } from '../../../bin/peer-table.js';
import { verifyReceipt } from '../../../coordinator/receipts.js';
import type { BlobStore } from '../../../protocol/blobs/blob.js';
import { openBlobStore } from '../../../protocol/blobs/blob-store.js';
import { merkleRoot } from '../../../protocol/blobs/inventory.js';
import { pushBlobs } from '../../../protocol/blobs/push.js';
import { serveBlobs } from '../../../protocol/blobs/serve.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { directoryCalls } from '../../../protocol/wire/calls/directory.js';
import { handoverCalls, type InventoryItem, inventoryLine } from '../../../protocol/wire/calls/handover.js';
import { call } from '../../../protocol/wire/rpc.js';
import {
  eventually,
  joinPeer,
  MemoryStore,
  serveAsNode,
  startCoordinator,
  type TestCoordinator,
  type TestPeer,
  temporaryFolder,
} from './support.js';

const HASH = '$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG';
const ACCOUNT = '00000000000000c1';
const everybody = { mayServe: () => ({ allowed: true }) as const, mayHold: () => ({ allowed: true }) as const };

interface Node {
  peer: TestPeer;
  line: Awaited<ReturnType<typeof serveAsNode>>;
  blobs: BlobStore;
  folder: string;
}

describe('a drain, as the coordinator judges it', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let coordinator: TestCoordinator;
  const stops: (() => Promise<void>)[] = [];

  const addNode = async (name: string): Promise<Node> => {
    const peer = await joinPeer(coordinator, { name });
    const path = join(folder.path, name);
    const deps = { store: new MemoryStore(), clock: systemClock, log: silentLogger, random: systemRandom };
    const blobs = await openBlobStore(deps, { folder: path, capacityBytes: null, minFreeBytes: 0 });
    await serveBlobs(
      { host: peer.host, blobs, access: everybody, clock: systemClock, log: silentLogger },
      { storeId: 'ab'.repeat(16) },
    );
    const line = await serveAsNode(peer);
    await eventually(() => coordinator.peers().peers.find((row) => row.name === name)?.presence === 'alive');
    stops.push(async () => {
      await line.stop();
      await peer.host.stop();
      await blobs.stop?.();
    });
    return { peer, line, blobs, folder: path };
  };

  const put = async (node: Node, text: string) => (await node.blobs.put(pieces(text))).blob;
  async function* pieces(text: string) {
    yield Buffer.from(text);
  }
  const copy = async (node: Node, ids: string[]) => {
    const deps = { host: node.peer.host, blobs: node.blobs, clock: systemClock, log: silentLogger };
    const outcomes: boolean[] = [];
    await pushBlobs(deps, { peer: coordinator.key.peerId, ids, onOutcome: ({ held }) => outcomes.push(held) });
    expect(outcomes).toEqual(ids.map(() => true));
  };
  const ask = (node: Node) => [node.peer.host, coordinator.key.peerId] as const;
  const inventoryOf = async (node: Node): Promise<InventoryItem[]> => {
    const items: InventoryItem[] = [{ kind: 'account', id: ACCOUNT, bytes: 0, vector: {} }];
    for await (const { blob, size } of node.blobs.list()) items.push({ kind: 'blob', id: blob, bytes: size });
    return items;
  };
  const rootOf = (items: InventoryItem[]) => Buffer.from(merkleRoot(items.map(inventoryLine))).toString('hex');
  const send = async (node: Node, items: InventoryItem[]) => {
    await call(...ask(node), handoverCalls.inventory, { page: 0, items: items.slice(0, 1), last: false });
    await call(...ask(node), handoverCalls.inventory, { page: 1, items: items.slice(1), last: true });
    return compared(node, items);
  };
  let round = 0;
  /** A new round of comparing, to its end, and the receipt when there is one. */
  const compared = async (node: Node, items: InventoryItem[]) => {
    const root = rootOf(items);
    round += 1;
    const { missing } = await eventually(async () => {
      const answer = await call(...ask(node), handoverCalls.compare, { root, round });
      return answer.state === 'comparing' ? undefined : answer;
    });
    if (missing.objects > 0) return { receipt: null, unsafe: missing };
    return { ...(await call(...ask(node), handoverCalls.receipt, { root })), unsafe: missing };
  };

  beforeEach(async () => {
    folder = await temporaryFolder();
    coordinator = await startCoordinator(join(folder.path, 'coordinator'));
  });

  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
    await coordinator.stop();
    await folder.remove();
  });

  it('is refused while too few other institutions serve, unless the operator accepts that', async () => {
    const leaver = await addNode('Uppsala');
    await expect(call(...ask(leaver), handoverCalls.announce, {})).rejects.toMatchObject({
      code: 'handover/too-few-domains',
      data: { domains: 1, copies: 2 },
    });
    const accepted = await call(...ask(leaver), handoverCalls.announce, { acceptCopies: 1 });
    expect(accepted).toEqual({ copies: 1, domains: 1, accounts: 0 });
  });

  it('ends with a receipt only when every object has its copies, and the receipt says so verifiably', async () => {
    const [leaver, other] = [await addNode('Uppsala'), await addNode('Freiburg')];
    await call(...ask(leaver), directoryCalls.claim, {
      account: ACCOUNT,
      email: 'a@example.org',
      username: 'a',
      passwordHash: HASH,
    });
    const ids = [await put(leaver, 'one'), await put(leaver, 'two'), await put(leaver, '')];
    for (const text of ['one', 'two', '']) await put(other, text);
    await copy(leaver, ids.slice(0, 1));

    await expect(call(...ask(leaver), handoverCalls.rehome, { account: ACCOUNT })).rejects.toMatchObject({
      code: 'handover/not-draining',
    });
    expect(await call(...ask(leaver), handoverCalls.announce, {})).toEqual({ copies: 2, domains: 2, accounts: 1 });
    expect(coordinator.peers().peers[0]?.state).toBe('draining');
    const items = await inventoryOf(leaver);
    await expect(send(leaver, items)).rejects.toMatchObject({ code: 'handover/accounts-left' });
    const moved = await call(...ask(leaver), handoverCalls.rehome, { account: ACCOUNT });
    expect(moved).toMatchObject({ home: other.peer.key.peerId, name: 'Freiburg' });
    expect(await call(...ask(leaver), handoverCalls.rehome, { account: ACCOUNT })).toMatchObject({
      epoch: moved.epoch,
    });
    await eventually(() => JSON.stringify(leaver.line.received).includes('"seal"'));
    await eventually(() => JSON.stringify(other.line.received).includes('"adopt"'));

    // Freiburg's log is not served in this test, so the account has its one copy at the repository.
    await call(...ask(leaver), handoverCalls.announce, { acceptCopies: 1 });
    await call(...ask(leaver), handoverCalls.announce, {});
    const lacking = await send(leaver, items);
    expect(lacking.receipt).toBeNull();
    expect(lacking.unsafe.objects).toBe(3);
    expect(lacking.unsafe.first.map(({ reason }) => reason)).toEqual(Array(3).fill('1 of 2 copies were found'));
    expect(coordinator.peers().peers[0]?.state).toBe('draining');

    await copy(leaver, ids);
    await call(...ask(leaver), handoverCalls.announce, { acceptCopies: 1 });
    const done = await send(leaver, items);
    expect(done.unsafe.objects).toBe(0);
    const text = done.receipt as string;
    expect(verifyReceipt(`${text}\n`, coordinator.key.peerId).receipt).toMatchObject({
      name: 'Uppsala',
      accounts: 1,
      blobs: 3,
      bytes: 6,
      copiesAsked: 1,
      root: rootOf(items),
    });
    expect(coordinator.peers().peers[0]?.state).toBe('drained');
    // Asked again after a lost answer: the same receipt.
    expect((await call(...ask(leaver), handoverCalls.receipt, { root: rootOf(items) })).receipt).toBe(text);
    for (const at of [0, text.indexOf('.') + 5, text.length - 3]) {
      const flipped = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
      expect(() => verifyReceipt(flipped)).toThrow(expect.objectContaining({ code: 'handover/receipt-invalid' }));
    }
    expect(() => verifyReceipt(text, leaver.peer.key.peerId)).toThrow('another coordinator');

    await coordinator.stop();
    coordinator = await startCoordinator(join(folder.path, 'coordinator'));
    expect(coordinator.peers().peers[0]).toMatchObject({ state: 'drained', presence: 'left', receipt: '1' });
    const table = peerTable(coordinator.peers());
    expect(table[0]).toContain('1 node and 1 that left');
    expect(table.find((line) => line.startsWith('Uppsala'))).toMatch(/drained \(receipt 1\)\s+left/);
    const listing = { ...coordinator.peers(), peers: [], leftBefore: 2 };
    expect(peerTable(listing).at(-1)).toBe('2 that left over a month ago: galaxy-coordinator peers --all');
  });

  it('gives the receipt for no other inventory: the node announces anew and is compared again', async () => {
    const leaver = await addNode('Uppsala');
    const ids = [await put(leaver, 'one')];
    await copy(leaver, ids);
    await call(...ask(leaver), handoverCalls.announce, { acceptCopies: 1 });
    const blobs = async () => (await inventoryOf(leaver)).filter(({ kind }) => kind === 'blob');
    const whole = async () => {
      const items = await blobs();
      await call(...ask(leaver), handoverCalls.inventory, { page: 0, items, last: true });
      return compared(leaver, items);
    };
    const first = await whole();
    expect(first.receipt).not.toBeNull();
    const more = await put(leaver, 'two');
    const root = rootOf(await blobs());
    const notDraining = { code: 'handover/not-draining' };
    await expect(call(...ask(leaver), handoverCalls.receipt, { root })).rejects.toMatchObject(notDraining);
    expect(coordinator.peers().peers[0]?.state).toBe('draining');
    await call(...ask(leaver), handoverCalls.announce, { acceptCopies: 1 });
    expect((await whole()).unsafe.first).toMatchObject([{ kind: 'blob', id: more }]);
    await copy(leaver, [more]);
    const second = await whole();
    expect(verifyReceipt(second.receipt as string).receipt.root).toBe(root);
  });

  it('counts nobody who holds a blob but cannot give its bytes', async () => {
    const [leaver, other] = [await addNode('Uppsala'), await addNode('Freiburg')];
    const id = await put(leaver, 'some bytes');
    await put(other, 'some bytes');
    await copy(leaver, [id]);
    const path = other.blobs.path(id);
    await chmod(path, 0o644);
    await writeFile(path, 'rotten byt');
    await call(...ask(leaver), handoverCalls.announce, {});
    const items = (await inventoryOf(leaver)).filter(({ kind }) => kind === 'blob');
    await call(...ask(leaver), handoverCalls.inventory, { page: 0, items, last: true });
    const result = await compared(leaver, items);
    expect(result).toMatchObject({ receipt: null, unsafe: { objects: 1, bytes: 10, first: [{ kind: 'blob', id }] } });
  });

  it('refuses an inventory with a gap, out of order, or other than the node computed', async () => {
    const leaver = await addNode('Uppsala');
    await call(...ask(leaver), handoverCalls.announce, { acceptCopies: 1 });
    const [a, b] = [await put(leaver, 'a'), await put(leaver, 'b')].sort() as [string, string];
    const item = (id: string): InventoryItem => ({ kind: 'blob', id, bytes: 1 });
    const page = (number: number, items: InventoryItem[], last = false) =>
      call(...ask(leaver), handoverCalls.inventory, { page: number, items, last });
    const outOfOrder = { code: 'handover/inventory-order' };
    await expect(page(1, [item(a)])).rejects.toMatchObject(outOfOrder);
    await expect(page(0, [item(b), item(a)])).rejects.toMatchObject(outOfOrder);
    await page(0, [item(b)]);
    await expect(page(1, [item(a)])).rejects.toMatchObject(outOfOrder);
    await page(0, [item(a)]);
    const early = call(...ask(leaver), handoverCalls.compare, { root: rootOf([item(a)]), round: 1 });
    await expect(early).rejects.toMatchObject(outOfOrder);
    await page(1, [item(b)], true);
    const other = call(...ask(leaver), handoverCalls.compare, { root: rootOf([item(a)]), round: 1 });
    await expect(other).rejects.toMatchObject(outOfOrder);
  });

  it('can be called off, and the node serves again', async () => {
    const [leaver] = [await addNode('Uppsala'), await addNode('Freiburg')];
    await call(...ask(leaver), handoverCalls.announce, {});
    await leaver.line.beat({ state: 'serving' });
    expect(coordinator.peers().peers[0]?.state).toBe('draining');
    await call(...ask(leaver), handoverCalls.cancel, {});
    await leaver.line.beat({ state: 'serving' });
    await eventually(() => coordinator.peers().peers[0]?.state === 'serving');
  });
});
