/**
 * Files on their way in. Resumable ones speak TUS 1.0 (tus.io) through @tus/server; files inside a form are streamed to
 * the same folder. A file is handed on only when all of it is here, to its owner alone, and once: it is moved into
 * `claimed/` first, so that two requests cannot both take it.
 *
 * Not here: sniffing, conversion, hashing. A job does these (`JobService.submitFetch`), with the file's path.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, statfs, utimes } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FileStore } from '@tus/file-store';
import { EVENTS, Server } from '@tus/server';
import type { Cancel, Clock } from '../../protocol/runtime/clock.js';
import { type DomainError, describeError, isDomainError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { type Random, randomHex } from '../../protocol/runtime/random.js';
import { DeclaredUploads } from './declared-uploads.js';
import { uploadErrors } from './errors.js';

export interface UploadsDeps {
  clock: Clock;
  random: Random;
  log: Logger;
  /** Free bytes of the disk that holds the folder; a test may fill it. */
  freeBytes?: (folder: string) => Promise<number>;
}

export interface UploadsOptions {
  /** `<data folder>/uploads`. */
  folder: string;
  sizeMaxBytes: number;
  minFreeBytes: number;
}

/** A complete file of the caller's, hers to hand on. */
export interface UploadedFile {
  path: string;
  name: string;
  size: number;
  /** Puts it back: the request that took it was refused. */
  release(): Promise<void>;
}

/** Where clients find it; both with and without a trailing slash. */
export const UPLOAD_PATH = '/api/upload/resumable_upload';
/** An upload that nobody finished or used is removed after this long. */
const PART = '.part';
const KEEP_DAYS = 7;
/** A taken file belongs to a job, which removes it; this is for files whose request died before the job was accepted. */
const KEEP_CLAIMED_DAYS = 90;
const DAY_MS = 24 * 60 * 60 * 1000;
const SWEEP_INTERVAL_MS = 60 * 60 * 1000;
const FORM_FILE_NAME_MAX = 255;
const PER_ACCOUNT_MAX = 500;
/** Of all uploads of an account together, in largest single ones: a pair of files, and the pair after it. */
const LARGEST_PER_ACCOUNT = 4;
const UPLOADS_MAX = 50_000;
const UPLOAD_ID = /^[0-9a-f]{32}$/;
const ACCOUNT = 'galaxyAccount';

/** A request and its account; and its upload, once that is known to be its account's. */
interface Visit {
  account: string;
  id?: string;
}

interface TusError {
  status_code: number;
  body: string;
}

export class Uploads implements Part {
  private readonly tus: Server;
  private readonly store: FileStore;
  private readonly incoming: string;
  private readonly claimed: string;
  private readonly declared: DeclaredUploads;
  /** TUS's hooks see only the request. */
  private readonly visits = new WeakMap<IncomingMessage, Visit>();
  private readonly background: Background;
  private cancelSweep: Cancel | undefined;
  private closedFor: string | undefined;
  private active = 0;

  constructor(
    private readonly deps: UploadsDeps,
    private readonly options: UploadsOptions,
  ) {
    this.incoming = join(options.folder, 'incoming');
    this.claimed = join(options.folder, 'claimed');
    this.background = new Background(deps);
    this.declared = new DeclaredUploads(deps, {
      perAccountMax: PER_ACCOUNT_MAX,
      bytesPerAccountMax: LARGEST_PER_ACCOUNT * options.sizeMaxBytes,
      uploadsMax: UPLOADS_MAX,
    });
    this.store = new FileStore({ directory: this.incoming, expirationPeriodInMilliseconds: KEEP_DAYS * DAY_MS });
    this.tus = new Server({
      path: UPLOAD_PATH,
      datastore: this.store,
      maxSize: options.sizeMaxBytes,
      // Relative, so that it is right behind every proxy.
      relativeLocation: true,
      allowedOrigins: () => false,
      namingFunction: () => randomHex(this.deps.random, 16),
      getFileIdFromRequest: (_request, last) => (last !== undefined && UPLOAD_ID.test(last) ? last : undefined),
      onUploadCreate: async (request, upload) => {
        const visit = this.visitOf(request);
        await this.begin(upload.id, visit.account, upload.size);
        visit.id = upload.id;
        return { metadata: { ...upload.metadata, [ACCOUNT]: visit.account } };
      },
      onIncomingRequest: async (request, id) => {
        if (request.method === 'POST') return;
        const visit = this.visitOf(request);
        const upload = await this.store.getUpload(id);
        // Another account's upload is not even there.
        if (upload.metadata?.[ACCOUNT] !== visit.account) throw notThere();
        visit.id = id;
        if (request.method === 'PATCH') await this.goOn(id, request.headers.get('upload-length'));
      },
      onResponseError: (_request, error) => this.explain(error),
    });
    this.tus.on(EVENTS.POST_RECEIVE, (_request, { id, offset }) => this.declared.arrived(id, offset));
    // Before its sender knows that it is gone, and begins the next one.
    this.tus.on(EVENTS.POST_TERMINATE, (_request, _response, id) => this.declared.forget(id));
  }

