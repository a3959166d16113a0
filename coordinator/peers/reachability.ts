/**
 * Whether a node can be reached from outside: its libp2p address by dialling it, its public URL by fetching a nonce that
 * only the holder of the node's key can sign. A URL is never a redirect target before that: a typing error, or somebody
 * else's server, would get the users.
 */
import { isLoopbackHost } from '../../protocol/runtime/addresses.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import { deadline } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import type { Host } from '../../protocol/runtime/host.js';
import { type Random, randomHex } from '../../protocol/runtime/random.js';
import { openToken } from '../../protocol/trust/signed.js';
import {
  REACHABILITY_KIND,
  REACHABILITY_PATH,
  type Reachability,
  reachabilitySchema,
} from '../../protocol/wire/calls/join.js';
import type { UrlCheck } from '../peer.js';

const FETCH_MS = 5000;
const DIAL_MS = 5000;
const ANSWER_BYTES_MAX = 8192;

export interface ReachabilityDeps {
  clock: Clock;
  random: Random;
  fetch: typeof fetch;
}

export class ReachabilityCheck {
  constructor(
    private readonly deps: ReachabilityDeps,
    private readonly options: { allowPlainHttp: boolean },
  ) {}

  async url(publicUrl: string | null, peerId: string, signal?: AbortSignal): Promise<UrlCheck> {
    const atMs = this.deps.clock.now();
    if (publicUrl === null) return { verified: false, reason: 'it has no public URL', atMs };
    const refusal = urlRefusal(publicUrl, this.options);
    if (refusal !== undefined) return { verified: false, reason: refusal, atMs };
    const nonce = randomHex(this.deps.random, 16);
    try {
      const target = `${publicUrl.replace(/\/$/, '')}${REACHABILITY_PATH}?nonce=${nonce}`;
      const response = await this.deps.fetch(target, { redirect: 'error', signal: deadline(FETCH_MS, signal) });
      if (!response.ok) return { verified: false, reason: `it answered with status ${response.status}`, atMs };
      const { payload, signer } = openToken(tokenIn(await textOf(response)), REACHABILITY_KIND, reachabilitySchema);
      if (signer !== peerId) return { verified: false, reason: 'another node answers there', atMs };
      if (payload.nonce !== nonce) return { verified: false, reason: 'it signed another nonce', atMs };
      return { verified: true, reason: 'fetched and signed', atMs };
    } catch (error) {
      const cause = error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
      return { verified: false, reason: `it could not be fetched (${describeError(cause)})`, atMs };
    }
  }

  async libp2p(
    host: Pick<Host, 'connect' | 'isConnected'>,
    peerId: string,
    addresses: readonly string[],
    signal?: AbortSignal,
  ): Promise<Reachability> {
    if (addresses.length === 0) return { ok: false, reason: 'it gave no address to be dialled at' };
    if (host.isConnected(peerId)) return { ok: true, reason: 'connected already' };
    try {
      await host.connect(peerId, addresses, deadline(DIAL_MS, signal));
      return { ok: true, reason: 'dialled back' };
    } catch (error) {
      return { ok: false, reason: describeError(error).slice(0, 500) };
    }
  }
}

/** Why this URL may not be a redirect target, whatever answers there. */
export function urlRefusal(publicUrl: string, options: { allowPlainHttp: boolean }): string | undefined {
  let url: URL;
  try {
    url = new URL(publicUrl);
  } catch {
    return 'it is not a URL';
  }
  if (url.protocol === 'https:') return undefined;
  if (url.protocol !== 'http:') return 'it is neither https nor http';
  if (options.allowPlainHttp || isLoopbackHost(url.hostname)) return undefined;
  return 'it is plain http, which this network does not allow';
}

/** The answer is the token itself, as JSON text, or an object that has it. */
function tokenIn(text: string): string {
  const value: unknown = JSON.parse(text);
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null && 'token' in value && typeof value.token === 'string') {
    return value.token;
  }
  throw new Error('the answer holds no token');
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    const part = chunk as Uint8Array;
    bytes += part.byteLength;
    if (bytes > ANSWER_BYTES_MAX) throw new Error('the answer is too long');
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString('utf8');
}
