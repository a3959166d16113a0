/** Whether one file that came out is what a test says: its datatype, sums, content, assertions, metadata. */
import { join } from 'node:path';
import type { JsonValue } from '../../protocol/log/entry.js';
import type { TestExpectation } from '../toolbox/wrapper/test-case.js';
import { checkAssertions } from './assertions.js';
import { checkSums, compareFiles } from './compare.js';
import { ContentFault, ProducedFile } from './produced.js';
import { isBam, samOf } from './sam.js';
import type { TestData } from './test-data.js';

/** A dataset as it came out. */
export interface ProducedDataset {
  name: string;
  extension: string;
  /** Absolute; undefined when nothing was kept. */
  path: string | undefined;
  state: string;
  info: string;
  metadata: Readonly<Record<string, JsonValue>>;
  genomeBuild: string;
  tags: readonly string[];
  /** Relative path → absolute. */
  extraFiles: ReadonlyMap<string, string>;
}

export interface Verdict {
  problems: string[];
  notRun: string[];
}

export function nothing(): Verdict {
  return { problems: [], notRun: [] };
}

export async function verifyDataset(
  what: string,
  expected: TestExpectation,
  produced: ProducedDataset,
  context: { data: TestData; signal: AbortSignal },
): Promise<Verdict> {
  const verdict = nothing();
  const { ftype, metadata } = expected;
  if (ftype !== undefined && ftype !== produced.extension) {
    verdict.problems.push(`${what}: its datatype is ${produced.extension}, not ${ftype}`);
  }
  for (const [name, value] of Object.entries(metadata)) {
    const found = metadataText(produced, name);
    if (!found.includes(value)) verdict.problems.push(`${what}: ${name} is "${found[0] ?? ''}", not "${value}"`);
  }
  if (produced.path === undefined) {
    if (readsContent(expected)) verdict.problems.push(`${what}: there is no file${info(produced)}`);
    return verdict;
  }
  await verifyFile(what, expected, produced.path, { ...context, extension: produced.extension }, verdict);
  for (const extra of expected.extraFiles) {
    const named = extra.name ?? '';
    if (extra.kind === 'directory') {
      await verifyFolder(what, extra, produced, context, verdict);
      continue;
    }
    const path = produced.extraFiles.get(named);
    if (path === undefined) verdict.problems.push(`${what}: there is no extra file ${named}`);
    else await verifyFile(`${what}/${named}`, extra, path, { ...context, extension: undefined }, verdict);
  }
  return verdict;
}

/** Every file below the test's folder must be among the extra files, at the same place. */
async function verifyFolder(
  what: string,
  expected: TestExpectation,
  { extraFiles }: ProducedDataset,
  context: { data: TestData; signal: AbortSignal },
  verdict: Verdict,
): Promise<void> {
  const folder = expected.file === undefined ? undefined : context.data.find(expected.file);
  const files = folder === undefined ? [] : context.data.filesBelow(folder);
  if (files.length === 0) verdict.problems.push(`${what}: test-data has no files in a folder ${expected.file ?? ''}`);
  for (const name of files) {
    const path = extraFiles.get(name);
    const file = join(expected.file ?? '', name);
    if (path === undefined) verdict.problems.push(`${what}: there is no extra file ${name}`);
    else
      await verifyFile(`${what}/${name}`, { ...expected, file }, path, { ...context, extension: undefined }, verdict);
  }
}

/** Content alone. */
export async function verifyFile(
  what: string,
  expected: TestExpectation,
  path: string,
  context: { data: TestData; signal: AbortSignal; extension: string | undefined },
  verdict: Verdict,
): Promise<void> {
  const produced = new ProducedFile(path, what);
  const problem = (text: string) => verdict.problems.push(`${what}: ${text}`);
  try {
    const sums = checkSums(produced, expected);
    if (sums !== undefined) problem(sums);
    if (expected.json !== undefined) {
      const wrong = jsonProblem(produced.text, expected.json);
      if (wrong !== undefined) problem(wrong);
    }
    if (expected.file !== undefined) await compareWith(expected.file, expected, produced, context, verdict);
    if (expected.assertions) {
      const file = expected.decompress ? produced.decompressed() : produced;
      const { problems, notRun } = checkAssertions(file, expected.assertions);
      for (const one of problems) problem(one);
      verdict.notRun.push(...notRun.map((one) => `${what}: ${one}`));
    }
  } catch (error) {
    if (!(error instanceof ContentFault)) throw error;
    problem(error.message);
  }
}

async function compareWith(
  name: string,
  expected: TestExpectation,
  produced: ProducedFile,
  context: { data: TestData; signal: AbortSignal; extension: string | undefined },
  verdict: Verdict,
): Promise<void> {
  const local = context.data.find(name);
  if (local === undefined) {
    if (expected.location !== undefined) verdict.notRun.push(`the file ${name} is remote (location=)`);
    else verdict.problems.push(`${produced.name}: test-data has no file ${name}`);
    return;
  }
  let left = new ProducedFile(local, name);
  let right = produced;
  const bam = isBam(expected.ftype ?? (expected.compare === 'diff' ? context.extension : undefined));
  if (bam && !left.bytes.equals(right.bytes)) {
    const [wanted, found] = [await samOf(local, context.signal), await samOf(produced.path as string, context.signal)];
    if (wanted === undefined || found === undefined) {
      verdict.notRun.push(`${produced.name}: BAM is compared as SAM by samtools, which is not on PATH`);
      return;
    }
    left = new ProducedFile(wanted, name);
    right = new ProducedFile(found, produced.name);
  }
  const { problem, needs } = compareFiles(left, right, expected);
  if (problem !== undefined) verdict.problems.push(problem);
  if (needs !== undefined) verdict.notRun.push(`${produced.name}: ${needs}`);
}

function readsContent({ file, md5, checksum, json, assertions, extraFiles }: TestExpectation): boolean {
  return [file, md5, checksum, json, assertions].some((one) => one !== undefined) || extraFiles.length > 0;
}

/** As people write it: a list with commas, in brackets or not. */
function metadataText(produced: ProducedDataset, name: string): string[] {
  switch (name) {
    case 'name':
      return [produced.name];
    case 'info':
      return [produced.info];
    case 'tags':
      return [produced.tags.join(',')];
    case 'dbkey':
      return [produced.genomeBuild];
    default: {
      const value = produced.metadata[name];
      if (!Array.isArray(value)) return [value === undefined || value === null ? '' : String(value)];
      return [value.map(String).join(','), JSON.stringify(value), value.map(String).join(', ')];
    }
  }
}

function jsonProblem(text: string, wanted: JsonValue): string | undefined {
  try {
    return canonical(JSON.parse(text)) === canonical(wanted) ? undefined : 'it is not the JSON that was expected';
  } catch {
    return 'it is not JSON';
  }
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, held: unknown) =>
    typeof held === 'object' && held !== null && !Array.isArray(held)
      ? Object.fromEntries(Object.entries(held).sort(([a], [b]) => (a < b ? -1 : 1)))
      : held,
  );
}

function info({ info: said, state }: ProducedDataset): string {
  if (said !== '') return ` (${said.slice(0, 200)})`;
  return state === 'ok' ? '' : ` (its state is ${state})`;
}