  async start(): Promise<void> {
    await mkdir(this.incoming, { recursive: true });
    await mkdir(this.claimed, { recursive: true });
    await this.dropHalves();
    await this.restore();
    this.cancelSweep = this.deps.clock.every(SWEEP_INTERVAL_MS, () => this.sweepInBackground());
    this.sweepInBackground();
  }

  async stop(): Promise<void> {
    this.cancelSweep?.();
    await this.background.stop();
  }

  /** A drain lets what has begun go on, and takes nothing new. */
  close(reason: string): void {
    this.closedFor = reason;
  }

  reopen(): void {
    this.closedFor = undefined;
  }

  /** Requests that are sending bytes now. */
  get inProgress(): number {
    return this.active;
  }

  /** Answers one TUS request of `account` on the raw connection. */
  async handle(account: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    dropEmptyMetadata(request);
    const visit: Visit = { account };
    this.visits.set(request, visit);
    this.active += 1;
    try {
      await this.tus.handle(request, response);
    } finally {
      if (visit.id !== undefined) await this.settle(visit.id);
      this.active -= 1;
    }
  }

  /**
   * Takes a finished upload for use.
   * Errors: `uploads/not-found`, `uploads/incomplete`.
   */
  async claim(account: string, id: string, name?: string): Promise<UploadedFile> {
    const missing = () => uploadErrors('not-found', { id, days: KEEP_DAYS });
    if (!UPLOAD_ID.test(id)) throw missing();
    const upload = await this.store.getUpload(id).catch(() => undefined);
    if (upload === undefined || upload.metadata?.[ACCOUNT] !== account) throw missing();
    if (upload.size === undefined || upload.offset !== upload.size) {
      throw uploadErrors('incomplete', { id, have: upload.offset, size: upload.size });
    }
    const from = join(this.incoming, id);
    const path = join(this.claimed, id);
    // The rename decides: of two requests for one upload, one finds nothing to move.
    await rename(from, path).catch((cause: unknown) => {
      throw uploadErrors('not-found', { id, days: KEEP_DAYS }, { cause });
    });
    const declared = this.declared.forget(id);
    await this.touch(path);
    // Whoever is told that the job was accepted must find the file after a power cut.
    await sync(path);
    await sync(this.claimed);
    return {
      path,
      name: name || upload.metadata?.filename || 'Uploaded file',
      size: upload.size,
      release: async () => {
        await rename(path, from);
        if (declared !== undefined) this.declared.restore(id, declared);
      },
    };
  }

