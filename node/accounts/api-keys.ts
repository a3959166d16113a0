/**
 * API keys: 16 hex digits of the account's id, so that any process can route by a key, and 32 of randomness. Looked up
 * by SHA-256. The key itself is kept sealed (AES-256-GCM), because Galaxy's key page and BioBlend show a key again; the
 * sealing key is a file of the node until the node belongs to a network, and the network's afterwards.
 */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { link, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Random, randomHex } from '../../protocol/runtime/random.js';
import { accountErrors } from './errors.js';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 'v1';

export function newApiKey(account: string, random: Random): string {
  return account + randomHex(random, 16);
}

/** The account a key belongs to by its own word; undefined for what is no key of ours. */
export function accountOfApiKey(key: string): string | undefined {
  return /^[0-9a-f]{48}$/.test(key) ? key.slice(0, 16) : undefined;
}

export function hashApiKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** Hides short texts under one key. What is sealed for one purpose and owner opens for no other. */
export class Sealer {
  constructor(
    private readonly key: Uint8Array,
    private readonly deps: { random: Random },
  ) {
    if (key.length !== KEY_BYTES) throw new Error(`a sealing key has ${KEY_BYTES} bytes, not ${key.length}`);
  }

  seal(text: string, context: string): string {
    const nonce = this.deps.random.bytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce).setAAD(Buffer.from(context));
    const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${VERSION}.${sealed.toString('base64url')}`;
  }

  /** Undefined when it was sealed under another key or context, or changed. */
  open(sealed: string, context: string): string | undefined {
    const [version, body] = sealed.split('.');
    const bytes = Buffer.from(body ?? '', 'base64url');
    if (version !== VERSION || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, NONCE_BYTES));
      decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-TAG_BYTES));
      const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    } catch {
      return undefined;
    }
  }
}

/** The sealing key in `file`, made there (mode 0600) when the file does not exist yet. Errors: `accounts/key-file`. */
export async function openSealer(file: string, deps: { random: Random }): Promise<Sealer> {
  const refuse = (reason: string, cause?: unknown) => accountErrors('key-file', { file, reason }, { cause });
  try {
    const partial = `${file}.${randomHex(deps.random, 4)}.new`;
    const exists = await stat(file).catch(() => undefined);
    if (exists === undefined) {
      const handle = await open(partial, 'wx', 0o600);
      try {
        await handle.writeFile(`${randomHex(deps.random, KEY_BYTES)}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
      // A link, unlike a rename, never replaces a key that another process has just made.
      await link(partial, file).catch((error: { code?: string }) => {
        if (error.code !== 'EEXIST') throw error;
      });
      await rm(partial, { force: true });
      await syncFolder(dirname(file));
    } else if (exists.mode % 0o100 !== 0) {
      throw refuse('other users of this machine can read it; run `chmod 600` on it');
    }
    const text = (await readFile(file, 'utf8')).trim();
    if (!/^[0-9a-f]{64}$/.test(text)) throw refuse('it does not hold 64 hexadecimal digits');
    return new Sealer(Buffer.from(text, 'hex'), deps);
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'DomainError') throw cause;
    throw refuse((cause as Error).message, cause);
  }
}

/** Without it the file's name may be gone after a power cut, and with it every key that was sealed. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
