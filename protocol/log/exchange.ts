/**
 * `/galaxy/log/1`: how entries travel. A node pushes its journal to its log partners and the repository; a node that
 * takes an account over asks holders what they have and reads it. Runs are verified by whoever receives them
 * (account-log.ts), so this file only carries, bounds and authorises. See docs/protocol/log.md.
 */
import { z } from 'zod';
import type { Clock } from '../runtime/clock.js';
import { defineErrors, isDomainError } from '../runtime/errors.js';
import type { Host } from '../runtime/host.js';
import type { Logger } from '../runtime/logger.js';
import type { Store } from '../runtime/store.js';
import { checkLease } from '../trust/lease.js';
import { LIMITS } from '../wire/limits.js';
import { answer, call, defineCall, serveCalls } from '../wire/rpc.js';
import type { AccountLog, SegmentRun, Vector } from './account-log.js';
import { type SegmentKey, segmentKeyText } from './entry.js';
import { logErrors } from './errors.js';
import { parseSegmentKey } from './namespaces.js';
import { RUN_ENTRIES_MAX, segmentKeySchema, TOKEN_LENGTH_MAX, vectorSchema } from './segment.js';

export const exchangeErrors = defineErrors('exchange', {
  'not-allowed': {
    kind: 'forbidden',
    say: 'This log is not served to you: {reason}.',
    mend: 'Only the home, its placed holders and the repository may read it.',
  },
  'not-held': { kind: 'not-found', say: 'Nothing of this segment is here.', mend: 'Ask another holder.' },
  incomplete: {
    kind: 'bad-request',
    say: 'A push of journal {writer} was refused: {reason}.',
    mend: 'Nothing is confirmed beyond what was before. Look at the node that sent it.',
  },
  'wrong-answer': {
    kind: 'untrusted',
    say: 'The answer about account {account} was not used: {reason}.',
    mend: 'Nothing of it was stored. Look at the node that gave it.',
  },
});

const protocol = 'log';
const RUNS_MAX = 512;
/** What is no base64 gives other bytes, and those break the chain. */
const base64 = z.string().max(LIMITS.log.messageBytesMax);
const accountId = z.string().regex(/^[0-9a-f]{16}$/);
const writerId = z.string().regex(/^[0-9a-f]{16}$/);
const storeId = z.string().regex(/^[0-9a-f]{32}$/);
const position = z.number().int().nonnegative();

const wireRun = z.object({
  key: segmentKeySchema,
  lease: z.string().min(1).max(TOKEN_LENGTH_MAX),
  base: vectorSchema,
  from: z.number().int().positive(),
  entries: z.array(base64).max(RUN_ENTRIES_MAX),
  head: z.string().min(1).max(TOKEN_LENGTH_MAX),
});

export const logCalls = {
  /** Journal positions `after` < p ≤ `through` of one writer of the caller, as runs. Answers after the fsync. */
  push: defineCall({
    protocol,
    name: 'push',
    request: z.object({ writer: writerId, after: position, through: position, runs: z.array(wireRun).max(RUNS_MAX) }),
    response: z.object({ position, storeId }),
  }),
  /** How far the callee follows that writer of the caller. */
  position: defineCall({
    protocol,
    name: 'position',
    request: z.object({ writer: writerId }),
    response: z.object({ position, storeId }),
  }),
  /** Runs outside any journal: an account's older segments for a new holder. */
  offer: defineCall({
    protocol,
    name: 'offer',
    request: z.object({ runs: z.array(wireRun).max(RUNS_MAX) }),
    response: z.object({ storeId }),
  }),
  /** What the callee has of an account. */
  vector: defineCall({
    protocol,
    name: 'vector',
    request: z.object({ account: accountId }),
    response: z.object({ vector: vectorSchema, storeId }),
  }),
  read: defineCall({
    protocol,
    name: 'read',
    request: z.object({ key: segmentKeySchema, from: z.number().int().positive() }),
    response: z.object({ run: wireRun }),
  }),
} as const;

/** Base64 grows by a third, and lease, base and head come on top. */
export const READ_BYTES_MAX = LIMITS.log.messageBytesMax / 4;

const NS_FOLLOWED = 'log.followed';

export interface LogExchangePolicy {
  /** May `peer` read the account's entries? A reason when not. */
  mayRead(peer: string, account: string): string | undefined;
  /** May `peer`, which may not read the account, know how far it is here? A reason when not; without it, nobody. */
  mayCompare?(peer: string, account: string): string | undefined;
  /** May `peer` store entries here? A reason when not. */
  mayPush(peer: string): string | undefined;
  /**
   * May entries of a segment of epoch 0 be stored, which `node` wrote by its own word? A reason when not; then, as when it
   * throws, nothing of the push is stored or confirmed and its sender comes again.
   */
  mayStore?(peer: string, segment: { account: string; node: string }): Promise<string | undefined>;
}

