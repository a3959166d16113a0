/**
 * The blobs of one process: plain read-only files named by content, because tools open paths; records and manifests in
 * the Store. Folder: `<last two letters of the id>/<id>`, `tmp/` (emptied at each start), `partial/` (fetches that go
 * on after a crash), `quarantine/` (damaged files, for a person to look at).
 *
 * Order of every way in: write aside, fsync, rename, fsync the folder, record. Rejected: chunks as files or as values of
 * the key-value store (tools could not open them), and hard links to files that someone may still write.
 */
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { blake3 } from '../runtime/blake3.js';
import type { Clock } from '../runtime/clock.js';
import { isDomainError } from '../runtime/errors.js';
import type { Logger } from '../runtime/logger.js';
import { type Random, randomHex } from '../runtime/random.js';
import type { Store } from '../runtime/store.js';
import { CHUNK_BYTES } from '../wire/limits.js';
import type { BlobId, BlobRef, BlobStore, DamagedBlob, Manifest, PartialBlob } from './blob.js';
import { BlobIndex } from './blob-index.js';
import { abortable, chunksOf } from './chunker.js';
import { asSpaceError, type Disk, errnoOf, systemDisk } from './disk.js';
import { blobErrors } from './errors.js';
import { Gate } from './gate.js';
import { encodeManifest, manifestId, parseManifest, verifyManifest } from './manifest.js';
import { PartialFile, type PartialPaths, presentBytes, readProgress } from './partial.js';
import { type HashedFile, HashList, hashHandle, readFully, recover } from './recover.js';
import { Shelf } from './shelf.js';
import { type Reservation, Space, type SpaceOptions } from './space.js';

const READ_BYTES = 256 * 1024;
/** Small files that are written and synced at the same time. */
const WRITES_AT_ONCE = 32;

export interface BlobStoreDeps {
  store: Pick<Store, 'get' | 'iterate' | 'commit'>;
  clock: Clock;
  log: Logger;
  random: Random;
  /** Given by tests that want a full disk; the real one otherwise. */
  disk?: Disk;
}

export interface BlobStoreOptions extends SpaceOptions {
  folder: string;
}

/** Creates the folder when it is new; brings files and records together after a crash before it resolves. */
export async function openBlobStore(deps: BlobStoreDeps, options: BlobStoreOptions): Promise<BlobStore> {
  const folder = resolve(options.folder);
  const disk = deps.disk ?? systemDisk;
  const index = await BlobIndex.load(deps);
  const shelf = new Shelf({ index, disk, clock: deps.clock, log: deps.log }, folder);
  await shelf.createFolders();
  await recover({ index, shelf, clock: deps.clock, log: deps.log }, folder);
  return new FileBlobStore({ ...deps, disk, index, shelf }, { ...options, folder });
}

class FileBlobStore implements BlobStore {
  private readonly space: Space;
  private readonly partials = new Map<BlobId, PartialFile | undefined>();
  private readonly writes = new Gate(WRITES_AT_ONCE);
  private readonly uploads = new Set<AbortController>();
  private stopped = false;
  private readonly running = new Set<Promise<unknown>>();

  constructor(
    private readonly deps: BlobStoreDeps & { disk: Disk; index: BlobIndex; shelf: Shelf },
    private readonly options: BlobStoreOptions,
  ) {
    const { disk, index } = deps;
    this.space = new Space(
      { freeBytes: () => disk.freeBytes(options.folder), storedBytes: () => index.bytes },
      { minFreeBytes: options.minFreeBytes, capacityBytes: options.capacityBytes },
    );
  }

  has(id: BlobId): boolean {
    return this.deps.index.has(id);
  }

  size(id: BlobId): number | undefined {
    return this.deps.index.size(id);
  }

  path(id: BlobId): string {
    if (!this.has(id)) throw blobErrors('not-found', { blob: id });
    return this.deps.shelf.path(id);
  }

