/**
 * Whether a run of entries from a peer may be taken. Two questions, each answered before anything is stored: may its
 * writer write this segment and did it sign for these entries (`checkRun`), and do they continue what is here
 * (`settleRun`).
 */
import { type DomainError, describeError, printable } from '../runtime/errors.js';
import type { SegmentRun } from './account-log.js';
import type { SegmentState } from './account-state.js';
import { segmentKeyText } from './entry.js';
import { logErrors } from './errors.js';
import {
  type ChainedEntry,
  type ChainState,
  followChain,
  headerHash,
  RUN_BYTES_MAX,
  type SegmentHead,
  segmentRunSchema,
  toHex,
} from './segment.js';
import type { SegmentTrust } from './trust.js';

/** A run whose lease and head hold. */
export interface OfferedRun extends Omit<SegmentRun, 'head'> {
  text: string;
  node: string;
  head: SegmentHead;
  headToken: string;
}

/** Errors: `log/untrusted`. */
export function checkRun(trust: Pick<SegmentTrust, 'checkLease' | 'openHead'>, input: SegmentRun): OfferedRun {
  const parsed = segmentRunSchema.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw untrusted('?', `${issue?.path.join('.') || 'it'}: ${printable(issue?.message ?? 'not valid')}`);
  }
  const run = parsed.data;
  const text = segmentKeyText(run.key);
  const bytes = run.entries.reduce((sum, entry) => sum + entry.byteLength, 0);
  if (bytes > RUN_BYTES_MAX) throw untrusted(text, `it has ${bytes} bytes, at most ${RUN_BYTES_MAX} are taken`);
  const { node } = blame(text, 'its lease', () => trust.checkLease(run.lease, run.key));
  const { payload: head, signer } = blame(text, 'its head', () => trust.openHead(run.head));
  if (signer !== node) throw untrusted(text, 'its head is not signed by the node that the lease is for');
  if (segmentKeyText(head) !== text) throw untrusted(text, 'its head is of another segment');
  const last = run.from + run.entries.length - 1;
  if (head.seq !== last) throw untrusted(text, `its head covers entry ${head.seq}, the run ends at ${last}`);
  return { ...run, text, node, head, headToken: run.head };
}

export type RunVerdict =
  | { refused: DomainError; alarm: boolean; fresh?: undefined }
  | { refused?: undefined; fresh: ChainedEntry[] };

export interface RunContext {
  /** The segment is one that this process writes: nobody else can have more of it. */
  isOwn: boolean;
  /** What is stored at a seq that is here. */
  entry: (seq: number) => Promise<{ hash: Uint8Array; time: string }>;
}

/** `segment` is what is here of it, all of it on disk. `fresh` are the entries that continue it, maybe none. */
export async function settleRun(
  run: OfferedRun,
  segment: SegmentState | undefined,
  context: RunContext,
): Promise<RunVerdict> {
  const { key, text, head } = run;
  const have = segment?.chain.seq ?? 0;
  const header = headerHash({ key, lease: run.lease, base: run.base });
  if (segment && Buffer.compare(header, headerHash(segment)) !== 0) return broken(text, 1);
  if (context.isOwn && head.seq > have) return broken(text, head.seq);
  if (run.from > have + 1) {
    const data = { segment: text, from: run.from, has: have, hash: segment && toHex(segment.chain.hash) };
    return { refused: logErrors('gap', data), alarm: false };
  }
  const at = async (seq: number): Promise<ChainState> => {
    if (seq === 0) return { seq, hash: header, time: '' };
    if (segment && seq === have) return segment.chain;
    return { seq, ...(await context.entry(seq)) };
  };
  // The writer signed for it, so another hash than ours is no damage on the way.
  if (head.seq <= have && toHex((await at(head.seq)).hash) !== head.hash) return broken(text, head.seq);
  const followed = followChain(key, await at(run.from - 1), run.entries);
  if ('reason' in followed) return { refused: untrusted(text, followed.reason), alarm: false };
  const { entries } = followed;
  const end = entries.at(-1);
  if (end && toHex(end.hash) !== head.hash) {
    return { refused: untrusted(text, 'its entries do not lead to the hash that its head signs'), alarm: false };
  }
  const overlap = have >= run.from ? entries[have - run.from] : undefined;
  if (segment && overlap && Buffer.compare(overlap.hash, segment.chain.hash) !== 0) return broken(text, have);
  return { fresh: entries.filter(({ entry }) => entry.seq > have) };
}

function broken(segment: string, seq: number): RunVerdict {
  return { refused: logErrors('chain-broken', { segment, seq }), alarm: true };
}

function untrusted(segment: string, reason: string, cause?: unknown): DomainError {
  return logErrors('untrusted', { segment, reason }, { cause });
}

function blame<T>(segment: string, what: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw untrusted(segment, `${what} does not hold: ${describeError(error)}`, error);
  }
}