/** Serves `/galaxy/log/1`. Positions followed are kept in the store, written after the entries they stand for. */
export async function serveLog(deps: {
  host: Pick<Host, 'handle'>;
  log: AccountLog;
  store: Pick<Store, 'get' | 'commit'>;
  clock: Clock;
  logger: Logger;
  storeId: string;
  policy: LogExchangePolicy;
}): Promise<void> {
  const { log, store, policy } = deps;
  const pushing = new Turns();
  const followed = async (peer: string, writer: string): Promise<number> => {
    const bytes = await store.get(NS_FOLLOWED, `${peer}/${writer}`);
    return bytes === undefined ? 0 : position.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  };
  const take = async (peer: string, runs: z.output<typeof wireRun>[]) => {
    const reason = policy.mayPush(peer);
    if (reason !== undefined) throw exchangeErrors('not-allowed', { reason });
    for (const run of runs) {
      await checkOrigin(log, run, async (segment) => policy.mayStore?.(peer, segment));
    }
    // Side by side, so that many small segments share their fsyncs.
    const taken = await Promise.allSettled(runs.map((run) => log.receive(fromWire(run))));
    const failed = taken.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  };
  await serveCalls({ host: deps.host, clock: deps.clock, log: deps.logger }, protocol, [
    // In turn: a push that its sender gave up and repeated may still be on its way to the disk.
    answer(logCalls.push, ({ writer, after, through, runs }, { peer }) =>
      pushing.take(`${peer}/${writer}`, async () => {
        const here = await followed(peer, writer);
        // A gap: the sender has a newer idea of this holder than the holder itself. It starts again from here.
        if (after > here) return { position: here, storeId: deps.storeId };
        const problem = whyIncomplete({ writer, after, through, runs });
        if (problem !== undefined) throw exchangeErrors('incomplete', { writer, reason: problem });
        await take(peer, runs);
        if (through > here) {
          await store.commit([{ ns: NS_FOLLOWED, key: `${peer}/${writer}`, value: JSON.stringify(through) }]);
        }
        return { position: Math.max(here, through), storeId: deps.storeId };
      }),
    ),
    answer(logCalls.position, async ({ writer }, { peer }) => ({
      position: await followed(peer, writer),
      storeId: deps.storeId,
    })),
    answer(logCalls.offer, async ({ runs }, { peer }) => {
      await take(peer, runs);
      return { storeId: deps.storeId };
    }),
    answer(logCalls.vector, async ({ account }, { peer }) => {
      const reason = policy.mayRead(peer, account);
      const mayCompare = () => policy.mayCompare !== undefined && policy.mayCompare(peer, account) === undefined;
      if (reason !== undefined && !mayCompare()) throw exchangeErrors('not-allowed', { reason });
      return { vector: await log.vector(account), storeId: deps.storeId };
    }),
    answer(logCalls.read, async ({ key, from }, { peer }) => {
      allow(policy.mayRead(peer, key.account));
      const run = await log.read(key, from, READ_BYTES_MAX);
      if (run === undefined || run.entries.length === 0) throw exchangeErrors('not-held');
      return { run: toWire(run) };
    }),
  ]);
}

/** What a holder now has of an account, and in which of its stores. */
export interface Offered {
  storeId: string;
  /** Sent; 0 when the holder had it all. */
  entries: number;
}

/** The calling side. */
export class LogExchange {
  constructor(
    private readonly deps: {
      host: Pick<Host, 'openStream'>;
      log: AccountLog;
      /** As in `LogExchangePolicy`, for what is fetched; without it, everything that its lease allows is taken. */
      mayStore?: (segment: { account: string; node: string }) => Promise<string | undefined>;
    },
  ) {}

  push(
    peer: string,
    push: { writer: string; after: number; through: number; runs: SegmentRun[] },
    signal: AbortSignal,
  ): Promise<{ position: number; storeId: string }> {
    return call(this.deps.host, peer, logCalls.push, { ...push, runs: push.runs.map(toWire) }, signal);
  }

  position(peer: string, writer: string, signal: AbortSignal): Promise<{ position: number; storeId: string }> {
    return call(this.deps.host, peer, logCalls.position, { writer }, signal);
  }

  /** Errors: `exchange/not-allowed`, `exchange/wrong-answer`. */
  async vector(peer: string, account: string, signal: AbortSignal): Promise<{ vector: Vector; storeId: string }> {
    const answered = await call(this.deps.host, peer, logCalls.vector, { account }, signal);
    const foreign = Object.keys(answered.vector).find((name) => !name.startsWith(`${account}/`));
    if (foreign !== undefined) {
      throw exchangeErrors('wrong-answer', { account, reason: `it names a segment of another account, ${foreign}` });
    }
    return answered;
  }

  /**
   * Brings everything a holder has of the account and this process lacks. Returns how many entries were new here.
   * Segments of an older base come first, by key order, so an interruption leaves valid prefixes. One segment that
   * cannot be taken does not keep the others back; it is thrown when they are here.
   */
  async pull(
    peer: string,
    account: string,
    signal: AbortSignal,
    onVector: (theirs: Vector) => void = () => {},
  ): Promise<number> {
    const { vector: theirs } = await this.vector(peer, account, signal);
    onVector(theirs);
    const ours = await this.deps.log.vector(account);
    let entries = 0;
    let refused: unknown;
    for (const name of Object.keys(theirs).sort()) {
      const wanted = theirs[name]?.seq ?? 0;
      let have = ours[name]?.seq ?? 0;
      while (have < wanted) {
        try {
          const seq = await this.pullRun(peer, keyOf(name), have + 1, signal);
          if (seq <= have) throw exchangeErrors('wrong-answer', { account, reason: `${name} does not go on` });
          entries += seq - have;
          have = seq;
        } catch (error) {
          if (!isRefusal(error)) throw error;
          refused ??= error;
          break;
        }
      }
    }
    if (refused !== undefined) throw refused;
    return entries;
  }

