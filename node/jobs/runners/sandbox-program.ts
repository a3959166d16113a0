/**
 * What the installed bubblewrap can do, looked up in the program itself: nothing is started for it, and a version number
 * says little where distributions patch. Older ones than 0.8 refuse to start with an option that they do not know.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const OPTION = 'disable-userns';
/** The program has less than a tenth of it. */
const BYTES_MAX = 4 * 1024 * 1024;
const NAMESPACES_MAX = '/proc/sys/user/max_user_namespaces';

/** By path and time of change: an update of the program is noticed. */
const known = new Map<string, boolean>();

/** Whether it can forbid user namespaces. One with the set-user-ID bit cannot, nor one on a system that has none. */
export function canSealUsers(path: string): boolean {
  for (const folder of path.split(':').filter((one) => one.startsWith('/'))) {
    const file = join(folder, 'bwrap');
    const stat = statSync(file, { throwIfNoEntry: false });
    if (!stat?.isFile()) continue;
    const key = `${file} ${stat.mtimeMs}`;
    const can =
      known.get(key) ?? (stat.size <= BYTES_MAX && (stat.mode & 0o4000) === 0 && has(file) && areNamespaces());
    known.set(key, can);
    return can;
  }
  return false;
}

function has(file: string): boolean {
  try {
    return readFileSync(file).includes(OPTION);
  } catch {
    return false;
  }
}

function areNamespaces(): boolean {
  try {
    return Number(readFileSync(NAMESPACES_MAX, 'utf8')) > 0;
  } catch {
    return false;
  }
}
