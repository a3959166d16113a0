import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  CREDENTIAL_GRACE_MS,
  CREDENTIAL_LIFE_MS,
  CREDENTIAL_RENEW_AFTER_MS,
  checkCredential,
  credentialStanding,
  issueCredential,
} from '../../../protocol/trust/credential.js';
import { epochOf, TERM_MAX } from '../../../protocol/trust/epoch.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import {
  assertInvitationInTime,
  issueInvitation,
  parseInvitation,
  secretHash,
} from '../../../protocol/trust/invitation.js';
import { checkLease, issueLease } from '../../../protocol/trust/lease.js';
import { checkRevocation, issueRevocation } from '../../../protocol/trust/revocation.js';
import { signToken } from '../../../protocol/trust/signed.js';
import { checkTicket, issueTicket, nonceHash, TICKET_LIFE_MS } from '../../../protocol/trust/ticket.js';
import { CLOCK_SKEW_MAX_MS } from '../../../protocol/wire/limits.js';

const NOW = Date.UTC(2026, 2, 1);
const DAY = 24 * 3600 * 1000;
const NETWORK = 'nordic';
const ACCOUNT = '00a1b2c3d4e5f607';
let coordinator: NodeKey;
let node: NodeKey;
let stranger: NodeKey;

beforeAll(async () => {
  [coordinator, node, stranger] = await Promise.all([NodeKey.generate(), NodeKey.generate(), NodeKey.generate()]);
});

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('a credential', () => {
  const subject = () => ({
    network: NETWORK,
    peerId: node.peerId,
    name: 'Uppsala University',
    nodeNumber: 3,
    location: { lat: 59.86, lon: 17.64 },
  });

  it('says who the node is, for 90 days', () => {
    const { token, credential } = issueCredential(coordinator, subject(), NOW);
    expect(checkCredential(token, { network: NETWORK, coordinator: coordinator.peerId })).toEqual(credential);
    expect(credential).toEqual({ ...subject(), issuedAt: NOW, expiresAt: NOW + 90 * DAY });
  });

  it('counts only when this network’s coordinator signed it', () => {
    const forged = issueCredential(stranger, subject(), NOW).token;
    const expected = { network: NETWORK, coordinator: coordinator.peerId };
    expect(() => checkCredential(forged, expected)).toThrow(code('trust/wrong-signer'));
    const elsewhere = issueCredential(coordinator, { ...subject(), network: 'other' }, NOW).token;
    expect(() => checkCredential(elsewhere, expected)).toThrow(code('trust/wrong-network'));
  });

  it('is renewed from a third of its life, and over after it', () => {
    const { credential } = issueCredential(coordinator, subject(), NOW);
    const at = (ms: number, heard = NOW + ms) => credentialStanding(credential, NOW + ms, heard).state;
    expect(at(0)).toBe('fresh');
    expect(at(CREDENTIAL_RENEW_AFTER_MS - 1)).toBe('fresh');
    expect(at(CREDENTIAL_RENEW_AFTER_MS)).toBe('renew');
    expect(at(CREDENTIAL_LIFE_MS - 1)).toBe('renew');
    expect(at(CREDENTIAL_LIFE_MS)).toBe('expired');
  });

  it('that expired is honoured 30 days more, by who has not heard the coordinator since', () => {
    const { credential } = issueCredential(coordinator, subject(), NOW);
    const end = credential.expiresAt;
    expect(credentialStanding(credential, end + DAY, end - 1)).toMatchObject({ state: 'grace', honoured: true });
    expect(credentialStanding(credential, end + DAY, 0)).toMatchObject({ state: 'grace', honoured: true });
    expect(credentialStanding(credential, end + DAY, end)).toMatchObject({ state: 'expired', honoured: false });
    expect(credentialStanding(credential, end + CREDENTIAL_GRACE_MS - 1, 0).honoured).toBe(true);
    expect(credentialStanding(credential, end + CREDENTIAL_GRACE_MS, 0).honoured).toBe(false);
  });

  it('from the future is not honoured, but for what clocks may differ', () => {
    const { credential } = issueCredential(coordinator, subject(), NOW);
    expect(credentialStanding(credential, NOW - CLOCK_SKEW_MAX_MS, 0).honoured).toBe(true);
    expect(credentialStanding(credential, NOW - CLOCK_SKEW_MAX_MS - 1, 0).state).toBe('early');
  });

  it('is not issued for a number that nodes outside draw from, or a place off the globe', () => {
    expect(() => issueCredential(coordinator, { ...subject(), nodeNumber: 2 ** 17 }, NOW)).toThrow();
    expect(() => issueCredential(coordinator, { ...subject(), location: { lat: 91, lon: 0 } }, NOW)).toThrow();
  });
});

