/**
 * The HTTP door: one fastify with Galaxy's REST API, the few pages of Galaxy that are not API (/user, /history,
 * /datasets), and whatever the web door adds (the client itself). Here are the things that hold for every request: who
 * calls, limits, errors in Galaxy's shape, `X-Galaxy-Node`, one log line.
 *
 * A request may also arrive on a stream of a peer instead of a socket: `httpServer.emit('connection', duplex)`.
 */
import type { Server } from 'node:http';
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import multipart from '@fastify/multipart';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { describeError, isDomainError } from '../../protocol/runtime/errors.js';
import { splitHostPort, webListenError } from '../../protocol/runtime/listen.js';
import { redactUrl } from '../../protocol/runtime/logger.js';
import { randomHex } from '../../protocol/runtime/random.js';
import { readRestOfBody } from '../../protocol/runtime/rest-of-body.js';
import { API_BODY_BYTES_MAX } from '../../protocol/wire/limits.js';
import { homeErrors } from '../accounts/home-errors.js';
import { isGalaxyResource } from './absent.js';
import { cookieOptions, installAuth } from './auth.js';
import { type BootClient, createClientBoot } from './boot.js';
import type { ApiDeps } from './context.js';
import { answerOf, apiErrors } from './errors.js';
import { installHandOff } from './hand-off.js';
import { answerMoved, meansMoved } from './moved.js';
import type { ApiContext, ApiServerOptions } from './route-file.js';
import { ROUTE_FILES } from './routes.js';

/** The web door, as the root hands it in: a door does not import another. */
export interface WebDoor {
  register(app: FastifyInstance, boot: BootClient): Promise<void>;
  /** Answers a GET outside the API that no route took; false when it is nothing the web door knows. */
  page(request: FastifyRequest, reply: FastifyReply, boot: BootClient): Promise<boolean>;
}

export interface ApiServerDeps extends ApiDeps {
  web?: WebDoor | undefined;
}

export interface ApiServer {
  readonly app: FastifyInstance;
  readonly httpServer: Server;
  /** Resolves with the URL to reach it at. Errors: `http/port-taken`, `http/cannot-listen`. */
  start(): Promise<{ url: string; host: string; port: number }>;
  stop(): Promise<void>;
}

const CONNECTIONS_MAX = 2048;
const HEADERS_TIMEOUT_MS = 30_000;
/** A whole request. Uploads come in chunks of 10 MB, but a form may carry a large file over a slow line. */
const REQUEST_TIMEOUT_MS = 30 * 60_000;
const KEEP_ALIVE_MS = 65_000;
const STOP_GRACE_MS = 5_000;
const FORM_FIELD_BYTES_MAX = API_BODY_BYTES_MAX;

export async function createApiServer(deps: ApiServerDeps, options: ApiServerOptions): Promise<ApiServer> {
  const { log, random, clock } = deps;
  const app = fastify({
    logger: false,
    bodyLimit: API_BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    // What a caller sends as an id is not one of ours, and would let him write into the log.
    requestIdHeader: false,
    genReqId: () => randomHex(random, 6),
    return503OnClosing: true,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (error, request, reply) => fail(error, request, reply as FastifyReply),
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  app.server.headersTimeout = HEADERS_TIMEOUT_MS;

  await app.register(cookie);
  await app.register(formbody, { bodyLimit: API_BODY_BYTES_MAX });
  await app.register(multipart, {
    limits: {
      fieldSize: FORM_FIELD_BYTES_MAX,
      fields: 1000,
      files: 100,
      parts: 1000,
      fileSize: deps.options['uploads.sizeMaxBytes'],
    },
  });
  readJsonBodies(app);

  const node = headerText(`${deps.identity.name} (${deps.identity.peerId})`);
  const stamp = (request: FastifyRequest, reply: FastifyReply) =>
    reply.headers({
      'x-galaxy-node': node,
      'x-request-id': request.id,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
    });
  app.addHook('onRequest', async (request, reply) => {
    stamp(request, reply);
    readRestOfBody(request.raw, reply.raw, clock);
  });
  app.addHook('onResponse', async (request, reply) => {
    const data = {
      request: request.id,
      method: request.method,
      url: redactUrl(request.url).slice(0, 500),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      account: request.caller?.account,
    };
    log.debug(data, 'request');
  });
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const answer = answerOf(error);
    if (answer.internal) {
      log.error(
        { request: request.id, method: request.method, url: redactUrl(request.url), err: error },
        'request failed',
      );
    }
    const network = meansMoved(error) ? options.networkUrl?.() : undefined;
    if (network !== undefined && !reply.sent) {
      stamp(request, reply.removeHeader('content-length'));
      const message =
        isDomainError(error) && error.kind === 'moved' ? answer.body.err_msg : describeError(homeErrors('moved'));
      return answerMoved(request, reply, network, message, cookieOptions(request, deps.options.publicUrl));
    }
    // Fastify would close at once; what is left of the body is read first, or its sender never sees the answer.
    if (!request.raw.complete) reply.removeHeader('connection');
    if (answer.retryAfter !== undefined) reply.header('retry-after', String(answer.retryAfter));
    stamp(request, reply);
    // A handler that failed after it had begun to stream set a type of its own.
    return reply.code(answer.status).removeHeader('content-length').type('application/json').send(answer.body);
  };
  app.setErrorHandler((error, request, reply) => fail(error, request, reply));

  const boot = createClientBoot(deps, options);
  const context: ApiContext = { ...deps, server: options };
  installHandOff(app, context);
  installAuth(app, deps, options);
  await deps.web?.register(app, boot);
  for (const register of [...ROUTE_FILES, ...(options.routes ?? [])]) register(app, context);
  app.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split('?')[0] ?? '/';
    const isPage = (request.method === 'GET' || request.method === 'HEAD') && !/^\/api(\/|$)/.test(path);
    if (isPage && deps.web && (await deps.web.page(request, reply, boot))) return reply;
    throw apiErrors(isGalaxyResource(path) ? 'not-implemented' : 'no-endpoint', { method: request.method, path });
  });

  const { host, port } = splitHostPort(options.listen);
  let started = false;
  return {
    app,
    httpServer: app.server,
    async start() {
      try {
        await app.listen({ host, port, backlog: 511 });
      } catch (cause) {
        throw webListenError(cause, options.listen);
      }
      started = true;
      const address = app.server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      const shown = host.includes(':') ? `[${host}]` : host;
      return { url: `http://${shown}:${bound}`, host, port: bound };
    },
    async stop() {
      const cancel = started ? clock.after(STOP_GRACE_MS, () => app.server.closeAllConnections()) : () => {};
      await app.close();
      cancel();
    },
  };
}

/**
 * JSON as Galaxy's clients send it: often with the JSON type and no body at all (DELETE, POST api_key), and from
 * BioBlend with no type named.
 */
function readJsonBodies(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if ((body as string).trim() === '') return done(null, undefined);
    parseJson(request, body as string, done);
  });
}

function answerUnreadable(error: NodeJS.ErrnoException, socket: import('node:net').Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return void socket.destroy();
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const status = tooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const body = JSON.stringify({ err_msg: 'The request could not be read as HTTP.', err_code: 400008 });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Names are free text; header values are not. */
function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
