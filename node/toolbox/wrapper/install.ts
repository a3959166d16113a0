/**
 * Puts wrappers into a node's own tool folder: what they need beside them too (macros, scripts, test data). Everything is
 * copied aside and loaded from there first; only what loads is moved into place, in one rename. Nothing outside the
 * wrapper's folder or repository is copied, however it is linked.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { parse, stringify } from 'yaml';
import { writeDurably } from '../../../protocol/runtime/data-folder.js';
import type { Logger } from '../../../protocol/runtime/logger.js';
import type { Datatypes } from '../../datasets/datatypes.js';
import { toolErrors } from '../errors.js';
import type { Tool } from '../tool.js';
import { createToolbox } from '../toolbox.js';
import { gatherImports, importBoundary, SourceLibrary, type WrapperSources } from './sources.js';
import { readSections, type Section } from './tool-folder.js';
import { isYaml } from './wrapper-file.js';
import { parseXml } from './wrapper-xml.js';

export interface Installed {
  /** Where it is now. */
  folder: string;
  tools: Tool[];
  /** An older one of the same name was replaced. */
  replaced: boolean;
}

const FILES_MAX = 20_000;
const BYTES_MAX = 2 * 2 ** 30;
const LEVELS_MAX = 20;
/** Of a repository, and of no use to a tool. */
const LEFT_OUT = new Set(['node_modules', '__pycache__', 'tool_test_output.html', 'tool_test_output.json']);

/**
 * `tools`: the node's folder for them. Errors: `toolbox/install`, `toolbox/folder`; a wrapper that does not load is refused
 * with the loader's words, which name file and line.
 */
export async function installTools(
  deps: { datatypes: Pick<Datatypes, 'accepts' | 'get'>; log: Logger },
  source: string,
  tools: string,
): Promise<Installed> {
  const path = resolve(source);
  const about = await stat(path).catch(() => undefined);
  if (about === undefined) throw refused(source, 'there is no such file or folder');
  // What is wrong is said of the author's files, not of the copies.
  const before = await loaded(deps, path, source);
  const plan = about.isDirectory() ? await planFolder(path) : await planFile(path);
  await mkdir(tools, { recursive: true, mode: 0o700 });
  const staging = join(tools, `.installing-${process.pid}`);
  const aside = join(tools, `.replaced-${process.pid}`);
  await rm(staging, { recursive: true, force: true });
  await rm(aside, { recursive: true, force: true });
  try {
    await copyAll(plan, staging);
    const copied = await loaded(deps, staging, source);
    if (copied.length < before.length) throw refused(source, 'not all of it could be copied');
    const folder = join(tools, plan.name);
    const replaced = existsSync(folder);
    if (replaced) await rename(folder, aside);
    try {
      await rename(staging, folder);
    } catch (error) {
      if (replaced) await rename(aside, folder);
      throw error;
    }
    return { folder, tools: copied, replaced };
  } finally {
    await rm(staging, { recursive: true, force: true });
    await rm(aside, { recursive: true, force: true });
  }
}

/** Says in which section of the panel tools stand; a section that is not there yet is made, last. */
export async function placeInSection(tools: string, ids: readonly string[], section: string): Promise<Section> {
  const before = await readSections(tools);
  const id = section.toLowerCase().replace(/[^a-z0-9]+/g, '_');
  const known = before.find((one) => one.id === section || one.name.toLowerCase() === section.toLowerCase());
  const chosen: Section = known ?? { id, name: section, tools: [] };
  const others = before.map((one) => ({ ...one, tools: one.tools.filter((tool) => !ids.includes(tool)) }));
  const placed = { ...chosen, tools: [...chosen.tools.filter((tool) => !ids.includes(tool)), ...ids] };
  const after = known ? others.map((one) => (one.id === chosen.id ? placed : one)) : [...others, placed];
  writeDurably(tools, 'sections.yml', stringify(after));
  // What was written can be read.
  parse(await readFile(join(tools, 'sections.yml'), 'utf8'));
  return placed;
}

interface Plan {
  /** The name of the folder that it gets. */
  name: string;
  /** Everything is relative to this. */
  base: string;
  files: string[];
}

