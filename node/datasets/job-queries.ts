/** Lists of a user's jobs, and whether one was run before with the same inputs: pure. */
import type { AccountView, JobRecord } from '../../protocol/account/records.js';
import type { JsonObject, JsonValue } from '../../protocol/log/entry.js';
import { page } from '../histories/query.js';
import type { JobState } from '../jobs/job.js';

export interface JobQuery {
  states?: readonly string[] | undefined;
  tools?: readonly string[] | undefined;
  /** Substrings of the tool's id, as Galaxy's `tool_ids_like` with `%`. */
  toolsLike?: readonly string[] | undefined;
  history?: string | undefined;
  /** Only these. */
  among?: ReadonlySet<string> | undefined;
  /** Milliseconds; bounds of the last change, both inclusive. */
  from?: number | undefined;
  to?: number | undefined;
  orderBy: 'update_time' | 'create_time';
  limit?: number | undefined;
  offset?: number | undefined;
}

/** Newest first. */
export function selectJobs(view: AccountView, query: JobQuery, state: (job: JobRecord) => JobState): JobRecord[] {
  const kept = [...view.list('job')].filter(
    (job) =>
      (query.history === undefined || job.history === query.history) &&
      (query.among === undefined || query.among.has(job.id)) &&
      (query.tools === undefined || query.tools.includes(job.tool)) &&
      (query.toolsLike === undefined || query.toolsLike.some((part) => job.tool.includes(part.replaceAll('%', '')))) &&
      (query.from === undefined || job.applied >= query.from) &&
      (query.to === undefined || job.applied <= query.to) &&
      (query.states === undefined || query.states.includes(state(job))),
  );
  const at = (job: JobRecord) => (query.orderBy === 'create_time' ? job.createdAt : job.applied);
  kept.sort((a, b) => at(b) - at(a) || (a.id < b.id ? 1 : -1));
  return page(kept, query.offset, query.limit);
}

/** Whether the job ran with these inputs, given nested or flat (`seed_source|seed`); what is not given may be anything. */
export function ranWith(job: JobRecord, inputs: JsonObject): boolean {
  const state = flatten(job.params);
  return [...flatten(inputs)].every(([name, wanted]) => state.get(name) === wanted);
}

const DEPTH_MAX = 20;

function flatten(value: JsonObject): Map<string, string> {
  const flat = new Map<string, string>();
  walk(value, '', flat, 0);
  return flat;
}

function walk(value: JsonValue, path: string, into: Map<string, string>, depth: number): void {
  const dataset = datasetIn(value);
  if (dataset !== undefined) into.set(path, dataset);
  else if (value === null || typeof value !== 'object') into.set(path, String(value));
  else if (depth < DEPTH_MAX) {
    for (const [key, inner] of Object.entries(value)) {
      if (key.startsWith('__')) continue;
      const joined = path === '' ? key : Array.isArray(value) ? `${path}_${key}` : `${path}|${key}`;
      walk(inner, joined, into, depth + 1);
    }
  }
}

/** `{src, id}`, alone or as the one value of `{values: […]}` or of a list, is the same input. */
function datasetIn(value: JsonValue): string | undefined {
  if (value === null || typeof value !== 'object') return undefined;
  if (Array.isArray(value)) return value.length === 1 ? datasetIn(value[0] as JsonValue) : undefined;
  if (Array.isArray(value.values)) return datasetIn(value.values);
  return typeof value.src === 'string' && typeof value.id === 'string' ? `${value.src}:${value.id}` : undefined;
}