describe('a lease', () => {
  it('of epoch 0 is signed by the node it names, and no other', () => {
    const own = issueLease(node, { account: ACCOUNT, epoch: 0, node: node.peerId }, NOW);
    expect(checkLease(own, { coordinator: undefined })).toMatchObject({
      account: ACCOUNT,
      epoch: 0,
      node: node.peerId,
    });
    expect(checkLease(own, { coordinator: coordinator.peerId }).node).toBe(node.peerId);
    expect(() => issueLease(stranger, { account: ACCOUNT, epoch: 0, node: node.peerId }, NOW)).toThrow();
    for (const signer of [stranger, coordinator]) {
      const forged = signToken(signer, 'lease', { account: ACCOUNT, epoch: 0, node: node.peerId, issuedAt: NOW });
      expect(() => checkLease(forged, { coordinator: coordinator.peerId })).toThrow(code('trust/wrong-signer'));
    }
  });

  it('of any other epoch is signed by the coordinator, and worth nothing without one', () => {
    const granted = issueLease(coordinator, { account: ACCOUNT, epoch: epochOf(1, 5), node: node.peerId }, NOW);
    expect(checkLease(granted, { coordinator: coordinator.peerId }).epoch).toBe(2 ** 32 + 5);
    expect(() => checkLease(granted, { coordinator: undefined })).toThrow(code('trust/wrong-signer'));
    expect(() => checkLease(granted, { coordinator: stranger.peerId })).toThrow(code('trust/wrong-signer'));
    const self = signToken(node, 'lease', { account: ACCOUNT, epoch: 1, node: node.peerId, issuedAt: NOW });
    expect(() => checkLease(self, { coordinator: coordinator.peerId })).toThrow(code('trust/wrong-signer'));
  });
});

describe('an epoch', () => {
  it('holds term and count, and a later term is above every count of an earlier one', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: TERM_MAX - 1 }),
        fc.nat({ max: 2 ** 32 - 1 }),
        fc.nat({ max: 2 ** 32 - 1 }),
        (term, n, m) => {
          const epoch = epochOf(term, n);
          expect([BigInt(epoch) >> 32n, BigInt(epoch) & 0xffffffffn]).toEqual([BigInt(term), BigInt(n)]);
          expect(Number.isSafeInteger(epoch)).toBe(true);
          expect(epochOf(term + 1, m)).toBeGreaterThan(epoch);
        },
      ),
    );
    expect(() => epochOf(0, 2 ** 32)).toThrow();
    expect(() => epochOf(-1, 0)).toThrow();
  });
});

describe('an invitation', () => {
  const invitation = () => ({
    network: NETWORK,
    lobby: ['/ip4/192.0.2.1/tcp/4002'],
    secret: 'ab'.repeat(16),
    name: 'Uppsala University',
    location: null,
    expiresAt: NOW + 7 * DAY,
  });

  it('is one line that can be pasted, with what a terminal did to it', () => {
    const line = issueInvitation(coordinator, invitation());
    expect(line).toMatch(/^galaxy-invite:\S+$/);
    const expected = { ...invitation(), coordinator: coordinator.peerId };
    const wrapped = `${line.slice(0, 80)}\n  ${line.slice(80)}`;
    for (const pasted of [line, `  ${line}\n`, `"${line}"`, wrapped]) expect(parseInvitation(pasted)).toEqual(expected);
  });

  it('that is not one gets one clear message', async () => {
    const line = issueInvitation(coordinator, invitation());
    const other = signToken(coordinator, 'credential', {});
    const stolen = signToken(stranger, 'invitation', { ...invitation(), coordinator: coordinator.peerId });
    for (const bad of [
      '',
      'hello',
      line.slice(14),
      line.slice(0, -5),
      `${line}x`,
      'galaxy-invite:',
      `galaxy-invite:${other}`,
      `galaxy-invite:${stolen}`,
      line.repeat(30),
    ]) {
      expect(() => parseInvitation(bad)).toThrow(code('trust/invitation-malformed'));
    }
    fc.assert(
      fc.property(fc.nat({ max: line.length - 1 }), (at) => {
        const changed = line.slice(0, at) + (line[at] === 'A' ? 'B' : 'A') + line.slice(at + 1);
        expect(() => parseInvitation(changed)).toThrow(code('trust/invitation-malformed'));
      }),
    );
  });

  it('ends with its time, and says for whom it was', () => {
    expect(() => assertInvitationInTime(invitation(), NOW)).not.toThrow();
    expect(() => assertInvitationInTime(invitation(), NOW + 7 * DAY)).toThrow(/Uppsala University.*2026-03-08/);
  });

  it('is kept by the hash of its secret alone', () => {
    expect(secretHash('ab'.repeat(16))).toMatch(/^[0-9a-f]{64}$/);
    expect(secretHash('ab'.repeat(16))).not.toBe(secretHash('ac'.repeat(16)));
  });
});

