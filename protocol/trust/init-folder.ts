/**
 * Makes a new data folder for a node or a coordinator: its key, its configuration file, its identity. Refuses to touch a
 * folder that holds one already, or other files.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  DataFolder,
  type FolderKind,
  folderErrors,
  makeFolder,
  refuseForeign,
  writeDurably,
} from '../runtime/data-folder.js';
import { openNodeKey } from './identity.js';

export const KEY_FILES: Record<FolderKind, string> = { node: 'node.key', coordinator: 'coordinator.key' };

export async function initFolder(
  kind: FolderKind,
  folder: string,
  config: { name: string; text: string },
  now: Date,
): Promise<{ peerId: string; configFile: string }> {
  if (DataFolder.exists(folder)) throw folderErrors('already-initialised', { folder, kind });
  // What an interrupted init left is taken up.
  refuseForeign(folder, [KEY_FILES[kind], config.name, 'folder.json'], kind);
  makeFolder(folder);
  // The key first and the identity last: an interrupted init is not taken for a finished one.
  const key = await openNodeKey(join(folder, KEY_FILES[kind]));
  const configFile = join(folder, config.name);
  if (!existsSync(configFile)) writeDurably(folder, config.name, config.text);
  DataFolder.create(folder, {
    kind,
    peerId: key.peerId,
    storeId: randomBytes(16).toString('hex'),
    createdAt: now.toISOString(),
  });
  return { peerId: key.peerId, configFile };
}
