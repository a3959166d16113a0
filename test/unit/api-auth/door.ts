/** The HTTP door around real accounts, log and store in a temporary folder. What belongs to other issues is left out. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { Accounts } from '../../../node/accounts/accounts.js';
import { openSealer } from '../../../node/accounts/api-keys.js';
import { LocalDirectory } from '../../../node/accounts/local-directory.js';
import { LocalLeases } from '../../../node/accounts/local-leases.js';
import type { ApiDeps } from '../../../node/api/context.js';
import type { ApiServerOptions } from '../../../node/api/route-file.js';
import { type ApiServer, createApiServer } from '../../../node/api/server.js';
import type { Datatype, Datatypes } from '../../../node/datasets/datatypes.js';
import { NODE_OPTIONS, type NodeOptions } from '../../../node/options.js';
import { createWeb } from '../../../node/web/web.js';
import { createSegmentTrust } from '../../../protocol/log/segment-trust.js';
import { openAccountLog } from '../../../protocol/log/store-account-log.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { Lifecycle } from '../../../protocol/runtime/lifecycle.js';
import { type Logger, silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { openStore } from '../../../protocol/runtime/store.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { IdSource } from '../../../protocol/wire/ids.js';
import { ManualClock } from '../../support/manual-clock.js';

export const MASTER_KEY = 'a-master-key-for-tests-only';
export const ORIGIN = 'http://localhost';

export interface Door {
  server: ApiServer;
  accounts: Accounts;
  directory: LocalDirectory;
  peerId: string;
  clock: ManualClock;
  folder: string;
  logged: string[];
  inject(options: InjectOptions): Promise<LightMyRequestResponse>;
  /** A browser without cookies. */
  browser(): Browser;
  close(): Promise<void>;
}

export interface DoorSettings {
  options?: Partial<NodeOptions>;
  server?: Partial<ApiServerOptions>;
  /** Folder of a web client; left out: there is none, and none can be fetched. */
  clientFolder?: string;
}