  private async pullRun(peer: string, key: SegmentKey, from: number, signal: AbortSignal): Promise<number> {
    const { run } = await call(this.deps.host, peer, logCalls.read, { key, from }, signal);
    const name = segmentKeyText(key);
    if (segmentKeyText(run.key) !== name) {
      const reason = `asked for ${name}, it gave ${segmentKeyText(run.key)}`;
      throw exchangeErrors('wrong-answer', { account: key.account, reason });
    }
    const { mayStore, log } = this.deps;
    if (mayStore !== undefined) await checkOrigin(log, run, mayStore);
    return (await log.receive(fromWire(run))).seq;
  }

  /** Sends a holder everything of the account that it lacks. */
  async offerAccount(peer: string, account: string, signal: AbortSignal): Promise<Offered> {
    const { vector: theirs, storeId } = await this.vector(peer, account, signal);
    const ours = await this.deps.log.vector(account);
    let entries = 0;
    for (const name of Object.keys(ours).sort()) {
      const wanted = ours[name]?.seq ?? 0;
      let have = theirs[name]?.seq ?? 0;
      while (have < wanted) {
        const run = await this.deps.log.read(keyOf(name), have + 1, READ_BYTES_MAX);
        if (run === undefined || run.entries.length === 0) break;
        await call(this.deps.host, peer, logCalls.offer, { runs: [toWire(run)] }, signal);
        entries += run.entries.length;
        have = run.from + run.entries.length - 1;
      }
    }
    return { storeId, entries };
  }
}

/**
 * Before anything of a run is stored. Asked for each run, because an account may have been claimed by its maker since its
 * first entries came; what is here goes on while nobody can be asked. Error: `log/untrusted`.
 */
async function checkOrigin(
  log: Pick<AccountLog, 'vector'>,
  { key, lease }: z.output<typeof wireRun>,
  mayStore: (segment: { account: string; node: string }) => Promise<string | undefined>,
): Promise<void> {
  if (key.epoch !== 0) return;
  const segment = segmentKeyText(key);
  const { node } = checkLease(lease, { coordinator: undefined });
  const reason = await mayStore({ account: key.account, node }).catch(async (error: unknown) => {
    const isAway = isDomainError(error) && error.kind === 'unavailable';
    if (isAway && (await log.vector(key.account))[segment] !== undefined) return undefined;
    throw error;
  });
  if (reason !== undefined) throw logErrors('untrusted', { segment, reason });
}

/**
 * Each position stands for one entry of its writer, so the runs must hold at least as many: a position is never noted as
 * followed for entries that did not come.
 */
function whyIncomplete(push: {
  writer: string;
  after: number;
  through: number;
  runs: z.output<typeof wireRun>[];
}): string | undefined {
  const { writer, after, through, runs } = push;
  if (through < after) return `it ends at ${through}, before its beginning at ${after}`;
  const other = runs.find(({ key }) => key.writer !== writer);
  if (other !== undefined) return `it holds a segment of the writer ${other.key.writer}`;
  const entries = runs.reduce((sum, run) => sum + run.entries.length, 0);
  if (entries < through - after) return `it covers ${through - after} positions with ${entries} entries`;
  return undefined;
}

/** One of its kind after the other. */
class Turns {
  private readonly last = new Map<string, Promise<unknown>>();

  take<T>(kind: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.last.get(kind) ?? Promise.resolve()).then(work, work);
    const settled = mine.catch(() => {});
    this.last.set(kind, settled);
    void settled.then(() => {
      if (this.last.get(kind) === settled) this.last.delete(kind);
    });
    return mine;
  }
}

function allow(reason: string | undefined): void {
  if (reason !== undefined) throw exchangeErrors('not-allowed', { reason });
}

/** What was said of one segment does not hold; the others may. */
function isRefusal(error: unknown): boolean {
  return isDomainError(error) && /^(log|exchange)\//.test(error.code) && error.code !== 'log/stopped';
}

function toWire(run: SegmentRun): z.input<typeof wireRun> {
  return { ...run, entries: run.entries.map((bytes) => Buffer.from(bytes).toString('base64')) };
}

function fromWire(run: z.output<typeof wireRun>): SegmentRun {
  return { ...run, entries: run.entries.map((text) => new Uint8Array(Buffer.from(text, 'base64'))) };
}

/** The inverse of `segmentKeyText`; the vector's schema has checked the shape. */
function keyOf(name: string): SegmentKey {
  const key = parseSegmentKey(name);
  if (key === undefined) throw new Error(`${name} is not a segment key`);
  return key;
}
