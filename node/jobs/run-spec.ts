/**
 * What a run of a job is made of, and what the node and its handler processes say to each other about it. Plain data:
 * it crosses an IPC channel as JSON. A run is named by (job, attempt); a word about any other attempt is stale.
 *
 * A tool whose author the node does not trust says `confine: 'sandbox'` (`Tool` and `PreparedCommand`, toolbox/tool.ts).
 * That is all it says: the toolbox's resolver decides what confines it here, and without anything it is refused when it
 * is submitted, and again when it is prepared. The runner sees the decision as `place`.
 */
import { z } from 'zod';
import type { JsonObject } from '../../protocol/log/entry.js';
import type { Engine } from '../toolbox/requirements/requirement-engine.js';
import type { DiscoverRule, PreparedCommand } from '../toolbox/tool.js';

export interface RunOutput {
  name: string;
  /** Absolute, inside the run's `outputs/`. */
  file: string;
  /** An extension, or `auto`: decided from the bytes. */
  extension: string;
  /** Relative to `working/`: the tool writes there and the file is moved afterwards. */
  fromWorkDir?: string;
  /** What the dataset is called: what is found for it is named after it. */
  label?: string;
  /** Stands above what the bytes say. */
  metadata?: JsonObject;
  discover?: DiscoverRule[];
  /** The folder of its extra files is there before the tool runs. */
  precreateFolder?: boolean;
}

/** A collection whose elements are found after the run. */
export interface RunCollection {
  name: string;
  collectionType: string;
  discover: DiscoverRule[];
}

/** A second name for a file of this node, made before the tool runs. */
export interface RunLink {
  /** Absolute, inside the run's folder. */
  path: string;
  target: string;
}

/** One upload: a file of this node that the run may read and never changes. */
export interface RunFetch {
  name: string;
  source: string;
  toPosixLines: boolean;
  spaceToTab: boolean;
  autoDecompress: boolean;
  output: RunOutput;
}

export type RunWork =
  | {
      kind: 'command';
      command: PreparedCommand;
      outputs: RunOutput[];
      collections?: RunCollection[];
      links?: RunLink[];
      /** HOME of tools that share one; absolute. */
      sharedHome?: string;
      /** Shell text of the administrator's, read before the command; the job ends when it fails. */
      setUp?: string;
      /** Absent: as the node's own user, with nothing in between. */
      place?: RunPlace;
    }
  | { kind: 'fetch'; items: RunFetch[] };

/** Where the processes of a tool run, its version command included. Never given up for another when it fails. */
export type RunPlace = SandboxPlace | ContainerPlace;

interface Enclosed {
  /** Files and folders that can be read at their own paths, besides the run's folder. */
  reads: string[];
}

/** bubblewrap: the system's programs to read, the run's folder, no network, no other process. */
export interface SandboxPlace extends Enclosed {
  kind: 'sandbox';
}

export interface ContainerPlace extends Enclosed {
  kind: 'container';
  engine: Engine;
  image: string;
  /** Whether the engine may fetch an image that it does not have. */
  pull: boolean;
  network: boolean;
  /** Whether the engine bounds cores, memory and processes. */
  limits: boolean;
  /** The tool is not trusted: nothing of the image, and of the run only what is the tool's, can be written. */
  confined: boolean;
  /** For the engine's own program; none of it goes into the container. */
  engineEnvironment: Record<string, string>;
}

export interface RunSpec {
  job: string;
  attempt: number;
  /** Absolute; made for this attempt alone. */
  folder: string;
  work: RunWork;
  limits: RunLimits;
  cores: number;
  memoryMb: number;
}

export interface RunLimits {
  /** null: none. */
  walltimeMs: number | null;
  /** Of stdout and of stderr, each. */
  logBytesMax: number;
  /** Between SIGTERM and SIGKILL. */
  killGraceMs: number;
  /** What one uploaded file may grow to when it is decompressed. */
  fetchBytesMax: number;
}

const jsonObject = z.custom<JsonObject>((value) => typeof value === 'object' && value !== null);

