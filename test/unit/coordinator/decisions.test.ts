import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AdmissionRecord, admit, compareVersions } from '../../../coordinator/admission.js';
import { presenceOf } from '../../../coordinator/presence.js';
import { covers, judgeInventory, orderProblem } from '../../../coordinator/receipts.js';
import { decideRehome, type RehomeQuestion } from '../../../coordinator/rehome.js';
import type { RoutingNode } from '../../../coordinator/routing.js';
import { type InventoryItem, inventoryLine } from '../../../protocol/wire/calls/handover.js';

const NOW = 1_700_000_000_000;

describe('admission to registration', () => {
  const request = { peerId: 'p', boot: 5, bootNonce: 'n5', storeId: 's', nowMs: NOW, version: '1.2.0' };
  const record: AdmissionRecord = {
    revoked: false,
    credentialExpiresAtMs: NOW + 1,
    last: { boot: 4, bootNonce: 'n4', storeId: 's' },
    live: false,
    reachable: true,
    reachableReason: '',
  };
  const rules = { nowMs: NOW, graceMs: 1000, versionMin: '1.0.0', requireReachableUrl: false };

  it.each<[string, Partial<typeof request>, Partial<AdmissionRecord> | undefined, Partial<typeof rules>, string]>([
    ['a stranger', {}, undefined, {}, 'not-a-member'],
    ['a revoked node', {}, { revoked: true }, {}, 'revoked'],
    ['an expired credential after its grace', {}, { credentialExpiresAtMs: NOW - 1001 }, {}, 'credential-expired'],
    ['an old version', { version: '0.9.9' }, {}, {}, 'protocol-version'],
    ['a clock that is slow', { nowMs: NOW - 60_001 }, {}, {}, 'clock-skew'],
    ['a clock that is fast', { nowMs: NOW + 60_001 }, {}, {}, 'clock-skew'],
    ['a boot number that was used', { boot: 4 }, {}, {}, 'old-boot'],
    ['a boot number from before', { boot: 3 }, {}, {}, 'old-boot'],
    ['a restored folder with the same number', { boot: 4, bootNonce: 'other' }, {}, {}, 'old-boot'],
    ['a newer start while the other lives', {}, { live: true }, {}, 'second-boot'],
    ['the same start with another store', { boot: 4, bootNonce: 'n4', storeId: 'x' }, {}, {}, 'other-store'],
    [
      'no reachable URL where one is needed',
      {},
      { reachable: false, reachableReason: 'no' },
      { requireReachableUrl: true },
      'no-reachable-url',
    ],
  ])('refuses %s', (_name, changedRequest, changedRecord, changedRules, code) => {
    const decision = admit({ ...request, ...changedRequest }, changedRecord && { ...record, ...changedRecord }, {
      ...rules,
      ...changedRules,
    });
    expect(decision).toMatchObject({ admitted: false, code });
    expect(decision.reasons.length).toBeGreaterThan(0);
  });

  it.each<[string, Partial<typeof request>, Partial<AdmissionRecord>, boolean]>([
    ['the first start', {}, { last: undefined }, false],
    ['a newer start', {}, {}, false],
    [
      'the same process again, even while its old stream looks open',
      { boot: 4, bootNonce: 'n4' },
      { live: true },
      true,
    ],
    ['a new store under a newer start', { storeId: 'new' }, {}, false],
    ['a credential in its grace', {}, { credentialExpiresAtMs: NOW - 999 }, false],
    ['a clock within the bound', { nowMs: NOW - 60_000 }, {}, false],
  ])('admits %s', (_name, changedRequest, changedRecord, resumed) => {
    expect(admit({ ...request, ...changedRequest }, { ...record, ...changedRecord }, rules)).toMatchObject({
      admitted: true,
      resumed,
    });
  });

  it('compares versions by their numbers', () => {
    expect(compareVersions('1.10.0', '1.9.9')).toBe(1);
    expect(compareVersions('1.0', '1.0.0')).toBe(0);
    expect(compareVersions('0.1.0-rc1', '0.1.0')).toBe(0);
    expect(compareVersions('rubbish', '0.0.1')).toBe(-1);
  });
});

