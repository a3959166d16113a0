import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orderProblem, signReceipt } from '../../../coordinator/receipts.js';
import { HeldLeases } from '../../../node/accounts/held-leases.js';
import { ARRIVAL_WAIT_MS, Homes } from '../../../node/accounts/homes.js';
import type { Unsafe } from '../../../node/drain/handover.js';
import { InventoryStep, pagesOf, takeInventory } from '../../../node/drain/inventory.js';
import { JobsStep } from '../../../node/drain/jobs.js';
import type { Left, StepContext } from '../../../node/drain/part.js';
import { untilQuiet } from '../../../node/drain/quiet.js';
import { ReceiptStep, readReceipt, receiptText } from '../../../node/drain/receipt.js';
import { FORMER_RECEIPT_FILE, RECEIPT_FILE, ReceiptFile } from '../../../node/drain/receipt-file.js';
import { UploadsStep } from '../../../node/drain/uploads.js';
import { HandoverClient } from '../../../node/peers/handover-client.js';
import { BlobReplicator } from '../../../node/replication/blob-replicator.js';
import { Ledger } from '../../../node/replication/ledger.js';
import type { BlobStore } from '../../../protocol/blobs/blob.js';
import { openAccountLog } from '../../../protocol/log/store-account-log.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { Pace } from '../../../protocol/runtime/pace.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import {
  type CompareAnswer,
  handoverCalls,
  INVENTORY_ITEMS_MAX,
  type InventoryItem,
  inventoryLine,
} from '../../../protocol/wire/calls/handover.js';
import { handoverErrors } from '../../../protocol/wire/calls/handover-errors.js';
import { answer, serveCalls } from '../../../protocol/wire/rpc.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryNetwork } from '../../support/memory-streams.js';
import { fakeTrust, historyCreated, leaseToken } from '../log/fixture.js';
import {
  Disk,
  drive,
  driveUntil,
  evenRandom,
  FakeHolder,
  FakeJobs,
  FakeUploads,
  HOUR_MS,
  inventoryRoot,
  listed,
  smallWorld,
} from './world.js';

function context(clock: ManualClock, change: Partial<StepContext> = {}): StepContext & { reports: Left[] } {
  const reports: Left[] = [];
  return {
    signal: new AbortController().signal,
    acceptCopies: undefined,
    since: clock.now(),
    report: (left) => reports.push(left),
    unsafe: () => {},
    ...change,
    reports,
  };
}

describe('uploads', () => {
  it('that were begun are waited for, and so are those accepted and not yet taken in', async () => {
    const clock = new ManualClock();
    const [uploads, jobs] = [new FakeUploads(), new FakeJobs()];
    uploads.inProgress = 1;
    jobs.uploadsLeft = 2;
    const step = new UploadsStep({ uploads, jobs, clock }, { uploadsMs: HOUR_MS });
    await step.begin();
    expect(uploads.closed).toContain('leaving the network');
    const { reports, ...rest } = context(clock);
    const run = step.run(rest);
    await driveUntil(clock, () => reports.length > 2);
    uploads.inProgress = 0;
    await driveUntil(clock, () => reports.at(-1)?.objects === 2);
    jobs.uploadsLeft = 0;
    await drive(clock, run);
  });

  it('are not waited for longer than their deadline, which a restart does not move', async () => {
    const clock = new ManualClock();
    const [uploads, jobs] = [new FakeUploads(), new FakeJobs()];
    uploads.inProgress = 1;
    const step = new UploadsStep({ uploads, jobs, clock }, { uploadsMs: 1000 });
    expect(await step.run(context(clock, { since: clock.now() - 1000 }))).toBeUndefined();
  });
});

describe('jobs', () => {
  it('are given up at their deadline, but no upload and no outcome', async () => {
    const clock = new ManualClock();
    const jobs = new FakeJobs();
    jobs.list = [
      { job: 'run', isUpload: false },
      { job: 'upload', isUpload: true },
    ];
    jobs.uploadsLeft = 1;
    jobs.undelivered = 1;
    const step = new JobsStep({ jobs, clock }, { jobsMs: 5000 });
    const { reports, ...rest } = context(clock);
    const run = step.run(rest);
    await driveUntil(clock, () => jobs.abandoned.length > 0);
    expect(clock.now() - rest.since).toBeGreaterThanOrEqual(5000);
    await driveUntil(clock, () => reports.at(-1)?.objects === 2);
    expect(reports.at(-1)?.say).toBe('1 upload is taken in, 1 outcome not yet acknowledged by the new homes');
    jobs.list = [];
    jobs.uploadsLeft = 0;
    jobs.undelivered = 0;
    await drive(clock, run);
    expect(jobs.abandoned).toEqual(['run']);
  });
});