async function loaded(
  deps: { datatypes: Pick<Datatypes, 'accepts' | 'get'>; log: Logger },
  path: string,
  said: string,
): Promise<Tool[]> {
  const toolbox = await createToolbox(deps, { folders: [path], bundled: false });
  const [problem] = toolbox.problems();
  if (problem) throw refused(said, problem.message.replace(/\.$/, ''));
  if (toolbox.tools().length === 0) throw refused(said, 'there is no tool wrapper in it');
  return toolbox.tools();
}

async function planFolder(path: string): Promise<Plan> {
  return { name: safeName(basename(path)), base: path, files: await filesBelow(path) };
}

/** A wrapper alone: itself, what it imports, and what stands beside it and is no other tool. */
async function planFile(path: string): Promise<Plan> {
  const library = new SourceLibrary();
  const wrapper = await library.read(path);
  const sources: WrapperSources = { wrapper, imports: new Map(), absent: [] };
  if (!isYaml(path)) await gatherImports(parseXml(wrapper.bytes, path), sources, importBoundary(path, 'file'), library);
  const folder = dirname(path);
  const files = new Set([path, ...[...sources.imports.values()].map((one) => one.path)]);
  const above = dirname(folder);
  const beside = await readdir(folder, { withFileTypes: true });
  // Where wrappers of many tools share a folder, each brings what could be its own.
  for (const entry of beside) {
    const full = join(folder, entry.name);
    if (entry.name.startsWith('.') || LEFT_OUT.has(entry.name)) continue;
    if (entry.isDirectory() && !(await hasWrapper(full))) for (const file of await filesBelow(full)) files.add(file);
    else if (entry.isFile() && !entry.name.endsWith('.xml')) files.add(full);
  }
  if (!existsSync(join(folder, 'test-data')) && existsSync(join(above, 'test-data'))) {
    for (const file of await filesBelow(join(above, 'test-data'))) files.add(file);
  }
  return { name: safeName(basename(path, extname(path))), base: commonFolder([...files]), files: [...files] };
}

async function hasWrapper(folder: string): Promise<boolean> {
  for (const file of await filesBelow(folder)) {
    if (file.endsWith('.xml') && /<tool[\s>]/.test((await readFile(file, 'utf8')).slice(0, 4096))) return true;
  }
  return false;
}

async function filesBelow(folder: string, level = 0): Promise<string[]> {
  if (level > LEVELS_MAX) throw refused(folder, `it is more than ${LEVELS_MAX} folders deep`);
  const files: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || LEFT_OUT.has(entry.name)) continue;
    const full = join(folder, entry.name);
    const about = entry.isSymbolicLink() ? await stat(full).catch(() => undefined) : entry;
    if (about?.isDirectory()) files.push(...(await filesBelow(full, level + 1)));
    else if (about?.isFile()) files.push(full);
    if (files.length > FILES_MAX) throw refused(folder, `it holds more than ${FILES_MAX} files`);
  }
  return files;
}

async function copyAll({ base, files }: Plan, target: string): Promise<void> {
  const boundary = await realpath(importBoundary(base, 'folder'));
  let bytes = 0;
  for (const file of files) {
    const real = await realpath(file);
    if (!`${real}${sep}`.startsWith(`${boundary}${sep}`)) {
      throw refused(file, 'it is a link that leads out of the folder');
    }
    bytes += (await stat(real)).size;
    if (bytes > BYTES_MAX) throw refused(base, `its files are larger than ${BYTES_MAX / 2 ** 30} GiB together`);
    const to = join(target, relative(base, file));
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    await cp(real, to, { dereference: true });
  }
}

function commonFolder(files: readonly string[]): string {
  let common = dirname(files[0] as string);
  while (files.some((file) => !file.startsWith(`${common}${sep}`) && common !== dirname(common))) {
    common = dirname(common);
  }
  return common;
}

function safeName(name: string): string {
  return name.replace(/[^\w.-]+/g, '_').replace(/^\.+/, '') || 'tool';
}

function refused(path: string, reason: string) {
  return toolErrors('install', { path, reason });
}
