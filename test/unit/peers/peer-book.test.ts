import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PeerBook } from '../../../node/peers/peer-book.js';
import { type Logger, silentLogger } from '../../../protocol/runtime/logger.js';
import { REPOSITORY_DOMAIN } from '../../../protocol/trust/credential.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import type { PeerStatus } from '../../../protocol/wire/calls/register.js';
import { ManualClock } from '../../support/manual-clock.js';
import { scratchFolder } from '../../support/processes.js';
import { driveUntil, evenRandom } from '../drain/world.js';
import { Papers, statusOf } from './fixture.js';

const scratch = scratchFolder();
const started: PeerBook[] = [];
let count = 0;
let papers: Papers;
let me: NodeKey;
let others: NodeKey[];

beforeAll(async () => {
  papers = await Papers.create();
  me = await NodeKey.generate();
  others = await Promise.all([1, 2, 3].map(() => NodeKey.generate()));
});
afterEach(async () => {
  for (const book of started.splice(0)) await book.stop();
});
afterAll(() => scratch.remove());

const peer = (index: number) => (others[index] as NodeKey).peerId;

class FakeHost {
  readonly peerId = me.peerId;
  readonly connected = new Set<string>();
  readonly dialled: { peer: string; addresses: readonly string[] }[] = [];
  unreachable = new Set<string>();
  private listener: (event: { peer: string; connected: boolean }) => void = () => {};

  async connect(peer: string, addresses: readonly string[]): Promise<void> {
    this.dialled.push({ peer, addresses });
    if (this.unreachable.has(peer)) throw new Error('no way');
    this.turn(peer, true);
  }

  isConnected(peer: string): boolean {
    return this.connected.has(peer);
  }

  onPeer(listener: (event: { peer: string; connected: boolean }) => void): () => void {
    this.listener = listener;
    return () => {
      this.listener = () => {};
    };
  }

  turn(peer: string, connected: boolean): void {
    if (connected) this.connected.add(peer);
    else this.connected.delete(peer);
    this.listener({ peer, connected });
  }
}

async function open(options: { folder?: string; clock?: ManualClock } = {}) {
  const folder = options.folder ?? join(scratch.path, `p${count++}`);
  mkdirSync(folder, { recursive: true });
  const clock = options.clock ?? new ManualClock();
  const now = clock.now();
  const members = await papers.list(
    papers.credential(me, 'own', now),
    ...others.map((key, index) => papers.credential(key, `institution ${index}`, now)),
  );
  const said: string[] = [];
  const log: Logger = { ...silentLogger, warn: (_data, message) => said.push(message) };
  const host = new FakeHost();
  const file = join(folder, 'peers.json');
  const book = new PeerBook({ host, members, file, clock, random: evenRandom, log });
  started.push(book);
  await book.start();
  return { book, host, file, folder, clock, members, said };
}

const inFile = (file: string) => (JSON.parse(readFileSync(file, 'utf8')) as { peers: PeerStatus[] }).peers;