describe('accounts of this node alone', () => {
  it('have no new home: they are sealed, their data is copied, and the answer says so', async () => {
    const world = await smallWorld();
    world.accounts.set('00000000000000ff', { '00000000000000ff/0/aa': 1 });
    for (const peer of ['repo', 'b']) world.holder(peer).accounts.add('00000000000000ff');
    const life = await world.start();
    await life.drain.begin();
    await drive(world.clock, life.drain.done);
    expect(life.sealed.has('00000000000000ff')).toBe(true);
    expect(life.leaving.explain(world.saved as string).join('\n')).toContain('1 account(s) of this node alone');
    await life.stop();
  });

  it('are open again when the drain is called off', async () => {
    const world = await smallWorld();
    world.accounts.set('00000000000000ff', {});
    world.jobs.list = [{ job: 'j', isUpload: false }];
    const life = await world.start();
    await life.drain.begin();
    await driveUntil(world.clock, () => life.drain.status().step === 'jobs');
    expect(life.sealed.has('00000000000000ff')).toBe(true);
    await drive(world.clock, life.drain.cancel());
    expect(life.sealed.has('00000000000000ff')).toBe(false);
    await life.stop();
  });
});

describe('the inventory', () => {
  const anyItems = fc
    .uniqueArray(
      fc.record({
        kind: fc.constantFrom('account' as const, 'blob' as const),
        id: fc.stringMatching(/^[a-z0-9]{1,12}$/),
        bytes: fc.integer({ min: 0, max: 1000 }),
      }),
      { selector: ({ kind, id }) => `${kind} ${id}`, maxLength: 60 },
    )
    .map((items): InventoryItem[] =>
      items.sort((a, b) => (a.kind === b.kind ? (a.id < b.id ? -1 : 1) : a.kind < b.kind ? -1 : 1)),
    );

  it('travels in pages that lose nothing, are in order and within both bounds', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyItems,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 400 }),
        async (items, itemsMax, bytesMax) => {
          const pages = await listed(pagesOf(items, { itemsMax, bytesMax }));
          expect(pages.flatMap((page) => page.items)).toEqual(items);
          expect(pages.map(({ page }) => page)).toEqual(pages.map((_, index) => index));
          expect(pages.map(({ last }) => last)).toEqual(pages.map((_, index) => index === pages.length - 1));
          for (const page of pages) {
            expect(page.items.length).toBeLessThanOrEqual(itemsMax);
            if (page.items.length > 1) expect(JSON.stringify(page.items).length).toBeLessThanOrEqual(bytesMax + 2);
          }
        },
      ),
    );
  });

  it('names accounts before blobs, each in order, with vectors and sizes, and has one root', async () => {
    const world = await smallWorld();
    world.accounts.set('0000000000000001', { b: 2, a: 1 });
    const items = await listed(takeInventory({ log: world.log, blobs: world.blobStore }));
    expect(items[0]).toEqual({ kind: 'account', id: '0000000000000001', bytes: 0, vector: { a: 1, b: 2 } });
    expect(items.map(({ kind, id }) => `${kind} ${id}`)).toEqual(items.map(({ kind, id }) => `${kind} ${id}`).sort());
    expect(inventoryRoot(items)).toMatch(/^[0-9a-f]{64}$/);
    expect(inventoryRoot(items.slice(1))).not.toBe(inventoryRoot(items));
    expect(inventoryLine(items[0] as InventoryItem)).toBe('account 0000000000000001 0 a=1 b=2');
  });
});