  async manifest(id: BlobId): Promise<Manifest> {
    return parseManifest(await this.deps.index.manifestBytes(id), id);
  }

  damaged(): readonly DamagedBlob[] {
    return this.deps.index.damaged();
  }

  list(): AsyncIterable<BlobRef> {
    return this.deps.index.list();
  }

  usage(): { blobs: number; bytes: number; freeBytes: number } {
    const { blobs, bytes } = this.deps.index;
    return { blobs, bytes, freeBytes: this.space.roomForCopies() };
  }

  onAdded(listener: (ref: BlobRef) => void): () => void {
    return this.deps.shelf.onAdded(listener);
  }

  put(source: AsyncIterable<Uint8Array>, options: { sizeMax?: number; signal?: AbortSignal } = {}): Promise<BlobRef> {
    return this.track(this.putNow(source, options));
  }

  adopt(file: string): Promise<BlobRef> {
    return this.track(this.adoptNow(file));
  }

  partial(id: BlobId, manifestBytes: Uint8Array): Promise<PartialBlob> {
    return this.track(this.openPartial(id, manifestBytes));
  }

  quarantine(id: BlobId, reason: string): Promise<void> {
    return this.track(this.quarantineNow(id, reason));
  }

  async *read(id: BlobId, range?: { start: number; end: number }): AsyncGenerator<Uint8Array, void, undefined> {
    const size = this.deps.index.size(id);
    if (size === undefined) throw blobErrors('not-found', { blob: id });
    const start = range?.start ?? 0;
    const end = range?.end ?? size;
    if (!(Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= size)) {
      throw blobErrors('bad-range', { blob: id, start, end, size });
    }
    const file = await this.openBlob(id);
    try {
      for (let position = start; position < end; ) {
        const buffer = new Uint8Array(Math.min(READ_BYTES, end - position));
        const length = await readFully(file, buffer, position);
        if (length < buffer.length) {
          await this.quarantine(id, `it ends at byte ${position + length} of ${size}`);
          throw blobErrors('damaged', { blob: id, reason: 'it is too short' });
        }
        position += length;
        yield buffer;
      }
    } finally {
      await file.close();
    }
  }

