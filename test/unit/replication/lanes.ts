/** Holders that keep what they are sent in memory, and lanes to them that a test can disturb. */
import type {
  BlobLane,
  BlobPushResult,
  Holder,
  Holders,
  LogLane,
  LogPush,
  SegmentLane,
} from '../../../node/replication/holders.js';

export class FakeHolder {
  readonly blobs = new Set<string>();
  /** writer → position. */
  readonly journals = new Map<string, number>();
  storeId: string;
  serving = true;
  connected = true;
  freeBytes = 1e12;
  /** Every call fails. */
  failing = false;
  /** Calls wait for it. */
  hold: Promise<void> | undefined;
  /** Code of a refusal, by blob. */
  refuses: (blob: string) => string | undefined = () => undefined;

  constructor(
    readonly peer: string,
    readonly domain = peer,
    readonly kind: 'node' | 'repository' = 'node',
  ) {
    this.storeId = `store of ${peer}`;
  }

  get holder(): Holder {
    const { peer, domain, kind, freeBytes, serving, connected } = this;
    return { peer, domain, kind, capacityBytes: 1e12, freeBytes, serving, connected };
  }
}

export class FakeHolders implements Holders {
  private readonly listeners = new Set<() => void>();

  constructor(readonly all: FakeHolder[]) {}

  list(): Holder[] {
    return this.all.map(({ holder }) => holder);
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed(): void {
    for (const listener of [...this.listeners]) listener();
  }

  of(peer: string): FakeHolder {
    return this.all.find((one) => one.peer === peer) as FakeHolder;
  }
}

export class FakeLanes implements BlobLane, LogLane, SegmentLane {
  readonly sent: { peer: string; blobs: readonly string[] }[] = [];
  readonly asked: { peer: string; blobs: readonly string[] }[] = [];
  readonly pushed: { peer: string; push: LogPush }[] = [];
  readonly positions: string[] = [];
  readonly offered: { peer: string; account: string }[] = [];
  readonly fetched: string[] = [];
  onFetch: (blob: string) => Promise<void> = async () => {};

  constructor(private readonly holders: FakeHolders) {}

  async send(peer: string, blobs: readonly string[], signal: AbortSignal): Promise<BlobPushResult> {
    this.sent.push({ peer, blobs });
    const holder = await this.reach(peer, signal);
    const result: BlobPushResult = { storeId: holder.storeId, confirmed: [], refused: [] };
    for (const blob of blobs) {
      const code = holder.refuses(blob);
      if (code === undefined) {
        holder.blobs.add(blob);
        result.confirmed.push(blob);
      } else result.refused.push({ blob, code, reason: code });
    }
    return result;
  }

  async have(peer: string, blobs: readonly string[], signal: AbortSignal) {
    this.asked.push({ peer, blobs });
    const holder = await this.reach(peer, signal);
    return { storeId: holder.storeId, held: blobs.filter((blob) => holder.blobs.has(blob)) };
  }

  async fetch(blob: string): Promise<void> {
    this.fetched.push(blob);
    await this.onFetch(blob);
  }

  async position(peer: string, writer: string, signal: AbortSignal) {
    this.positions.push(peer);
    const holder = await this.reach(peer, signal);
    return { position: holder.journals.get(writer) ?? 0, storeId: holder.storeId };
  }

  async push(peer: string, push: LogPush, signal: AbortSignal) {
    this.pushed.push({ peer, push });
    const holder = await this.reach(peer, signal);
    const here = holder.journals.get(push.writer) ?? 0;
    if (push.after <= here) holder.journals.set(push.writer, Math.max(here, push.through));
    return { position: holder.journals.get(push.writer) ?? 0, storeId: holder.storeId };
  }

  async offerAccount(peer: string, account: string, signal: AbortSignal) {
    this.offered.push({ peer, account });
    const holder = await this.reach(peer, signal);
    return { storeId: holder.storeId, entries: 1 };
  }

  private async reach(peer: string, signal: AbortSignal): Promise<FakeHolder> {
    const holder = this.holders.of(peer);
    if (holder.hold) {
      await Promise.race([
        holder.hold,
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
      ]);
    }
    if (holder.failing || !holder.connected) throw new Error(`${peer} fails`);
    return holder;
  }
}
