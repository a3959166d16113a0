/**
 * What others may see of the log: always from disk, never from memory, because memory runs ahead of the disk. An entry
 * that was shown to a peer and then lost in a failed write would come back as a fork.
 */
import { printable } from '../runtime/errors.js';
import type { Range, Store } from '../runtime/store.js';
import type { JournalItem, SegmentRun, Vector } from './account-log.js';
import { type Entry, type SegmentKey, segmentKeyText, type WriterId } from './entry.js';
import { below, entryKey, LOG_NAMESPACE, numberKey } from './namespaces.js';
import { journalRow, type PositionRow, positionRow, type RowReader, segmentRow, writerRow } from './rows.js';
import { chainHash, decodeEntry, headerHash, RUN_BYTES_MAX, type SegmentHead, toHex } from './segment.js';
import type { SegmentTrust } from './trust.js';

export const JOURNAL_ITEMS_MAX = 10_000;
const HEADS_MAX = 1000;

export interface LogReaderDeps {
  store: Pick<Store, 'get' | 'iterate'>;
  rows: RowReader;
  trust: Pick<SegmentTrust, 'self' | 'signHead'>;
}

export class LogReader {
  constructor(private readonly deps: LogReaderDeps) {}

  async *accounts(): AsyncIterable<string> {
    for await (const [account] of this.deps.store.iterate(LOG_NAMESPACE.account)) yield account;
  }

  async vector(account: string): Promise<Vector> {
    const vector: Vector = {};
    for await (const [text, bytes] of this.deps.store.iterate(LOG_NAMESPACE.position, below(account))) {
      const { seq, hash } = this.deps.rows.json(positionRow, LOG_NAMESPACE.position, text, bytes);
      vector[text] = { seq, hash };
    }
    return vector;
  }

  async position(text: string): Promise<PositionRow | undefined> {
    const bytes = await this.deps.store.get(LOG_NAMESPACE.position, text);
    return bytes && this.deps.rows.json(positionRow, LOG_NAMESPACE.position, text, bytes);
  }

  async entry(key: SegmentKey, seq: number): Promise<Entry | undefined> {
    return (await this.chained(key, seq))?.entry;
  }

  /** An entry with its chain hash, where the caller knows that it must be there. */
  async needed(key: SegmentKey, seq: number): Promise<{ hash: Uint8Array; time: string }> {
    const found = await this.chained(key, seq);
    if (!found) throw this.deps.rows.corrupt(LOG_NAMESPACE.entry, entryKey(segmentKeyText(key), seq), 'it is missing');
    return { hash: found.hash, time: found.entry.time };
  }

  private async chained(key: SegmentKey, seq: number): Promise<{ hash: Uint8Array; entry: Entry } | undefined> {
    const name = entryKey(segmentKeyText(key), seq);
    const row = await this.deps.store.get(LOG_NAMESPACE.entry, name);
    if (row === undefined) return undefined;
    const { hash, bytes } = this.deps.rows.entry(name, row);
    try {
      return { hash, entry: decodeEntry(key, bytes) };
    } catch (error) {
      throw this.deps.rows.corrupt(LOG_NAMESPACE.entry, name, printable((error as Error).message), error);
    }
  }

