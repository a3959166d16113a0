import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Digest,
  decodeDigest,
  encodeDigest,
  gossipIntervalMs,
  heartbeatTopic,
  isNewer,
  judgeDigest,
} from '../../../protocol/membership/heartbeat.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { CLOCK_SKEW_MAX_MS, DIGEST_BYTES_MAX } from '../../../protocol/wire/limits.js';

const NOW = Date.UTC(2026, 2, 1);
let peer: string;
let other: string;

beforeAll(async () => {
  peer = (await NodeKey.generate()).peerId;
  other = (await NodeKey.generate()).peerId;
});

const digest = (change: Partial<Digest> = {}): Digest => ({
  peerId: peer,
  boot: 3,
  sequence: 10,
  state: 'serving',
  publicUrl: 'https://galaxy.example.org',
  location: { lat: 59.86, lon: 17.64 },
  slots: 8,
  queued: 2,
  running: 5,
  freeBytes: 10 ** 12,
  replicationLag: { bytes: 0, ageMs: 0 },
  version: '0.1.0',
  hearsCoordinator: true,
  sentAt: NOW,
  ...change,
});

describe('a heartbeat’s digest', () => {
  it('comes out as it went in, within 2 KiB even at its largest', () => {
    expect(decodeDigest(encodeDigest(digest()))).toEqual(digest());
    const large = digest({
      publicUrl: `https://${'a'.repeat(60)}.org/${'b'.repeat(200)}`,
      version: 'v'.repeat(40),
      freeBytes: Number.MAX_SAFE_INTEGER,
      location: { lat: -89.123456789012, lon: -179.123456789012 },
    });
    expect(encodeDigest(large).byteLength).toBeLessThan(DIGEST_BYTES_MAX);
    expect(decodeDigest(encodeDigest(large))).toEqual(large);
  });

  it('that is cut, changed or made up gets an error and nothing else', () => {
    const good = encodeDigest(digest());
    for (let length = 0; length < good.byteLength; length++) {
      expect(() => decodeDigest(good.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'membership/malformed-digest' }),
      );
    }
    expect(() => decodeDigest(Buffer.alloc(DIGEST_BYTES_MAX + 1, 32))).toThrow(/bytes/);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          expect(() => decodeDigest(bytes)).toThrow(expect.objectContaining({ code: 'membership/malformed-digest' }));
        },
      ),
    );
    for (const change of [{ boot: -1 }, { state: 'asleep' }, { publicUrl: 'ftp://x' }, { peerId: 'me' }]) {
      expect(() => encodeDigest(digest(change as Partial<Digest>))).toThrow();
    }
  });

  it('is newer by boot first, then by sequence', () => {
    expect(isNewer({ boot: 2, sequence: 0 }, { boot: 1, sequence: 99 })).toBe(true);
    expect(isNewer({ boot: 1, sequence: 1 }, { boot: 1, sequence: 1 })).toBe(false);
    expect(isNewer({ boot: 1, sequence: 2 }, { boot: 1, sequence: 1 })).toBe(true);
    expect(isNewer({ boot: 1, sequence: 9 }, { boot: 2, sequence: 1 })).toBe(false);
  });

  it('is gossiped each 2 s up to 50 members, and more seldom beyond', () => {
    expect([1, 50, 100, 1000].map(gossipIntervalMs)).toEqual([2000, 2000, 4000, 40_000]);
    expect(heartbeatTopic('nordic')).toBe('/galaxy/nordic/heartbeat/1');
  });

  it('is accepted from a member who speaks for itself, and else ignored or rejected with a reason', () => {
    const known = { admits: (who: string) => who === peer, last: () => undefined, now: NOW };
    const bytes = encodeDigest(digest());
    expect(judgeDigest(peer, bytes, known)).toEqual({ verdict: 'accept', digest: digest() });
    expect(judgeDigest(other, bytes, known)).toMatchObject({ verdict: 'ignore', reason: 'not a member' });
    expect(judgeDigest(other, bytes, { ...known, admits: () => true })).toMatchObject({ verdict: 'reject' });
    expect(judgeDigest(peer, Buffer.from('{}'), known)).toMatchObject({ verdict: 'reject' });
    const late = encodeDigest(digest({ sentAt: NOW - CLOCK_SKEW_MAX_MS - 1 }));
    expect(judgeDigest(peer, late, known)).toMatchObject({ verdict: 'ignore', reason: 'its clock is off' });
    const seen = { ...known, last: () => ({ boot: 3, sequence: 10 }) };
    expect(judgeDigest(peer, bytes, seen)).toMatchObject({ verdict: 'ignore', reason: 'not newer' });
  });
});