  /**
   * Takes a file out of a form. Nothing remains of one that did not arrive whole.
   * Errors: `uploads/too-large`, `uploads/no-space`, `uploads/space-taken`, `uploads/interrupted`, `uploads/closed`.
   */
  async receive(name: string, source: AsyncIterable<Uint8Array>): Promise<UploadedFile> {
    await this.admit(0);
    const path = join(this.claimed, randomHex(this.deps.random, 16));
    const part = `${path}${PART}`;
    let size = 0;
    const { sizeMaxBytes } = this.options;
    const limit = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        size += chunk.length;
        if (size > sizeMaxBytes) done(uploadErrors('too-large', { max: sizeMaxBytes }));
        else done(null, chunk);
      },
    });
    this.active += 1;
    try {
      await pipeline(source, limit, createWriteStream(part, { flags: 'wx' }));
      await sync(part);
      await rename(part, path);
      await sync(this.claimed);
    } catch (cause) {
      await rm(part, { force: true });
      throw await this.receiveError(cause);
    } finally {
      this.active -= 1;
    }
    const discard = () => rm(path, { force: true });
    return { path, name: name.slice(0, FORM_FILE_NAME_MAX) || 'Uploaded file', size, release: discard };
  }

  /** Errors: `uploads/closed`, `uploads/no-space`, `uploads/space-taken`. */
  private async admit(size: number): Promise<void> {
    if (this.closedFor !== undefined) throw uploadErrors('closed', { reason: this.closedFor });
    this.admitBytes(size, await this.freeBytes());
  }

  /** Not async: of two that ask at once, the second finds what the first has taken. */
  private admitBytes(size: number, free: number): void {
    const left = free - size - this.options.minFreeBytes;
    if (left < 0) throw uploadErrors('no-space', { free });
    const bytesToCome = this.declared.bytesToCome();
    if (left < bytesToCome) throw uploadErrors('space-taken', { free, toCome: bytesToCome });
  }

  private async begin(id: string, account: string, size: number | undefined): Promise<void> {
    if (this.closedFor !== undefined) throw uploadErrors('closed', { reason: this.closedFor });
    const free = await this.freeBytes();
    this.admitBytes(size ?? 0, free);
    this.declared.declare(id, account, size);
  }

  /** `length`: what its sender has just come to know. */
  private async goOn(id: string, length: string | null): Promise<void> {
    const size = length !== null && Number(length) <= this.options.sizeMaxBytes ? Number(length) : undefined;
    const free = await this.freeBytes();
    const more = this.declared.moreSpaceFor(id, size);
    // One that holds its space goes on whatever others have declared.
    if (more > 0) this.admitBytes(more, free);
    else if (free < this.options.minFreeBytes) throw uploadErrors('no-space', { free });
    this.declared.goesOn(id, size);
  }

  /** What is there of it after a request: all that came, or nothing when it was removed or could not be begun. */
  private async settle(id: string): Promise<void> {
    const upload = await this.store.getUpload(id).catch(() => undefined);
    if (upload === undefined) this.declared.forget(id);
    else this.declared.arrived(id, upload.offset);
  }

  /** Those that were begun before this start count as well. */
  private async restore(): Promise<void> {
    for (const id of await readdir(this.incoming)) {
      if (!UPLOAD_ID.test(id)) continue;
      const upload = await this.store.getUpload(id).catch(() => undefined);
      const info = await stat(join(this.incoming, id)).catch(() => undefined);
      const account = upload?.metadata?.[ACCOUNT];
      if (upload === undefined || info === undefined || !account) continue;
      const { size, offset: arrived } = upload;
      this.declared.restore(id, { account, size, arrived, movedAtMs: info.mtimeMs });
    }
  }

  private freeBytes(): Promise<number> {
    return (this.deps.freeBytes ?? freeBytesOf)(this.options.folder);
  }

  private visitOf(request: { runtime?: { node?: { req: unknown } } }): Visit {
    const visit = this.visits.get(request.runtime?.node?.req as IncomingMessage);
    if (visit === undefined) throw new Error('an upload request without an account');
    return visit;
  }

  /** In TUS a failure is a status and a text; the client shows the text. */
  private async explain(error: Error | TusError): Promise<TusError | undefined> {
    if (isDomainError(error)) return { status_code: statusOf(error), body: `${describeError(error)}\n` };
    if ('status_code' in error && error.status_code === 413) {
      return this.explain(uploadErrors('too-large', { max: this.options.sizeMaxBytes }));
    }
    if ('status_code' in error && error.status_code < 500) return undefined;
    const free = await this.freeBytes().catch(() => Number.POSITIVE_INFINITY);
    if (free < Math.max(this.options.minFreeBytes, 1)) return this.explain(uploadErrors('no-space', { free }));
    const cause = 'body' in error ? error.body : error.message;
    this.deps.log.error({ cause }, 'an upload failed');
    return undefined;
  }

  private async receiveError(cause: unknown): Promise<unknown> {
    if (isDomainError(cause)) return cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      return uploadErrors('no-space', { free: await this.freeBytes().catch(() => 0) }, { cause });
    }
    if (code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET')
      return uploadErrors('interrupted', {}, { cause });
    return cause;
  }

  /** What a form was sending when an earlier process died: nobody can go on with it. */
  private async dropHalves(): Promise<void> {
    for (const name of await readdir(this.claimed)) {
      if (name.endsWith(PART)) await rm(join(this.claimed, name), { force: true });
    }
  }

  private sweepInBackground(): void {
    this.background.run('remove abandoned uploads', async () => {
      await this.sweep();
    });
  }

  /** Removes what nobody finished or used in time. Returns how many files that was. */
  async sweep(): Promise<number> {
    let removed = 0;
    for (const [folder, days] of [
      [this.incoming, KEEP_DAYS],
      [this.claimed, KEEP_CLAIMED_DAYS],
    ] as const) {
      const oldest = this.deps.clock.now() - days * DAY_MS;
      for (const name of await readdir(folder)) {
        const path = join(folder, name);
        const info = await stat(path).catch(() => undefined);
        if (info === undefined || !info.isFile() || info.mtimeMs >= oldest) continue;
        // The record of a resumable upload is as old as its beginning; it goes when its file does.
        const file = name.endsWith('.json') ? path.slice(0, -'.json'.length) : undefined;
        const fresh = file && (await stat(file).catch(() => undefined));
        if (fresh && fresh.mtimeMs >= oldest) continue;
        await rm(path, { force: true });
        if (folder === this.incoming) this.declared.forget(name);
        removed += 1;
      }
    }
    if (removed > 0) this.deps.log.info({ removed }, 'abandoned uploads removed');
    return removed;
  }

  private async touch(path: string): Promise<void> {
    const seconds = this.deps.clock.now() / 1000;
    await utimes(path, seconds, seconds);
  }
}

/** tuspy sends an empty header where it has no metadata; the protocol knows only none. */
function dropEmptyMetadata(request: IncomingMessage): void {
  if (request.headers['upload-metadata'] !== '') return;
  delete request.headers['upload-metadata'];
  const { rawHeaders } = request;
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    if (rawHeaders[index]?.toLowerCase() === 'upload-metadata') rawHeaders.splice(index, 2);
  }
}

function notThere(): TusError {
  return { status_code: 404, body: 'There is no such upload.\n' };
}

const STATUS: Partial<Record<DomainError['kind'], number>> = {
  'no-space': 507,
  'too-large': 413,
  'too-many': 429,
  unavailable: 503,
  'not-found': 404,
};

function statusOf(error: DomainError): number {
  return STATUS[error.kind] ?? 400;
}

/** A file or a folder. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