  /** See AccountLog.read. */
  async run(
    key: SegmentKey,
    from: number,
    maxBytes: number,
    through = Number.POSITIVE_INFINITY,
  ): Promise<SegmentRun | undefined> {
    const { store, rows, trust } = this.deps;
    const text = segmentKeyText(key);
    const headerBytes = await store.get(LOG_NAMESPACE.segment, text);
    if (headerBytes === undefined) return undefined;
    const { node, lease, base } = rows.json(segmentRow, LOG_NAMESPACE.segment, text, headerBytes);
    // Heads before the position: one that arrives in between must not outdate the list.
    const heads = node === trust.self ? undefined : await this.heads(text, Math.max(1, Math.floor(from) - 1));
    const last = heads ? Math.max(0, ...heads.keys()) : (await this.position(text))?.seq;
    if (last === undefined) throw rows.corrupt(LOG_NAMESPACE.position, text, 'it is missing');
    // Written here under a key that this node no longer has: nobody can sign for it.
    if (last === 0) return undefined;
    const first = Math.min(Math.max(1, Math.floor(from)), last + 1);
    const start = first === 1 ? headerHash({ key, lease, base }) : (await this.needed(key, first - 1)).hash;
    const entries: Uint8Array[] = [];
    // Where the run may end: anywhere in what this node wrote, else at a signed head.
    let end = { length: 0, hash: start };
    let hash = start;
    let bytesRead = 0;
    const limit = Math.min(maxBytes, RUN_BYTES_MAX);
    const range = { gte: entryKey(text, first), lte: entryKey(text, last), limit: last - first + 1 };
    for await (const [name, row] of first > last ? [] : store.iterate(LOG_NAMESPACE.entry, range)) {
      const stored = rows.entry(name, row);
      const seq = first + entries.length;
      if (name !== entryKey(text, seq)) throw rows.corrupt(LOG_NAMESPACE.entry, entryKey(text, seq), 'it is missing');
      bytesRead += stored.bytes.byteLength;
      // The first step is given whatever it weighs, or a reader with a small appetite would never get on.
      if ((bytesRead > limit || seq > through) && end.length > 0) break;
      hash = chainHash(hash, stored.bytes);
      if (Buffer.compare(hash, stored.hash) !== 0)
        throw rows.corrupt(LOG_NAMESPACE.entry, name, 'its hash does not fit');
      entries.push(stored.bytes);
      if (heads === undefined || heads.has(seq)) end = { length: entries.length, hash };
    }
    if (end.length === 0 && first <= last) {
      throw rows.corrupt(LOG_NAMESPACE.entry, entryKey(text, first + entries.length), 'it is missing');
    }
    const head: SegmentHead = { ...key, seq: first + end.length - 1, hash: toHex(end.hash) };
    return {
      key,
      lease,
      base,
      from: first,
      entries: entries.slice(0, end.length),
      head: heads?.get(head.seq) ?? trust.signHead(head),
    };
  }

  async journal(writer: WriterId, position: number, limit: number): Promise<JournalItem[]> {
    const { store, rows } = this.deps;
    const first = Math.max(1, Math.floor(position));
    const items: JournalItem[] = [];
    const range = {
      gte: `${writer}/${numberKey(first)}`,
      lt: below(writer).lt,
      limit: Math.min(Math.max(0, limit), JOURNAL_ITEMS_MAX),
    };
    for await (const [name, bytes] of store.iterate(LOG_NAMESPACE.journal, range)) {
      const expected = `${writer}/${numberKey(first + items.length)}`;
      if (name !== expected) throw rows.corrupt(LOG_NAMESPACE.journal, expected, 'it is missing');
      const { account, epoch, seq } = rows.json(journalRow, LOG_NAMESPACE.journal, name, bytes);
      items.push({ position: first + items.length, key: { account, epoch, writer }, seq });
    }
    return items;
  }

  async writers(): Promise<{ writer: WriterId; last: number }[]> {
    const writers: { writer: WriterId; last: number }[] = [];
    for await (const [writer, bytes] of this.deps.store.iterate(LOG_NAMESPACE.writer)) {
      const { last } = this.deps.rows.json(writerRow, LOG_NAMESPACE.writer, writer, bytes);
      if (last > 0) writers.push({ writer, last });
    }
    return writers;
  }

  /** Signed heads from `from` on, else the last one; bounded, because heads are spaced. */
  private async heads(text: string, from: number): Promise<Map<number, string>> {
    const heads = new Map<number, string>();
    const collect = async (range: Range) => {
      for await (const [name, token] of this.deps.store.iterate(LOG_NAMESPACE.head, range)) {
        heads.set(Number(name.slice(text.length + 1)), Buffer.from(token).toString('utf8'));
      }
    };
    await collect({ gte: entryKey(text, from), lt: below(text).lt, limit: HEADS_MAX });
    if (heads.size === 0) await collect({ ...below(text), reverse: true, limit: 1 });
    return heads;
  }
}