const runOutputResult = z.object({
  name: z.string(),
  /** Absolute, a regular file; absent when there is nothing to keep. */
  file: z.string().optional(),
  state: z.enum(['ok', 'empty', 'error', 'failed_metadata']),
  extension: z.string(),
  peek: z.string(),
  blurb: z.string(),
  metadata: jsonObject,
  info: z.string(),
  /** Said by the tool itself. */
  label: z.string().optional(),
  genomeBuild: z.string().optional(),
  /** What it was called where it comes from. */
  createdFrom: z.string().optional(),
  /** Files beside the primary one, by their relative path. */
  extra: z.array(z.object({ path: z.string(), file: z.string() })).optional(),
  metadataFiles: z.array(z.object({ name: z.string(), file: z.string() })).optional(),
});

const foundFile = runOutputResult.extend({
  file: z.string(),
  /** `output/designation`. */
  key: z.string(),
  visible: z.boolean(),
});

const runLog = z.object({
  /** The first bytes, as text. */
  head: z.string(),
  /** The whole of it, when there is more. */
  file: z.string().optional(),
});

const runResult = z.object({
  state: z.enum(['ok', 'error', 'stopped']),
  exitCode: z.number().int().nullable(),
  message: z.string().optional(),
  stdout: runLog,
  stderr: runLog,
  startedAt: z.number().int(),
  endedAt: z.number().int(),
  outputs: z.array(runOutputResult),
  toolVersion: z.string().optional(),
  /** Discovered datasets. */
  found: z.array(foundFile).optional(),
  /** Elements of discovered collections, by output. */
  elements: z.record(z.string(), z.array(z.object({ identifiers: z.array(z.string()), key: z.string() }))).optional(),
});

export type FoundFile = z.output<typeof foundFile>;
export type RunOutputResult = z.output<typeof runOutputResult>;
export type RunLog = z.output<typeof runLog>;
export type RunResult = z.output<typeof runResult>;

/** Node → handler. */
export type ToHandler = { type: 'run'; spec: RunSpec } | { type: 'cancel'; job: string; attempt: number };

const run = { job: z.string(), attempt: z.number().int().positive() };

/** Handler → node. */
export const fromHandler = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('beat') }),
  z.object({ type: z.literal('started'), ...run, pid: z.number().int().nullable(), at: z.number().int() }),
  z.object({ type: z.literal('finished'), ...run, result: runResult }),
]);

export type FromHandler = z.output<typeof fromHandler>;

export interface RunEvents {
  started(at: number): void;
  finished(result: RunResult): void;
  /** The handler died or was given up; every process of the run is gone. */
  lost(reason: string): void;
}

/** What runs jobs: handler processes here, something else in tests. */
export interface Executor {
  slots(): number;
  /** Runs that could start now; 0 while no handler has a valid lease. */
  free(): number;
  /** False when nobody could take it: nothing was started. */
  run(spec: RunSpec, events: RunEvents): boolean;
  cancel(job: string, attempt: number): void;
  /** Called when `free` may have grown. */
  onFree(listener: () => void): () => void;
}

/** Where things are in a run's folder. */
export function runPaths(folder: string) {
  return {
    working: `${folder}/working`,
    outputs: `${folder}/outputs`,
    temporary: `${folder}/tmp`,
    home: `${folder}/home`,
    inputs: `${folder}/inputs`,
    script: `${folder}/tool_script.sh`,
    /** What the place starts: it sets the environment and runs the script. */
    entry: `${folder}/entry.sh`,
    environment: `${folder}/environment.sh`,
    setUp: `${folder}/set_up.sh`,
    /** Made by `entry`: the tool's own time has begun. */
    entered: `${folder}/tmp/.entered`,
    /** Made when `setUp` failed. */
    setUpFailed: `${folder}/tmp/.set_up_failed`,
    stdout: `${folder}/stdout`,
    stderr: `${folder}/stderr`,
  };
}

/** Set in the environment of every process of a run, so that what escaped its process group can be found. */
export const RUN_MARKER = 'GALAXY_JOB_FOLDER';
