/**
 * What a handler gets to run a job: command, files and outputs, decided by the log as it is at that moment. Nothing is
 * started or written here.
 */
import { type AccountView, contentOf, type JobRecord } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import { toolContext } from '../datasets/tool-context.js';
import type { Toolbox } from '../toolbox/tool.js';
import { inputDatasets } from './readiness.js';
import { type RunOutput, type RunSpec, runPaths } from './run-spec.js';
import type { FetchFile } from './spool.js';
import { fetchOutput } from './submission.js';

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
  run: Omit<RunSpec, 'job' | 'work'>;
}

/** Errors are plain ones, in words for the job's owner, and those of the toolbox. */
export function prepareRun(
  deps: { toolbox: Pick<Toolbox, 'tool' | 'plan' | 'prepare'>; blobs: Pick<BlobStore, 'path'> },
  { job, view, fetch, run }: ToPrepare,
): PreparedRun {
  const { toolbox, blobs } = deps;
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
  const tool = toolbox.tool(job.tool, job.toolVersion);
  if (tool === undefined) throw new Error(`The tool ${job.tool} (version ${job.toolVersion}) is not installed here.`);
  const inputBlobs: Record<string, string> = {};
  for (const { id, dataset } of inputDatasets(view, job)) {
    const blob = dataset && contentOf(view, dataset)?.files[0]?.blob;
    if (blob !== undefined) inputBlobs[id] = blob;
  }
  const context = toolContext(view, job.history);
  const expanded = { state: job.params, inputs: job.inputs };
  const planned = new Map(toolbox.plan(tool, expanded, context).map((output) => [output.name, output]));
  const command = toolbox.prepare(tool, expanded, context, {
    inputPath: (dataset) => {
      const blob = inputBlobs[dataset];
      if (blob === undefined) throw new Error(`dataset ${dataset} is not an input of this job, or has no content`);
      return blobs.path(blob);
    },
    outputPath: outputFile,
    workFolder: runPaths(run.folder).working,
  });
  const outputs = Object.keys(job.outputs).map((name): RunOutput => {
    const fromWorkDir = planned.get(name)?.fromWorkDir;
    const extension = view.get('dataset', job.outputs[name] ?? '')?.extension ?? 'data';
    return { name, file: outputFile(name), extension, ...(fromWorkDir ? { fromWorkDir } : {}) };
  });
  const commandLine = command.commandLine ?? command.script;
  return { spec: { ...base, work: { kind: 'command', command, outputs } }, commandLine, inputBlobs };
}

export function outputsOf({ work }: RunSpec): RunOutput[] {
  return work.kind === 'command' ? work.outputs : work.items.map(({ output }) => output);
}
