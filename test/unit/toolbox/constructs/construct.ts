/**
 * A bench for one construct of a wrapper: loads it alone, prepares a job, runs the script with the machine's shell in a
 * run's folder, and then looks for outputs as a handler does. Nothing of the node around it is needed.
 */
import { execFile } from 'node:child_process';
import { lstat, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createDatatypes } from '../../../../node/datasets/datatype-registry.js';
import { collectOutputs } from '../../../../node/jobs/collect.js';
import { type Discovered, discover } from '../../../../node/jobs/discover.js';
import { readProvided } from '../../../../node/jobs/provided-metadata.js';
import { type RunOutput, type RunOutputResult, runPaths } from '../../../../node/jobs/run-spec.js';
import { judge, type Verdict } from '../../../../node/jobs/verdict.js';
import type {
  Expansion,
  PlannedCollection,
  PlannedOutput,
  PreparedCommand,
  Tool,
  Toolbox,
  ToolContext,
  ToolProblem,
} from '../../../../node/toolbox/tool.js';
import type { JsonObject } from '../../../../protocol/log/entry.js';
import { type FakeDataset, fakeContext, id } from '../fake-context.js';
import { temporaryFolder, toolboxOf } from '../run-tool.js';

export interface Wrapper {
  /** Attributes of `<tool>` besides id, name and version. */
  attributes?: string;
  /** Everything that stands before the command. */
  before?: string;
  command: string;
  commandAttributes?: string;
  inputs?: string;
  /** Default: one text file named out. */
  outputs?: string;
  /** Files beside the wrapper: macros, scripts. */
  beside?: Record<string, string>;
}

export type Data = Partial<FakeDataset> & { text?: string };

export interface World {
  data?: (string | Data)[];
  collections?: Parameters<typeof fakeContext>[1];
  context?: Partial<ToolContext>;
  environment?: Record<string, string>;
}

export interface Ran {
  /** What the command is, without the shell lines around it. */
  line: string;
  exitCode: number;
  stdout: string;
  stderr: string;
  verdict: Verdict;
  prepared: PreparedCommand;
  planned: PlannedOutput[];
  collections: PlannedCollection[];
  /** Text by output. */
  outputs: Record<string, string>;
  results: RunOutputResult[];
  found: Discovered;
  /** Whether a path in the working folder is there afterwards. */
  left: string[];
  /** The text of what was discovered, by key. */
  foundTexts: Record<string, string>;
}

export interface Table {
  columns: string[];
  rows: string[][];
}

/** A world that has these data tables. */
export function tables(given: Record<string, Table>): Pick<World, 'context'> {
  const made = new Map(
    Object.entries(given).map(([name, { columns, rows }]) => [
      name,
      { name, columns: new Map(columns.map((column, index) => [column, index])), rows },
    ]),
  );
  return { context: { tables: { table: (name) => made.get(name) } } };
}

export const hda = (number: number): JsonObject => ({ src: 'hda', id: id(number) });
export const hdca = (name: string): JsonObject => ({ src: 'hdca', id: name });

export function wrapperText(given: Wrapper): string {
  const { attributes = '', before = '', command, commandAttributes = '', inputs = '', outputs } = given;
  return `<tool id="t" name="Tool" version="1.0" ${attributes}>${before}
<command ${commandAttributes}><![CDATA[
${command}
]]></command>
<inputs>${inputs}</inputs>
<outputs>${outputs ?? '<data name="out" format="txt"/>'}</outputs>
</tool>`;
}

export interface Bench {
  toolbox: Toolbox;
  tool: Tool;
  expand(inputs: JsonObject, world?: World): Expansion;
}

/** Loads it; what is refused is thrown as the problem that the node would show. */
export async function withTool<T>(given: Wrapper, work: (bench: Bench, folder: string) => Promise<T>): Promise<T> {
  const folder = await temporaryFolder();
  try {
    const toolbox = await loaded(given, join(folder.path, 'tools'));
    const tool = toolbox.tool('t');
    if (!tool) throw new Error(JSON.stringify(toolbox.problems()));
    const expand = (inputs: JsonObject, world: World = {}) => toolbox.expand(tool, inputs, contextOf(world));
    return await work({ toolbox, tool, expand }, folder.path);
  } finally {
    await folder.remove();
  }
}

/** A wrapper with nothing beside it is read once for all that is tried with it: its bytes are in memory then. */
const known = new Map<string, Promise<Toolbox>>();

function loaded(given: Wrapper, folder: string): Promise<Toolbox> {
  const text = wrapperText(given);
  if (given.beside) return toolboxOf(folder, { 't.xml': text, ...given.beside });
  const toolbox = known.get(text) ?? toolboxOf(folder, { 't.xml': text });
  known.set(text, toolbox);
  return toolbox;
}

/** Why a wrapper is not loaded. */
export async function problemsOf(given: Wrapper): Promise<ToolProblem[]> {
  const folder = await temporaryFolder();
  try {
    return (await toolboxOf(folder.path, { 't.xml': wrapperText(given), ...given.beside })).problems();
  } finally {
    await folder.remove();
  }
}

