/**
 * The web door: the genuine Galaxy client, unmodified. One page for every route of it, its files, and a few pages of our
 * own around it. Whoever has not signed in gets the client's sign-in page, as in a Galaxy with `require_login`.
 */
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { inBytes } from '../../protocol/runtime/amounts.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { packageRoot } from '../../protocol/runtime/package.js';
import type { NodeOptions } from '../options.js';
import { ClientKeeper, type ClientKeeperDeps, type ClientState, ownClientFolders } from './client-keeper.js';
import { clientPage, FOLLOW_SCRIPT, UPLOADS_SCRIPT, type Waiting, waitingPage, welcomePage } from './pages.js';

export interface WebDeps {
  clock: Clock;
  log: Logger;
  identity: { name: string; peerId: string };
  options: Pick<NodeOptions, 'client.folder' | 'dataFolder' | 'brand'>;
  /** Tests hand in their own. */
  fetchClient?: ClientKeeperDeps['fetch'];
}

export interface WebOptions {
  /** Paths of scripts that the client's page loads before Galaxy's own. */
  scripts?: readonly string[];
  /** Where copies of the client may be; left out: with the package, then in the data folder. */
  clientFolders?: readonly string[];
}

/** What the API gives the client to start with. */
export type Boot = (
  request: FastifyRequest,
  reply: FastifyReply,
) => { signedIn: boolean; options: object; network?: { url: string; account: string | null } };

export interface Web extends Part {
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly clientState: ClientState;
  register(app: FastifyInstance, boot: Boot): Promise<void>;
  page(request: FastifyRequest, reply: FastifyReply, boot: Boot): Promise<boolean>;
}

/** Client routes that make sense before sign-in. */
const OPEN_PAGES = new Set(['/login/start', '/register/start', '/login', '/register']);
const REFRESH_SECONDS = 5;
const YEAR_MS = 365 * 24 * 3_600_000;
const DAY_MS = 24 * 3_600_000;
/** Path → file, of the node's own scripts and their styles. */
const VERSIONED = {
  [FOLLOW_SCRIPT]: 'follow.js',
  [UPLOADS_SCRIPT]: 'uploads.js',
  '/static/galaxy-node/again.js': 'again.js',
  '/static/galaxy-node/node.js': 'node/node.js',
  '/static/galaxy-node/node.css': 'node/node.css',
};
/** webpack names these by their content. */
const NAMED_BY_CONTENT = /(^|\/)[0-9a-f]{20}\.\w+$/;