describe('an inventory that is too large', () => {
  it('is not sent at all, and the drain waits and says why', async () => {
    const world = await smallWorld();
    const sent: number[] = [];
    const handover = { inventory: async (page: number) => sent.push(page) };
    const source = { log: world.log, blobs: world.blobStore, handover };
    const { reports, ...rest } = context(world.clock);
    await expect(new InventoryStep(source, { itemsMax: 14 }).run(rest)).rejects.toMatchObject({
      code: 'handover/inventory-too-large',
      data: { max: 14 },
    });
    expect([sent, reports]).toEqual([[], []]);
    const step = new InventoryStep(source, { itemsMax: 15 });
    expect(await step.run(rest)).toBeUndefined();
    expect([sent, step.root?.length]).toEqual([[0], 64]);
  });

  it('is known before anybody begins', async () => {
    const world = await smallWorld();
    const life = await world.start();
    expect((await life.leaving.plan(undefined)).possible).toBe(true);
    const { blobStore } = world;
    const many = { ...blobStore, list: () => manyBlobs(INVENTORY_ITEMS_MAX) };
    Object.defineProperty(world, 'blobStore', { get: () => many });
    const next = await world.start();
    const plan = await next.leaving.plan(undefined);
    expect(plan.possible).toBe(false);
    expect(plan.reasons.join()).toContain(`more than ${INVENTORY_ITEMS_MAX} objects and accounts are here`);
    await life.stop();
    await next.stop();
  });

  async function* manyBlobs(count: number) {
    for (let n = 0; n < count; n++) yield { blob: `blob-${n}`, size: 1 };
  }
});

describe('while the coordinator compares', () => {
  it('the drain shows how far it is, goes on after a lost answer, and asks for a receipt again when a holder went', async () => {
    const clock = new ManualClock();
    const said: string[] = [];
    const rounds: number[] = [];
    const of = (objects: number) => ({ objects, bytes: objects * 10 });
    const missing = { ...of(1), first: [{ kind: 'blob' as const, id: 'x', reason: 'r' }] };
    const none = { ...of(0), first: [] };
    const answers: (CompareAnswer | Error)[] = [
      { state: 'comparing', checked: of(0), total: of(4), missing: none },
      { state: 'comparing', checked: of(2), total: of(4), missing },
      { state: 'unsafe', checked: of(4), total: of(4), missing },
      { state: 'safe', checked: of(4), total: of(4), missing: none },
      new Error('the answer was lost'),
      { state: 'safe', checked: of(4), total: of(4), missing: none },
    ];
    const receipts: (string | Error)[] = [handoverErrors('not-compared'), 'the receipt'];
    const next = <T>(from: (T | Error)[]): T => {
      const value = from.shift() as T | Error;
      if (value instanceof Error) throw value;
      return value;
    };
    const distrusted: unknown[] = [];
    const step = new ReceiptStep({
      handover: {
        compare: async (_root, round) => {
          rounds.push(round);
          return next(answers);
        },
        receipt: async () => next(receipts),
      },
      inventory: { root: '0'.repeat(64), forget: () => {} },
      data: { distrust: (unsafe) => distrusted.push(unsafe) },
      check: (receipt) => said.push(receipt),
      clock,
    });
    const unsafe: (Unsafe | undefined)[] = [];
    const { reports, ...rest } = context(clock, { unsafe: (one) => unsafe.push(one) });
    const first = step.run(rest);
    await driveUntil(clock, () => reports.length === 2);
    expect(step.binding()).toBe(false);
    expect(await drive(clock, first)).toEqual({ backTo: 'data' });
    expect(reports.map(({ objects, bytesDone, bytesTotal, say }) => [objects, bytesDone, bytesTotal, say])).toEqual([
      [4, 0, 40, '0 of 4 objects compared'],
      [2, 20, 40, '2 of 4 objects compared, 1 not safe so far'],
      [0, 40, 40, '4 of 4 objects compared, 1 not safe so far'],
    ]);
    expect([unsafe.at(-1), distrusted]).toEqual([missing, [missing]]);
    expect(await step.run(rest)).toEqual({ backTo: 'receipt' });
    await expect(step.run(rest)).rejects.toThrow('lost');
    expect(await step.run(rest)).toEqual({ receipt: 'the receipt' });
    expect([rounds, said]).toEqual([[1, 1, 1, 2, 2, 2], ['the receipt']]);
  });

  it('and more is not safe than it can name, every holder is asked about everything again', async () => {
    const world = await smallWorld();
    world.paused = true;
    const life = await world.start();
    for (const blob of world.blobs.keys()) {
      for (const peer of ['repo', 'b']) {
        await life.ledger.track([{ blob, size: 1 }]);
        await life.ledger.confirmBlobs(peer, 's', [blob]);
      }
    }
    const compare = world.coordinator.compare.bind(world.coordinator);
    world.coordinator.compare = async (root, round) => {
      const answer = await compare(root, round);
      return { ...answer, missing: { ...answer.missing, first: answer.missing.first.slice(0, 1) } };
    };
    await life.drain.begin();
    await drive(world.clock, life.drain.done);
    expect(world.coordinator.calls.filter((call) => call === 'receipt')).toHaveLength(1);
    // One round that named one of twelve, and one that found all of them.
    expect(world.coordinator.calls.filter((call) => call === 'compare')).toHaveLength(4);
    await life.stop();
  });
});

