/**
 * The network's address: the coordinator's own few pages, and the gateway for all other paths. The body of a request is
 * never parsed here; what is proxied is streamed from the socket.
 */
import { createHash } from 'node:crypto';
import cookiePlugin from '@fastify/cookie';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Cidr } from '../../protocol/runtime/addresses.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import { splitHostPort, webListenError } from '../../protocol/runtime/listen.js';
import { type Random, randomHex } from '../../protocol/runtime/random.js';
import { readRestOfBody } from '../../protocol/runtime/rest-of-body.js';
import { check } from '../../protocol/runtime/schema-words.js';
import { gatewayErrors } from '../errors.js';
import type { Registry } from '../registry.js';
import type { Sessions } from '../sessions.js';
import { boundConnections, CONNECTION_LIMITS, type ConnectionLimits, serverOptions } from './connections.js';
import { cookie, type Gateway, NETWORK_COOKIE, redirect } from './gateway.js';
import { safeTarget } from './request-kind.js';

export interface HttpDeps {
  gateway: Gateway;
  sessions: Sessions;
  registry: Registry;
  random: Random;
  clock: Clock;
  /** What `/api/network/status` says. */
  status: () => object;
  /** The operators' pages (coordinator/dashboard). */
  pages: (app: FastifyInstance) => void;
}

export interface HttpOptions {
  /** HOST:PORT. */
  listen: string;
  trustedProxies: readonly Cidr[];
  limits?: ConnectionLimits;
}

const text = z.string().max(4096);
const goQuery = z.object({ to: text.optional() });
const signedInQuery = z.object({
  back: text.optional(),
  token: text.optional(),
  state: text.optional(),
  to: text.optional(),
});
/** What shows that a sign-in was begun in this browser. Kept for some minutes, or two that come at once would spoil each other's. */
const STATE_COOKIE = 'galaxy_network_state';
const STATE_PATH = '/network/signed-in';
const STATE_SECONDS = 300;
const ticketQuery = z.object({
  node: z.string().max(128),
  nonce: z.string().regex(/^[0-9a-f]{64}$/),
  to: text.optional(),
});
const homeQuery = z.object({
  to: text.optional(),
  account: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
});

export function buildHttp(deps: HttpDeps, options: Omit<HttpOptions, 'listen'>): FastifyInstance {
  const { gateway, sessions } = deps;
  const limits = options.limits ?? CONNECTION_LIMITS;
  const app = fastify({
    // The gateway logs what did not get through; a line per request would be the nodes' business.
    logger: false,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 4096 },
    // Headers must come in time (connections.ts); bodies stream for as long as they move.
    connectionTimeout: 0,
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveMs,
    http: serverOptions(limits),
  });
  boundConnections(app.server, limits, options.trustedProxies);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.register(cookiePlugin);

  app.get('/network/go', async (request, reply) => {
    await gateway.go(request, reply, target(parse(goQuery, request.query).to));
    return reply;
  });
  app.get('/network/signed-in', async (request, reply) => {
    const { back, token, state, to } = parse(signedInQuery, request.query);
    const next = target(to);
    const known = request.cookies[STATE_COOKIE];
    const value = known !== undefined && /^[0-9a-f]{32}$/.test(known) ? known : undefined;
    if (token === undefined && back !== undefined) {
      const fresh = value ?? randomHex(deps.random, 16);
      gateway.sendBack(
        reply,
        back,
        stateHash(fresh),
        next,
        cookie(STATE_COOKIE, fresh, gateway.isSecure(), STATE_SECONDS, STATE_PATH),
      );
      return reply;
    }
    if (token === undefined || value === undefined || state !== stateHash(value)) throw gatewayErrors('other-browser');
    const accepted = await sessions.acceptHandOff(token);
    reply.header('set-cookie', cookie(NETWORK_COOKIE, accepted.cookie, gateway.isSecure(), accepted.maxAgeSeconds));
    redirect(reply, `/network/go?to=${encodeURIComponent(next)}`);
    return reply;
  });
  app.get('/network/signed-out', async (request, reply) => {
    const next = target(parse(goQuery, request.query).to);
    reply.header('set-cookie', cookie(NETWORK_COOKIE, '', gateway.isSecure(), 0));
    redirect(reply, next);
    return reply;
  });
  app.get('/network/ticket', async (request, reply) => {
    const { node, nonce, to } = parse(ticketQuery, request.query);
    await gateway.ticket(request, reply, node, nonce, target(to));
    return reply;
  });
  app.get('/api/network/home', async (request, reply) => {
    const { to, account } = parse(homeQuery, request.query);
    allowNodes(request, reply, deps.registry);
    return gateway.whereTo(request, target(to), account);
  });
  app.get('/api/network/status', async (request, reply) => {
    allowNodes(request, reply, deps.registry);
    return deps.status();
  });
  deps.pages(app);

  app.setErrorHandler((error, request, reply) => {
    const asPage = !request.url.startsWith('/api/') && (request.headers.accept ?? '').includes('text/html');
    gateway.refuse(reply, error, asPage);
  });
  app.all('/*', (request, reply) => gateway.serve(request, reply));
  app.addHook('onRequest', async (request, reply) => {
    readRestOfBody(request.raw, reply.raw, deps.clock);
    reply.header('x-content-type-options', 'nosniff');
  });
  return app;
}

export class HttpDoor implements Part {
  private readonly app: FastifyInstance;
  private url: string | undefined;

  constructor(
    deps: HttpDeps,
    private readonly options: HttpOptions,
  ) {
    this.app = buildHttp(deps, options);
  }

  /** http://HOST:PORT as listened on; undefined before `start`. */
  get address(): string | undefined {
    return this.url;
  }

  /** Errors: `http/port-taken`, `http/cannot-listen`. */
  async start(): Promise<void> {
    const { listen } = this.options;
    this.url = await this.app.listen({ ...splitHostPort(listen), backlog: 511 }).catch((cause: unknown) => {
      throw webListenError(cause, listen);
    });
  }

  async stop(): Promise<void> {
    await this.app.close();
  }
}

/** A page on a node asks from another origin; no other site may. */
function allowNodes(request: FastifyRequest, reply: FastifyReply, registry: Registry): void {
  const origin = request.headers.origin;
  reply.header('vary', 'origin').header('cache-control', 'no-store');
  if (origin === undefined) return;
  const known = registry
    .list()
    .some(
      ({ url, record }) => url.verified && record.publicUrl !== null && new URL(record.publicUrl).origin === origin,
    );
  if (known) reply.header('access-control-allow-origin', origin).header('access-control-allow-credentials', 'true');
}

function stateHash(value: string): string {
  return createHash('sha256').update(`galaxy sign-in ${value}`).digest('hex');
}

function target(to: string | undefined): string {
  const safe = safeTarget(to);
  if (safe === undefined) throw gatewayErrors('bad-target');
  return safe;
}

function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const { data, problem } = check(schema, value);
  if (problem === undefined) return data;
  throw gatewayErrors('bad-parameter', { parameter: problem.path || 'The query', reason: problem.reason });
}
