/**
 * Which blobs are here: records in the Store, and the ids with their sizes in memory so that `has` needs no disk (about
 * 130 bytes each; a million fit). Manifests stand in a namespace of their own, so that a start does not read them; a
 * manifest of a very large blob is cut into pieces.
 */
import { z } from 'zod';
import type { Store, StoreOp } from '../runtime/store.js';
import type { BlobId, BlobRef, DamagedBlob } from './blob.js';
import { blobErrors } from './errors.js';
import { manifestLength } from './manifest.js';

export const BLOB_NAMESPACE = 'blob';
export const MANIFEST_NAMESPACE = 'blob-manifest';
const PIECE_BYTES = 1024 * 1024;

const recordSchema = z.object({
  size: z.number().int().min(0),
  addedAt: z.number(),
  state: z.enum(['here', 'quarantined']),
  reason: z.string().optional(),
});

type BlobRecord = z.output<typeof recordSchema>;

export class BlobIndex {
  private readonly sizes = new Map<BlobId, number>();
  private readonly damages = new Map<BlobId, DamagedBlob>();
  private total = 0;

  private constructor(private readonly deps: { store: Pick<Store, 'get' | 'iterate' | 'commit'> }) {}

  static async load(deps: { store: Pick<Store, 'get' | 'iterate' | 'commit'> }): Promise<BlobIndex> {
    const index = new BlobIndex(deps);
    for await (const [id, value] of deps.store.iterate(BLOB_NAMESPACE)) {
      const record = readRecord(id, value);
      if (record.state === 'here') index.remember(id, record.size);
      else index.damages.set(id, { id, size: record.size, reason: record.reason ?? 'unknown' });
    }
    return index;
  }

  get blobs(): number {
    return this.sizes.size;
  }

  get bytes(): number {
    return this.total;
  }

  has(id: BlobId): boolean {
    return this.sizes.has(id);
  }

  size(id: BlobId): number | undefined {
    return this.sizes.get(id);
  }

  ids(): IterableIterator<BlobId> {
    return this.sizes.keys();
  }

  damage(id: BlobId): DamagedBlob | undefined {
    return this.damages.get(id);
  }

  damaged(): DamagedBlob[] {
    return [...this.damages.values()];
  }

  /** One fsynced batch for all of them. */
  async record(blobs: readonly (BlobRef & { manifest: Uint8Array })[], addedAt: number): Promise<void> {
    const ops: StoreOp[] = [];
    for (const { blob, size, manifest } of blobs) {
      ops.push({ ns: BLOB_NAMESPACE, key: blob, value: JSON.stringify({ size, addedAt, state: 'here' }) });
      for (let start = 0, piece = 0; start < manifest.length; start += PIECE_BYTES, piece++) {
        const value = manifest.subarray(start, start + PIECE_BYTES);
        ops.push({ ns: MANIFEST_NAMESPACE, key: pieceKey(blob, piece), value });
      }
    }
    await this.deps.store.commit(ops);
    for (const { blob, size } of blobs) {
      this.remember(blob, size);
      this.damages.delete(blob);
    }
  }

  async manifestBytes(id: BlobId): Promise<Uint8Array> {
    const size = this.sizes.get(id);
    if (size === undefined) throw blobErrors('not-found', { blob: id });
    const length = manifestLength(size);
    const pieces: Uint8Array[] = [];
    for (let start = 0, piece = 0; start < length; start += PIECE_BYTES, piece++) {
      const bytes = await this.deps.store.get(MANIFEST_NAMESPACE, pieceKey(id, piece));
      if (bytes === undefined) throw blobErrors('bad-manifest', { blob: id, reason: 'a part of it is missing' });
      pieces.push(bytes);
    }
    return pieces.length === 1 ? (pieces[0] as Uint8Array) : new Uint8Array(Buffer.concat(pieces));
  }

  /** The record stays as a note that this blob should be here. */
  async recordDamage(damage: DamagedBlob, addedAt: number): Promise<void> {
    const record: BlobRecord = { size: damage.size, addedAt, state: 'quarantined', reason: damage.reason };
    await this.deps.store.commit([{ ns: BLOB_NAMESPACE, key: damage.id, value: JSON.stringify(record) }]);
    this.noteDamage(damage);
  }

  /** In memory only: a file that is missing may be back at the next start (a disk mounted late). */
  noteDamage(damage: DamagedBlob): void {
    const size = this.sizes.get(damage.id);
    if (size !== undefined) this.total -= size;
    this.sizes.delete(damage.id);
    this.damages.set(damage.id, damage);
  }

  /** In order of id. Blobs added while it runs may or may not be among them. */
  async *list(): AsyncGenerator<BlobRef, void, undefined> {
    for await (const [blob] of this.deps.store.iterate(BLOB_NAMESPACE)) {
      const size = this.sizes.get(blob);
      if (size !== undefined) yield { blob, size };
    }
  }

  private remember(id: BlobId, size: number): void {
    if (this.sizes.has(id)) return;
    this.sizes.set(id, size);
    this.total += size;
  }
}

function pieceKey(id: BlobId, piece: number): string {
  return `${id}/${String(piece).padStart(6, '0')}`;
}

function readRecord(id: BlobId, value: Uint8Array): BlobRecord {
  try {
    return recordSchema.parse(JSON.parse(Buffer.from(value).toString('utf8')));
  } catch (cause) {
    throw blobErrors('bad-record', { blob: id }, { cause });
  }
}
