/** Shapes that several protocols share. Every text and list has its bound here, because a peer could make it grow. */
import { z } from 'zod';
import { entityId } from '../../account/entries.js';

/** An Ed25519 PeerId as text. */
export { peerIdSchema as peerId } from '../../trust/identity.js';
export { entityId };
/** Of one peer; a machine with more tells the first of them. */
export const ADDRESSES_MAX = 32;
export const multiaddrs = z.array(z.string().min(1).max(512)).max(ADDRESSES_MAX);
/** A signed token (JWS in compact form). */
export const token = z.string().min(1).max(8192);
/** Text for people: names, reasons. */
export const words = z.string().max(500);
/** Milliseconds since 1970. */
export const time = z.number().int().nonnegative();
export const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
export const nonce = z.string().regex(/^[0-9a-f]{16,128}$/);
/** http or https, without credentials, query or fragment. */
export const publicUrl = z
  .url({ protocol: /^https?$/ })
  .max(512)
  .refine((text) => {
    // Also asked of what is no address at all: in a union every form is tried to its end.
    if (!URL.canParse(text)) return false;
    const url = new URL(text);
    return url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  }, 'must be a plain address without credentials, query or fragment');
export const version = z.string().min(1).max(64);
export const email = z.string().min(3).max(255);
export const username = z.string().min(1).max(255);
export const passwordHash = z.string().max(512);
