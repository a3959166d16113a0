/**
 * What a finished run left, as output files that the node can take over. The tool is not trusted: it may have replaced
 * a file or a folder by a link to somewhere else, or left a pipe, a device or a second name of a file that it may still
 * write. Only plain files with one name inside the run's folder come out of here.
 */
import { constants } from 'node:fs';
import { copyFile, lstat, open, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, sep } from 'node:path';
import type { Datatypes } from '../datasets/datatypes.js';
import { type RunOutput, type RunOutputResult, runPaths } from './run-spec.js';

export async function collectOutputs(
  deps: { datatypes: Datatypes },
  folder: string,
  outputs: readonly RunOutput[],
): Promise<RunOutputResult[]> {
  const results: RunOutputResult[] = [];
  for (const output of outputs) {
    try {
      const missing = await settle(folder, output);
      results.push(await inspectOutput(deps, output, missing ?? ''));
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

/** Makes `output.file` a plain file of one name. A sentence when the tool had not written it; throws when it must not be taken. */
async function settle(folder: string, output: RunOutput): Promise<string | undefined> {
  const outputs = runPaths(folder).outputs;
  if ((await realpath(dirname(output.file))) !== join(await realpath(folder), basename(outputs))) {
    throw new Error('The tool replaced its folder of outputs; nothing was taken from there.');
  }
  if (output.fromWorkDir !== undefined) {
    const found = await fromWorkDir(folder, output.fromWorkDir);
    if (found === undefined) {
      await rm(output.file, { recursive: true, force: true });
      await makeEmpty(output.file);
      return `The tool did not write ${output.fromWorkDir}.`;
    }
    await rm(output.file, { recursive: true, force: true });
    await rename(found, output.file);
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

/** The real file that a `from_work_dir` names; undefined when the tool did not write it. */
async function fromWorkDir(folder: string, relative: string): Promise<string | undefined> {
  const working = runPaths(folder).working;
  const isOutside = isAbsolute(relative) || relative.split('/').includes('..') || relative.includes('\0');
  if (isOutside) throw new Error('The wrapper names a file outside the working folder; it was not taken.');
  const path = join(working, relative);
  if ((await lstat(path).catch(notThere)) === undefined) return undefined;
  const real = await realpath(path).catch(notThere);
  if (real === undefined) throw new Error(`${relative} is a link to nothing.`);
  if (!real.startsWith((await realpath(folder)) + sep)) {
    throw new Error(`${relative} is a link out of the job's folder; it was not followed.`);
  }
  if (!(await lstat(real)).isFile()) throw new Error(`${relative} is not a plain file.`);
  return real;
}

async function makeEmpty(file: string): Promise<void> {
  await (await open(file, 'wx', 0o600)).close();
}

function notThere(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}
