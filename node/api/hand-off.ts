/**
 * After signing in or up on a node of a network the browser passes once through the network's address, which sets a
 * cookie of its own and sends it on to its home.
 *
 * Three steps, so that the network signs in the browser that signed in here, and no other that somebody sent there with a
 * link: the browser goes to the network with this node's signed way back; the network gives it a random value as a cookie
 * and sends it back here with the value's hash; here the hand-off, which waits in a cookie that only this page gets, goes
 * to the network together with the hash. A hand-off in another browser's hands meets no such cookie.
 *
 * The client goes to an absolute `redirect` after sign-in, but passes it through `encodeURI`, which would encode our
 * encoding once more; and after sign-up it takes no redirect at all and loads a page here. For those a cookie says that
 * the next page is to take the way.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { TOKEN_CHARS_MAX } from '../../protocol/trust/signed.js';
import { HAND_OFF_PATH, issueWayBack } from '../../protocol/trust/way-back.js';
import { cookieOptions } from './auth.js';
import { isPageLoad, localTarget } from './moved.js';
import type { ApiContext, RouteFile } from './route-file.js';
import { parse } from './validation.js';

/** The hand-off itself. */
const HAND_OFF_COOKIE = 'galaxyhandoff';
/** That the next page is to take the way. */
const DUE_COOKIE = 'galaxyhandoffdue';
/** As long as a hand-off is good. */
const HAND_OFF_SECONDS = 60;
const COOKIE_CHARS_MAX = 3500;
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

const query = z.object({
  to: z.string().max(4096).optional(),
  node: z.string().max(128).optional(),
  state: z.string().regex(/^[0-9a-f]{64}$/),
});

type WayDeps = Pick<ApiContext, 'options' | 'clock'> & { server: Pick<ApiContext['server'], 'networkUrl' | 'signer'> };

/**
 * Where to send a browser that has signed in, and keeps the hand-off in a cookie; undefined when this node is alone, or is
 * reached under a name that it does not know to be its own: to such an address nobody can be sent back.
 * `plain` when `encodeURI` would leave it as it is.
 */
export function beginHandOff(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: WayDeps,
  handOff: string,
  to: string,
): { url: string; plain: boolean } | undefined {
  if (handOff.length > Math.min(COOKIE_CHARS_MAX, TOKEN_CHARS_MAX)) return undefined;
  const url = wayThroughNetwork(request, deps, to);
  if (url === undefined) return undefined;
  reply.setCookie(HAND_OFF_COOKIE, handOff, {
    ...cookieOptions(request, deps.options.publicUrl),
    path: HAND_OFF_PATH,
    maxAge: HAND_OFF_SECONDS,
  });
  return { url, plain: encodeURI(url) === url };
}

/** What the client does not take from the answer, the next page that it loads does. */
export function leaveToNextPage(request: FastifyRequest, reply: FastifyReply, publicUrl: string | null): void {
  reply.setCookie(DUE_COOKIE, '1', { ...cookieOptions(request, publicUrl), maxAge: HAND_OFF_SECONDS });
}

export function forgetHandOff(request: FastifyRequest, reply: FastifyReply, publicUrl: string | null): void {
  const cookie = cookieOptions(request, publicUrl);
  // Which browsers show on its own path only.
  reply.clearCookie(HAND_OFF_COOKIE, { ...cookie, path: HAND_OFF_PATH });
  if (request.cookies[DUE_COOKIE] !== undefined) reply.clearCookie(DUE_COOKIE, cookie);
}

/** Before anything asks who calls: the account that signed in may have its home elsewhere. */
export function installHandOff(app: FastifyInstance, deps: WayDeps): void {
  app.addHook('onRequest', async (request, reply) => {
    if (request.cookies[DUE_COOKIE] === undefined || !isPageLoad(request) || request.routeOptions.config?.public)
      return;
    reply.clearCookie(DUE_COOKIE, cookieOptions(request, deps.options.publicUrl));
    const path = localTarget(request.url);
    const url = wayThroughNetwork(request, deps, /^\/(login|register)(\/|\?|$)/.test(path) ? '/' : path);
    if (url === undefined) return;
    keepPrivate(reply);
    return reply.redirect(url, 303);
  });
}

/** Where the network sends the browser back to. */
export const handOffRoutes: RouteFile = (app, { options, identity, server }) => {
  app.get(HAND_OFF_PATH, { exposeHeadRoute: false, config: { public: true } }, async (request, reply) => {
    const wish = parse(query, request.query);
    const to = localTarget(wish.to);
    const network = server.networkUrl?.();
    const handOff = request.cookies[HAND_OFF_COOKIE];
    keepPrivate(reply);
    if (network === undefined) return reply.redirect(to, 303);
    const isOurs = wish.node === undefined || wish.node === identity.peerId;
    if (!isOurs || handOff === undefined || !TOKEN.test(handOff)) {
      return reply.redirect(`${network}/network/go?to=${encodeURIComponent(to)}`, 303);
    }
    forgetHandOff(request, reply, options.publicUrl);
    const asked = new URLSearchParams({ token: handOff, state: wish.state, to });
    return reply.redirect(`${network}/network/signed-in?${asked}`, 303);
  });
};

function wayThroughNetwork(
  request: FastifyRequest,
  { options, clock, server }: WayDeps,
  to: string,
): string | undefined {
  const network = server.networkUrl?.();
  const { signer } = server;
  if (network === undefined || signer === undefined) return undefined;
  const here = addressHere(request, network, options.publicUrl);
  if (here === undefined) return undefined;
  const back = issueWayBack(signer, here, clock.now());
  const target = /^[\w\-.~/?=:@,]*$/.test(to) ? to : encodeURIComponent(to);
  return `${network}/network/signed-in?back=${back}&to=${target}`;
}

/**
 * This node as the browser reaches it, among the addresses that are surely its own. What a request says of its host is
 * written by who sends it, and must not be signed unseen.
 */
export function addressHere(request: FastifyRequest, network: string, publicUrl: string | null): string | undefined {
  const { host, 'x-forwarded-host': forwarded } = request.headers;
  const { localAddress, localPort } = request.raw.socket;
  const own = [network, ...(publicUrl === null ? [] : [publicUrl])];
  if (localAddress !== undefined && localPort !== undefined) {
    const plain = localAddress.replace(/^::ffff:/, '');
    own.push(`http://${plain.includes(':') ? `[${plain}]` : plain}:${localPort}`);
    if (/^(127\.|::1$)/.test(plain)) own.push(`http://localhost:${localPort}`);
  }
  const named = [typeof forwarded === 'string' ? forwarded : undefined, host].map((name) =>
    name?.toLowerCase().replace(/:(80|443)$/, ''),
  );
  const found = own.find((url) => named.includes(new URL(url).host));
  return found?.replace(/\/$/, '');
}

/** A token in an address is for nobody else. */
function keepPrivate(reply: FastifyReply): void {
  reply.headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
}
