/**
 * The key that a node or coordinator is: one Ed25519 key, from which its PeerId follows. It is made once, by `init`,
 * and never overwritten. The file holds libp2p's own protobuf encoding, mode 0600. Rejected: a passphrase, because a
 * node must come back after a power cut without a person.
 */
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';
import { type FileHandle, link, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  generateKeyPair,
  generateKeyPairFromSeed,
  privateKeyFromProtobuf,
  privateKeyToProtobuf,
} from '@libp2p/crypto/keys';
import type { Ed25519PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import { z } from 'zod';
import { trustErrors } from './errors.js';

/** What can sign in the name of a PeerId. */
export interface Signer {
  readonly peerId: string;
  sign(bytes: Uint8Array): Uint8Array;
}

const SEED_BYTES = 32;
const KEY_FILE_BYTES_MAX = 1024;
/** Everything of RFC 8410's PKCS #8 form that stands before the 32 bytes of the seed. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const CACHED_KEYS_MAX = 4096;

export class NodeKey implements Signer {
  readonly peerId: string;
  private readonly key: KeyObject;

  constructor(readonly privateKey: Ed25519PrivateKey) {
    this.peerId = peerIdFromPrivateKey(privateKey).toString();
    const seed = privateKey.raw.subarray(0, SEED_BYTES);
    this.key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  }

  static async generate(): Promise<NodeKey> {
    return new NodeKey(await generateKeyPair('Ed25519'));
  }

  /** The same 32 bytes give the same key: for tests and simulations. */
  static async fromSeed(seed: Uint8Array): Promise<NodeKey> {
    return new NodeKey(await generateKeyPairFromSeed('Ed25519', seed));
  }

  sign(bytes: Uint8Array): Uint8Array {
    return new Uint8Array(signBytes(null, bytes, this.key));
  }
}

/** Makes a new key in `file`. Errors: `trust/key-exists`, `trust/key-unreadable`. */
export async function createNodeKey(file: string): Promise<NodeKey> {
  const key = await NodeKey.generate();
  // Named after the key: what a crash left behind is in nobody's way.
  const partial = `${file}.${key.peerId}.new`;
  try {
    const handle = await open(partial, 'wx', 0o600);
    try {
      await handle.writeFile(privateKeyToProtobuf(key.privateKey));
      await handle.sync();
    } finally {
      await handle.close();
    }
    // A link, unlike a rename, fails when another process was first.
    await link(partial, file);
    await syncFolder(dirname(file));
    return key;
  } catch (cause) {
    if (hasCode(cause, 'EEXIST')) throw trustErrors('key-exists', { file }, { cause });
    throw trustErrors('key-unreadable', { file, reason: (cause as Error).message }, { cause });
  } finally {
    await rm(partial, { force: true });
  }
}

/** Errors: `trust/key-missing`, `trust/key-exposed`, `trust/key-malformed`, `trust/key-unreadable`. */
export async function loadNodeKey(file: string): Promise<NodeKey> {
  let bytes: Uint8Array;
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    const { mode, size } = await handle.stat();
    if ((mode & 0o077) !== 0) {
      throw trustErrors('key-exposed', { file, mode: (mode & 0o777).toString(8) });
    }
    if (size > KEY_FILE_BYTES_MAX) throw trustErrors('key-malformed', { file, reason: `it has ${size} bytes` });
    bytes = await handle.readFile();
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'DomainError') throw cause;
    if (hasCode(cause, 'ENOENT')) throw trustErrors('key-missing', { file }, { cause });
    throw trustErrors('key-unreadable', { file, reason: (cause as Error).message }, { cause });
  } finally {
    await handle?.close();
  }
  try {
    const privateKey = privateKeyFromProtobuf(bytes);
    if (privateKey.type !== 'Ed25519') throw new Error(`it is a ${privateKey.type} key`);
    const key = new NodeKey(privateKey);
    const probe = Buffer.from('galaxy');
    if (!verifySignature(key.peerId, probe, key.sign(probe))) throw new Error('its two halves do not belong together');
    return key;
  } catch (cause) {
    throw trustErrors('key-malformed', { file, reason: (cause as Error).message }, { cause });
  }
}

/** The key in `file`, made there when the file does not exist yet. */
export async function openNodeKey(file: string): Promise<NodeKey> {
  const exists = await stat(file).then(
    () => true,
    (error: unknown) => !hasCode(error, 'ENOENT'),
  );
  return exists ? loadNodeKey(file) : createNodeKey(file);
}

/** The raw 32-byte Ed25519 key inside a PeerId. Throws for any other text. */
export function publicKeyOf(peerId: string): Uint8Array {
  const parsed = peerIdFromString(peerId);
  if (parsed.type !== 'Ed25519' || parsed.toString() !== peerId) throw new Error('not the PeerId of an Ed25519 key');
  return parsed.publicKey.raw;
}

export function isPeerId(text: string): boolean {
  try {
    return publicKeyOf(text).length === SEED_BYTES;
  } catch {
    return false;
  }
}

/** A PeerId of an Ed25519 key in its usual form (`12D3Koo…`), as every message carries it. */
export const peerIdSchema = z
  .string()
  .max(64)
  .refine((text) => isPeerId(text), 'must be the PeerId of an Ed25519 key');

const publicKeys = new Map<string, KeyObject>();

/** False for a wrong signature and for a PeerId that holds no Ed25519 key. */
export function verifySignature(peerId: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  let key = publicKeys.get(peerId);
  if (key === undefined) {
    try {
      const x = Buffer.from(publicKeyOf(peerId)).toString('base64url');
      key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    } catch {
      return false;
    }
    // Strangers can name as many keys as they like, so the cache is dropped rather than grown.
    if (publicKeys.size >= CACHED_KEYS_MAX) publicKeys.clear();
    publicKeys.set(peerId, key);
  }
  return verifyBytes(null, bytes, key, signature);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function hasCode(error: unknown, code: string): boolean {
  return (error as { code?: unknown } | undefined)?.code === code;
}
