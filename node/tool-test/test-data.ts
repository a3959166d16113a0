/**
 * Where a wrapper's test files are: in `test-data` beside it, or beside a folder above it, up to the root of what it
 * belongs to. A name never leads out of test-data.
 */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { importBoundary } from '../toolbox/wrapper/sources.js';

const NAMES = ['test-data', 'test_data'];
const FILES_MAX = 10_000;

export class TestData {
  private readonly folders: string[];

  /** `root`: what the user named; test-data beside it counts for every wrapper in it. */
  constructor(wrapper: string, root: string) {
    this.folders = foldersFor(resolve(wrapper), resolve(root));
  }

  /** The real path of a file or folder; undefined when there is none of that name. */
  find(name: string): string | undefined {
    if (isAbsolute(name) || name.includes('\0')) return undefined;
    for (const folder of this.folders) {
      const path = join(folder, name);
      const way = relative(folder, path);
      if (way === '..' || way.startsWith('../') || !existsSync(path)) continue;
      const real = realpathSync(path);
      if (statSync(real).isFile() || statSync(real).isDirectory()) return real;
    }
    return undefined;
  }

  /** Relative to the folder, in order; symbolic links are not followed. */
  filesBelow(folder: string): string[] {
    const found = readdirSync(folder, { recursive: true, withFileTypes: true });
    return found
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
      .sort()
      .slice(0, FILES_MAX);
  }

  get places(): readonly string[] {
    return this.folders;
  }
}

function foldersFor(wrapper: string, root: string): string[] {
  const top = importBoundary(wrapper, 'file');
  const found: string[] = [];
  for (let folder = dirname(wrapper); ; folder = dirname(folder)) {
    for (const name of NAMES) if (existsSync(join(folder, name))) found.push(join(folder, name));
    const inside = !relative(root, folder).startsWith('..') || !relative(top, folder).startsWith('..');
    if (!inside || folder === dirname(folder)) return found;
  }
}
