/**
 * What a finished run left, as output files that the node can take over. The tool is not trusted: it may have replaced
 * a file or a folder by a link to somewhere else, or left a pipe, a device or a second name of a file that it may still
 * write. Only plain files with one name inside the run's folder come out of here.
 */
import { constants } from 'node:fs';
import { copyFile, lstat, open, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Datatypes } from '../datasets/datatypes.js';
import { EXTRA_FILES_MAX } from './found.js';
import { type RunOutput, type RunOutputResult, runPaths } from './run-spec.js';
import { filesIn, globbed, notThere, plainFile, staysInside, TakenFiles } from './work-files.js';

export async function collectOutputs(
  deps: { datatypes: Datatypes },
  folder: string,
  outputs: readonly RunOutput[],
  taken = new TakenFiles(folder),
): Promise<RunOutputResult[]> {
  const results: RunOutputResult[] = [];
  let extraCount = 0;
  for (const output of outputs) {
    try {
      const missing = await settle(folder, output, taken);
      const seen = await inspectOutput(deps, output, missing ?? '');
      const extra = await extraFiles(folder, output, EXTRA_FILES_MAX - extraCount);
      extraCount += extra.length;
      results.push({
        ...seen,
        // A report whose page is empty is still its files.
        ...(extra.length > 0 ? { extra, state: seen.state === 'empty' ? 'ok' : seen.state } : {}),
        ...(output.metadata ? { metadata: { ...seen.metadata, ...output.metadata } } : {}),
      });
    } catch (error) {
      results.push(failedOutput(output, explain(error)));
    }
  }
  return results;
}

/** Peek, counts and type of a file that is safe to read. */
export async function inspectOutput(
  deps: { datatypes: Datatypes },
  output: RunOutput,
  info: string,
): Promise<RunOutputResult> {
  try {
    const seen = await deps.datatypes.inspect(output.file, output.extension);
    return { name: output.name, file: output.file, info, ...seen };
  } catch (error) {
    const extension = isUndecided(output.extension) ? 'data' : output.extension;
    return {
      name: output.name,
      file: output.file,
      state: 'failed_metadata',
      extension,
      peek: '',
      blurb: '',
      metadata: {},
      info: `The file could not be read as ${extension}: ${explain(error)}`,
    };
  }
}

export function failedOutput(output: RunOutput, info: string): RunOutputResult {
  const extension = isUndecided(output.extension) ? 'data' : output.extension;
  return { name: output.name, state: 'error', extension, peek: '', blurb: '', metadata: {}, info };
}

export function isUndecided(extension: string): boolean {
  return extension === '' || extension === 'auto' || extension === '_sniff_';
}

export function explain(error: unknown): string {
  if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return 'The disk of the node is full.';
  return error instanceof Error ? error.message : String(error);
}

/** What the tool put into the folder beside its output: files that belong to it, as a page's pictures do. */
async function extraFiles(
  folder: string,
  output: RunOutput,
  max: number,
): Promise<NonNullable<RunOutputResult['extra']>> {
  const root = filesFolder(output.file);
  if (!(await lstat(root).catch(notThere))?.isDirectory()) return [];
  const found: NonNullable<RunOutputResult['extra']> = [];
  for (const path of await filesIn(root, { recurse: true })) {
    const real = await plainFile(folder, join(root, path), path);
    if (real === undefined || path.length > 4000) continue;
    if (found.length >= max)
      throw new Error(`The jobs of a tool may leave ${EXTRA_FILES_MAX} extra files, and it left more.`);
    const file = join(root, path);
    // A link, or a second name: what is kept is a file that nothing else can write.
    if (real !== file || (await lstat(file)).nlink > 1) {
      await copyFile(real, `${file}.copy`, constants.COPYFILE_FICLONE);
      await rename(`${file}.copy`, file);
    }
    found.push({ path, file });
  }
  return found;
}

/** As Galaxy's templates name it: `$output.files_path`. */
export function filesFolder(file: string): string {
  return `${file}_files`;
}

/** Makes `output.file` a plain file of one name. A sentence when the tool had not written it; throws when it must not be taken. */
async function settle(folder: string, output: RunOutput, taken: TakenFiles): Promise<string | undefined> {
  const outputs = runPaths(folder).outputs;
  if ((await realpath(dirname(output.file))) !== join(await realpath(folder), basename(outputs))) {
    throw new Error('The tool replaced its folder of outputs; nothing was taken from there.');
  }
  if (output.fromWorkDir !== undefined) {
    if (!staysInside(output.fromWorkDir)) {
      throw new Error('The wrapper names a file outside the working folder; it was not taken.');
    }
    const path = await globbed(folder, output.fromWorkDir, taken.paths());
    if (path === undefined || !(await taken.take(path, output.file))) {
      await rm(output.file, { recursive: true, force: true });
      await makeEmpty(output.file);
      return `The tool did not write ${output.fromWorkDir}.`;
    }
  }
  const stat = await lstat(output.file).catch(notThere);
  if (stat === undefined) {
    await makeEmpty(output.file);
    return 'The tool did not write this output.';
  }
  if (stat.isSymbolicLink()) throw new Error('The tool left a link in place of this output; it was not followed.');
  if (!stat.isFile()) throw new Error('The tool left something that is not a plain file in place of this output.');
  if (stat.nlink > 1) {
    const copy = `${output.file}.copy`;
    await copyFile(output.file, copy, constants.COPYFILE_FICLONE);
    await rename(copy, output.file);
  }
  return undefined;
}

async function makeEmpty(file: string): Promise<void> {
  await (await open(file, 'wx', 0o600)).close();
}