describe('presence', () => {
  const rules = { startedAtMs: NOW - 60_000, silentMs: 4000, deadMs: 5000, redialMs: 700, loopLateMs: 0 };

  it.each([
    ['never heard', { open: false }, 'away'],
    ['heard just now', { open: true, lastHeardMs: NOW - 1000 }, 'alive'],
    ['silent for long', { open: true, lastHeardMs: NOW - 4001 }, 'unroutable'],
    ['silent for very long', { open: true, lastHeardMs: NOW - 9001 }, 'dead'],
    ['closed, redialling', { open: false, lastHeardMs: NOW - 500, closedAtMs: NOW - 500 }, 'alive'],
    ['closed, no answer', { open: false, lastHeardMs: NOW - 800, closedAtMs: NOW - 701 }, 'unroutable'],
    [
      'closed, refused',
      { open: false, lastHeardMs: NOW - 100, closedAtMs: NOW - 100, redialed: 'refused' },
      'unroutable',
    ],
    ['closed, answered', { open: false, lastHeardMs: NOW - 900, closedAtMs: NOW - 800, redialed: 'answered' }, 'alive'],
    ['closed long ago', { open: false, lastHeardMs: NOW - 5000, closedAtMs: NOW - 5000, redialed: 'refused' }, 'dead'],
  ] as const)('%s', (_name, heard, presence) => {
    const verdict = presenceOf(heard, NOW, rules);
    expect(verdict.presence).toBe(presence);
    expect(verdict.lostAtMs === undefined).toBe(presence === 'alive');
  });

  it('waits longer when the coordinator itself is late', () => {
    const heard = { open: true, lastHeardMs: NOW - 5000 };
    expect(presenceOf(heard, NOW, { ...rules, loopLateMs: 2000 }).presence).toBe('alive');
  });

  it('never gets better by silence alone', () => {
    const order = ['alive', 'unroutable', 'dead'];
    fc.assert(
      fc.property(fc.nat(20_000), fc.nat(20_000), fc.boolean(), (early, more, open) => {
        const heard = { open, lastHeardMs: NOW, ...(open ? {} : { closedAtMs: NOW, redialed: 'refused' as const }) };
        const at = (ms: number) => order.indexOf(presenceOf(heard, NOW + ms, rules).presence);
        expect(at(early + more)).toBeGreaterThanOrEqual(at(early));
      }),
    );
  });
});

