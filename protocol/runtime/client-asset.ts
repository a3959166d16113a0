/**
 * The Galaxy web client: an asset of a pinned version and hash, fetched once and served as it is. It is packed by npm
 * (so that the user's own registry, proxy and credentials count), checked against the pin, and unpacked without running
 * anything of it. Rejected: a dependency on the package, whose own dependencies unpack to 900 MB and are not needed.
 *
 * A folder of it is complete or absent: it is built beside its place and renamed into it. Scripts and styles are stored
 * a second time compressed, because 14 MB of them stand between a visitor and her first page.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { createGunzip, gzip as gzipCallback } from 'node:zlib';
import { z } from 'zod';
import { deadline } from './clock.js';
import { defineErrors, isDomainError } from './errors.js';
import { packageRoot } from './package.js';
import { readTar } from './tar.js';

export const clientErrors = defineErrors('client', {
  'no-npm': {
    kind: 'unavailable',
    say: 'The Galaxy web client cannot be fetched: npm could not be run ({reason}).',
    mend: 'Install npm, or unpack the client yourself and name its folder with the option client.folder.',
  },
  'not-fetched': {
    kind: 'unavailable',
    say: 'The Galaxy web client could not be fetched: {reason}.',
    mend: 'Check that this machine reaches the npm registry (proxy, ~/.npmrc). The API works meanwhile; `start` tries again.',
  },
  'too-slow': {
    kind: 'timeout',
    say: 'The Galaxy web client was not fetched within {seconds} s.',
    mend: 'Check the connection to the npm registry. The API works meanwhile; `start` tries again.',
  },
  'wrong-hash': {
    kind: 'untrusted',
    say: 'What was fetched is not the Galaxy web client {version} that this program pins (its hash is {found}).',
    mend: 'Nothing of it was kept. Check which registry npm uses: something between here and there changes packages.',
  },
  incomplete: {
    kind: 'corrupt',
    say: 'The folder {folder} does not hold a whole Galaxy web client: {reason}.',
    mend: 'Set the option client.folder to a folder with the dist/ of @galaxyproject/galaxy-client, or to null.',
  },
  unwritable: {
    kind: 'unavailable',
    say: 'The Galaxy web client could not be stored in {folder}: {reason}.',
    mend: 'Check the folder’s permissions and the space on its disk, or set the option client.folder.',
  },
});

export const CLIENT_ASSET = {
  name: '@galaxyproject/galaxy-client',
  version: '25.1.2',
  integrity: 'sha512-CoBG0kPqtBZElIe4EWkpYef1TpTP8lCsP1CPw9hvuf6WsGPzOCcO5WHsjHYLHTVHeDeBGE2UJ9I+rMEHFKurAg==',
  bytes: 48_507_640,
} as const;

export interface ClientPin {
  name: string;
  version: string;
  integrity: string;
  /** What it unpacks to, so that progress knows its end; nothing is checked by it. */
  bytes?: number;
}

export interface ClientProgress {
  step: 'fetch' | 'check' | 'unpack';
  /** Bytes unpacked so far; 0 before. npm does not say how far it is. */
  bytes: number;
  /** All that there is to unpack; 0 when that is not known. */
  bytesTotal: number;
}

export interface FetchClientOptions {
  folder: string;
  signal?: AbortSignal;
  /** For fetching alone. */
  deadlineMs?: number;
  onProgress?: (progress: ClientProgress) => void;
  /** For tests: another pin, and another way to get the archive than npm. */
  pin?: ClientPin;
  pack?: (pin: ClientPin, folder: string, signal: AbortSignal) => Promise<string>;
}

const DEADLINE_MS = 60_000;
const LIMITS = { filesMax: 5000, fileBytesMax: 64 * 2 ** 20, totalBytesMax: 256 * 2 ** 20 };
const ARCHIVE_BYTES_MAX = 64 * 2 ** 20;
const COMPRESS_FROM_BYTES = 1024;
const NPM_OUTPUT_BYTES_MAX = 2 ** 20;
const ABANDONED_AFTER_MS = 3_600_000;
/** Several processes may replace one damaged copy at the same time. */
const REPLACE_ATTEMPTS_MAX = 10;
const PARTIAL_PREFIX = '.partial-';
/** Without these there is no page. */
const NEEDED = ['libs.bundled.js', 'analysis.bundled.js', 'base.css'];
const MANIFEST = 'asset.json';

const gzip = promisify(gzipCallback);
const packOutput = z.array(z.object({ filename: z.string().min(1).max(255) })).length(1);
const manifestSchema = z.object({ version: z.string(), integrity: z.string(), files: z.number(), bytes: z.number() });

