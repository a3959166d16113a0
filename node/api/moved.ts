/**
 * What is said to a request for an account that is at home on another node now: a page is sent to the network's address,
 * which leads on; a program, and a page's own calls, get 410 and the address in `X-Galaxy-Moved` (follow.js and scripts go
 * by it). Calls are never redirected: a redirect would lose their bodies and keys.
 */

import type { CookieSerializeOptions } from '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isDomainError } from '../../protocol/runtime/errors.js';
import { hasControlCharacters } from '../../protocol/runtime/text.js';

export const MOVED_HEADER = 'x-galaxy-moved';
/** How often this browser was sent away in the last seconds. */
const MOVED_COOKIE = 'galaxymoved';
const MOVED_COOKIE_SECONDS = 10;
/** Sent away and back this often: the network's address does not know her, or does not know yet. */
const CIRCLES_MAX = 3;

/** A browser wants HTML for a window of its own, not for a frame and not for a script. */
export function isPageLoad({ method, url, headers }: Pick<FastifyRequest, 'method' | 'url' | 'headers'>): boolean {
  const destination = headers['sec-fetch-dest'];
  return (
    method === 'GET' &&
    !/^\/api(\/|$)/.test(url) &&
    (destination === undefined || destination === 'document') &&
    (headers.accept?.includes('text/html') ?? false)
  );
}

/** A path on this node, or the start page: what an address asks for must not lead to another site, nor in a circle. */
export function localTarget(wish: string | null | undefined): string {
  if (!wish || wish.length > 2048) return '/';
  // Browsers read '//host' and '/\host' as another site, and drop tabs and line breaks while reading.
  if (!/^\/(?![/\\])[^ \\]*$/.test(wish) || hasControlCharacters(wish)) return '/';
  return /^\/(galaxy-node|network)(\/|$)/.test(wish) ? '/' : wish;
}

/**
 * Errors that mean that the account is not here any more. The last two are of a change that was under way when it left:
 * nothing of it was written.
 */
export function meansMoved(error: unknown): boolean {
  return isDomainError(error) && (error.kind === 'moved' || ['log/not-home', 'log/sealed'].includes(error.code));
}

/** `network`: its address. */
export function answerMoved(
  request: FastifyRequest,
  reply: FastifyReply,
  network: string,
  message: string,
  cookie: CookieSerializeOptions,
): FastifyReply {
  const go = `${network}/network/go`;
  reply.headers({ 'cache-control': 'no-store', [MOVED_HEADER]: go });
  if (isPageLoad(request)) {
    const times = String(timesMoved(request) + 1);
    reply.setCookie(MOVED_COOKIE, times, { ...cookie, maxAge: MOVED_COOKIE_SECONDS });
    return reply.redirect(`${go}?to=${encodeURIComponent(localTarget(request.url))}`, 307);
  }
  return reply
    .code(410)
    .type('application/json')
    .send({ err_msg: message, err_code: 410001, moved: { url: go } });
}

/** Whether sending this page away once more would only bring it back. */
export function goesInCircles(request: FastifyRequest): boolean {
  return isPageLoad(request) && timesMoved(request) >= CIRCLES_MAX;
}

export function forgetMoves(request: FastifyRequest, reply: FastifyReply, cookie: CookieSerializeOptions): void {
  if (request.cookies[MOVED_COOKIE] !== undefined) reply.clearCookie(MOVED_COOKIE, cookie);
}

function timesMoved(request: FastifyRequest): number {
  const text = request.cookies[MOVED_COOKIE];
  return text !== undefined && /^\d$/.test(text) ? Number(text) : 0;
}