export function createWeb(deps: WebDeps, options: WebOptions = {}): Web {
  const { clock, log } = deps;
  const keeper = new ClientKeeper(
    { clock, log, ...(deps.fetchClient ? { fetch: deps.fetchClient } : {}) },
    {
      folder: deps.options['client.folder'],
      own: options.clientFolders ?? ownClientFolders(deps.options.dataFolder),
    },
  );
  const title = `Galaxy | ${deps.options.brand || deps.identity.name}`;

  const sendClient = (request: FastifyRequest, reply: FastifyReply, boot: Boot): void => {
    protect(reply);
    const { state } = keeper;
    if (state.is !== 'ready') {
      reply.code(503).header('retry-after', String(REFRESH_SECONDS));
      html(reply, waitingPage(deps.identity, waitingFor(state), REFRESH_SECONDS));
      return;
    }
    const { signedIn, options: started, network } = boot(request, reply);
    const path = pathOf(request);
    if (!signedIn && !OPEN_PAGES.has(path)) {
      const wish = request.url === '/' ? '' : `?redirect=${encodeURIComponent(request.url)}`;
      reply.redirect(`/login/start${wish}`, 302);
      return;
    }
    html(reply, clientPage({ title, options: started, scripts: options.scripts ?? [], network }));
  };

  return {
    start: () => keeper.start(),
    stop: () => keeper.stop(),
    get clientState() {
      return keeper.state;
    },

    async register(app, boot) {
      await app.register(fastifyStatic, {
        serve: false,
        preCompressed: true,
        dotfiles: 'ignore',
        index: false,
        // Ours are set below, per file.
        cacheControl: false,
      });
      const asFile = { config: { public: true } };
      app.get('/static/dist/*', asFile, (request, reply) => {
        const name = (request.params as { '*': string })['*'];
        if (keeper.state.is !== 'ready') return reply.callNotFound();
        reply.header('cache-control', cachingOf(name, request)).header('vary', 'accept-encoding');
        return reply.sendFile(name, join(keeper.state.folder, 'dist'));
      });
      const own = join(packageRoot(), 'node', 'web', 'static');
      const files = {
        '/static/favicon.svg': 'favicon.svg',
        '/static/favicon.ico': 'favicon.svg',
        '/favicon.ico': 'favicon.svg',
        '/static/pages.css': 'pages.css',
        '/robots.txt': 'robots.txt',
      };
      for (const [path, name] of Object.entries(files)) {
        app.get(path, asFile, (_request, reply) =>
          reply.header('cache-control', `public, max-age=${DAY_MS / 1000}`).sendFile(name, own),
        );
      }
      // Of this very version of the node: asked again each time (304 by their ETag).
      for (const [path, name] of Object.entries(VERSIONED)) {
        app.get(path, asFile, (_request, reply) =>
          reply.header('cache-control', 'public, no-cache').sendFile(name, own),
        );
      }
      app.get('/node', asFile, (_request, reply) => {
        protect(reply);
        return reply.header('cache-control', 'no-store').sendFile('node/index.html', own);
      });
      for (const path of ['/welcome', '/static/welcome.html']) {
        app.get(path, asFile, async (_request, reply) => {
          protect(reply);
          return html(reply, welcomePage(deps.identity));
        });
      }
      app.get('/', async (request, reply) => {
        sendClient(request, reply, boot);
        return reply;
      });
    },

    async page(request, reply, boot) {
      if (pathOf(request).startsWith('/static/') || !wantsPage(request)) return false;
      sendClient(request, reply, boot);
      return true;
    },
  };
}

function html(reply: FastifyReply, body: string): FastifyReply {
  return reply.header('cache-control', 'no-store').type('text/html; charset=utf-8').send(body);
}

function protect(reply: FastifyReply): void {
  reply.header('content-security-policy', "frame-ancestors 'self'").header('x-frame-options', 'SAMEORIGIN');
}

/**
 * What the page names with its version, and what is named by its content, never changes. The client asks for its other
 * chunks by number alone: those are asked again each time (304 by their ETag), or a new version would mix with an old.
 */
function cachingOf(name: string, request: FastifyRequest): string {
  const versioned = (request.query as { v?: unknown }).v !== undefined;
  if (versioned || NAMED_BY_CONTENT.test(name)) return `public, max-age=${YEAR_MS / 1000}, immutable`;
  return 'public, no-cache';
}

/** Programs that ask for something we do not have must not take a page for the answer. */
function wantsPage(request: FastifyRequest): boolean {
  const accept = request.headers.accept;
  return accept === undefined || accept === '*/*' || accept.includes('text/html');
}

function pathOf(request: FastifyRequest): string {
  return (request.url.split('?')[0] ?? '/').replace(/(.)\/$/, '$1');
}

function waitingFor(state: Exclude<ClientState, { is: 'ready' }>): Waiting {
  switch (state.is) {
    case 'looking':
      return { what: 'It is being looked for.' };
    case 'fetching': {
      const all = state.bytesTotal > 0 ? ` of ${inBytes(state.bytesTotal)}` : '';
      const unpacking = state.step === 'unpack' ? `It is being unpacked (${inBytes(state.bytes)}${all}).` : undefined;
      return { what: unpacking ?? 'It is being fetched with npm (13 MB).' };
    }
    case 'waiting':
      return { what: `It is tried again within ${Math.ceil(state.nextTryMs / 1000)} s.`, problem: state.problem };
  }
}
