/**
 * What a handler gets to run a job: command, files and outputs, decided by the log as it is at that moment. Nothing is
 * started or written here.
 */
import { type AccountView, contentOf, type JobRecord } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import { type ToolContextDeps, toolContext } from '../datasets/tool-context.js';
import type { Toolbox } from '../toolbox/tool.js';
import { ownTool } from '../toolbox/user-tool/user-tools.js';
import { filesFolder } from './collect.js';
import { inputDatasets } from './readiness.js';
import { type Programs, runPlace } from './run-place.js';
import { type RunLink, type RunOutput, type RunSpec, type RunWork, runPaths } from './run-spec.js';
import type { FetchFile } from './spool.js';
import { fetchOutput } from './submission.js';
import { staysInside } from './work-files.js';

export interface PreparedRun {
  spec: RunSpec;
  commandLine: string;
  /** Dataset → the blob that it stood for. */
  inputBlobs: Record<string, string>;
}

export interface ToPrepare {
  job: JobRecord;
  view: AccountView;
  /** The files of an upload. */
  fetch: readonly FetchFile[] | undefined;
  sharedHome: string;
  run: Omit<RunSpec, 'job' | 'work'>;
}

/** Errors are plain ones, in words for the job's owner, and those of the toolbox. */
export async function prepareRun(
  deps: {
    toolbox: Pick<Toolbox, 'tool' | 'plan' | 'planCollections' | 'prepare' | 'evaluate' | 'ofUser'>;
    blobs: Pick<BlobStore, 'path'>;
    tables: ToolContextDeps['tables'];
    programs?: Programs | undefined;
  },
  { job, view, fetch, run, sharedHome }: ToPrepare,
): Promise<PreparedRun> {
  const { toolbox } = deps;
  const reads = new Set<string>();
  const blobs = {
    path: (blob: string) => {
      const path = deps.blobs.path(blob);
      reads.add(path);
      return path;
    },
  };
  const base = { ...run, job: job.id };
  const outputFile = (name: string) => {
    const id = job.outputs[name];
    if (id === undefined) throw new Error(`the job has no output named ${name}`);
    return `${runPaths(run.folder).outputs}/dataset_${id}.dat`;
  };
  if (fetch !== undefined) {
    const items = fetch.map(({ name, source, extension, toPosixLines, spaceToTab, autoDecompress }, index) => {
      const output = { name: fetchOutput(index), file: outputFile(fetchOutput(index)), extension };
      return { name, source: source.path, toPosixLines, spaceToTab, autoDecompress, output };
    });
    return { spec: { ...base, work: { kind: 'fetch', items } }, commandLine: '', inputBlobs: {} };
  }
  const tool = toolbox.tool(job.tool, job.toolVersion) ?? ownTool(toolbox, view, job.tool);
  if (tool === undefined) throw new Error(`The tool ${job.tool} (version ${job.toolVersion}) is not installed here.`);
  const inputBlobs: Record<string, string> = {};
  const links: RunLink[] = [];
  const linked = new Map<string, string>();
  for (const { id, dataset } of inputDatasets(view, job)) {
    const files = (dataset && contentOf(view, dataset)?.files) ?? [];
    const blob = files.find(({ role }) => role === 'primary')?.blob;
    if (blob === undefined) continue;
    inputBlobs[id] = blob;
    const extra = files.filter(({ role, path }) => role === 'extra' && staysInside(path));
    if (extra.length === 0) continue;
    // Tools look for them in the folder that is named after the file.
    const file = `${runPaths(run.folder).inputs}/dataset_${id}.dat`;
    linked.set(id, file);
    links.push({ path: file, target: blobs.path(blob) });
    for (const one of extra) links.push({ path: `${filesFolder(file)}/${one.path}`, target: blobs.path(one.blob) });
  }
  const context = toolContext(view, job.history, deps);
  const expanded = { state: job.params, inputs: job.inputs };
  const planned = new Map(toolbox.plan(tool, expanded, context).map((output) => [output.name, output]));
  const files: Parameters<Toolbox['prepare']>[3] = {
    inputPath: (dataset) => {
      const blob = inputBlobs[dataset];
      if (blob === undefined) throw new Error(`dataset ${dataset} is not an input of this job, or has no content`);
      return linked.get(dataset) ?? blobs.path(blob);
    },
    outputPath: outputFile,
    workFolder: runPaths(run.folder).working,
    // An index is a path for templates: `$input.metadata.bam_index`.
    metadataPath: (dataset, name) => {
      const record = view.get('dataset', dataset);
      const files = (record && contentOf(view, record)?.files) ?? [];
      const blob = files.find(({ role, path }) => role === 'metadata' && path === name)?.blob;
      return blob === undefined ? undefined : blobs.path(blob);
    },
  };
  const { cores, memoryMb } = run;
  const command =
    (await toolbox.evaluate?.(tool, expanded, context, { ...files, cores, memoryMb })) ??
    toolbox.prepare(tool, expanded, context, files);
  const outputs = Object.keys(job.outputs).map((name): RunOutput => {
    const { fromWorkDir, metadata, discover, precreateFolder } = planned.get(name) ?? {};
    const record = view.get('dataset', job.outputs[name] ?? '');
    return {
      name,
      file: outputFile(name),
      extension: record?.extension ?? 'data',
      ...(record ? { label: record.name } : {}),
      ...(fromWorkDir ? { fromWorkDir } : {}),
      ...(metadata ? { metadata } : {}),
      ...(discover ? { discover } : {}),
      ...(precreateFolder ? { precreateFolder } : {}),
    };
  });
  const collections = (toolbox.planCollections?.(tool, expanded, context) ?? [])
    .filter(({ discover, name }) => discover.length > 0 && job.outputCollections?.[name] !== undefined)
    .map(({ name, collectionType, discover }) => ({ name, collectionType, discover }));
  const commandLine = command.commandLine ?? command.script;
  const work: RunWork = {
    kind: 'command',
    command,
    outputs,
    ...(collections.length > 0 ? { collections } : {}),
    ...(links.length > 0 ? { links } : {}),
    ...(command.home === 'shared' ? { sharedHome } : {}),
    ...runPlace(deps.programs, tool, command, [...reads]),
  };
  return { spec: { ...base, work }, commandLine, inputBlobs };
}

export function outputsOf({ work }: RunSpec): RunOutput[] {
  return work.kind === 'command' ? work.outputs : work.items.map(({ output }) => output);
}