describe('what is damaged here', () => {
  it('is named in the inventory, and the drain waits until others hold it, saying what is not safe', async () => {
    const world = await smallWorld();
    world.damaged.set('rotten', 700);
    const items = await listed(takeInventory({ log: world.log, blobs: world.blobStore }));
    expect(items).toContainEqual({ kind: 'blob', id: 'rotten', bytes: 700 });
    const life = await world.start();
    await life.drain.begin();
    await driveUntil(world.clock, () => life.drain.status().unsafe !== null && life.drain.status().step === 'data');
    expect(life.drain.status().unsafe).toMatchObject({
      objects: 1,
      bytes: 700,
      first: [{ kind: 'blob', id: 'rotten' }],
    });
    await driveUntil(world.clock, () => life.drain.status().left?.objects === 1);
    expect(life.drain.progress()).toMatchObject({ objectsLeft: 1, bytesLeft: 700 });
    expect(world.saved).toBeUndefined();
    for (const peer of ['repo', 'b']) world.holder(peer).blobs.add('rotten');
    await drive(world.clock, life.drain.done);
    expect(world.saved).toBeDefined();
    await life.stop();
  });
});

describe('what the coordinator makes of it', () => {
  it('takes the inventory as it is sent, and signs a receipt that this node reads', async () => {
    const world = await smallWorld();
    const items = await listed(takeInventory({ log: world.log, blobs: world.blobStore }));
    let before: InventoryItem | undefined;
    for await (const page of pagesOf(items, { itemsMax: 4 })) {
      expect(orderProblem(before, page.items)).toBeUndefined();
      before = page.items.at(-1);
    }
    const [coordinator, node] = [await NodeKey.generate(), await NodeKey.generate()];
    const root = inventoryRoot(items);
    const text = signReceipt(coordinator, {
      number: 7,
      network: 'testing',
      node: node.peerId,
      name: 'Uppsala',
      location: null,
      boot: 1,
      accounts: 3,
      blobs: 12,
      bytes: 5000,
      copiesAsked: 2,
      copiesLeast: 2,
      root,
      holders: [],
      sampled: 1,
      issuedAt: 1,
    });
    const expected = { coordinator: coordinator.peerId, node: node.peerId, root, boot: 1 };
    expect(receiptText(readReceipt(text, expected))[0]).toBe(
      'Receipt 7: 12 objects (5.0 kB) and 3 accounts, each with at least 2 other verified holders (2 asked for).',
    );
    for (const wrong of [
      { coordinator: node.peerId },
      { node: coordinator.peerId },
      { root: '0'.repeat(64) },
      { boot: 2 },
    ]) {
      expect(() => readReceipt(text, { ...expected, ...wrong })).toThrow(/The receipt is not valid/);
    }
  });
});