describe('a new home', () => {
  const node = (peerId: string, change: Partial<RoutingNode> = {}): RoutingNode => ({
    peerId,
    name: peerId,
    state: 'serving',
    routable: true,
    slots: 1,
    queued: 0,
    running: 0,
    assigned: 0,
    ...change,
  });
  const question = (change: Partial<RehomeQuestion> = {}): RehomeQuestion => ({
    nowMs: NOW,
    home: { peerId: 'a', name: 'A', state: 'serving', presence: 'dead', lostAtMs: NOW - 6000 },
    nodes: [node('a', { routable: false }), node('b'), node('c')],
    servers: [{ peerId: 'a', lostAtMs: NOW - 6000 }, { peerId: 'b' }, { peerId: 'c' }],
    self: { startedAtMs: NOW - 100_000, loopLateMs: 0 },
    thresholds: { deadMs: 5000, massWindowMs: 10_000, massHoldMs: 60_000, loopLateMs: 1000, startGraceMs: 15_000 },
    ...change,
  });
  const home = (change: Partial<RehomeQuestion['home']>) => ({ ...question().home, ...change });

  it('is given when the old one has been out of reach for long enough', () => {
    expect(decideRehome(question())).toMatchObject({ rehome: true, to: 'b' });
  });

  it.each<[string, Partial<RehomeQuestion>, RegExp]>([
    ['it answers', { home: home({ presence: 'alive', lostAtMs: undefined }) }, /answers/],
    ['it was lost a moment ago', { home: home({ presence: 'unroutable', lostAtMs: NOW - 4999 }) }, /4999 ms only/],
    ["the coordinator's loop is late", { self: { startedAtMs: NOW - 100_000, loopLateMs: 1001 } }, /late/],
    ['the coordinator has just started', { self: { startedAtMs: NOW - 14_000, loopLateMs: 0 } }, /just started/],
    ['nobody else serves', { nodes: [node('b', { state: 'draining' })] }, /no other node/],
    [
      'too many fell silent together',
      { servers: [{ peerId: 'a', lostAtMs: NOW - 6000 }, { peerId: 'b', lostAtMs: NOW - 9000 }, { peerId: 'c' }] },
      /2 of 3 nodes fell silent together/,
    ],
  ])('is not given while %s', (_name, change, reason) => {
    const decision = decideRehome(question(change));
    expect(decision).toMatchObject({ rehome: false, homeServes: change.home?.presence === 'alive' });
    expect(decision.reasons[0]).toMatch(reason);
  });

  it('is given in networks of two and three, where one is a third or a half', () => {
    const two = question({ servers: [{ peerId: 'a', lostAtMs: NOW - 6000 }, { peerId: 'b' }] });
    expect(decideRehome(two)).toMatchObject({ rehome: true });
    const alone = question({
      nodes: [node('a', { routable: false })],
      servers: [{ peerId: 'a', lostAtMs: NOW - 6000 }],
    });
    expect(decideRehome(alone)).toMatchObject({ rehome: false, homeServes: false });
  });

  it('is not held back by those who fell silent long before, nor for ever', () => {
    const before = [{ peerId: 'a', lostAtMs: NOW - 6000 }, { peerId: 'b', lostAtMs: NOW - 600_000 }, { peerId: 'c' }];
    expect(decideRehome(question({ servers: before }))).toMatchObject({ rehome: true });
    const lostAtMs = NOW - 60_001;
    const held = question({
      home: home({ lostAtMs }),
      servers: [{ peerId: 'a', lostAtMs }, { peerId: 'b', lostAtMs }, { peerId: 'c' }],
    });
    expect(decideRehome(held)).toMatchObject({ rehome: true });
  });

  it('is given at once when the old one was drained or revoked', () => {
    for (const state of ['drained', 'revoked'] as const) {
      const self = { startedAtMs: NOW, loopLateMs: 9999 };
      expect(decideRehome(question({ home: home({ state, presence: 'alive' }), self }))).toMatchObject({
        rehome: true,
      });
    }
  });
});

describe('what a drain leaves behind', () => {
  const blob = (id: string, bytes = 1): InventoryItem => ({ kind: 'blob', id, bytes });

  it('is unsafe as long as one object lacks a copy in another domain', () => {
    const domains: Record<string, Set<string>> = {
      a: new Set(['x', 'y']),
      b: new Set(['x']),
      c: new Set(['x', 'y', 'z']),
    };
    const items = [blob('a'), blob('b', 7), blob('c')];
    const judged = judgeInventory(items, ({ id }) => domains[id] ?? new Set(), 2);
    expect(judged).toEqual({
      unsafe: [{ kind: 'blob', id: 'b', bytes: 7, reason: '1 of 2 copies were found' }],
      copiesLeast: 1,
    });
    expect(judgeInventory([], () => new Set(), 2)).toEqual({ unsafe: [], copiesLeast: 2 });
  });

  it('comes in order: accounts, then blobs, each by id and once', () => {
    const account: InventoryItem = { kind: 'account', id: '1', bytes: 0 };
    expect(orderProblem(undefined, [account, blob('a'), blob('b')])).toBeUndefined();
    expect(orderProblem(blob('a'), [blob('a')])).toMatch(/comes after/);
    expect(orderProblem(undefined, [blob('a'), account])).toMatch(/comes after/);
    expect(orderProblem(undefined, [blob('b'), blob('a')])).toMatch(/comes after/);
  });

  it('covers an account only when every segment is there as far', () => {
    expect(covers({ s1: 5, s2: 1 }, { s1: 5 })).toBe(true);
    expect(covers({ s1: 4 }, { s1: 5 })).toBe(false);
    expect(covers({}, { s1: 1 })).toBe(false);
    expect(covers({}, {})).toBe(true);
  });

  it('gives the same lines in whatever order segments are named', () => {
    const item = (vector: Record<string, number>): InventoryItem => ({ kind: 'account', id: '1', bytes: 0, vector });
    expect(inventoryLine(item({ b: 2, a: 1 }))).toBe(inventoryLine(item({ a: 1, b: 2 })));
    expect(inventoryLine(item({ a: 1 }))).not.toBe(inventoryLine(item({ a: 2 })));
  });
});
