/**
 * The folder that holds everything of a process: who it belongs to, and that only one process uses it.
 *
 * `folder.json` says what it is (kind, format, PeerId, storeId, boot number); `process.lock` names the running process.
 * The lock is a hint for people; LevelDB's own lock is what excludes. A format newer than this program is refused,
 * never "upgraded down".
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { defineErrors } from './errors.js';
import { check, sentenceOf } from './schema-words.js';

export const folderErrors = defineErrors('folder', {
  'not-initialised': {
    kind: 'bad-request',
    say: 'There is no {kind} in {folder} yet.',
    mend: 'Run `galaxy-{kind} init` first, or name another folder with --data.',
  },
  'already-initialised': {
    kind: 'conflict',
    say: '{folder} already holds a {kind}.',
    mend: 'Start it with `galaxy-{kind} start`, or name another folder with --data.',
  },
  'not-empty': {
    kind: 'conflict',
    say: '{folder} holds other files ({files}); nothing was written there.',
    mend: 'Name a new or an empty folder, for example --data {suggestion}.',
  },
  'other-kind': {
    kind: 'bad-request',
    say: '{folder} belongs to a {found}, not to a {kind}.',
    mend: 'Name another folder with --data.',
  },
  'other-owner': {
    kind: 'bad-request',
    say: '{folder} belongs to {found}, but its key file is that of {peer}.',
    mend: 'Put the matching key file back, or start with an empty folder and join anew.',
  },
  newer: {
    kind: 'bad-request',
    say: '{folder} was written by a newer version (format {found}; this program reads up to {format}).',
    mend: 'Start the newer version. Nothing was changed.',
  },
  damaged: {
    kind: 'corrupt',
    say: '{file} is damaged: {reason}.',
    mend: 'Nothing was changed. Restore the file from a backup.',
  },
  'in-use': {
    kind: 'conflict',
    say: '{folder} is in use by process {pid}.',
    mend: 'Stop that process first (`galaxy-{kind} stop`), or name another folder with --data.',
  },
  unwritable: {
    kind: 'bad-request',
    say: '{folder} cannot be written: {reason}.',
    mend: 'Check the owner and permissions of the folder, or name another one with --data.',
  },
  'no-space': {
    kind: 'no-space',
    say: 'The disk that holds {folder} is full.',
    mend: 'Free some space and start again.',
  },
});

export const FOLDER_FORMAT = 1;

const folderFile = z.object({
  kind: z.enum(['node', 'coordinator']),
  format: z.number().int().positive(),
  peerId: z.string().min(1).max(128),
  /** New at every init or restore: a confirmation names it, so that a restored copy counts as another holder. */
  storeId: z.string().regex(/^[0-9a-f]{32}$/),
  /** Counts the starts; a cloned folder gives itself away by it. */
  boot: z.number().int().nonnegative(),
  createdAt: z.string(),
});

export type FolderInfo = z.output<typeof folderFile>;
export type FolderKind = FolderInfo['kind'];

const lockFile = z.object({ pid: z.number().int().positive(), started: z.string(), control: z.string().optional() });

/** What a running process says of itself to the commands run beside it. */
export type LockInfo = z.output<typeof lockFile>;

export class DataFolder {
  private locked = false;
  private lockStarted = '';

  constructor(
    readonly path: string,
    readonly info: FolderInfo,
  ) {}

