/**
 * Who is calling: an API key, the master key, or a signed session in a cookie; else nobody. Set once per request, before
 * any handler. What a caller may do is decided by the core; here is only who she is.
 *
 * A browser sends the cookie along with what other sites make it do. So a request with an effect that comes in with the
 * cookie must come from a page of this origin: SameSite=Lax, then Sec-Fetch-Site, then Origin. The forms of sign-in and
 * sign-up carry Galaxy's session_csrf_token besides. Keys in a header need none of this.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AccountView } from '../../protocol/account/records.js';
import { type Cidr, clientAddress, parseCidr } from '../../protocol/runtime/addresses.js';
import { isDomainError } from '../../protocol/runtime/errors.js';
import { type Random, randomHex } from '../../protocol/runtime/random.js';
import type { WhenHere } from '../accounts/account-keys.js';
import type { Session } from '../accounts/session.js';
import type { ApiDeps, Caller } from './context.js';
import { apiErrors } from './errors.js';
import { forgetMoves, goesInCircles } from './moved.js';

export const SESSION_COOKIE = 'galaxysession';
/** Before sign-in: a random value to which the sign-in form is bound. */
const VISIT_COOKIE = 'galaxyvisit';

const ANONYMOUS: Caller = { account: undefined, view: undefined, admin: false, via: 'anonymous' };
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Galaxy changes things on GET here. */
const UNSAFE_GETS = /^\/(history\/(create_new_current|set_as_current)|user\/logout)\b/;
const KEY_CHARS_MAX = 200;

declare module 'fastify' {
  interface FastifyRequest {
    /** The session behind `caller`, when it came by cookie. */
    session: Session | undefined;
    /** The visitor's own: for counting failures. */
    clientAddress: string;
  }
  interface FastifyContextConfig {
    /** The route does not ask who calls: plain files. */
    public?: boolean;
  }
}

export type AuthDeps = Pick<ApiDeps, 'accounts' | 'options' | 'random' | 'log'>;

export interface AuthOptions {
  /** Origins besides this server's own whose pages are ours: the network's address. Asked at each request. */
  origins?: () => readonly string[];
  /** Waits for an account that is just arriving here, throws for one that is at home elsewhere. */
  whenHere?: WhenHere;
}

/** Sets `request.caller` on every route of `app` and of what is registered inside it. */
export function installAuth(app: FastifyInstance, deps: AuthDeps, options: AuthOptions = {}): void {
  app.decorateRequest('caller');
  app.decorateRequest('session');
  app.decorateRequest('clientAddress', '');
  const proxies = deps.options.trustedProxies.map(parseCidr);
  app.addHook('onRequest', async (request, reply) => {
    request.caller = ANONYMOUS;
    request.clientAddress = addressOf(request, proxies);
    if (request.routeOptions.config?.public) return;
    const key = keyOf(request);
    if (key !== undefined) request.caller = await callerByKey(deps, request, key, options);
    else await callerBySession(deps, request, reply, options);
  });
}

/** The caller, who must have signed in. Errors: `api/sign-in-needed`. */
export function requireAccount(request: FastifyRequest): Caller & { account: string; view: AccountView } {
  const { account, view } = request.caller;
  if (account === undefined || view === undefined) throw apiErrors('sign-in-needed');
  return { ...request.caller, account, view };
}

/** Errors: `api/sign-in-needed`, `api/admin-needed`. */
export function requireAdmin(request: FastifyRequest): Caller {
  if (request.caller.admin) return request.caller;
  throw apiErrors(request.caller.account === undefined ? 'sign-in-needed' : 'admin-needed');
}

/** For any caller who is somebody: an account, or the master key. Errors: `api/sign-in-needed`. */
export function requireCaller(request: FastifyRequest): Caller {
  if (request.caller.via === 'anonymous') throw apiErrors('sign-in-needed');
  return request.caller;
}

/** The token that pages embed and forms send back. Sets the visit cookie of a visitor who has none. */
export function csrfTokenFor(
  request: FastifyRequest,
  reply: FastifyReply,
  random: Random,
  publicUrl: string | null,
): string {
  if (request.session) return request.session.csrf;
  let visit = request.cookies[VISIT_COOKIE];
  if (visit === undefined || !/^[0-9a-f]{32}$/.test(visit)) {
    visit = randomHex(random, 16);
    reply.setCookie(VISIT_COOKIE, visit, cookieOptions(request, publicUrl));
  }
  return visitToken(visit);
}

/** Whether a form's token belongs to this browser. */
export function hasCsrfToken(request: FastifyRequest, token: unknown): boolean {
  if (typeof token !== 'string') return false;
  if (request.session && sameText(token, request.session.csrf)) return true;
  const visit = request.cookies[VISIT_COOKIE];
  return visit !== undefined && sameText(token, visitToken(visit));
}

/** The visitor's address. A request on a peer's stream has only what the peer says. */
export function addressOf(request: FastifyRequest, trustedProxies: readonly Cidr[]): string {
  const { remoteAddress: direct, remotePeer } = request.raw.socket as { remoteAddress?: string; remotePeer?: string };
  const forwarded = request.headers['x-forwarded-for'];
  // Through the tunnel the other end is the coordinator, for everybody; it says for whom, and lets no client say it.
  if (direct !== undefined && remotePeer === undefined) return clientAddress(direct, forwarded, trustedProxies);
  return (
    (typeof forwarded === 'string' ? forwarded.split(',')[0]?.trim().slice(0, 64) : undefined) || (direct ?? 'unknown')
  );
}

