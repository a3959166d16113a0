/**
 * A job's life, as Galaxy names it. States are derived: from the log (submitted, cancelled, outcome) and from what this
 * node is doing with it (waiting for inputs, queued, running).
 *
 * new → waiting (inputs not ready) → queued → running → ok | error | deleted | failed | stopped
 *                                  ↘ paused (an input failed)
 */
import type { JobRecord } from '../../protocol/account/records.js';

export type JobState =
  | 'new'
  | 'waiting'
  | 'queued'
  | 'running'
  | 'ok'
  | 'error'
  | 'paused'
  | 'deleted'
  | 'failed'
  | 'stopped'
  | 'skipped';

export const TERMINAL: ReadonlySet<JobState> = new Set(['ok', 'error', 'deleted', 'failed', 'stopped', 'skipped']);

/** What this node knows of a job that it works on; gone after the outcome and after a restart. */
export interface LocalJobState {
  state: 'new' | 'waiting' | 'queued' | 'running' | 'paused';
  /** For people: "waiting for dataset 3", "second in the queue". */
  reason: string;
}

export function jobState(job: JobRecord, local: LocalJobState | undefined): JobState {
  if (job.outcome) return job.outcome.state;
  if (job.cancelled) return 'deleted';
  return local?.state ?? (Object.keys(job.attempts).length > 0 ? 'queued' : 'new');
}

/** What the API and the composition root need of the job side. */
export interface JobService {
  /** Submits the jobs of one request; accepted (fsynced) when it resolves. `job` and dataset ids are final. */
  submit(account: string, submissions: Submission[], implicit?: ImplicitCollection[]): Promise<SubmittedJob[]>;
  /** An upload: the same life, run by the node itself. */
  submitFetch(account: string, fetch: FetchSubmission): Promise<SubmittedJob>;
  cancel(account: string, job: string, reason?: string): Promise<void>;
  /** Looks again at the inputs of a paused job. Does nothing to a job in another state. */
  resume?(account: string, job: string): Promise<void>;
  local(job: string): LocalJobState | undefined;
  counts(): { queued: number; running: number; slots: number };
  onChange(listener: (change: { account: string; job: string; state: JobState }) => void): () => void;
}

export interface Submission {
  tool: string;
  toolVersion: string;
  history: string;
  state: import('../../protocol/log/entry.js').JsonObject;
  inputs: Record<string, { kind: 'dataset' | 'collection'; id: string }[]>;
  outputs: SubmittedOutput[];
  collections?: SubmittedCollection[];
}

export interface SubmittedOutput {
  name: string;
  label: string;
  extension: string;
  hidden: boolean;
  genomeBuild?: string | undefined;
  /** The element of one of the job's collections that it is. */
  element?: { collection: string; identifiers: string[] } | undefined;
}

export interface SubmittedCollection {
  name: string;
  label: string;
  collectionType: string;
  hidden: boolean;
  /** Its elements are known when the job has ended. */
  discovered: boolean;
}

/** What comes of running a tool over collections: the outputs of one name of all jobs. */
export interface ImplicitCollection {
  output: string;
  label: string;
  collectionType: string;
  hidden: boolean;
  /** Of each submission, in order; undefined where the job has no such output. */
  identifiers: (string[] | undefined)[];
}

export interface FetchItem {
  name: string;
  /** `auto` sniffs. */
  extension: string;
  genomeBuild: string;
  toPosixLines: boolean;
  spaceToTab: boolean;
  autoDecompress: boolean;
  tags: string[];
  source: { kind: 'file'; path: string } | { kind: 'text'; text: string };
}

export interface FetchSubmission {
  history: string;
  tool: 'upload1' | '__DATA_FETCH__';
  items: FetchItem[];
}

export interface SubmittedJob {
  job: string;
  /** Output name → dataset. */
  outputs: Record<string, string>;
  /** Output name → collection. */
  collections?: Record<string, string>;
  /** Output name → the collection that all jobs of the request make together. */
  implicit?: Record<string, string>;
}
