/**
 * Whether a node may register now: pure, with the reason as a code of `registerErrors`.
 *
 * The boot number grows at every start and is fsynced by the node before it registers; the nonce is drawn at every
 * start. Together they tell a copied data folder from a lost connection: the same process comes back with the same pair,
 * a copy comes with a number that was used, or while the other is alive.
 */
import type { ErrorData } from '../protocol/runtime/errors.js';
import { CLOCK_SKEW_MAX_MS } from '../protocol/wire/limits.js';

export interface AdmissionRequest {
  peerId: string;
  boot: number;
  bootNonce: string;
  storeId: string;
  /** The node's clock when it sent this. */
  nowMs: number;
  version: string;
}

export interface AdmissionRecord {
  revoked: boolean;
  credentialExpiresAtMs: number;
  /** Of the last admitted start; undefined before the first. */
  last?: { boot: number; bootNonce: string; storeId: string };
  /** A registration under this PeerId is open and was heard from recently. */
  live: boolean;
  /** Its URL was fetched, or is not needed. */
  reachable: boolean;
  reachableReason: string;
}

export interface AdmissionRules {
  nowMs: number;
  /** Days an expired credential is still good for asking for a new one. */
  graceMs: number;
  versionMin: string;
  requireReachableUrl: boolean;
}

export type AdmissionCode =
  | 'not-a-member'
  | 'revoked'
  | 'credential-expired'
  | 'old-boot'
  | 'second-boot'
  | 'other-store'
  | 'clock-skew'
  | 'protocol-version'
  | 'no-reachable-url';

export type Admission =
  | {
      admitted: true;
      /** The same process came back; whatever was open under it is replaced. */
      resumed: boolean;
      reasons: string[];
    }
  | { admitted: false; code: AdmissionCode; data: ErrorData; reasons: string[] };

export function admit(
  request: AdmissionRequest,
  record: AdmissionRecord | undefined,
  rules: AdmissionRules,
): Admission {
  if (record === undefined) return refuse('not-a-member', {}, 'no credential was ever given to this PeerId');
  if (record.revoked) return refuse('revoked', {}, 'its credential was revoked');
  if (rules.nowMs > record.credentialExpiresAtMs + rules.graceMs) {
    const expired = new Date(record.credentialExpiresAtMs).toISOString().slice(0, 10);
    return refuse('credential-expired', { expired }, `its credential ended on ${expired}`);
  }
  if (compareVersions(request.version, rules.versionMin) < 0) {
    const data = { version: request.version, needed: rules.versionMin };
    return refuse('protocol-version', data, `version ${data.version} is older than ${data.needed}`);
  }
  const skewMs = Math.abs(request.nowMs - rules.nowMs);
  if (skewMs > CLOCK_SKEW_MAX_MS) {
    const data = { seconds: Math.round(skewMs / 1000), max: CLOCK_SKEW_MAX_MS / 1000 };
    return refuse('clock-skew', data, `the clocks are ${data.seconds} s apart`);
  }
  const last = record.last;
  const resumed = last !== undefined && last.boot === request.boot && last.bootNonce === request.bootNonce;
  if (last !== undefined && !resumed) {
    if (request.boot <= last.boot) {
      const data = { boot: request.boot, last: last.boot };
      return refuse('old-boot', data, `boot ${request.boot} is not above ${last.boot}`);
    }
    if (record.live) return refuse('second-boot', {}, 'another process with this key is registered and alive');
  }
  if (last !== undefined && resumed && last.storeId !== request.storeId) {
    return refuse('other-store', {}, 'the same start names another store');
  }
  if (rules.requireReachableUrl && !record.reachable) {
    return refuse('no-reachable-url', { reason: record.reachableReason }, record.reachableReason);
  }
  const reasons = [resumed ? 'the same process came back' : 'a new start'];
  if (last !== undefined && last.storeId !== request.storeId) {
    reasons.push('its store is new: what the old one confirmed counts no longer');
  }
  return { admitted: true, resumed, reasons };
}

function refuse(code: AdmissionCode, data: ErrorData, reason: string): Admission {
  return { admitted: false, code, data, reasons: [reason] };
}

/** Numeric parts of dotted versions; anything after a hyphen is ignored. A text without numbers is the oldest. */
export function compareVersions(a: string, b: string): number {
  const parts = (text: string) =>
    (text.split('-')[0] as string).split('.').map((part) => (/^\d{1,9}$/.test(part) ? Number(part) : 0));
  const [left, right] = [parts(a), parts(b)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}