/** Errors: `api/cross-site`. For forms outside /api that work without a session: sign-in, sign-up. */
export function refuseForeignForm(request: FastifyRequest, deps: AuthDeps, options: AuthOptions, token: unknown): void {
  if (isForeign(request, deps, options) || !hasCsrfToken(request, token)) throw apiErrors('cross-site');
}

export function setSessionCookie(
  request: FastifyRequest,
  reply: FastifyReply,
  token: string,
  deps: Pick<ApiDeps, 'accounts' | 'options'>,
): void {
  reply.setCookie(SESSION_COOKIE, token, {
    ...cookieOptions(request, deps.options.publicUrl),
    maxAge: Math.floor(deps.accounts.sessions.lifeMs / 1000),
  });
}

export function clearSessionCookie(request: FastifyRequest, reply: FastifyReply, publicUrl: string | null): void {
  reply.clearCookie(SESSION_COOKIE, cookieOptions(request, publicUrl));
}

function keyOf(request: FastifyRequest): string | undefined {
  const header = request.headers['x-api-key'];
  const query = (request.query as Record<string, unknown>).key;
  const key = header ?? query;
  if (key === undefined || key === '') return undefined;
  if (typeof key !== 'string' || key.length > KEY_CHARS_MAX) throw apiErrors('bad-key');
  return key;
}

async function callerByKey(
  deps: AuthDeps,
  request: FastifyRequest,
  key: string,
  { whenHere }: AuthOptions,
): Promise<Caller> {
  const { accounts, options } = deps;
  if (options.masterApiKey !== null && sameText(key, options.masterApiKey)) {
    return runAs(deps, request, { account: undefined, view: undefined, admin: true, via: 'master-key' });
  }
  const found = await accounts.keys.accountOf(key, whenHere);
  if (!found) throw apiErrors('bad-key');
  return runAs(deps, request, { ...found, admin: accounts.isAdmin(found.account), via: 'api-key' });
}

/** An administrator may act as another user by naming her. */
async function runAs(deps: AuthDeps, request: FastifyRequest, caller: Caller): Promise<Caller> {
  const named = request.headers['run-as'] ?? (request.query as Record<string, unknown>).run_as;
  if (named === undefined || named === '') return caller;
  if (!caller.admin) throw apiErrors('admin-needed');
  if (typeof named !== 'string' || !/^[0-9a-f]{16}$/.test(named))
    throw apiErrors('malformed-id', { id: String(named) });
  const view = await deps.accounts.viewOf(named).catch((error: unknown) => {
    if (isDomainError(error, 'accounts/not-found')) throw apiErrors('bad-run-as', { id: named });
    throw error;
  });
  return { account: named, view, admin: caller.via === 'master-key' || deps.accounts.isAdmin(named), via: caller.via };
}

async function callerBySession(
  deps: AuthDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  options: AuthOptions,
): Promise<void> {
  const token = request.cookies[SESSION_COOKIE];
  if (token === undefined || token === '') return;
  const found = await deps.accounts.sessionOf(token, options.whenHere).catch((error: unknown) => {
    // The network's address has sent her back again and again: it does not know her. Then she signs in anew.
    if (isDomainError(error, 'homes/moved') && goesInCircles(request)) return undefined;
    throw error;
  });
  if (!found) {
    clearSessionCookie(request, reply, deps.options.publicUrl);
    forgetMoves(request, reply, cookieOptions(request, deps.options.publicUrl));
    return;
  }
  const effects = !SAFE_METHODS.has(request.method) || UNSAFE_GETS.test(request.url);
  if (effects && isForeign(request, deps, options)) throw apiErrors('cross-site');
  const { session, view } = found;
  request.session = session;
  request.caller = { account: session.account, view, admin: deps.accounts.isAdmin(session.account), via: 'session' };
  if (deps.accounts.sessions.isDue(session)) {
    setSessionCookie(request, reply, deps.accounts.sessions.issue(session.account, session).token, deps);
  }
}

/** Whether a browser says that another site's page made it send this. What is not a browser says nothing. */
function isForeign(request: FastifyRequest, deps: AuthDeps, options: AuthOptions): boolean {
  const origin = request.headers.origin;
  const ours = () => {
    const host = request.headers.host?.toLowerCase();
    // Behind the network's address. No other site's page can set this header: browsers would ask first.
    const forwarded = request.headers['x-forwarded-host'];
    const hosts = [host, typeof forwarded === 'string' ? forwarded.toLowerCase() : undefined];
    const own = hosts.flatMap((name) => (name === undefined ? [] : [`http://${name}`, `https://${name}`]));
    const published = deps.options.publicUrl === null ? [] : [new URL(deps.options.publicUrl).origin];
    return [...own, ...published, ...(options.origins?.() ?? [])].includes(origin?.toLowerCase() ?? '');
  };
  if (origin !== undefined) return !ours();
  const site = request.headers['sec-fetch-site'];
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}

export function cookieOptions(request: FastifyRequest, publicUrl: string | null) {
  return { path: '/', httpOnly: true, sameSite: 'lax' as const, secure: isSecure(request, publicUrl) };
}

/** A Secure cookie would never come back over plain HTTP, so it is decided by how this request came. */
function isSecure(request: FastifyRequest, publicUrl: string | null): boolean {
  const forwarded = request.headers['x-forwarded-proto'];
  if (typeof forwarded === 'string') return forwarded.split(',')[0]?.trim() === 'https';
  if (publicUrl === null) return false;
  const url = new URL(publicUrl);
  return url.protocol === 'https:' && url.host === request.headers.host?.toLowerCase();
}

function visitToken(visit: string): string {
  return createHash('sha256').update(`galaxy visit ${visit}`).digest('hex').slice(0, 32);
}

/** Without telling by its time how much of it was right. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
