import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { peerReports } from '../../../node/node-status.js';
import type { Holder } from '../../../node/replication/holders.js';
import type { PeerStatus } from '../../../protocol/wire/calls/register.js';
import type { Browser } from '../api-auth/door.js';
import { json, openWorld, type World } from './world.js';

let world: World;
let browser: Browser;
let account: string;

beforeEach(async () => {
  world = await openWorld();
  browser = world.browser();
  account = await world.signUp(browser);
  for (const name of ['galaxyhandoff', 'galaxyhandoffdue']) browser.cookies.delete(name);
});
afterEach(() => world.close());

const get = (url: string, from = browser) => from.send({ method: 'GET', url, headers: json });

const holder = (peer: string, domain: string, kind: Holder['kind'] = 'node'): Holder => ({
  peer,
  domain,
  kind,
  capacityBytes: 100,
  freeBytes: 50,
  serving: true,
  connected: peer !== 'b',
});
const peerStatus = (peerId: string): PeerStatus => ({
  peerId,
  state: 'serving',
  routable: true,
  addresses: [],
  publicUrl: 'https://freiburg.example',
  capacityBytes: 100,
  freeBytes: 50,
  slots: 4,
  queued: 0,
  running: 2,
});

describe('what the node says of itself', () => {
  it('is for those who have signed in', async () => {
    expect((await get('/api/node/status', world.browser())).statusCode).toBe(403);
    expect((await get('/api/node/datasets', world.browser())).statusCode).toBe(403);
  });

  it('has copies, jobs and disk, and no network when it is alone', async () => {
    world.clock.advance(61_000);
    const report = (await get('/api/node/status')).json();
    expect(report).toMatchObject({
      node: { name: 'Uppsala University', state: 'serving', uptimeSeconds: 61, url: 'https://uppsala.example' },
      network: null,
      peers: [],
      jobs: { queued: 1, running: 1, slots: 2 },
      copies: {
        wanted: 2,
        paused: false,
        accepted: { objects: 4, bytes: 4000 },
        safe: { objects: 3, bytes: 3000 },
        atRisk: { objects: 1, bytes: 1000, oldestAgeMs: 5000 },
        logEntriesAtRisk: 7,
      },
      disk: { objects: 4, bytes: 4000, freeBytes: 10_000 },
      drain: null,
      waitingElsewhere: [],
    });
  });

  it('names peers to everybody, and their load and addresses to administrators', async () => {
    world.facts.network = {
      name: 'eosc',
      url: 'https://net.example',
      registered: false,
      heardAt: world.clock.now() - 3000,
      problem: 'the clock is off',
      reachable: { ok: true, reason: 'fetched and signed' },
      holders: [holder('b', 'Freiburg'), holder('c', 'the main repository', 'repository'), holder('a', 'Brno')],
      statuses: [peerStatus('b')],
      waitingFor: (of) => (of === account ? [{ name: 'Brno', changes: 3, what: '3 datasets' }] : []),
    };
    const report = (await get('/api/node/status')).json();
    expect(report.network).toEqual({
      name: 'eosc',
      url: 'https://net.example',
      registered: false,
      heardAgoMs: 3000,
      problem: 'the clock is off',
      reachable: { ok: true, reason: 'fetched and signed' },
    });
    expect(report.peers).toEqual([
      { name: 'the main repository', kind: 'repository', state: 'serving', connected: true },
      { name: 'Brno', kind: 'node', state: 'unknown', connected: true },
      { name: 'Freiburg', kind: 'node', state: 'serving', connected: false },
    ]);
    expect(report.waitingElsewhere).toEqual([{ name: 'Brno', changes: 3, what: '3 datasets' }]);
    await world.accounts.grantAdmin(account);
    const details = (await get('/api/node/status')).json().peers[2].details;
    expect(details).toMatchObject({ peerId: 'b', publicUrl: 'https://freiburg.example', slots: 4, running: 2 });
  });

  it('never lists more peers than a page can show', () => {
    const holders = Array.from({ length: 1500 }, (_, n) => holder(String(n), `institution ${n}`));
    expect(peerReports({ holders, statuses: [] }, false)).toHaveLength(1000);
  });
});

describe('one’s datasets', () => {
  const ids = ['1111111111111111', '2222222222222222'] as const;
  beforeEach(async () => {
    const view = await world.accounts.viewOf(account);
    const history = view.get('account', account)?.currentHistory as string;
    for (const [index, id] of ids.entries()) {
      const file = { role: 'primary', path: 'primary', blob: 'b'.repeat(40), size: 100 };
      await world.append(account, 'dataset.created', {
        id,
        history,
        hid: index + 1,
        uuid: id,
        createdAt: world.clock.now(),
        name: `dataset ${index + 1}`,
        extension: 'txt',
        content: {
          state: 'ok',
          extension: 'txt',
          files: [file],
          size: 100,
          peek: '',
          blurb: '',
          info: '',
          metadata: {},
        },
      });
    }
  });

  it('are listed newest first, with who has a copy', async () => {
    world.facts.durability = {
      state: 'safe',
      holders: [{ peer: 'b', name: 'Freiburg', confirmedAt: 5 }],
      copies: 1,
    };
    const { name, items } = (await get('/api/node/datasets')).json();
    expect(name).toBe('Unnamed history');
    expect(items.map(({ hid }: { hid: number }) => hid)).toEqual([2, 1]);
    expect(items[0]).toEqual({
      id: ids[1],
      hid: 2,
      name: 'dataset 2',
      extension: 'txt',
      bytes: 100,
      state: 'safe',
      holders: [{ name: 'Freiburg', confirmedAt: 5 }],
      copies: 1,
    });
    expect((await get(`/api/node/datasets/${ids[0]}`)).json()).toMatchObject({ id: ids[0], state: 'safe', copies: 1 });
  });

  it('are one’s own alone', async () => {
    const bob = world.browser();
    await world.signUp(bob, { email: 'bob@example.org', username: 'bob', password: 'another horse' });
    expect((await get(`/api/node/datasets/${ids[0]}`, bob)).statusCode).toBe(404);
    expect((await get('/api/node/datasets/nonsense')).json().err_code).toBe(400009);
    expect((await get('/api/node/datasets', bob)).json().items).toEqual([]);
  });
});

describe('the page /node', () => {
  it('comes with its script and style, which are asked for anew after an update', async () => {
    const page = await world.inject({ method: 'GET', url: '/node' });
    expect([page.statusCode, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers['x-frame-options']).toBe('SAMEORIGIN');
    for (const [, path] of page.body.matchAll(/(?:src|href)="(\/static\/galaxy-node\/[^"]+)"/g)) {
      const file = await world.inject({ method: 'GET', url: path as string });
      expect([path, file.statusCode, file.headers['cache-control']]).toEqual([path, 200, 'public, no-cache']);
    }
  });
});
