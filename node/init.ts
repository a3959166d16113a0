/** Makes a new node: data folder, key, identity, configuration file. Refuses to touch a folder that holds one already. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataFolder, folderErrors, writeDurably } from '../protocol/runtime/data-folder.js';
import { openNodeKey } from '../protocol/trust/identity.js';

export const KEY_FILE = 'node.key';
export const CONFIG_FILE = 'galaxy-node.yml';

export async function initNode(path: string, configText: string): Promise<{ peerId: string; configFile: string }> {
  if (DataFolder.exists(path)) throw folderErrors('already-initialised', { folder: path, kind: 'node' });
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw folderErrors('unwritable', { folder: path, reason: (cause as Error).message }, { cause });
  }
  // The key first and the folder's identity last: an interrupted init is not taken for a node.
  const key = await openNodeKey(join(path, KEY_FILE));
  const configFile = join(path, CONFIG_FILE);
  if (!existsSync(configFile)) writeDurably(path, CONFIG_FILE, configText);
  DataFolder.create(path, {
    kind: 'node',
    peerId: key.peerId,
    storeId: randomBytes(16).toString('hex'),
    createdAt: new Date().toISOString(),
  });
  return { peerId: key.peerId, configFile };
}
