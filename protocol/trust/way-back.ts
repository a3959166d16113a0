/**
 * The way back: where a browser that signs in at a node is to be sent while the network's address makes sure that it is
 * the same browser. Signed by that node, because a browser may be at an address that the network does not know (a machine
 * of its own behind no public URL), and a wish in a query must lead nobody to another site.
 *
 * It says nothing of who signs in, and is no secret.
 */
import { z } from 'zod';
import { CLOCK_SKEW_MAX_MS } from '../wire/limits.js';
import { trustErrors } from './errors.js';
import type { Signer } from './identity.js';
import { openToken, signToken } from './signed.js';

const KIND = 'way-back';
const LIFE_MS = 60_000;

const wayBack = z.object({
  /** Of the node, as this browser reaches it; without a slash at its end. */
  url: z.url({ protocol: /^https?$/ }).max(512),
  expiresAt: z.number(),
});

/** The page of the node that the browser is sent back to. */
export const HAND_OFF_PATH = '/galaxy-node/hand-off';

export function issueWayBack(signer: Signer, url: string, now: number): string {
  return signToken(signer, KIND, { url, expiresAt: now + LIFE_MS });
}

/** Whether the signer is a member, the caller decides. Errors: `trust/malformed` and the like. */
export function openWayBack(token: string, now: number): { url: string; node: string } {
  const { payload, signer } = openToken(token, KIND, wayBack);
  const isInTime =
    now < payload.expiresAt + CLOCK_SKEW_MAX_MS && payload.expiresAt <= now + LIFE_MS + CLOCK_SKEW_MAX_MS;
  if (!isInTime) throw trustErrors('malformed', { kind: KIND, reason: 'it is not of this minute' });
  return { url: payload.url.replace(/\/$/, ''), node: signer };
}
