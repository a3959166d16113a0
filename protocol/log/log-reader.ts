/**
 * What others may see of the log: always from disk, never from memory, because memory runs ahead of the disk. An entry
 * that was shown to a peer and then lost in a failed write would come back as a fork.
 */
import type { Store } from '../runtime/store.js';
import type { JournalItem, SegmentPosition, SegmentRun, Vector } from './account-log.js';
import { type SegmentKey, segmentKeyText, type WriterId } from './entry.js';
import { below, entryKey, LOG_NAMESPACE, numberKey } from './namespaces.js';
import { journalRow, type PositionRow, positionRow, type RowReader, segmentRow, writerRow } from './rows.js';
import { chainHash, decodeEntry, headerHash, RUN_BYTES_MAX, type SegmentHead, toHex } from './segment.js';
import type { SegmentTrust } from './trust.js';

export const JOURNAL_ITEMS_MAX = 10_000;

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

  /** One stored entry with its chain hash; the caller knows that it must be there. */
  async entry(key: SegmentKey, seq: number): Promise<{ hash: Uint8Array; time: string }> {
    const name = entryKey(segmentKeyText(key), seq);
    const row = await this.deps.store.get(LOG_NAMESPACE.entry, name);
    if (row === undefined) throw this.deps.rows.corrupt(LOG_NAMESPACE.entry, name, 'it is missing');
    const { hash, bytes } = this.deps.rows.entry(name, row);
    return { hash, time: decodeEntry(key, bytes).time };
  }

  /** See AccountLog.read. */
  async run(key: SegmentKey, from: number, maxBytes: number): Promise<SegmentRun | undefined> {
    const { store, rows, trust } = this.deps;
    const text = segmentKeyText(key);
    const position = await this.position(text);
    if (position === undefined) return undefined;
    const headerBytes = await store.get(LOG_NAMESPACE.segment, text);
    if (headerBytes === undefined) throw rows.corrupt(LOG_NAMESPACE.segment, text, 'it is missing');
    const header = rows.json(segmentRow, LOG_NAMESPACE.segment, text, headerBytes);
    const first = Math.min(Math.max(1, Math.floor(from)), position.seq + 1);
    const signed = header.node === trust.self ? undefined : await this.signedSeqs(text, first - 1, position.seq);
    if (signed && signed.length === 0) return undefined;
    let hash = first === 1 ? headerHash({ key, ...header }) : (await this.entry(key, first - 1)).hash;
    const entries: Uint8Array[] = [];
    // Where the run may end: anywhere in what this node wrote, else at a signed head.
    let end = { length: 0, hash: first === position.seq + 1 ? hash : undefined };
    let bytesRead = 0;
    const limit = Math.min(maxBytes, RUN_BYTES_MAX);
    const range = { gte: entryKey(text, first), lte: entryKey(text, position.seq) };
    if (first <= position.seq) {
      for await (const [name, row] of store.iterate(LOG_NAMESPACE.entry, range)) {
        const stored = rows.entry(name, row);
        const expected = entryKey(text, first + entries.length);
        if (name !== expected) throw rows.corrupt(LOG_NAMESPACE.entry, expected, 'it is missing');
        bytesRead += stored.bytes.byteLength;
        // The first step is given whatever it weighs, or a reader with a small appetite would never get on.
        if (bytesRead > limit && end.length > 0) break;
        hash = chainHash(hash, stored.bytes);
        if (Buffer.compare(hash, stored.hash) !== 0) {
          throw rows.corrupt(LOG_NAMESPACE.entry, name, 'its hash does not fit');
        }
        entries.push(stored.bytes);
        const seq = first + entries.length - 1;
        if (signed === undefined || signed.includes(seq)) end = { length: entries.length, hash };
      }
    }
    if (end.hash === undefined) {
      throw rows.corrupt(LOG_NAMESPACE.entry, entryKey(text, first + entries.length), 'it is missing');
    }
    const head: SegmentHead = { ...key, seq: first + end.length - 1, hash: toHex(end.hash) };
    return {
      key,
      lease: header.lease,
      base: header.base,
      from: first,
      entries: entries.slice(0, end.length),
      head: signed === undefined ? trust.signHead(head) : await this.storedHead(text, head.seq),
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

  /** Seqs from `first` on that have a signed head; bounded, because heads are spaced. */
  private async signedSeqs(text: string, first: number, last: number): Promise<number[]> {
    const seqs: number[] = [];
    const range = { gte: entryKey(text, Math.max(1, first)), lte: entryKey(text, last), limit: 1000 };
    for await (const [name] of this.deps.store.iterate(LOG_NAMESPACE.head, range)) {
      seqs.push(Number(name.slice(text.length + 1)));
    }
    return seqs;
  }

  private async storedHead(text: string, seq: number): Promise<string> {
    const bytes = await this.deps.store.get(LOG_NAMESPACE.head, entryKey(text, seq));
    if (bytes === undefined) {
      throw this.deps.rows.corrupt(LOG_NAMESPACE.head, entryKey(text, seq), 'it is missing');
    }
    return Buffer.from(bytes).toString('utf8');
  }
}