  file(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** Makes the folder if needed and writes its identity. Errors: `folder/already-initialised`, `folder/unwritable`. */
  static create(path: string, info: Omit<FolderInfo, 'format' | 'boot'>): DataFolder {
    const folder = resolve(path);
    if (readInfo(folder) !== undefined) throw folderErrors('already-initialised', { folder, kind: info.kind });
    const complete: FolderInfo = { ...info, format: FOLDER_FORMAT, boot: 0 };
    makeFolder(folder);
    writeDurably(folder, 'folder.json', `${JSON.stringify(complete, null, 2)}\n`);
    return new DataFolder(folder, complete);
  }

  static exists(path: string): boolean {
    return readInfo(resolve(path)) !== undefined;
  }

  static open(path: string, kind: FolderKind): DataFolder {
    const folder = resolve(path);
    const info = readInfo(folder);
    if (info === undefined) throw folderErrors('not-initialised', { folder, kind });
    if (info.format > FOLDER_FORMAT) throw folderErrors('newer', { folder, found: info.format, format: FOLDER_FORMAT });
    if (info.kind !== kind) throw folderErrors('other-kind', { folder, found: info.kind, kind });
    return new DataFolder(folder, info);
  }

  /** The process that runs on this folder, or undefined. */
  static running(path: string): LockInfo | undefined {
    const lock = readLock(resolve(path));
    return lock !== undefined && isAlive(lock) ? lock : undefined;
  }

  /** Takes the folder for this process. Errors: `folder/in-use` with the other's pid. */
  lock(startedAt: string): this {
    const other = DataFolder.running(this.path);
    if (other !== undefined && other.pid !== process.pid) {
      throw folderErrors('in-use', { folder: this.path, pid: other.pid, kind: this.info.kind });
    }
    this.lockStarted = processStart(process.pid) ?? startedAt;
    writeDurably(this.path, 'process.lock', JSON.stringify({ pid: process.pid, started: this.lockStarted }));
    this.locked = true;
    return this;
  }

  /**
   * Counts the start, once the store is open: a folder whose boot number is not 0 has a store, and one that was refused
   * is as it was.
   */
  countStart(): FolderInfo {
    // Read again: a command may have used the folder since this object was made, and a boot number is never used twice.
    const { boot } = readInfo(this.path) ?? this.info;
    const next: FolderInfo = { ...this.info, boot: boot + 1 };
    writeDurably(this.path, 'folder.json', `${JSON.stringify(next, null, 2)}\n`);
    return next;
  }

  /** Tells commands run beside this process where to reach it: the path of its control socket. */
  announceControl(control: string): void {
    writeDurably(this.path, 'process.lock', JSON.stringify({ pid: process.pid, started: this.lockStarted, control }));
  }

  unlock(): void {
    // Two processes that start at the same moment both write it; the one that is turned away must not remove the other's.
    if (this.locked && readLock(this.path)?.pid === process.pid)
      rmSync(join(this.path, 'process.lock'), { force: true });
    this.locked = false;
  }
}

/** Written whole or not at all: temporary file, fsync, rename, fsync of the folder. */
export function writeDurably(folder: string, name: string, text: string | Uint8Array, mode = 0o600): void {
  const target = join(folder, name);
  const temporary = `${target}.tmp`;
  try {
    // What an interrupted write left may have other permissions, which opening would not change.
    rmSync(temporary, { force: true });
    const file = openSync(temporary, 'wx', mode);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, target);
    const directory = openSync(folder, 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  } catch (error) {
    rmSync(temporary, { force: true });
    throw folderProblem(folder, error);
  }
}

/**
 * With its parents, one after the other: the recursive form of mkdir never comes back where the system takes no folder at
 * all, as in /proc. Errors: `folder/unwritable`, `folder/no-space`.
 */
export function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  const parent = dirname(folder);
  if (parent !== folder) makeFolder(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Another process was first.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw folderProblem(folder, error);
  }
}

/** Made by a file system itself. */
const NOBODYS = new Set(['lost+found']);
const FOREIGN_NAMED = 3;

/** A folder that is to be a data folder holds nothing but `ours`. Errors: `folder/not-empty`, `folder/unwritable`. */
export function refuseForeign(path: string, ours: readonly string[], kind: FolderKind): void {
  const folder = resolve(path);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw folderProblem(folder, error);
  }
  // An interrupted write leaves a `.tmp`.
  const foreign = names.filter((name) => !NOBODYS.has(name) && !ours.includes(name.replace(/\.tmp$/, ''))).sort();
  if (foreign.length === 0) return;
  const named = foreign.slice(0, FOREIGN_NAMED).join(', ');
  const files = foreign.length > FOREIGN_NAMED ? `${named} and ${foreign.length - FOREIGN_NAMED} more` : named;
  throw folderErrors('not-empty', { folder, files, suggestion: join(folder, `galaxy-${kind}-data`) });
}

function folderProblem(folder: string, error: unknown) {
  if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return folderErrors('no-space', { folder }, { cause: error });
  return folderErrors('unwritable', { folder, reason: (error as Error).message }, { cause: error });
}

function readInfo(folder: string): FolderInfo | undefined {
  const file = join(folder, 'folder.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    // Not the file's own fault.
    if (code === 'ENOTDIR' || code === 'EACCES' || code === 'EPERM' || code === 'ELOOP' || code === 'ENAMETOOLONG') {
      throw folderErrors('unwritable', { folder, reason: message }, { cause: error });
    }
    throw folderErrors('damaged', { file, reason: (error as Error).message }, { cause: error });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw folderErrors('damaged', { file, reason: 'it is not JSON' }, { cause: error });
  }
  const format = z.object({ format: z.number().int() }).safeParse(parsed);
  // A newer format may have other fields: say "newer", not "damaged".
  if (format.success && format.data.format > FOLDER_FORMAT) {
    throw folderErrors('newer', { folder, found: format.data.format, format: FOLDER_FORMAT });
  }
  const { data, problem } = check(folderFile, parsed);
  if (problem !== undefined) throw folderErrors('damaged', { file, reason: sentenceOf(problem) });
  return data;
}

/** Undefined also for one that cannot be read: it is a hint, the store's own lock excludes. */
function readLock(folder: string): LockInfo | undefined {
  try {
    const lock = lockFile.safeParse(JSON.parse(readFileSync(join(folder, 'process.lock'), 'utf8')));
    return lock.success ? lock.data : undefined;
  } catch {
    return undefined;
  }
}

/** A pid may have been given to another program since: the start time tells them apart. */
function isAlive(lock: LockInfo): boolean {
  const started = processStart(lock.pid);
  if (started !== undefined) return started === lock.started;
  try {
    process.kill(lock.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Start time in clock ticks since boot, from /proc/PID/stat (field 22, proc(5)); undefined where there is no /proc. */
function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended: only its parent has not noticed.
    return fields[0] === 'Z' ? 'ended' : fields[19];
  } catch {
    return undefined;
  }
}
