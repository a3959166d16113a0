/**
 * `galaxy.json`: what a tool says of its outputs itself. Two forms exist, one object by output name, and lines of one
 * object each; both are read into one. The tool is not trusted: what is not understood is left out.
 */
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject, JsonValue } from '../../protocol/log/entry.js';
import { runPaths } from './run-spec.js';
import { notThere, plainFile, staysInside } from './work-files.js';

export interface ProvidedFile {
  filename: string;
  /** `name`, `ext`, `dbkey`, `designation`, `visible`, `identifier_0`, …, as the groups of a pattern would say them. */
  groups: Record<string, string>;
}

export interface ProvidedOutput {
  name: string | undefined;
  extension: string | undefined;
  genomeBuild: string | undefined;
  info: string | undefined;
  metadata: JsonObject;
  /** Files for an output whose wrapper says `from_provided_metadata`. */
  files: ProvidedFile[];
  /** What is said of files that a pattern finds, by their name. */
  described?: ReadonlyMap<string, DescribedFile>;
  /** What the output itself was called where it comes from. */
  createdFrom?: string | undefined;
}

export interface DescribedFile {
  groups: Record<string, string>;
  info: string | undefined;
  metadata: JsonObject;
  /** A folder whose files belong to it. */
  extraFiles: string | undefined;
  createdFrom: string | undefined;
}

export type Provided = ReadonlyMap<string, ProvidedOutput>;

const BYTES_MAX = 16 * 2 ** 20;
const FILES_MAX = 20_000;
const DEPTH_MAX = 4;
const TEXT_MAX = 1024;

/** `outputOf`: the output whose dataset has that id, because the older form names datasets by their ids or paths. */
export async function readProvided(
  folder: string,
  file: string,
  outputOf: (named: string) => string | undefined,
): Promise<Provided> {
  const provided = new Map<string, ProvidedOutput>();
  if (!staysInside(file)) return provided;
  try {
    const real = await plainFile(folder, join(runPaths(folder).working, file), file);
    if (real === undefined || ((await lstat(real).catch(notThere))?.size ?? 0) > BYTES_MAX) return provided;
    const text = await readFile(real, 'utf8');
    const whole = parsed(text);
    if (isObject(whole) && whole.type === undefined) readObject(whole, provided);
    else for (const line of text.split('\n')) readLine(parsed(line), provided, outputOf);
  } catch {
    // It is a link out of the folder, or gone: the tool has said nothing then.
  }
  return provided;
}

function readObject(whole: JsonObject, into: Map<string, ProvidedOutput>): void {
  for (const [output, said] of Object.entries(whole)) {
    if (output.startsWith('__') || !isObject(said)) continue;
    const one = described(said);
    const elements = Array.isArray(said.elements) ? said.elements : [];
    one.files = filesOf(elements, {}, 0);
    const files = describedFiles(Array.isArray(said.datasets) ? said.datasets : []);
    if (files.size > 0) one.described = files;
    into.set(output, one);
  }
}

/** Lists within lists name the levels of a nested collection. */
function filesOf(elements: readonly JsonValue[], outer: Record<string, string>, level: number): ProvidedFile[] {
  if (level >= DEPTH_MAX) return [];
  return elements.slice(0, FILES_MAX).flatMap((element) => {
    if (!isObject(element)) return [];
    const name = textOf(element.name);
    const groups = { ...outer, ...(name === undefined ? {} : { [`identifier_${level}`]: name }) };
    if (Array.isArray(element.elements)) return filesOf(element.elements, groups, level + 1);
    return fileOf(element, groups);
  });
}

function fileOf(element: JsonObject, outer: Record<string, string>): ProvidedFile[] {
  const filename = textOf(element.filename);
  if (filename === undefined) return [];
  const groups: Record<string, string> = { ...outer };
  for (const [key, value] of Object.entries(element)) {
    const text = textOf(value);
    if (text !== undefined && /^(?:name|ext|dbkey|designation|visible|identifier_\d)$/.test(key)) groups[key] = text;
  }
  return [{ filename, groups }];
}

function describedFiles(datasets: readonly JsonValue[]): Map<string, DescribedFile> {
  const files = new Map<string, DescribedFile>();
  for (const said of datasets.slice(0, FILES_MAX)) {
    if (!isObject(said)) continue;
    const { info, metadata, createdFrom } = described(said);
    const extraFiles = textOf(said.extra_files);
    for (const { filename, groups } of fileOf(said, {})) {
      files.set(filename, { groups, info, metadata, extraFiles, createdFrom });
    }
  }
  return files;
}

function readLine(
  said: JsonValue | undefined,
  into: Map<string, ProvidedOutput>,
  outputOf: (named: string) => string | undefined,
): void {
  if (!isObject(said)) return;
  const named = textOf(said.dataset) ?? textOf(said.dataset_id) ?? textOf(said.base_dataset_id);
  const output = named === undefined ? undefined : (outputOf(named) ?? named);
  if (output === undefined) return;
  if (said.type === 'dataset') {
    into.set(output, { ...described(said), files: into.get(output)?.files ?? [] });
  } else if (said.type === 'new_primary_dataset') {
    const one = into.get(output) ?? described({});
    if (one.files.length < FILES_MAX) one.files.push(...fileOf(said, {}));
    into.set(output, one);
  }
}

function described(said: JsonObject): ProvidedOutput {
  return {
    name: textOf(said.name),
    extension: textOf(said.ext),
    genomeBuild: textOf(said.dbkey),
    info: textOf(said.info),
    metadata: isObject(said.metadata) && JSON.stringify(said.metadata).length <= 4096 ? said.metadata : {},
    createdFrom: textOf(said.created_from_basename),
    files: [],
  };
}

function textOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'boolean' || typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value.slice(0, TEXT_MAX) : undefined;
}

/** Ids are numbers at Galaxy, so that wrappers write them without quotes; here they are words. */
const BARE_ID = /("(?:base_)?dataset_id"\s*:\s*)([0-9a-f]+)(?=\s*[,}])/g;

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text.replace(BARE_ID, '$1"$2"')) as JsonValue;
  } catch {
    return undefined;
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