/** Where this installation keeps its own copy. */
export function clientFolder(): string {
  return join(packageRoot(), '.cache', 'galaxy-client', CLIENT_ASSET.version);
}

/** Whether `folder` holds a whole client, fetched by us (checked against what was written) or put there by hand. */
export async function hasClient(folder: string): Promise<boolean> {
  return (await lacking(folder)) === undefined;
}

/** Errors: `client/incomplete`. For a folder that the operator named: it is used as it is, never written. */
export async function requireClient(folder: string): Promise<void> {
  const reason = await lacking(folder);
  if (reason !== undefined) throw clientErrors('incomplete', { folder, reason });
}

/**
 * Fetches the client into `folder` unless it is there. Safe to call from several processes at once.
 * Errors: `client/no-npm`, `client/not-fetched`, `client/too-slow`, `client/wrong-hash`, `client/unwritable`, `tar/unsafe`.
 */
export async function fetchClient(options: FetchClientOptions): Promise<{ version: string; fetched: boolean }> {
  const pin = options.pin ?? CLIENT_ASSET;
  const { folder, onProgress } = options;
  if ((await lacking(folder, pin)) === undefined) return { version: pin.version, fetched: false };
  const parent = dirname(folder);
  const work = await makeWorkFolder(parent, folder);
  try {
    onProgress?.({ step: 'fetch', bytes: 0, bytesTotal: pin.bytes ?? 0 });
    const limitMs = options.deadlineMs ?? DEADLINE_MS;
    const archive = await timed(limitMs, options.signal, (signal) => (options.pack ?? npmPack)(pin, work, signal));
    onProgress?.({ step: 'check', bytes: 0, bytesTotal: pin.bytes ?? 0 });
    await checkIntegrity(archive, pin);
    const built = join(work, 'client');
    await writing(folder, () => unpack(archive, built, pin, options));
    await writing(folder, () => putInPlace(built, folder, work, pin));
    return { version: pin.version, fetched: true };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function makeWorkFolder(parent: string, folder: string): Promise<string> {
  return writing(folder, async () => {
    await mkdir(parent, { recursive: true });
    for (const name of await readdir(parent)) {
      // What a killed process left. A younger one may still be at work.
      if (!name.startsWith(PARTIAL_PREFIX)) continue;
      const path = join(parent, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
      if (Date.now() - mtimeMs > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true });
    }
    return mkdtemp(join(parent, PARTIAL_PREFIX));
  });
}

async function timed<T>(
  limitMs: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = deadline(limitMs);
  try {
    return await work(signal ? AbortSignal.any([limit, signal]) : limit);
  } catch (error) {
    if (limit.aborted && !signal?.aborted) {
      throw clientErrors('too-slow', { seconds: Math.round(limitMs / 1000) }, { cause: error });
    }
    throw error;
  }
}

/** The archive that npm would install, as a file in `folder`. */
async function npmPack(pin: ClientPin, folder: string, signal: AbortSignal): Promise<string> {
  const args = ['pack', `${pin.name}@${pin.version}`, '--fetch-retries=0', '--json', '--ignore-scripts', '--silent'];
  // Under `npm ci` the same npm is used again, wherever it is installed.
  const within = process.env.npm_execpath;
  const script = within?.endsWith('.js') ? within : undefined;
  const output = await run(script ? process.execPath : 'npm', script ? [script, ...args] : args, folder, signal);
  const parsed = packOutput.safeParse(parseJson(output));
  if (!parsed.success) throw clientErrors('not-fetched', { reason: 'npm did not say which file it wrote' });
  return join(folder, basename(parsed.data[0]?.filename ?? ''));
}

function run(command: string, args: string[], cwd: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, signal, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] });
    const take = (stream: NodeJS.ReadableStream) => {
      let text = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        if (text.length < NPM_OUTPUT_BYTES_MAX) text += chunk;
      });
      return () => text;
    };
    const out = take(child.stdout);
    const err = take(child.stderr);
    child.on('error', (cause) => {
      if (signal.aborted) reject(signal.reason);
      else reject(clientErrors('no-npm', { reason: cause.message }, { cause }));
    });
    child.on('close', (code) => {
      if (code === 0) resolve(out());
      else reject(clientErrors('not-fetched', { reason: npmReason(out(), err(), code) }));
    });
  });
}

