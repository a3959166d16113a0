/**
 * Replication as the rest of the node sees it: what is accepted, what is safe, what is at risk; and the watch over the
 * log that makes this node answerable for the blobs its users' entries name.
 */

import type { Content, JobOutcome } from '../../protocol/account/entries.js';
import type { AccountView, DatasetRecord } from '../../protocol/account/records.js';
import { contentOf } from '../../protocol/account/records.js';
import type { BlobId } from '../../protocol/blobs/blob.js';
import type { AccountLog } from '../../protocol/log/account-log.js';
import type { Entry, JsonValue } from '../../protocol/log/entry.js';
import { type Clock, sleep } from '../../protocol/runtime/clock.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { type Holders, servingDomains } from './holders.js';
import { type DurabilityCount, domainsOf, type Ledger } from './ledger.js';
import { Wakeup } from './wakeup.js';

export interface DatasetDurability {
  state: 'accepted' | 'safe' | 'at-risk';
  /** Other holders with a confirmed copy of every file. */
  holders: { peer: string; name: string; confirmedAt: number }[];
  copies: number;
}

export interface ReplicationStatus extends DurabilityCount {
  copies: number;
  /** Entries that fewer than `copies` others have confirmed: of this node's journals, and of others for accounts at home here. */
  logAtRisk: number;
  paused: boolean;
}

const ITEMS_PER_STEP = 500;
/** A full disk is the usual reason. */
const RETRY_MS = 2000;

export class Replication implements Part {
  private readonly background: Background;
  private readonly wakeup: Wakeup;
  /** writer → last position of its journal. */
  private readonly ownLast = new Map<string, number>();
  private readonly releases: (() => void)[] = [];

  constructor(
    private readonly deps: {
      log: AccountLog;
      ledger: Ledger;
      holders: Holders;
      blobs: { size(blob: BlobId): number | undefined };
      clock: Clock;
      logger: Logger;
      paused: () => boolean;
      /** Of what other nodes wrote for accounts at home here. */
      foreignAtRisk: (copies: number, domainOf: (peer: string) => string | undefined) => number;
    },
    private readonly options: { copies: number },
  ) {
    this.background = new Background({ log: deps.logger });
    this.wakeup = new Wakeup(deps.clock);
  }

  async start(): Promise<void> {
    this.releases.push(
      this.deps.log.onApplied(({ own }) => {
        if (own) this.wakeup.wake();
      }),
    );
    await this.catchUp();
    this.background.run('track blobs', async (signal) => {
      let failures = 0;
      while (!signal.aborted) {
        try {
          await this.wakeup.wait(signal);
          await this.catchUp();
          failures = 0;
        } catch (error) {
          if (signal.aborted) return;
          failures += 1;
          this.deps.logger.error({ err: error, failures }, 'blobs could not be noted as to be copied; tried again');
          await sleep(this.deps.clock, RETRY_MS, signal).catch(() => {});
          this.wakeup.wake();
        }
      }
    });
  }

  async stop(): Promise<void> {
    for (const release of this.releases.splice(0)) release();
    await this.background.stop();
  }

  /**
   * Answerable for everything the account names, also for what others wrote: after a take-over or a merge. Returns the
   * blobs that are new to the ledger: who has them already is not known yet.
   */
  async adopt(view: AccountView): Promise<BlobId[]> {
    const blobs = new Map<BlobId, number>();
    for (const job of view.list('job')) {
      for (const content of Object.values(job.outcome?.outputs ?? {}))
        for (const file of content.files) blobs.set(file.blob, file.size);
      // Their sizes are not in the entry; a blob that is not here yet is counted as a small one.
      if (job.outcome?.found) blobs.set(job.outcome.found.blob, job.outcome.found.size);
      for (const blob of [job.outcome?.stdoutBlob, job.outcome?.stderrBlob]) {
        if (blob !== undefined) blobs.set(blob, this.deps.blobs.size(blob) ?? 0);
      }
    }
    for (const dataset of view.list('dataset'))
      for (const file of [...(dataset.content?.files ?? []), ...(dataset.moreFiles ?? [])])
        blobs.set(file.blob, file.size);
    return this.deps.ledger.track([...blobs].map(([blob, size]) => ({ blob, size })));
  }

