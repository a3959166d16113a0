/** Prepares a job of a tool and runs its script with sh in a temporary folder: what the local runner does, in small. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import type { Toolbox } from '../../../node/toolbox/tool.js';
import { createToolbox } from '../../../node/toolbox/toolbox.js';
import type { JsonObject } from '../../../protocol/log/entry.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { type FakeDataset, fakeContext, id } from './fake-context.js';

export interface Ran {
  exitCode: number;
  stdout: string;
  stderr: string;
  outputs: Record<string, string>;
  script: string;
}

export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'toolbox-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export function testToolbox(folders: string[], bundled: boolean): Promise<Toolbox> {
  return createToolbox({ datatypes: createDatatypes(), log: silentLogger }, { folders, bundled });
}

/** Writes wrappers into a folder and loads them alone. */
export async function toolboxOf(folder: string, wrappers: Record<string, string>): Promise<Toolbox> {
  for (const [name, text] of Object.entries(wrappers)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return testToolbox([folder], false);
}

/** `data`: text and details of datasets 1, 2, …; the inputs name them by `id(n)`. */
export async function runTool(
  toolbox: Toolbox,
  toolId: string,
  inputs: JsonObject,
  data: (string | (Partial<FakeDataset> & { text: string }))[] = [],
): Promise<Ran> {
  const folder = await temporaryFolder();
  try {
    const given = data.map((one) => (typeof one === 'string' ? { text: one } : one));
    const context = fakeContext(given.map((one, index) => ({ id: id(index + 1), hid: index + 1, ...one })));
    for (const [index, { text }] of given.entries()) await writeFile(join(folder.path, id(index + 1)), text);
    const tool = toolbox.tool(toolId);
    if (!tool) throw new Error(`there is no tool ${toolId}: ${JSON.stringify(toolbox.problems())}`);
    const { jobs, errors } = toolbox.expand(tool, inputs, context);
    const [job] = jobs;
    if (!job) throw new Error(JSON.stringify(errors));
    const workFolder = join(folder.path, 'work');
    await mkdir(workFolder);
    const outputPath = (name: string) => join(folder.path, `out-${name}`);
    const inputPath = (dataset: string) => join(folder.path, dataset);
    const prepared = toolbox.prepare(tool, job, context, { inputPath, outputPath, workFolder });
    for (const { path, text } of prepared.configFiles) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
    const script = join(folder.path, 'script.sh');
    await writeFile(script, prepared.script);
    const ended = await sh(script, workFolder, prepared.environment);
    const outputs: Record<string, string> = {};
    for (const { name } of toolbox.plan(tool, job, context)) {
      outputs[name] = await readFile(outputPath(name), 'utf8').catch(() => '');
    }
    return { ...ended, outputs, script: prepared.script };
  } finally {
    await folder.remove();
  }
}

function sh(
  script: string,
  cwd: string,
  environment: Record<string, string>,
): Promise<Omit<Ran, 'outputs' | 'script'>> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, ...environment };
    execFile('sh', [script], { cwd, env, timeout: 20_000 }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0;
      resolve({ exitCode: code, stdout, stderr });
    });
  });
}