  /** Unfinished work is given up (uploads) or kept for the next try (partial blobs). */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const upload of this.uploads) upload.abort(blobErrors('stopped'));
    for (const partial of this.partials.values()) {
      await partial?.release().catch((error: unknown) => {
        this.deps.log.warn({ blob: partial.id, err: error }, 'the progress of a blob could not be saved');
      });
    }
    await Promise.allSettled(this.running);
    await this.deps.shelf.idle();
  }

  private async putNow(
    source: AsyncIterable<Uint8Array>,
    { sizeMax = Number.POSITIVE_INFINITY, signal }: { sizeMax?: number; signal?: AbortSignal },
  ): Promise<BlobRef> {
    if (this.stopped) throw blobErrors('stopped');
    const file = this.tempFile();
    const reservation = this.space.reserve(0, 'own');
    const upload = new AbortController();
    const onAbort = () => upload.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    this.uploads.add(upload);
    try {
      const { size, manifest } = await this.writeTemp(file, limited(source, sizeMax), reservation, upload.signal);
      upload.signal.throwIfAborted();
      const blob = manifestId(manifest);
      const placed = await this.deps.shelf.place({ blob, size, file, manifest });
      if (!placed) await rm(file, { force: true });
      return { blob, size };
    } catch (error) {
      await rm(file, { force: true });
      throw asSpaceError(error, CHUNK_BYTES);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.uploads.delete(upload);
      reservation.release();
    }
  }

  /** Hashes and writes; fsynced when it resolves. What fits one chunk takes a file handle only once it is complete. */
  private async writeTemp(
    file: string,
    source: AsyncIterable<Uint8Array>,
    reservation: Reservation,
    signal: AbortSignal,
  ): Promise<HashedFile> {
    const hashes = new HashList();
    let size = 0;
    let handle: FileHandle | undefined;
    const write = async (chunk: Uint8Array) => {
      handle ??= await open(file, 'wx', 0o444);
      await this.deps.disk.write(handle, chunk, size);
      reservation.used(chunk.length);
      size += chunk.length;
    };
    const end = async () => {
      handle ??= await open(file, 'wx', 0o444);
      await handle.chmod(0o444); // whatever the umask took away
      await handle.datasync();
    };
    try {
      let last: Uint8Array | undefined;
      for await (const chunk of chunksOf(abortable(source, signal))) {
        reservation.grow(chunk.length);
        hashes.add(blake3(chunk));
        if (chunk.length < CHUNK_BYTES) last = chunk;
        else await write(chunk);
      }
      await this.writes.run(async () => {
        if (last !== undefined) await write(last);
        await end();
      });
      return { size, manifest: encodeManifest(size, hashes.bytes()) };
    } finally {
      await handle?.close();
    }
  }

  private async adoptNow(path: string): Promise<BlobRef> {
    if (this.stopped) throw blobErrors('stopped');
    const file = resolve(path);
    const handle = await openPlainFile(file);
    try {
      if ((await realpath(file)).startsWith((await realpath(this.options.folder)) + sep)) {
        throw blobErrors('not-a-file', { file, reason: 'it belongs to the blob store itself' });
      }
      const before = await handle.stat();
      // Whoever holds another name of it can write it: only a copy is ours alone.
      const taken = before.nlink > 1 ? undefined : await this.takeOver(file, handle);
      if (taken?.placed) return taken.ref;
      const ref = taken?.ref ?? (await this.put(contentOf(handle)));
      const after = await handle.stat();
      if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) throw blobErrors('changed', { file });
      await rm(file, { force: true }).catch((error: unknown) => {
        this.deps.log.warn({ file, err: error }, 'a file that was taken in could not be removed from its old place');
      });
      return ref;
    } finally {
      await handle.close();
    }
  }

  /** By renaming; undefined where that cannot be done (another file system, another owner). */
  private async takeOver(file: string, handle: FileHandle): Promise<{ ref: BlobRef; placed: boolean } | undefined> {
    const before = await handle.stat();
    try {
      await handle.chmod(0o444);
      const { size, manifest } = await hashHandle(handle);
      const after = await handle.stat();
      if (size !== before.size || after.mtimeMs !== before.mtimeMs || after.nlink > 1) {
        throw blobErrors('changed', { file });
      }
      await handle.sync();
      const blob = manifestId(manifest);
      const placed = await this.deps.shelf.place({ blob, size, file, manifest });
      return { ref: { blob, size }, placed };
    } catch (error) {
      await handle.chmod(before.mode & 0o7777).catch(() => {});
      if (isForeign(error)) return undefined;
      throw asSpaceError(error, before.size);
    }
  }

  private async openPartial(id: BlobId, manifestBytes: Uint8Array): Promise<PartialBlob> {
    if (this.stopped) throw blobErrors('stopped');
    const manifest = verifyManifest(id, manifestBytes);
    if (this.has(id)) throw blobErrors('exists', { blob: id });
    if (this.partials.has(id)) throw blobErrors('busy', { blob: id });
    this.partials.set(id, undefined);
    let reservation: Reservation | undefined;
    try {
      const isSmall = manifest.chunks.length <= 1;
      const paths: PartialPaths = isSmall
        ? { data: this.tempFile(), bitmap: undefined }
        : { data: join(this.options.folder, 'partial', `${id}.data`), bitmap: this.bitmapPath(id) };
      const progress = await readProgress(paths, manifest);
      reservation = await this.reserveCopy(manifest.size - presentBytes(progress, manifest.size));
      const partial = new PartialFile(
        { disk: this.deps.disk, shelf: this.deps.shelf, writes: this.writes, closed: () => this.partials.delete(id) },
        id,
        manifest,
        Uint8Array.from(manifestBytes),
        paths,
        progress,
        reservation,
      );
      this.partials.set(id, partial);
      return partial;
    } catch (error) {
      reservation?.release();
      this.partials.delete(id);
      throw error;
    }
  }

  /** When there is no room, unfinished fetches that nobody goes on with are given up, the oldest first. */
  private async reserveCopy(bytes: number): Promise<Reservation> {
    try {
      return this.space.reserve(bytes, 'copy');
    } catch (error) {
      if (!isDomainError(error, 'blobs/no-space')) throw error;
      for (const file of await this.idlePartials()) {
        await rm(file, { force: true });
        await rm(file.replace(/\.data$/, '.chunks'), { force: true });
        if (this.space.roomForCopies() >= bytes) break;
      }
      return this.space.reserve(bytes, 'copy');
    }
  }

  private async idlePartials(): Promise<string[]> {
    const folder = join(this.options.folder, 'partial');
    const idle: { file: string; mtimeMs: number }[] = [];
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.data') || this.partials.has(name.slice(0, -'.data'.length))) continue;
      const { mtimeMs } = await stat(join(folder, name));
      idle.push({ file: join(folder, name), mtimeMs });
    }
    return idle.sort((a, b) => a.mtimeMs - b.mtimeMs).map(({ file }) => file);
  }

  private async quarantineNow(id: BlobId, reason: string): Promise<void> {
    const size = this.size(id);
    if (size === undefined) return;
    // Recorded first: a crash in between finds a file without a valid record and looks at its bytes again.
    await this.deps.index.recordDamage({ id, size, reason }, this.deps.clock.now());
    this.deps.log.error({ blob: id, reason }, 'a damaged blob was moved aside');
    try {
      await rename(this.deps.shelf.path(id), this.deps.shelf.quarantinePath(id));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }

  private async openBlob(id: BlobId): Promise<FileHandle> {
    try {
      return await open(this.deps.shelf.path(id), 'r');
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
      await this.quarantine(id, 'its file is missing');
      throw blobErrors('damaged', { blob: id, reason: 'its file is missing' }, { cause: error });
    }
  }

  private tempFile(): string {
    return join(this.options.folder, 'tmp', randomHex(this.deps.random, 12));
  }

  private bitmapPath(id: BlobId): string {
    return join(this.options.folder, 'partial', `${id}.chunks`);
  }

  private track<T>(work: Promise<T>): Promise<T> {
    this.running.add(work);
    const done = () => this.running.delete(work);
    work.then(done, done);
    return work;
  }
}

async function* limited(source: AsyncIterable<Uint8Array>, sizeMax: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const part of source) {
    size += part.length;
    if (size > sizeMax) throw blobErrors('too-large', { sizeMax });
    yield part;
  }
}

async function* contentOf(file: FileHandle): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(READ_BYTES);
  for (let position = 0; ; ) {
    const length = await readFully(file, buffer, position);
    if (length === 0) return;
    position += length;
    yield buffer.subarray(0, length);
  }
}

async function openPlainFile(file: string): Promise<FileHandle> {
  const found = await lstat(file).catch((cause: unknown) => {
    throw errnoOf(cause) === 'ENOENT' ? blobErrors('not-a-file', { file, reason: 'it does not exist' }) : cause;
  });
  if (found.isSymbolicLink()) throw blobErrors('not-a-file', { file, reason: 'it is a symbolic link' });
  if (!found.isFile()) throw blobErrors('not-a-file', { file, reason: 'it is a folder or a device' });
  return open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** Not ours to rename or to change: another file system or another owner. */
function isForeign(error: unknown): boolean {
  return ['EXDEV', 'EPERM', 'EACCES', 'EROFS'].includes(errnoOf(error) ?? '');
}