describe('a revocation', () => {
  it('counts only when this network’s coordinator signed it', () => {
    const content = { network: NETWORK, number: epochOf(0, 1), peerId: node.peerId, name: 'Uppsala', reason: 'left' };
    const expected = { network: NETWORK, coordinator: coordinator.peerId };
    const token = issueRevocation(coordinator, content, NOW);
    expect(checkRevocation(token, expected)).toEqual({ ...content, issuedAt: NOW });
    expect(() => checkRevocation(issueRevocation(stranger, content, NOW), expected)).toThrow(
      code('trust/wrong-signer'),
    );
    const elsewhere = issueRevocation(coordinator, { ...content, network: 'other' }, NOW);
    expect(() => checkRevocation(elsewhere, expected)).toThrow(code('trust/wrong-network'));
  });
});

describe('a ticket', () => {
  const nonce = 'a cookie';
  const issue = (change: Partial<Parameters<typeof issueTicket>[1]> = {}, signer = coordinator) =>
    issueTicket(
      signer,
      { id: 'cd'.repeat(16), account: ACCOUNT, node: node.peerId, nonceHash: nonceHash(nonce), ...change },
      NOW,
    );
  const expected = (change: object = {}) => ({
    issuedBy: (signer: string) => signer === coordinator.peerId,
    node: node.peerId,
    nonce,
    now: NOW,
    ...change,
  });

  it('is good at its node, for its browser, and carries the last acknowledged vector', () => {
    const vector = { [`${ACCOUNT}/0/0123456789abcdef`]: 17 };
    expect(checkTicket(issue({ vector }), expected())).toMatchObject({ account: ACCOUNT, vector });
    expect(checkTicket(issue({ nonceHash: null }), expected({ nonce: undefined })).account).toBe(ACCOUNT);
  });

  it('is refused elsewhere, for others, from strangers, too late, too early, and says why', () => {
    const cases: [string, () => unknown][] = [
      ['another node', () => checkTicket(issue(), expected({ node: stranger.peerId }))],
      ['another browser', () => checkTicket(issue(), expected({ nonce: 'other' }))],
      ['another browser', () => checkTicket(issue(), expected({ nonce: undefined }))],
      ['stranger', () => checkTicket(issue({}, stranger), expected())],
      ['expired', () => checkTicket(issue(), expected({ now: NOW + TICKET_LIFE_MS + CLOCK_SKEW_MAX_MS }))],
      ['future', () => checkTicket(issue(), expected({ now: NOW - CLOCK_SKEW_MAX_MS - 1 }))],
      ['changed', () => checkTicket(`${issue().slice(0, -2)}AA`, expected())],
    ];
    for (const [reason, check] of cases) {
      expect(check).toThrow(expect.objectContaining({ code: 'trust/ticket-refused' }));
      expect(check).toThrow(new RegExp(reason));
    }
    const lasting = signToken(coordinator, 'ticket', {
      id: 'cd'.repeat(16),
      account: ACCOUNT,
      node: node.peerId,
      nonceHash: null,
      issuedAt: NOW,
      expiresAt: NOW + DAY,
    });
    expect(() => checkTicket(lasting, expected())).toThrow(/too long/);
  });

  it('works between machines whose clocks differ as much as they may', () => {
    for (const skew of [-CLOCK_SKEW_MAX_MS, CLOCK_SKEW_MAX_MS]) {
      expect(checkTicket(issue(), expected({ now: NOW + skew })).account).toBe(ACCOUNT);
    }
  });
});
