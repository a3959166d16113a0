import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createNodeKey,
  isPeerId,
  loadNodeKey,
  NodeKey,
  openNodeKey,
  publicKeyOf,
  verifySignature,
} from '../../../protocol/trust/identity.js';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'galaxy-key-'));
  file = join(folder, 'node.key');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the key of a node', () => {
  it('is made once, for its owner alone, and found again', async () => {
    const made = await createNodeKey(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await loadNodeKey(file)).peerId).toBe(made.peerId);
    expect((await openNodeKey(file)).peerId).toBe(made.peerId);
    expect(await readdir(folder)).toEqual(['node.key']);
  });

  it('is never overwritten', async () => {
    const made = await createNodeKey(file);
    await expect(createNodeKey(file)).rejects.toMatchObject({ code: 'trust/key-exists', data: { file } });
    expect((await loadNodeKey(file)).peerId).toBe(made.peerId);
    expect(await readdir(folder)).toEqual(['node.key']);
  });

  it('is made by one of two processes that start together', async () => {
    const results = await Promise.allSettled([createNodeKey(file), createNodeKey(file)]);
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    expect(await readdir(folder)).toEqual(['node.key']);
  });

  it('that others may read is refused, and the file named', async () => {
    await createNodeKey(file);
    for (const mode of [0o640, 0o604, 0o644, 0o620]) {
      await chmod(file, mode);
      await expect(openNodeKey(file)).rejects.toMatchObject({ code: 'trust/key-exposed', data: { file } });
    }
  });

  it('that is cut, changed, empty, huge or of another kind is refused, and the file left as it is', async () => {
    await createNodeKey(file);
    const good = await readFile(file);
    const halves = Buffer.from(good);
    halves[halves.length - 1] = (halves[halves.length - 1] as number) ^ 1;
    const rsa = privateKeyToProtobuf(await generateKeyPair('secp256k1'));
    for (const bytes of [good.subarray(0, 20), halves, Buffer.alloc(0), Buffer.alloc(5000), rsa]) {
      await writeFile(file, bytes);
      await expect(openNodeKey(file)).rejects.toMatchObject({ code: 'trust/key-malformed', data: { file } });
      expect(await readFile(file)).toEqual(Buffer.from(bytes));
    }
  });

  it('that is missing, or whose folder is, is said plainly', async () => {
    await expect(loadNodeKey(file)).rejects.toMatchObject({ code: 'trust/key-missing', data: { file } });
    const nowhere = join(folder, 'missing', 'node.key');
    await expect(createNodeKey(nowhere)).rejects.toMatchObject({ code: 'trust/key-unreadable' });
  });

  it('signs what its PeerId alone verifies', async () => {
    const [key, other] = [await NodeKey.generate(), await NodeKey.generate()];
    const signature = key.sign(Buffer.from('text'));
    expect(verifySignature(key.peerId, Buffer.from('text'), signature)).toBe(true);
    expect(verifySignature(key.peerId, Buffer.from('texT'), signature)).toBe(false);
    expect(verifySignature(other.peerId, Buffer.from('text'), signature)).toBe(false);
    expect(verifySignature('nobody', Buffer.from('text'), signature)).toBe(false);
  });

  it('is held in the PeerId, and only in one spelling', async () => {
    const key = await NodeKey.generate();
    expect(Buffer.from(publicKeyOf(key.peerId))).toEqual(Buffer.from(key.privateKey.publicKey.raw));
    for (const text of [
      '',
      'me',
      key.peerId.slice(0, -1),
      ` ${key.peerId}`,
      key.privateKey.publicKey.toCID().toString(),
    ]) {
      expect(isPeerId(text)).toBe(false);
    }
    expect(isPeerId(key.peerId)).toBe(true);
  });
});
