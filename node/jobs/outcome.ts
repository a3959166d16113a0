/** The one entry that ends a job: made of what a run left, and made to fit into a log entry. Pure. */
import type { Content, ContentFile, JobOutcome } from '../../protocol/account/entries.js';
import type { AccountView, JobRecord } from '../../protocol/account/records.js';
import type { JsonObject } from '../../protocol/log/entry.js';
import { ENTRY_PAYLOAD_BYTES_MAX } from '../../protocol/wire/limits.js';
import { isUndecided } from './collect.js';
import type { RunResult } from './run-spec.js';

/** Room for what the log adds around a payload. */
const OUTCOME_BYTES_MAX = ENTRY_PAYLOAD_BYTES_MAX - 2 * 1024;
const LOG_CHARS_MAX = 8192;

export interface OutcomeBase {
  id: string;
  epoch: number;
  attempt: number;
  executor: string;
  endedAt: number;
}

export interface AdoptedOutput {
  blob: string;
  size: number;
  /** Its index and its extra files. */
  more?: ContentFile[];
}

export interface RunFacts {
  commandLine: string;
  cores: number;
  memoryMb: number;
  inputBlobs: Record<string, string>;
  /** By output name: what the node took over. */
  adopted: ReadonlyMap<string, AdoptedOutput>;
  stdoutBlob: string | undefined;
  stderrBlob: string | undefined;
  /** Original names of uploads, by output name. */
  createdFrom: ReadonlyMap<string, string>;
  /** The list of what was found beside the outputs. */
  found?: JobOutcome['found'];
}

/** How the outputs of a job look when it ended without making them. */
export function withoutRun(
  view: AccountView,
  job: JobRecord,
  base: OutcomeBase,
  state: 'deleted' | 'error' | 'failed',
  message: string,
): JobOutcome {
  const outputs: Record<string, Content> = {};
  for (const [name, id] of Object.entries(job.outputs)) {
    const declared = view.get('dataset', id)?.extension ?? 'data';
    outputs[name] = {
      state: state === 'deleted' ? 'discarded' : 'error',
      extension: isUndecided(declared) ? 'data' : declared,
      files: [],
      size: 0,
      peek: '',
      blurb: '',
      info: clip(message, 4096),
      metadata: {},
    };
  }
  return fitOutcome({
    ...base,
    state,
    exitCode: null,
    message: clip(message, 4096),
    commandLine: '',
    stdout: '',
    stderr: '',
    startedAt: null,
    outputs,
  });
}

export function fromRun(base: OutcomeBase, result: RunResult, facts: RunFacts): JobOutcome {
  const isError = result.state !== 'ok';
  const outputs: Record<string, Content> = {};
  for (const output of result.outputs) {
    const adopted = facts.adopted.get(output.name);
    const createdFrom = facts.createdFrom.get(output.name) ?? output.createdFrom;
    outputs[output.name] = {
      state: isError ? 'error' : output.state,
      extension: output.extension,
      files: adopted ? filesOf(adopted) : [],
      size: adopted?.size ?? 0,
      peek: clip(output.peek, 8192),
      blurb: clip(output.blurb, 1024),
      info: clip(isError ? failureInfo(result) : output.info || result.stdout.head.slice(0, 255), 4096),
      metadata: output.metadata,
      ...(createdFrom === undefined ? {} : { createdFrom: clip(createdFrom, 1024) }),
    };
  }
  const metrics: JsonObject = {
    galaxy_slots: facts.cores,
    galaxy_memory_mb: facts.memoryMb,
    start_epoch: Math.floor(result.startedAt / 1000),
    end_epoch: Math.floor(result.endedAt / 1000),
    runtime_seconds: Math.max(0, result.endedAt - result.startedAt) / 1000,
  };
  return fitOutcome({
    ...base,
    state: isError ? 'error' : 'ok',
    exitCode: result.exitCode,
    ...(result.message ? { message: clip(result.message, 4096) } : {}),
    commandLine: clip(facts.commandLine, 16_384),
    stdout: clip(result.stdout.head, LOG_CHARS_MAX),
    stderr: clip(result.stderr.head, LOG_CHARS_MAX),
    ...(facts.stdoutBlob === undefined ? {} : { stdoutBlob: facts.stdoutBlob }),
    ...(facts.stderrBlob === undefined ? {} : { stderrBlob: facts.stderrBlob }),
    startedAt: result.startedAt,
    endedAt: result.endedAt,
    outputs,
    ...(result.toolVersion ? { toolVersion: clip(result.toolVersion, 1024) } : {}),
    ...(facts.found === undefined ? {} : { found: facts.found }),
    inputBlobs: facts.inputBlobs,
    metrics,
  });
}

export function filesOf({ blob, size, more = [] }: AdoptedOutput): ContentFile[] {
  return [{ role: 'primary', path: '', blob, size }, ...more];
}

/**
 * Gives up what a person misses least until the entry fits: logs and command line beyond a few KiB first (escapes may
 * have made them six times as long), then peeks, metadata and words, the blobs of the inputs last. What the outputs are
 * is never given up; manager.ts bounds how many there can be.
 */
export function fitOutcome(outcome: JobOutcome, bytesMax = OUTCOME_BYTES_MAX): JobOutcome {
  const steps: ((outcome: JobOutcome) => JobOutcome)[] = [
    (o) => ({
      ...o,
      stdout: clip(o.stdout, 2048),
      stderr: clip(o.stderr, 2048),
      commandLine: clip(o.commandLine, 4096),
    }),
    (o) => mapOutputs(o, (content) => ({ ...content, peek: clip(content.peek, 256), info: clip(content.info, 256) })),
    (o) => mapOutputs(o, (content) => ({ ...content, metadata: {}, peek: '' })),
    (o) => ({
      ...o,
      stdout: '',
      stderr: '',
      commandLine: clip(o.commandLine, 512),
      message: clip(o.message ?? '', 512),
    }),
    (o) => mapOutputs(o, ({ createdFrom: _, ...content }) => ({ ...content, info: '', blurb: '' })),
    ({ inputBlobs: _, toolVersion: __, ...o }) => ({ ...o, commandLine: '' }),
  ];
  let fitting = outcome;
  for (const step of steps) {
    if (jsonBytes(fitting) <= bytesMax) return fitting;
    fitting = step(fitting);
  }
  return fitting;
}

export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** At most `chars` UTF-16 units, never ending in half a character. */
export function clip(text: string, chars: number): string {
  if (text.length <= chars) return text;
  const cut = text.slice(0, chars);
  return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut;
}

function mapOutputs(outcome: JobOutcome, change: (content: Content) => Content): JobOutcome {
  const outputs = Object.fromEntries(Object.entries(outcome.outputs).map(([name, it]) => [name, change(it)]));
  return { ...outcome, outputs };
}

function failureInfo(result: RunResult): string {
  return [result.message ?? 'The tool failed.', result.stderr.head.slice(0, 1024)].filter(Boolean).join('\n');
}