/** npm says why in JSON on stdout, or in lines on stderr. */
function npmReason(out: string, err: string, code: number | null): string {
  const said = z.object({ error: z.object({ summary: z.string().optional(), code: z.string().optional() }) });
  const parsed = said.safeParse(parseJson(out));
  const summary = parsed.success ? (parsed.data.error.summary ?? parsed.data.error.code) : undefined;
  const line = err.split('\n').find((candidate) => /npm (ERR!|error)/.test(candidate));
  const text = summary?.split('\n')[0] || line?.replace(/^npm (ERR!|error)\s*/, '') || `npm ended with ${code}`;
  return text.replace(/\.+$/, '');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

async function checkIntegrity(archive: string, pin: ClientPin): Promise<void> {
  const { size } = await stat(archive).catch((cause: Error) => {
    throw clientErrors('not-fetched', { reason: cause.message }, { cause });
  });
  const hash = createHash('sha512');
  if (size <= ARCHIVE_BYTES_MAX) for await (const chunk of createReadStream(archive)) hash.update(chunk as Buffer);
  const found = size <= ARCHIVE_BYTES_MAX ? `sha512-${hash.digest('base64')}` : `that of ${size} bytes`;
  if (found !== pin.integrity) throw clientErrors('wrong-hash', { version: pin.version, found });
}

/** Only `package/dist/**`; the rest of the package is for building it. */
async function unpack(archive: string, target: string, pin: ClientPin, options: FetchClientOptions): Promise<void> {
  const dist = join(target, 'dist');
  await mkdir(dist, { recursive: true });
  let files = 0;
  let bytes = 0;
  const source = createReadStream(archive).pipe(createGunzip());
  for await (const file of readTar(source, LIMITS)) {
    options.signal?.throwIfAborted();
    const path = /^package\/dist\/(.+)$/.exec(file.path)?.[1];
    if (path === undefined) continue;
    const place = join(dist, path);
    await mkdir(dirname(place), { recursive: true });
    await writeFile(place, file.bytes, { flag: 'wx' });
    files += 1;
    bytes += file.bytes.length;
    if (/\.(js|css|svg)$/.test(path) && file.bytes.length >= COMPRESS_FROM_BYTES) {
      await writeFile(`${place}.gz`, await gzip(file.bytes), { flag: 'wx' });
    }
    options.onProgress?.({ step: 'unpack', bytes, bytesTotal: pin.bytes ?? 0 });
  }
  const manifest: z.output<typeof manifestSchema> = { version: pin.version, integrity: pin.integrity, files, bytes };
  const handle = await open(join(target, MANIFEST), 'wx');
  try {
    await handle.writeFile(`${JSON.stringify(manifest)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  const reason = await lacking(target, pin);
  if (reason !== undefined) throw clientErrors('incomplete', { folder: target, reason });
}

async function putInPlace(built: string, folder: string, work: string, pin: ClientPin): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rename(built, folder);
      return;
    } catch (error) {
      const { code } = error as { code?: string };
      if ((code !== 'ENOTEMPTY' && code !== 'EEXIST') || attempt === REPLACE_ATTEMPTS_MAX) throw error;
      // Somebody else's whole copy is as good as this one; a damaged one makes room, since a rename replaces nothing.
      if ((await lacking(folder, pin)) === undefined) return;
      await rename(folder, join(work, `damaged-${attempt}`)).catch((gone: { code?: string }) => {
        if (gone.code !== 'ENOENT') throw gone;
      });
    }
  }
}

/** What is missing of a client in `folder`, in words; undefined when it is whole. */
async function lacking(folder: string, pin?: ClientPin): Promise<string | undefined> {
  const dist = join(folder, 'dist');
  for (const name of NEEDED) {
    const found = await stat(join(dist, name)).catch(() => undefined);
    if (!found?.isFile() || found.size === 0) return `dist/${name} is missing`;
  }
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch(() => undefined);
  if (text === undefined) return pin === undefined ? undefined : `${MANIFEST} is missing`;
  const manifest = manifestSchema.safeParse(parseJson(text));
  if (!manifest.success) return `${MANIFEST} is damaged`;
  if (pin && manifest.data.integrity !== pin.integrity) return `it is version ${manifest.data.version}`;
  const { files, bytes } = await measure(dist);
  if (files !== manifest.data.files || bytes !== manifest.data.bytes) {
    return `it has ${files} files of ${bytes} bytes instead of ${manifest.data.files} of ${manifest.data.bytes}`;
  }
  return undefined;
}

/** Our own compressed copies do not count. What is gone before it was looked at (a copy being replaced) is not there. */
async function measure(dist: string): Promise<{ files: number; bytes: number }> {
  let files = 0;
  let bytes = 0;
  for (const entry of await readdir(dist, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (!entry.isFile() || entry.name.endsWith('.gz')) continue;
    const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
    if (found === undefined) continue;
    files += 1;
    bytes += found.size;
  }
  return { files, bytes };
}

async function writing<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (isDomainError(cause) || (cause as { code?: string }).code === undefined) throw cause;
    throw clientErrors('unwritable', { folder, reason: (cause as Error).message }, { cause });
  }
}
