/**
 * Data tables for a test run. Wrappers bring a `tool_data_table_conf.xml.test` that says where their tests' genomes and
 * indexes are; copies of these files, with their `${__HERE__}` filled in, go into the throw-away node's `tool-data`.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { importBoundary } from '../toolbox/wrapper/sources.js';

const NAME = 'tool_data_table_conf.xml.test';
const HERE = /\$\{__HERE__\}/g;
const BYTES_MAX = 1024 * 1024;
const FILES_MAX = 1000;
const DEPTH_MAX = 20;

/** Absolute paths of wrappers or folders → the configurations that belong to them, each once. */
export function testTableFiles(paths: readonly string[]): string[] {
  const found = new Set<string>();
  for (const path of paths) {
    const isFolder = statSync(path).isDirectory();
    if (isFolder) below(path, 0, found);
    above(isFolder ? path : dirname(path), importBoundary(path, isFolder ? 'folder' : 'file'), found);
  }
  return [...found].sort().slice(0, FILES_MAX);
}

/** `folder`: the node's `tool-data`. */
export function placeTestTables(paths: readonly string[], folder: string): void {
  const files = testTableFiles(paths);
  if (files.length > 0) mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const [index, file] of files.entries()) {
    if (statSync(file).size > BYTES_MAX) continue;
    const text = readFileSync(file, 'utf8').replace(HERE, () => dirname(file));
    writeFileSync(join(folder, `test${index}_tool_data_table_conf.xml`), text, { mode: 0o600 });
  }
}

function below(folder: string, depth: number, found: Set<string>): void {
  if (depth > DEPTH_MAX || found.size >= FILES_MAX) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isFile() && entry.name === NAME) found.add(join(folder, entry.name));
    else if (entry.isDirectory() && !entry.name.startsWith('.')) below(join(folder, entry.name), depth + 1, found);
  }
}

function above(folder: string, top: string, found: Set<string>): void {
  for (let at = folder; ; at = dirname(at)) {
    const file = join(at, NAME);
    if (existsSync(file)) found.add(file);
    if (at === top || at === dirname(at)) return;
  }
}
