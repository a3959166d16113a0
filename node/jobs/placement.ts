/** Where a job that does not run belongs now. Pure: the log and what this node knows in, a place with its reason out. */
import type { AccountView, JobRecord } from '../../protocol/account/records.js';
import { crashedTooOften } from './dispatcher.js';
import { type ReadinessFacts, readiness } from './readiness.js';
import { uploadNode } from './submission.js';
import { CRASHES_MAX, type TrackedJob } from './tracked.js';

export type Place =
  /** It has ended; this node need not remember it. */
  | { in: 'nowhere' }
  /** It is to be ended without a run. */
  | { in: 'outcome'; state: 'deleted' | 'error'; reason: string }
  | { in: 'queue' }
  | { in: 'elsewhere'; peer: string; reason: string }
  | { in: 'waiting' | 'paused'; reason: string; jobs: string[]; blobs: string[] };

export interface PlaceFacts extends ReadinessFacts {
  peerId: string;
  isHome: boolean;
}

export function placeOf(
  item: Pick<TrackedJob, 'crashes' | 'note'>,
  job: JobRecord | undefined,
  view: AccountView,
  facts: PlaceFacts,
): Place {
  if (job === undefined || job.outcome !== undefined) return { in: 'nowhere' };
  if (job.cancelled) return { in: 'outcome', state: 'deleted', reason: job.cancelReason ?? 'The job was cancelled.' };
  if (item.crashes >= CRASHES_MAX) {
    return { in: 'outcome', state: 'error', reason: crashedTooOften(item.crashes, 'the node ended') };
  }
  // An upload's bytes are here and nowhere else: it runs here whoever is home, and is reported there.
  if (item.note.fetch !== undefined) return { in: 'queue' };
  const { elsewhere } = item.note;
  if (typeof elsewhere === 'string') return { in: 'elsewhere', peer: elsewhere, reason: 'runs on at its former home' };
  const holder = uploadNode(job);
  if (holder === facts.peerId) {
    const reason = 'The uploaded bytes are no longer on this node. Upload them again.';
    return { in: 'outcome', state: 'error', reason };
  }
  if (holder !== undefined) {
    return { in: 'elsewhere', peer: holder, reason: 'waits for the node that holds the uploaded bytes' };
  }
  if (!facts.isHome) {
    return { in: 'waiting', reason: "waits for the account's home to be here again", jobs: [], blobs: [] };
  }
  const ready = readiness(view, job, facts);
  switch (ready.is) {
    case 'ready':
      return { in: 'queue' };
    case 'failed':
      return { in: 'outcome', state: 'error', reason: ready.reason };
    case 'fetching':
      return { in: 'waiting', reason: ready.reason, jobs: [], blobs: ready.blobs };
    default:
      return { in: ready.is, reason: ready.reason, jobs: ready.jobs, blobs: [] };
  }
}