describe('the end', () => {
  it('waits for pages that poll, and a minute at most', async () => {
    const clock = new ManualClock();
    const { signal } = new AbortController();
    const begun = clock.now();
    let polledAt: number | undefined;
    const deps = { clock, lastPolledAt: () => polledAt };
    await untilQuiet(deps, signal);
    expect(clock.now()).toBe(begun);
    polledAt = clock.monotonic() - 10_000;
    await drive(clock, untilQuiet(deps, signal));
    expect(clock.now() - begun).toBeLessThanOrEqual(5500);
    const again = clock.now();
    polledAt = clock.monotonic();
    const stop = clock.every(1000, () => {
      polledAt = clock.monotonic();
    });
    await drive(clock, untilQuiet(deps, signal));
    stop();
    expect(clock.now() - again).toBeGreaterThanOrEqual(60_000);
    expect(clock.now() - again).toBeLessThan(61_000);
  });

  it('leaves the receipt beside the data, and moves it aside at the next start', async () => {
    const path = await mkdtemp(join(tmpdir(), 'galaxy-receipt-'));
    try {
      const file = new ReceiptFile({ path, file: (...parts) => join(path, ...parts) });
      file.retire();
      file.save('a.b.c');
      expect(await readFile(join(path, RECEIPT_FILE), 'utf8')).toBe('a.b.c\n');
      file.retire();
      expect(await readFile(join(path, FORMER_RECEIPT_FILE), 'utf8')).toBe('a.b.c\n');
      await expect(readFile(file.path)).rejects.toMatchObject({ code: 'ENOENT' });
    } finally {
      await rm(path, { recursive: true, force: true });
    }
  });

  it('measures the rate over the last half minute', () => {
    const pace = new Pace();
    expect(pace.perSecond()).toBeUndefined();
    pace.record(0, 0);
    pace.record(1000, 1_000_000);
    expect(pace.perSecond()).toBe(1_000_000);
    for (let second = 2; second < 100; second++) pace.record(second * 1000, 1_000_000 + second);
    expect(pace.perSecond()).toBe(1);
    pace.record(101_000, 0);
    expect(pace.perSecond()).toBeUndefined();
  });
});

describe('the wire', () => {
  async function pair(registered = () => true) {
    const network = new MemoryNetwork();
    const [node, coordinator] = [network.host('node'), network.host('coordinator')];
    await node.connect(coordinator.peerId, [], new AbortController().signal);
    const client = new HandoverClient({ host: node, coordinator: coordinator.peerId, registered });
    return { client, coordinator };
  }

  it("carries each question, and the coordinator's refusals with their code", async () => {
    const { client, coordinator } = await pair();
    const seen: unknown[] = [];
    await serveCalls({ host: coordinator, clock: systemClock, log: silentLogger }, 'handover', [
      answer(handoverCalls.announce, async (request) => {
        seen.push(request);
        return { copies: 2, domains: 3, accounts: 4 };
      }),
      answer(handoverCalls.inventory, async ({ items, page, last }) => {
        seen.push({ page, last });
        return { items: items.length };
      }),
      answer(handoverCalls.receipt, async () => {
        throw handoverErrors('accounts-left', { count: 3 });
      }),
      answer(handoverCalls.cancel, async () => {
        throw new Error('a fault');
      }),
    ]);
    const { signal } = new AbortController();
    expect(await client.announce(1, signal)).toEqual({ copies: 2, domains: 3, accounts: 4 });
    expect(await client.inventory(0, [{ kind: 'blob', id: 'x', bytes: 1 }], true, signal)).toBe(1);
    await expect(client.receipt('0'.repeat(64), signal)).rejects.toMatchObject({
      code: 'handover/accounts-left',
      data: { count: 3 },
    });
    await expect(client.cancel(signal)).rejects.toMatchObject({ code: 'wire/internal' });
    expect(seen).toEqual([{ acceptCopies: 1 }, { page: 0, last: true }]);
  });

  it('says that the coordinator is away, whatever broke', async () => {
    const away = await pair(() => false);
    const { signal } = new AbortController();
    expect(away.client.reachable()).toBe(false);
    await expect(away.client.announce(undefined, signal)).rejects.toMatchObject({ code: 'drain/away' });
    const { client } = await pair();
    await expect(client.announce(undefined, signal)).rejects.toMatchObject({ code: 'drain/away' });
  });
});

