/**
 * After signing in or up on a node of a network the browser passes once through the network's address, which sets a
 * cookie of its own and sends it on to its home. The client goes to an absolute `redirect` after sign-in, but passes it
 * through `encodeURI`, which would encode our encoding once more; and after sign-up it takes no redirect at all and loads
 * a page here. For those the hand-off waits in a cookie, and the next page takes it along.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TOKEN_CHARS_MAX } from '../../protocol/trust/signed.js';
import { cookieOptions } from './auth.js';
import { isPageLoad, localTarget } from './moved.js';

const HAND_OFF_COOKIE = 'galaxyhandoff';
/** As long as a hand-off is good. */
const HAND_OFF_SECONDS = 60;
const COOKIE_CHARS_MAX = 3500;
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** Where the network takes the hand-off and leads on to `to`; undefined when `encodeURI` would change what it says. */
export function plainSignedInUrl(network: string, handOff: string, to: string): string | undefined {
  return /^[\w\-.~/?=:@,]*$/.test(to) ? `${network}/network/signed-in?token=${handOff}&to=${to}` : undefined;
}

export function keepHandOff(
  request: FastifyRequest,
  reply: FastifyReply,
  handOff: string,
  publicUrl: string | null,
): void {
  if (handOff.length > Math.min(COOKIE_CHARS_MAX, TOKEN_CHARS_MAX)) return;
  reply.setCookie(HAND_OFF_COOKIE, handOff, { ...cookieOptions(request, publicUrl), maxAge: HAND_OFF_SECONDS });
}

export function forgetHandOff(request: FastifyRequest, reply: FastifyReply, publicUrl: string | null): void {
  if (request.cookies[HAND_OFF_COOKIE] !== undefined) {
    reply.clearCookie(HAND_OFF_COOKIE, cookieOptions(request, publicUrl));
  }
}

/** Before anything asks who calls: the account that signed in may have its home elsewhere. */
export function installHandOff(
  app: FastifyInstance,
  options: { networkUrl?: () => string | undefined; publicUrl: () => string | null },
): void {
  app.addHook('onRequest', async (request, reply) => {
    const handOff = request.cookies[HAND_OFF_COOKIE];
    if (handOff === undefined || !isPageLoad(request) || request.routeOptions.config?.public) return;
    forgetHandOff(request, reply, options.publicUrl());
    const network = options.networkUrl?.();
    if (network === undefined || !TOKEN.test(handOff)) return;
    const path = localTarget(request.url);
    const to = /^\/(login|register)(\/|\?|$)/.test(path) ? '/' : path;
    reply.headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
    return reply.redirect(`${network}/network/signed-in?token=${handOff}&to=${encodeURIComponent(to)}`, 303);
  });
}
