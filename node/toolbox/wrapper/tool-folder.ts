/**
 * A folder of wrappers: every `*.xml`, `*.yml` and `*.yaml` below it (five levels), and `sections.yml`, which says in
 * which panel section a tool stands. A tool that no section names stands under "Tools".
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { printable } from '../../../protocol/runtime/errors.js';
import { check, sentenceOf } from '../../../protocol/runtime/schema-words.js';
import { toolErrors } from '../errors.js';

const LEVELS_MAX = 5;
const FILES_MAX = 10_000;
/** What stands beside wrappers and holds none. */
const NO_WRAPPERS = new Set(['test-data', 'test_data', 'tool-data', 'static', 'node_modules', '__pycache__']);

export interface Section {
  id: string;
  name: string;
  tools: string[];
}

export const OTHER_SECTION = { id: 'tools', name: 'Tools' };

const sectionsFile = z.array(
  z.strictObject({
    id: z.string().min(1).max(255),
    name: z.string().min(1).max(255),
    tools: z.array(z.string().min(1).max(255)).max(10_000),
  }),
);

/** Files in a stable order. Throws `toolbox/folder`. */
export async function wrapperFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  const walk = async (path: string, level: number): Promise<void> => {
    const entries = await readdir(path, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory() && NO_WRAPPERS.has(entry.name)) continue;
      if (entry.isDirectory() && level < LEVELS_MAX) await walk(join(path, entry.name), level + 1);
      else if (entry.isFile() && isWrapperName(entry.name)) files.push(join(path, entry.name));
      if (files.length > FILES_MAX) throw new Error(`it holds more than ${FILES_MAX} wrappers`);
    }
  };
  try {
    await walk(folder, 0);
  } catch (error) {
    throw toolErrors('folder', { folder, reason: printable(error instanceof Error ? error.message : String(error)) });
  }
  return files;
}

function isWrapperName(name: string): boolean {
  return /\.(?:xml|ya?ml)$/.test(name) && name !== 'sections.yml';
}

/** The folder's `sections.yml`; empty when there is none. Throws `toolbox/sections`. */
export async function readSections(folder: string): Promise<Section[]> {
  const file = join(folder, 'sections.yml');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw toolErrors('sections', { file, reason: printable(error instanceof Error ? error.message : String(error)) });
  }
  let document: unknown;
  try {
    document = parse(text, { maxAliasCount: 0 });
  } catch (error) {
    throw toolErrors('sections', { file, reason: printable(error instanceof Error ? error.message : String(error)) });
  }
  const { data, problem } = check(sectionsFile, document ?? []);
  if (problem === undefined) return data;
  throw toolErrors('sections', { file, reason: sentenceOf(problem) });
}