/** The sentences that refuse a request. */
export function errorsOf(given: Wrapper, inputs: JsonObject, world: World = {}): Promise<Record<string, string>> {
  return withTool(given, async ({ expand }) => expand(inputs, world).errors);
}

export function run(given: Wrapper, inputs: JsonObject = {}, world: World = {}): Promise<Ran> {
  return withTool(given, ({ toolbox, tool }, folder) => runIn(folder, toolbox, tool, inputs, world));
}

/** The text of the output `out`. */
export async function out(given: Wrapper, inputs: JsonObject = {}, world: World = {}): Promise<string> {
  const ran = await run(given, inputs, world);
  if (ran.exitCode !== 0) throw new Error(`${ran.stderr}\n${ran.line}`);
  return ran.outputs.out ?? '';
}

/** The command as it is rendered, blanks made one. */
export async function line(given: Wrapper, inputs: JsonObject = {}, world: World = {}): Promise<string> {
  return withTool(given, async ({ toolbox, tool, expand }) => {
    const { jobs, errors } = expand(inputs, world);
    const [job] = jobs;
    if (!job) throw new Error(JSON.stringify(errors));
    const files = {
      inputPath: (dataset: string) => `/data/${Number(dataset)}.dat`,
      outputPath: (name: string) => `/out/${name}.dat`,
      workFolder: '/work',
    };
    const { commandLine = '' } = toolbox.prepare(tool, job, contextOf(world), files);
    return commandLine.replace(/\s+/g, ' ').trim();
  });
}

export function contextOf({ data = [], collections, context = {} }: World): ToolContext {
  const given = data.map((one) => (typeof one === 'string' ? {} : one));
  const datasets = given.map((one, index) => ({ id: id(index + 1), hid: index + 1, ...one }));
  return { ...fakeContext(datasets, collections), ...context };
}

async function runIn(folder: string, toolbox: Toolbox, tool: Tool, inputs: JsonObject, world: World): Promise<Ran> {
  const context = contextOf(world);
  const { jobs, errors } = toolbox.expand(tool, inputs, context);
  const [job] = jobs;
  if (!job) throw new Error(JSON.stringify(errors));
  const runFolder = join(folder, 'run');
  const paths = runPaths(runFolder);
  for (const one of [paths.working, paths.outputs]) await mkdir(one, { recursive: true });
  const inputPath = (dataset: string) => join(folder, 'data', `${dataset}.dat`);
  await mkdir(join(folder, 'data'));
  for (const [index, one] of (world.data ?? []).entries()) {
    await writeFile(inputPath(id(index + 1)), typeof one === 'string' ? one : (one.text ?? ''));
  }
  const planned = toolbox.plan(tool, job, context);
  const collections = toolbox.planCollections?.(tool, job, context) ?? [];
  const numbers = new Map(planned.map(({ name }, index) => [name, index]));
  const outputPath = (name: string) => join(paths.outputs, `dataset_${numbers.get(name)}.dat`);
  const prepared = toolbox.prepare(tool, job, context, { inputPath, outputPath, workFolder: paths.working });
  for (const { path, text } of prepared.configFiles) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  await writeFile(paths.script, prepared.script);
  const ended = await sh(paths.script, paths.working, { ...world.environment, ...prepared.environment });
  const outputs = planned.map(
    (one): RunOutput => ({
      name: one.name,
      file: outputPath(one.name),
      extension: one.extension,
      label: one.label,
      ...(one.fromWorkDir ? { fromWorkDir: one.fromWorkDir } : {}),
      ...(one.metadata ? { metadata: one.metadata } : {}),
      ...(one.discover ? { discover: one.discover } : {}),
    }),
  );
  const provided = await readProvided(runFolder, prepared.providedMetadataFile ?? 'galaxy.json', (named) =>
    numbers.has(named) ? named : undefined,
  );
  const deps = { datatypes: createDatatypes() };
  const work = { outputs, collections: collections.filter((one) => one.discover.length > 0) };
  const found = await discover(deps, runFolder, work, provided);
  const results = await collectOutputs(deps, runFolder, outputs);
  const texts: Record<string, string> = {};
  for (const { name, file } of results) if (file !== undefined) texts[name] = await readFile(file, 'utf8');
  const foundTexts: Record<string, string> = {};
  for (const { key, file } of found.files) foundTexts[key] = await readFile(file, 'utf8');
  return {
    line: prepared.commandLine ?? '',
    ...ended,
    verdict: judge({ ...ended, signal: null }, prepared.failureRules),
    prepared,
    planned,
    collections,
    outputs: texts,
    results,
    found,
    foundTexts,
    left: await isThere(paths.working, ['canary', '../canary', '../../canary']),
  };
}

async function isThere(folder: string, names: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) {
    const stat = await lstat(join(folder, name)).catch(() => undefined);
    if (stat) found.push(name);
  }
  return found;
}

function sh(
  script: string,
  cwd: string,
  environment: Record<string, string>,
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, ...environment };
    execFile('sh', [script], { cwd, env, timeout: 20_000 }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0;
      resolve({ exitCode: code, stdout, stderr });
    });
  });
}
