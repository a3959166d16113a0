/** What is in a folder, byte for byte, to see that nothing was changed. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Path inside the folder → hash of the file; folders and sockets by name. */
export function folderHash(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const content = entry.isFile() ? readFileSync(path) : Buffer.from(entry.isDirectory() ? 'folder' : 'special');
    found[path.slice(folder.length + 1)] = createHash('sha256').update(content).digest('hex');
  }
  return found;
}