export async function openDoor(settings: DoorSettings = {}): Promise<Door> {
  const folder = await mkdtemp(join(tmpdir(), 'galaxy-door-'));
  const clock = new ManualClock();
  const logged: string[] = [];
  const log = recordingLogger(logged);
  const lifecycle = new Lifecycle({ log });
  const store = await openStore(join(folder, 'store'));
  lifecycle.add('store', { stop: () => store.close() });
  const signer = await NodeKey.generate();
  const random = systemRandom;
  const leases = new LocalLeases({ signer, clock });
  const ids = lifecycle.add(
    'ids',
    // Ids keep a horizon by timers of their own: real time for them.
    new IdSource({ clock: systemClock, random, store, log: silentLogger }, { namespace: 'ids', nodeNumber: undefined }),
  );
  const trust = createSegmentTrust({ signer, coordinator: () => undefined });
  const accountLog = lifecycle.add(
    'log',
    await openAccountLog({ store, clock, random, log, leases, trust }, { folder: join(folder, 'store') }),
  );
  const options = nodeOptions(folder, settings);
  const directory = new LocalDirectory({ store, peerId: signer.peerId });
  const accounts = lifecycle.add(
    'accounts',
    new Accounts(
      {
        store,
        accountLog,
        leases,
        directory,
        ids,
        clock,
        random,
        signer,
        sealer: await openSealer(join(folder, 'sealing.key'), { random }),
      },
      { passwordHashing: options.passwordHashing, sessionHours: options.sessionHours },
    ),
  );
  const identity = { name: options.name, peerId: signer.peerId };
  const web = lifecycle.add(
    'web',
    createWeb(
      { clock, log, identity, options, fetchClient: () => Promise.reject(new Error('the network is away')) },
      { clientFolders: [join(folder, 'client')] },
    ),
  );
  await lifecycle.start();
  const server = await createApiServer(
    {
      options,
      clock,
      random,
      log,
      identity,
      accounts,
      datatypes: fewDatatypes,
      web,
      // Their routes are registered and not called here.
      ...({ histories: {}, datasets: {}, collections: {}, uploads: {}, toolbox: {}, jobs: {}, blobs: {} } as Omit<
        ApiDeps,
        'options' | 'clock' | 'random' | 'log' | 'identity' | 'accounts' | 'datatypes'
      >),
    },
    { listen: '127.0.0.1:0', ...settings.server },
  );
  const inject = (request: InjectOptions) => server.app.inject(request);
  return {
    server,
    accounts,
    directory,
    peerId: signer.peerId,
    clock,
    folder,
    logged,
    inject,
    browser: () => new Browser(inject),
    async close() {
      await server.stop();
      await lifecycle.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function nodeOptions(folder: string, settings: DoorSettings): NodeOptions {
  const defaults = Object.fromEntries(Object.entries(NODE_OPTIONS).map(([name, spec]) => [name, spec.default]));
  return {
    ...(defaults as NodeOptions),
    name: 'Uppsala University',
    dataFolder: folder,
    masterApiKey: MASTER_KEY,
    passwordHashing: { memoryKiB: 8, iterations: 1, parallelism: 1 },
    'client.folder': settings.clientFolder ?? null,
    ...settings.options,
  };
}

function recordingLogger(lines: string[]): Logger {
  const line = (data: object, message: string) => {
    lines.push(`${message} ${JSON.stringify(data)}`);
  };
  return { debug: line, info: line, warn: line, error: line, child: () => recordingLogger(lines) };
}

const datatype = (extension: string, className: string, parents: string[]): Datatype => ({
  extension,
  className,
  parents,
  description: extension,
  mimetype: 'text/plain',
  displayInUpload: extension !== 'data',
  edamFormat: 'format_1915',
});

const KNOWN = [
  datatype('data', 'galaxy.datatypes.data.Data', []),
  datatype('txt', 'galaxy.datatypes.data.Text', ['data']),
  datatype('bed', 'galaxy.datatypes.interval.Bed', ['txt', 'data']),
];

const fewDatatypes: Datatypes = {
  all: () => [...KNOWN],
  get: (extension) => KNOWN.find((known) => known.extension === extension),
  accepts: () => true,
  sniff: async () => 'txt',
  inspect: async () => ({ extension: 'txt', state: 'ok', peek: '', blurb: '', metadata: {} }),
};

/** Keeps cookies and says where it comes from, as a browser does. */
export class Browser {
  readonly cookies = new Map<string, string>();
  private readonly paths = new Map<string, string>();

  constructor(private readonly inject: Door['inject']) {}

  async send(options: InjectOptions): Promise<LightMyRequestResponse> {
    const method = options.method ?? 'GET';
    const answer = await this.inject({
      ...options,
      headers: {
        host: 'localhost',
        accept: 'text/html',
        'sec-fetch-site': 'same-origin',
        ...(method === 'GET' || method === 'HEAD' ? {} : { origin: ORIGIN }),
        cookie: this.cookiesFor(String(options.url ?? '/')),
        ...options.headers,
      },
    });
    for (const { name, value, path } of answer.cookies) {
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
      this.paths.set(name, path ?? '/');
    }
    return answer;
  }

  private cookiesFor(url: string): string {
    const sent = [...this.cookies].filter(([name]) => url.startsWith(this.paths.get(name) ?? '/'));
    return sent.map(([name, value]) => `${name}=${value}`).join('; ');
  }

  get(url: string): Promise<LightMyRequestResponse> {
    return this.send({ method: 'GET', url });
  }

  /** Opens the sign-in page and reads the token that the client would send back. */
  async csrf(): Promise<string> {
    const { body } = await this.get('/login/start');
    const token = /"session_csrf_token":"([0-9a-f]+)"/.exec(body)?.[1];
    if (token === undefined) throw new Error(`the page has no token: ${body.slice(0, 200)}`);
    return token;
  }

  async signUp(person: { email: string; username: string; password: string }): Promise<LightMyRequestResponse> {
    const session_csrf_token = await this.csrf();
    const payload = { ...person, confirm: person.password, subscribe: null, session_csrf_token };
    return this.send({ method: 'POST', url: '/user/create', payload });
  }

  async signIn(login: string, password: string): Promise<LightMyRequestResponse> {
    const payload = { login, password, redirect: null, session_csrf_token: await this.csrf() };
    return this.send({ method: 'POST', url: '/user/login', payload });
  }
}
