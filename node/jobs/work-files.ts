/**
 * Files that a tool left in its folder, taken without trust: only plain files whose real place is inside the run's folder
 * come out of here, and a second name of a file that something may still write is copied.
 */
import { constants } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, realpath, rename, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, sep } from 'node:path';
import { glob } from './glob.js';
import { runPaths } from './run-spec.js';

/** Names looked at in one folder of a run; a tool may write more, and is told. */
const ENTRIES_MAX = 100_000;
const DEPTH_MAX = 32;

/** The real path; undefined when there is nothing. Throws a sentence when it must not be taken. */
export async function plainFile(folder: string, path: string, shown: string): Promise<string | undefined> {
  if ((await lstat(path).catch(notThere)) === undefined) return undefined;
  const real = await realpath(path).catch(notThere);
  if (real === undefined) throw new Error(`${shown} is a link to nothing.`);
  if (!real.startsWith((await realpath(folder)) + sep)) {
    throw new Error(`${shown} is a link out of the job's folder; it was not followed.`);
  }
  if (!(await lstat(real)).isFile()) throw new Error(`${shown} is not a plain file.`);
  return real;
}

/** Moves a plain file to `target`, or copies it when it has another name. */
export async function takeFile(real: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  await rm(target, { recursive: true, force: true });
  if ((await lstat(real)).nlink > 1) await copyFile(real, target, constants.COPYFILE_FICLONE);
  else await rename(real, target);
}

/**
 * Files of the working folder that went to outputs, by the place they had. Several outputs may ask for one file: the
 * first gets it, and later ones a copy of what the first got, which no tool can write any more.
 */
export class TakenFiles {
  private readonly places = new Map<string, string>();

  constructor(private readonly folder: string) {}

  /** `relative`: to the working folder. False when there is no such file. Throws a sentence when it must not be taken. */
  async take(relative: string, target: string): Promise<boolean> {
    const path = join(runPaths(this.folder).working, relative);
    const held = this.places.get(path);
    if (held !== undefined) {
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await rm(target, { recursive: true, force: true });
      await copyFile(held, target, constants.COPYFILE_FICLONE);
      return true;
    }
    const real = await plainFile(this.folder, path, relative);
    if (real === undefined) return false;
    await takeFile(real, target);
    this.places.set(path, target);
    return true;
  }

  /** Relative paths of what was taken, in order. */
  paths(): string[] {
    const working = runPaths(this.folder).working;
    return [...this.places.keys()].map((path) => path.slice(working.length + 1)).sort();
  }
}

/** Whether a path that a wrapper or a tool names stays below the folder that it is relative to. */
export function staysInside(relative: string): boolean {
  return !isAbsolute(relative) && !relative.includes('\0') && !relative.split('/').includes('..');
}

/** Relative paths of what is in a folder and is no folder itself, sorted; links to folders are not followed. */
export async function filesIn(root: string, options: { recurse: boolean }): Promise<string[]> {
  const found: string[] = [];
  let looked = 0;
  const visit = async (relative: string, depth: number): Promise<void> => {
    const entries = await readdir(join(root, relative), { withFileTypes: true }).catch(noFolder);
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      looked += 1;
      if (looked > ENTRIES_MAX) return;
      const path = relative === '' ? entry.name : `${relative}/${entry.name}`;
      if (!entry.isDirectory()) found.push(path);
      else if (options.recurse && depth < DEPTH_MAX) await visit(path, depth + 1);
    }
  };
  await visit('', 0);
  return found;
}

/**
 * What a shell would make of `reads/*.fq` below `working/`: the first in order; undefined when nothing fits. `also`:
 * what was there and has been taken.
 */
export async function globbed(
  folder: string,
  pattern: string,
  also: readonly string[] = [],
): Promise<string | undefined> {
  const working = runPaths(folder).working;
  if (
    !/[*?[]/.test(pattern) ||
    also.includes(pattern) ||
    (await lstat(join(working, pattern)).catch(notThere)) !== undefined
  )
    return pattern;
  let paths = [''];
  for (const part of pattern.split('/').filter((one) => one !== '' && one !== '.')) {
    const fits = glob(part);
    const next: string[] = [];
    for (const path of paths) {
      const names = await readdir(join(working, path)).catch(noFolder);
      for (const name of names.sort()) {
        if (fits(name) && (!name.startsWith('.') || part.startsWith('.')))
          next.push(path === '' ? name : `${path}/${name}`);
      }
    }
    paths = next.slice(0, ENTRIES_MAX);
  }
  const parts = pattern
    .split('/')
    .filter((one) => one !== '' && one !== '.')
    .map(glob);
  const taken = also.filter((path) => {
    const names = path.split('/');
    return names.length === parts.length && names.every((name, index) => parts[index]?.(name));
  });
  return [...paths, ...taken].sort()[0];
}

export function notThere(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}

function noFolder(error: NodeJS.ErrnoException): [] {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
  throw error;
}
