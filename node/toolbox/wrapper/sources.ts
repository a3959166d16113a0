/**
 * The files that make one wrapper: itself and the macro files it imports, read once, each with its hash. After this a
 * tool can be made from them without the disk, at any time and with the same result, whatever happens to the files.
 *
 * Imports stay inside the tool's folder tree: the repository that the folder is in, when there is one (public
 * repositories link or import macro files of a sister folder), else the folder itself. A relative name is looked up
 * beside the wrapper first, as Galaxy does, then beside the file that imports.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, parse, relative, resolve } from 'node:path';
import { printable } from '../../../protocol/runtime/errors.js';
import { malformed, toolErrors } from '../errors.js';
import { elements, parseXml, textOf, WRAPPER_BYTES_MAX, type XmlElement } from './wrapper-xml.js';

const IMPORTS_MAX = 50;
const PARSED_MAX = 64;
/** How far above a folder its repository is looked for. */
const LEVELS_MAX = 8;
/** Without a repository a single wrapper may import from as far above as this: `../../macros.xml`. */
const LEVELS_ABOVE_FILE = 2;

export interface SourceFile {
  path: string;
  bytes: Buffer;
  hash: string;
}

export interface WrapperSources {
  wrapper: SourceFile;
  /** By importing file and name, see `importKey`. */
  imports: Map<string, SourceFile>;
  /** Places where an import was looked for in vain: a file that appears there changes the tool. */
  absent: string[];
}

/** Where a wrapper's imports may be. */
export function importBoundary(path: string, kind: 'file' | 'folder'): string {
  const start = resolve(kind === 'file' ? dirname(path) : path);
  let folder = start;
  for (let level = 0; level < LEVELS_MAX; level++) {
    if (existsSync(join(folder, '.git')) || existsSync(join(folder, '.hg'))) return folder;
    const parent = dirname(folder);
    if (parent === folder) break;
    folder = parent;
  }
  if (kind === 'folder') return start;
  const { root } = parse(start);
  let above = start;
  for (let level = 0; level < LEVELS_ABOVE_FILE; level++) {
    if (dirname(above) === root) break;
    above = dirname(above);
  }
  return above;
}

export function importKey(file: string, name: string): string {
  return `${file}\0${name}`;
}

/** Reads files and parses macro files; each once as long as the library is kept. */
export class SourceLibrary {
  private readonly files = new Map<string, Promise<SourceFile>>();
  private readonly real = new Map<string, Promise<string>>();

  /** Rejects as `readFile` does, and with `toolbox/wrapper` for a file that is too large. */
  read(path: string): Promise<SourceFile> {
    let reading = this.files.get(path);
    if (!reading) {
      reading = readSource(path);
      this.files.set(path, reading);
      reading.catch(() => this.files.delete(path));
    }
    return reading;
  }

  /** Where a path leads, links followed. */
  realPath(path: string): Promise<string> {
    let found = this.real.get(path);
    if (!found) {
      found = realpath(path);
      this.real.set(path, found);
      found.catch(() => this.real.delete(path));
    }
    return found;
  }
}

/** Opened once, because a start does this thousands of times: each further question to the disk is felt. */
async function readSource(path: string): Promise<SourceFile> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size > WRAPPER_BYTES_MAX) {
      throw malformed(`it is larger than ${WRAPPER_BYTES_MAX} bytes`, { file: path, line: 1 });
    }
    const bytes = Buffer.alloc(size);
    let length = 0;
    while (length < size) {
      const { bytesRead } = await file.read(bytes, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return sourceOf(path, bytes.subarray(0, length));
  } finally {
    await file.close();
  }
}

export function sourceOf(path: string, bytes: Buffer): SourceFile {
  return { path, bytes, hash: createHash('sha256').update(bytes).digest('base64url') };
}

/** Macro files parsed lately: the tools of one folder share theirs, and come one after the other. */
const parsed = new Map<string, XmlElement>();

export function parsedMacros(source: SourceFile): XmlElement {
  const key = importKey(source.path, source.hash);
  const held = parsed.get(key);
  if (held) {
    parsed.delete(key);
    parsed.set(key, held);
    return held;
  }
  const root = parseXml(source.bytes, source.path);
  parsed.set(key, root);
  for (const oldest of parsed.keys()) {
    if (parsed.size <= PARSED_MAX) break;
    parsed.delete(oldest);
  }
  return root;
}

/** Adds to `sources` what the wrapper imports, and what that imports. Throws `toolbox/import`. */
export async function gatherImports(
  root: XmlElement,
  { wrapper, imports, absent }: WrapperSources,
  boundary: string,
  library: SourceLibrary,
): Promise<void> {
  const walk = async (macros: XmlElement): Promise<void> => {
    for (const importing of elements(macros, 'import')) {
      const name = textOf(importing).trim();
      const key = importKey(importing.file, name);
      if (imports.has(key)) continue;
      if (imports.size >= IMPORTS_MAX) throw refused(importing, name, `these are more than ${IMPORTS_MAX} imports`);
      const source = await find(importing, name);
      imports.set(key, source);
      const found = parsedMacros(source);
      if (found.name !== 'macros') throw refused(importing, name, `it holds <${found.name}> instead of <macros>`);
      await walk(found);
    }
  };
  const find = async (importing: XmlElement, name: string): Promise<SourceFile> => {
    if (name === '') throw refused(importing, name, 'no file is named');
    if (isAbsolute(name)) throw refused(importing, name, 'an import is relative to the wrapper');
    const places = new Set([dirname(wrapper.path), dirname(importing.file)].map((folder) => join(folder, name)));
    for (const path of places) {
      if (outside(boundary, path)) throw refused(importing, name, 'it leaves the tool folder');
      try {
        if (outside(await library.realPath(boundary), await library.realPath(path))) {
          throw refused(importing, name, 'it leaves the tool folder through a link');
        }
        return await library.read(path);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ENOTDIR') absent.push(path);
        else if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) throw refused(importing, name, printable(code));
        else throw error;
      }
    }
    throw refused(importing, name, 'there is no such file');
  };
  for (const macros of elements(root, 'macros')) await walk(macros);
}

function outside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '..' || way.startsWith('../') || isAbsolute(way);
}

function refused({ file, line }: XmlElement, name: string, reason: string) {
  return toolErrors('import', { file, line, name: printable(name), reason });
}

/** For `expandMacros`: from what has been read. */
export function importedFrom(sources: WrapperSources): (importing: XmlElement) => XmlElement {
  return (importing) => {
    const name = textOf(importing).trim();
    const source = sources.imports.get(importKey(importing.file, name));
    if (!source) throw refused(importing, name, 'it was not read');
    return parsedMacros(source);
  };
}