describe('the peer book', () => {
  it('finds the others again after a restart while the coordinator is away', async () => {
    const first = await open();
    first.book.update([statusOf(peer(0)), statusOf(peer(1), { state: 'draining' })]);
    await first.book.stop();
    const { book, host, clock, said } = await open({ folder: first.folder });
    await driveUntil(clock, () => host.connected.size === 2);
    expect(said).toEqual([]);
    const byPeer = new Map(book.list().map((holder) => [holder.peer, holder]));
    expect(byPeer.get(peer(0))).toMatchObject({ domain: 'institution 0', serving: true, freeBytes: 900 });
    expect(byPeer.get(peer(1))).toMatchObject({ serving: false });
    expect(byPeer.get(peer(2))).toMatchObject({ serving: false, connected: false });
    expect(byPeer.get(papers.coordinator.peerId)).toMatchObject({ domain: REPOSITORY_DOMAIN, kind: 'repository' });
    expect(byPeer.has(me.peerId)).toBe(false);
  });

  it('is a file that a person can read, only the owner may, and loads alone do not rewrite', async () => {
    const { book, file } = await open();
    book.update([statusOf(peer(0))]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8').split('\n').length).toBeGreaterThan(10);
    const before = statSync(file).ino;
    for (let i = 0; i < 20; i++) book.update([statusOf(peer(0), { running: i, freeBytes: 900 - i })]);
    expect(statSync(file).ino).toBe(before);
    book.update([statusOf(peer(0), { state: 'draining' })]);
    expect(inFile(file)[0]?.state).toBe('draining');
    // How much room each has is kept as of the end.
    book.update([statusOf(peer(0), { state: 'draining', freeBytes: 123 })]);
    await book.stop();
    expect(inFile(file)[0]?.freeBytes).toBe(123);
  });

  it('starts without it when it is gone, and says so when it is damaged; the old one stays until there is news', async () => {
    const { folder, file } = await open();
    rmSync(file, { force: true });
    expect((await open({ folder })).said).toEqual([]);
    const damaged = [
      '{"peers": [',
      JSON.stringify({ peers: [{ ...statusOf(peer(0)), state: 'cheerful' }] }),
      JSON.stringify({ peers: [{ ...statusOf(peer(0)), addresses: ['x'.repeat(100_000)] }] }),
      '[]',
    ];
    for (const text of damaged) {
      writeFileSync(file, text);
      const { book, said } = await open({ folder });
      expect(said).toEqual(['the list of peers cannot be read; starting without it']);
      expect(book.statuses()).toEqual([]);
      await book.stop();
      expect(readFileSync(file, 'utf8')).toBe(text);
    }
    const { book } = await open({ folder });
    book.update([statusOf(peer(0))]);
    expect(inFile(file)).toHaveLength(1);
  });

  it('may lose the file while it runs, and goes on when it cannot write it', async () => {
    const { book, file, folder, said } = await open();
    book.update([statusOf(peer(0))]);
    rmSync(file);
    book.update([statusOf(peer(0)), statusOf(peer(1))]);
    expect(inFile(file)).toHaveLength(2);
    rmSync(folder, { recursive: true });
    book.update([statusOf(peer(2))]);
    expect(said).toEqual(['the list of peers could not be saved']);
    expect(book.statuses()).toHaveLength(3);
    expect(existsSync(file)).toBe(false);
  });

  it('does not dial itself, a revoked peer, or one that is not a member', async () => {
    const { book, host, clock, members } = await open();
    const stranger = await NodeKey.generate();
    await members.merge([papers.revocation(others[1] as NodeKey, clock.now())]);
    book.update([statusOf(me.peerId), statusOf(peer(0)), statusOf(peer(1)), statusOf(stranger.peerId)]);
    await driveUntil(clock, () => host.connected.size === 1);
    clock.advance(60_000);
    await driveUntil(clock, () => true);
    expect(new Set(host.dialled.map((dial) => dial.peer))).toEqual(new Set([peer(0)]));
    expect(book.list().some((holder) => holder.peer === stranger.peerId || holder.peer === peer(1))).toBe(false);
  });

  it('dials again with growing pauses, and at once when a peer has moved', async () => {
    const { book, host, clock } = await open();
    host.unreachable.add(peer(0));
    book.update([statusOf(peer(0))]);
    for (let i = 0; i < 240; i++) {
      clock.advance(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(host.dialled.length).toBeGreaterThan(5);
    expect(host.dialled.length).toBeLessThan(25);
    host.unreachable.clear();
    const tries = host.dialled.length;
    book.update([statusOf(peer(0), { addresses: ['/ip4/127.0.0.1/tcp/5001'] })]);
    await driveUntil(clock, () => host.connected.size === 1, 1);
    expect(host.dialled.slice(tries)).toEqual([{ peer: peer(0), addresses: ['/ip4/127.0.0.1/tcp/5001'] }]);
  });

  it('connects again after a connection was lost', async () => {
    const { book, host, clock } = await open();
    book.update([statusOf(peer(0))]);
    await driveUntil(clock, () => host.connected.size === 1);
    host.turn(peer(0), false);
    await driveUntil(clock, () => host.connected.size === 1);
    expect(host.dialled).toHaveLength(2);
  });
});
