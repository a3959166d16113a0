/**
 * Hands one request to a node over `/galaxy/http/1` and its answer back, both streamed, never buffered.
 *
 * What happened is told apart exactly, because it decides whether another node may be asked: `unreached` means that not
 * one byte of the request left; `broken` that it may have taken effect and no answer came; `moved` that the node says
 * that the account is at home elsewhere, or does not know yet that it is at home there; `answered` that the client has
 * got at least the head of an answer.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import type { Clock } from '../../protocol/runtime/clock.js';
import { deadline } from '../../protocol/runtime/clock.js';
import type { Places, TunnelAgent } from '../../protocol/wire/http-tunnel.js';
import { LIMITS } from '../../protocol/wire/limits.js';
import { cookiesForNode } from './request-kind.js';

export type ProxyOutcome =
  | { kind: 'answered' }
  | { kind: 'moved' }
  | { kind: 'unreached'; error: Error }
  | { kind: 'broken'; error: Error };

export interface ProxyTarget {
  peerId: string;
  /** For `X-Galaxy-Node`, when the node does not say it. */
  name: string;
}

export interface ForwardedFor {
  client: string;
  proto: string;
  host: string;
}

export interface ProxyOptions {
  /** More headers of the answer: the affinity cookie. */
  extra?: Record<string, string>;
  /** Keep an answer `moved` back from the client, who then knows nothing of it. */
  holdMoved?: boolean;
}

export interface ProxyDeps {
  agent: TunnelAgent;
  places: Places;
  clock: Clock;
}

/** Of one hop, RFC 9110 section 7.6.1; and what only a trusted proxy may say. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const OURS = new Set(['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'cookie']);

export function proxy(
  deps: ProxyDeps,
  request: IncomingMessage,
  response: ServerResponse,
  target: ProxyTarget,
  forwarded: ForwardedFor,
  options: ProxyOptions = {},
): Promise<ProxyOutcome> {
  const signal = deadline(LIMITS.http.deadlineMs / 2);
  return deps.places.take(target.peerId, signal).then(
    (release) => send(deps, request, response, target, forwarded, options).finally(release),
    (error: unknown) => ({ kind: 'unreached', error: error instanceof Error ? error : new Error(String(error)) }),
  );
}

function send(
  deps: ProxyDeps,
  request: IncomingMessage,
  response: ServerResponse,
  target: ProxyTarget,
  forwarded: ForwardedFor,
  { extra = {}, holdMoved = false }: ProxyOptions,
): Promise<ProxyOutcome> {
  return new Promise((resolve) => {
    let reached = false;
    const upstream = http.request({
      agent: deps.agent,
      host: target.peerId,
      method: request.method,
      path: request.url,
      headers: headersForNode(request, forwarded),
      setHost: false,
      // Of silence in both directions; a long job is answered by polling, not by a silent connection.
      timeout: LIMITS.http.deadlineMs * 2,
    });
    const abandon = () => upstream.destroy(new Error('the client went away'));
    response.once('close', abandon);
    const settle = (outcome: ProxyOutcome) => {
      response.off('close', abandon);
      resolve(outcome);
    };

    upstream.once('socket', () => {
      reached = true;
      // Not `pipeline`, which would close the client's connection when the node answers before it has taken the whole
      // body. What becomes of the client is seen at `response`.
      if (hasBody(request)) request.pipe(upstream);
      else upstream.end();
    });
    upstream.on('timeout', () => upstream.destroy(new Error('the node was silent for too long')));
    upstream.on('information', () => {});
    upstream.once('response', (answer) => {
      if (holdMoved && saysMoved(answer)) {
        answer.resume();
        return settle({ kind: 'moved' });
      }
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headersForClient(answer, target, extra));
      pipeline(answer, response, () => {
        upstream.destroy();
        settle({ kind: 'answered' });
      });
    });
    upstream.once('error', (error) => {
      if (response.headersSent) {
        response.destroy();
        settle({ kind: 'answered' });
      } else settle(reached ? { kind: 'broken', error } : { kind: 'unreached', error });
    });
    upstream.once('close', () => {
      if (!response.headersSent) settle({ kind: 'broken', error: new Error('the node closed the connection') });
    });
  });
}

/** By the header, which a node adds to its redirect of a page and to its 410 for everything else. */
function saysMoved({ statusCode, headers }: IncomingMessage): boolean {
  return (statusCode === 410 || statusCode === 307) && headers['x-galaxy-moved'] !== undefined;
}

function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

function headersForNode(request: IncomingMessage, forwarded: ForwardedFor): http.OutgoingHttpHeaders {
  const headers: http.OutgoingHttpHeaders = {};
  const named = namedByConnection(request.headers.connection);
  for (const [name, value] of Object.entries(request.headers)) {
    if (!HOP_BY_HOP.has(name) && !OURS.has(name) && !named.has(name)) headers[name] = value;
  }
  if (request.headers['transfer-encoding'] !== undefined) headers['transfer-encoding'] = 'chunked';
  const cookie = cookiesForNode(request.headers.cookie);
  if (cookie !== undefined) headers.cookie = cookie;
  headers['x-forwarded-for'] = forwarded.client;
  headers['x-forwarded-proto'] = forwarded.proto;
  headers['x-forwarded-host'] = forwarded.host;
  return headers;
}

function headersForClient(
  answer: IncomingMessage,
  target: ProxyTarget,
  extra: Record<string, string>,
): http.OutgoingHttpHeaders {
  const headers: http.OutgoingHttpHeaders = {};
  const named = namedByConnection(answer.headers.connection);
  for (const [name, value] of Object.entries(answer.headers)) {
    if (!HOP_BY_HOP.has(name) && !named.has(name)) headers[name] = value;
  }
  headers['x-galaxy-node'] ??= encodeURI(target.name);
  for (const [name, value] of Object.entries(extra)) {
    const before = headers[name];
    if (name === 'set-cookie' && before !== undefined) headers[name] = [...[before].flat().map(String), value];
    else headers[name] = value;
  }
  return headers;
}

function namedByConnection(value: string | undefined): Set<string> {
  return new Set((value ?? '').split(',').map((name) => name.trim().toLowerCase()));
}