describe('an account before its hand-over', () => {
  const ACCOUNT = '00000000000000a1';

  async function homes() {
    const clock = new ManualClock();
    const store = new Disk();
    const leases = new HeldLeases({ store, own: { current: () => undefined }, isOwn: () => false });
    await leases.grant(ACCOUNT, 1, leaseToken(ACCOUNT, 1, 'node'));
    const log = await openAccountLog(
      { store, clock, random: systemRandom, log: silentLogger, leases, trust: fakeTrust('node') },
      { folder: '' },
    );
    const offered: string[] = [];
    const released: string[] = [];
    const made = new Homes({
      self: 'node',
      isOwnClaim: () => false,
      log,
      leases,
      courier: {
        pull: async () => 0,
        offerAccount: async (peer) => {
          offered.push(peer);
          return 0;
        },
      },
      holders: { list: () => [], onChange: () => () => {} },
      followers: [
        {
          adopted: async () => {},
          released: async (account) => {
            released.push(account);
          },
        },
      ],
      flushLog: () => Promise.reject(new Error('a partner does not answer')),
      clock,
      logger: silentLogger,
    });
    return { made, log, leases, offered, released };
  }
  const { signal } = new AbortController();

  it('takes no more changes, requests wait, and it goes on in the same segment when it stays', async () => {
    const { made, log } = await homes();
    const { entries } = await log.append(ACCOUNT, () => [historyCreated()]);
    await made.seal(ACCOUNT, signal);
    expect(made.status(ACCOUNT)).toEqual({ at: 'leaving' });
    await expect(log.append(ACCOUNT, () => [historyCreated('00000000000000b2')])).rejects.toMatchObject({
      code: 'log/sealed',
    });
    const waiting = made.whenHere(ACCOUNT);
    made.unseal(ACCOUNT);
    await waiting;
    expect(made.status(ACCOUNT)).toEqual({ at: 'here' });
    const after = await log.append(ACCOUNT, () => [historyCreated('00000000000000b2')]);
    expect(after.entries[0]?.writer).toBe(entries[0]?.writer);
    expect(after.entries[0]?.seq).toBe((entries[0]?.seq ?? 0) + 1);
  });

  it('sends those who waited to its new home, and a word that comes twice does its work once', async () => {
    const { made, log, leases, offered, released } = await homes();
    await log.append(ACCOUNT, () => [historyCreated()]);
    await made.seal(ACCOUNT, signal);
    const waiting = made.whenHere(ACCOUNT);
    const moved = expect(waiting).rejects.toMatchObject({ code: 'homes/moved' });
    await Promise.all([made.leave(ACCOUNT, 2, 'b'), made.leave(ACCOUNT, 2, 'b')]);
    await moved;
    expect([offered, released]).toEqual([['b'], [ACCOUNT]]);
    expect(leases.movedTo(ACCOUNT)).toEqual({ epoch: 2, home: 'b' });
    made.unseal(ACCOUNT);
    await expect(log.append(ACCOUNT, () => [historyCreated('00000000000000b2')])).rejects.toMatchObject({
      code: 'log/not-home',
    });
    expect(ARRIVAL_WAIT_MS).toBe(10_000);
  });
});

describe('replication in a drain', () => {
  it('sends what nobody else has first, and to as many as were agreed', async () => {
    const clock = new ManualClock();
    const ledger = new Ledger({ store: new Disk(), clock });
    const holders = ['repo', 'b', 'c'].map(
      (peer) => new FakeHolder(peer, peer, peer === 'repo' ? 'repository' : 'node'),
    );
    const sent: string[] = [];
    const blobs = { has: () => true } as Partial<BlobStore> as BlobStore;
    const replicator = new BlobReplicator(
      {
        blobs,
        ledger,
        lane: {
          send: async (_peer, ids) => {
            sent.push(...ids);
            return { storeId: 's', confirmed: [...ids], refused: [] };
          },
          have: async () => ({ storeId: 's', held: [] }),
          fetch: async () => {},
        },
        holders: { list: () => holders.map(({ holder }) => holder), onChange: () => () => {} },
        clock,
        random: evenRandom,
        logger: silentLogger,
      },
      { copies: 2, domain: 'node', maySendTo: null, pushDeadlineMs: 60_000, paused: true },
    );
    await ledger.track(['a', 'b', 'c', 'd'].map((blob) => ({ blob, size: 1 })));
    await ledger.confirmBlobs('b', 's', ['a', 'c']);
    await ledger.confirmBlobs('c', 's', ['a', 'c']);
    await replicator.start();
    replicator.setCopies(3);
    replicator.setPaused(false);
    await driveUntil(clock, () => sent.length >= 8);
    expect(sent.slice(0, 2).sort()).toEqual(['b', 'd']);
    expect(['a', 'b', 'c', 'd'].map((blob) => ledger.blob(blob)?.confirmations.length)).toEqual([3, 3, 3, 3]);
    await replicator.stop();
  });
});