  status(): ReplicationStatus {
    const domainOf = servingDomains(this.deps.holders);
    let logAtRisk = this.deps.foreignAtRisk(this.options.copies, domainOf);
    for (const [writer, last] of this.ownLast) {
      logAtRisk += Math.max(0, last - this.deps.ledger.safeLogPosition(writer, this.options.copies, domainOf));
    }
    return {
      ...this.deps.ledger.count(this.options.copies, domainOf),
      copies: this.options.copies,
      logAtRisk,
      paused: this.deps.paused(),
    };
  }

  /** Per dataset: safe when every file of its content is. */
  durability(view: AccountView, dataset: DatasetRecord): DatasetDurability {
    const content = contentOf(view, dataset);
    const copies = this.options.copies;
    if (content === undefined) return { state: 'accepted', holders: [], copies };
    const names = new Map(this.deps.holders.list().map((holder) => [holder.peer, holder.domain]));
    const domainOf = servingDomains(this.deps.holders);
    let common: Map<string, number> | undefined;
    let safe = true;
    for (const { blob } of content.files) {
      const tracked = this.deps.ledger.blob(blob);
      const confirmed = new Map((tracked?.confirmations ?? []).map(({ peer, at }) => [peer, at]));
      if (tracked === undefined || domainsOf(tracked, domainOf).size < copies) safe = false;
      common = common === undefined ? confirmed : new Map([...common].filter(([peer]) => confirmed.has(peer)));
    }
    const holders = [...(common ?? [])].map(([peer, confirmedAt]) => ({
      peer,
      name: names.get(peer) ?? peer,
      confirmedAt,
    }));
    return { state: safe ? 'safe' : 'at-risk', holders, copies };
  }

  /** Walks the own journals from where the ledger's cursor stands: exact also after a crash between entry and ledger. */
  private async catchUp(): Promise<void> {
    for (const { writer, last } of await this.deps.log.writers()) {
      this.ownLast.set(writer, last);
      let position = this.deps.ledger.cursor(writer);
      while (position < last) {
        const items = await this.deps.log.journal(writer, position + 1, ITEMS_PER_STEP);
        if (items.length === 0) break;
        const named: { blob: BlobId; size: number }[] = [];
        for (const { key, seq } of items) {
          const entry = await this.deps.log.entry(key, seq);
          if (entry !== undefined)
            for (const ref of blobsNamedBy(entry))
              named.push({ ...ref, size: ref.size ?? this.deps.blobs.size(ref.blob) ?? 0 });
        }
        position = items[items.length - 1]?.position ?? last;
        await this.deps.ledger.track(named, { writer, position });
      }
    }
  }
}

/** Every blob an entry names. Entries that only change names and flags name none. */
export function blobsNamedBy(entry: Pick<Entry, 'type' | 'payload'>): { blob: BlobId; size: number | undefined }[] {
  const found: { blob: BlobId; size: number | undefined }[] = [];
  const takeContent = (content: JsonValue | undefined) => {
    const files = (content as Content | undefined)?.files ?? [];
    for (const file of files) found.push({ blob: file.blob, size: file.size });
  };
  if (entry.type === 'dataset.created') takeContent(entry.payload.content);
  if (entry.type === 'dataset.files') takeContent(entry.payload);
  if (entry.type === 'job.outcome') {
    for (const output of Object.values((entry.payload.outputs ?? {}) as Record<string, JsonValue>)) takeContent(output);
    const list = entry.payload.found as JobOutcome['found'];
    if (list) found.push({ blob: list.blob, size: list.size });
    for (const field of ['stdoutBlob', 'stderrBlob'] as const) {
      const blob = entry.payload[field];
      if (typeof blob === 'string') found.push({ blob, size: undefined });
    }
  }
  return found;
}
