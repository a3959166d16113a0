/** A node in a network, its HTTP door alone: real accounts, log, leases and tickets; the network is a few lines of fake. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { Accounts } from '../../../node/accounts/accounts.js';
import { openSealer } from '../../../node/accounts/api-keys.js';
import { CurrentDirectory } from '../../../node/accounts/current-directory.js';
import type { Directory, DirectoryAccount, VerifiedSignIn } from '../../../node/accounts/directory.js';
import { HeldLeases } from '../../../node/accounts/held-leases.js';
import { homeErrors } from '../../../node/accounts/home-errors.js';
import type { HomeGate } from '../../../node/accounts/home-gate.js';
import type { HomeStatus } from '../../../node/accounts/homes.js';
import { LocalDirectory } from '../../../node/accounts/local-directory.js';
import { LocalLeases } from '../../../node/accounts/local-leases.js';
import { Tickets } from '../../../node/accounts/tickets.js';
import type { ApiDeps } from '../../../node/api/context.js';
import { enterRoutes } from '../../../node/api/enter.js';
import { nodeStatusRoutes } from '../../../node/api/node-status.js';
import { reachabilityRoutes } from '../../../node/api/reachability.js';
import { type ApiServer, createApiServer } from '../../../node/api/server.js';
import type { NetworkFacts } from '../../../node/node-status.js';
import { NodeStatus } from '../../../node/node-status.js';
import { NODE_OPTIONS, type NodeOptions } from '../../../node/options.js';
import type { DatasetDurability } from '../../../node/replication/replication.js';
import { createWeb } from '../../../node/web/web.js';
import type { Draft, JsonObject } from '../../../protocol/log/entry.js';
import { createSegmentTrust } from '../../../protocol/log/segment-trust.js';
import { openAccountLog } from '../../../protocol/log/store-account-log.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { Lifecycle } from '../../../protocol/runtime/lifecycle.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { openStore, type Store } from '../../../protocol/runtime/store.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { issueLease } from '../../../protocol/trust/lease.js';
import { issueTicket } from '../../../protocol/trust/ticket.js';
import { directoryErrors } from '../../../protocol/wire/calls/directory-errors.js';
import { IdSource } from '../../../protocol/wire/ids.js';
import { ManualClock } from '../../support/manual-clock.js';
import { Browser, ORIGIN } from '../api-auth/door.js';
import { makeClientFolder } from '../web/client-folder.js';

export const NETWORK = 'https://net.example';
export const HAND_OFF = 'eyJh.eyJi.c2ln';
export const ada = { email: 'ada@example.org', username: 'ada', password: 'correct horse' };

/** The network's directory: knows passwords by heart, and grants leases in the coordinator's name. */
export class FakeNetworkDirectory implements Directory {
  readonly accounts = new Map<string, DirectoryAccount & { password?: string }>();
  readonly passwords = new Map<string, string>();
  readonly keys = new Map<string, string>();
  away = false;
  asked: string[] = [];

  constructor(
    private readonly peerId: string,
    private readonly grant: (account: string, epoch: number) => Promise<unknown>,
  ) {}

  async claim(claim: { account: string; email: string; username: string; passwordHash: string }) {
    this.ask('claim');
    const account = { ...claim, home: this.peerId, epoch: 1 };
    this.accounts.set(claim.account, account);
    await this.grant(claim.account, 1);
    return account;
  }

  async find(login: string) {
    this.ask('find');
    return [...this.accounts.values()].find(({ email, username }) => [email, username].includes(login));
  }

  async byId(account: string) {
    this.ask('byId');
    return this.accounts.get(account);
  }

  async byKeyHash(hash: string) {
    this.ask('byKeyHash');
    return this.accounts.get(this.keys.get(hash) ?? '');
  }

  async putKey({ account, hash, revoked }: { account: string; hash: string; revoked: boolean }) {
    this.ask('putKey');
    if (revoked) this.keys.delete(hash);
    else this.keys.set(hash, account);
  }

  async update() {
    this.ask('update');
  }

  async signIn(login: string, password: string): Promise<VerifiedSignIn> {
    this.ask('signIn');
    const account = await this.find(login);
    if (account === undefined || this.passwords.get(account.account) !== password) {
      throw directoryErrors('wrong-password');
    }
    const isHome = account.home === this.peerId;
    return { account: isHome ? account : { ...account, passwordHash: '' }, handOff: HAND_OFF };
  }

  async handOff() {
    this.ask('handOff');
    return HAND_OFF;
  }

  private ask(what: string): void {
    this.asked.push(what);
    if (this.away) throw directoryErrors('away');
  }
}

export interface World {
  server: ApiServer;
  accounts: Accounts;
  local: LocalDirectory;
  directory: FakeNetworkDirectory;
  leases: HeldLeases;
  store: Store;
  clock: ManualClock;
  node: NodeKey;
  coordinator: NodeKey;
  /** What the node believes of an account, when it is not what its leases say. */
  statuses: Map<string, HomeStatus>;
  facts: { network: NetworkFacts | undefined; durability: DatasetDurability };
  tickets(): Tickets;
  append(account: string, type: Draft['type'], payload: JsonObject): Promise<unknown>;
  inject(options: InjectOptions): Promise<LightMyRequestResponse>;
  browser(): Browser;
  /** Signed up here; its id. */
  signUp(browser: Browser, person?: typeof ada): Promise<string>;
  ticket(
    account: string,
    over?: Partial<{ signer: NodeKey; node: string; nonceHash: string | null; now: number; id: string }>,
  ): string;
  close(): Promise<void>;
}

export async function openWorld(settings: { alone?: boolean; options?: Partial<NodeOptions> } = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'galaxy-follow-'));
  const clock = new ManualClock();
  const random = systemRandom;
  const log = silentLogger;
  const lifecycle = new Lifecycle({ log });
  const store = await openStore(join(folder, 'store'));
  lifecycle.add('store', { stop: () => store.close() });
  const node = await NodeKey.generate();
  const coordinator = await NodeKey.generate();
  let joined = false;
  const unclaimed = new Set<string>();
  const leases = lifecycle.add(
    'leases',
    new HeldLeases({
      store,
      own: new LocalLeases({ signer: node, clock }),
      isOwn: (account) => !joined || unclaimed.has(account),
    }),
  );
  const ids = lifecycle.add(
    'ids',
    new IdSource({ clock: systemClock, random, store, log }, { namespace: 'ids', nodeNumber: 7 }),
  );
  const coordinatorId = () => (joined ? coordinator.peerId : undefined);
  const trust = createSegmentTrust({ signer: node, coordinator: coordinatorId });
  const accountLog = lifecycle.add(
    'log',
    await openAccountLog({ store, clock, random, log, leases, trust }, { folder: join(folder, 'store') }),
  );
  const local = new LocalDirectory({ store, peerId: node.peerId, onClaimed: (account) => unclaimed.add(account) });
  const grant = (account: string, epoch: number) =>
    leases.grant(account, epoch, issueLease(coordinator, { account, epoch, node: node.peerId }, clock.now()));
  const directory = new FakeNetworkDirectory(node.peerId, grant);
  const current = new CurrentDirectory(local, (account) => leases.current(account)?.epoch === 0);
  const options = nodeOptions(folder, await makeClientFolder(join(folder, 'client')), settings.options);
  const accounts = lifecycle.add(
    'accounts',
    new Accounts(
      {
        store,
        accountLog,
        leases,
        directory: current,
        ids,
        clock,
        random,
        signer: node,
        sealer: await openSealer(join(folder, 'sealing.key'), { random }),
        trust: () => ({ issuers: [coordinator.peerId, node.peerId], coordinator: coordinatorId(), admits: () => true }),
      },
      { passwordHashing: options.passwordHashing, sessionHours: options.sessionHours },
    ),
  );
  const openTickets = () => new Tickets({ store, clock, peerId: node.peerId, coordinator: coordinatorId });
  const tickets = lifecycle.add('tickets', openTickets());
  const identity = { name: 'Uppsala University', peerId: node.peerId };
  const web = lifecycle.add('web', createWeb({ clock, log, identity, options }));
  await lifecycle.start();
  if (!settings.alone) {
    joined = true;
    current.use(directory);
  }
  const statuses = new Map<string, HomeStatus>();
  const homes: HomeGate = {
    status: (account) =>
      statuses.get(account) ?? (leases.current(account) ? { at: 'here' } : { at: 'elsewhere', home: undefined }),
    async whenHere(account) {
      const { at } = this.status(account);
      if (at === 'arriving' || at === 'leaving') throw homeErrors(at);
      if (at === 'elsewhere') throw homeErrors('moved');
    },
  };
  const facts: World['facts'] = {
    network: undefined,
    durability: { state: 'at-risk', holders: [], copies: 2 },
  };
  const status = new NodeStatus({
    clock,
    identity,
    version: '0.1.0',
    url: () => 'https://uppsala.example',
    jobs: { counts: () => ({ queued: 1, running: 1, slots: 2 }) },
    blobs: { usage: () => ({ blobs: 4, bytes: 4000, freeBytes: 10_000 }) },
    replication: {
      status: () => ({
        safe: { blobs: 3, bytes: 3000 },
        atRisk: { blobs: 1, bytes: 1000, oldestAgeMs: 5000 },
        copies: 2,
        logAtRisk: 7,
        paused: false,
      }),
      durability: () => facts.durability,
    },
    network: () => facts.network,
  });
  const server = await createApiServer(
    {
      options,
      clock,
      random,
      log,
      identity,
      accounts,
      web,
      ...({ histories: {}, datasets: {}, collections: {}, uploads: {}, toolbox: {}, jobs: {}, blobs: {} } as Omit<
        ApiDeps,
        'options' | 'clock' | 'random' | 'log' | 'identity' | 'accounts' | 'datatypes'
      >),
      datatypes: { all: () => [] } as unknown as ApiDeps['datatypes'],
    },
    {
      listen: '127.0.0.1:0',
      networkUrl: () => (joined ? NETWORK : undefined),
      signer: node,
      origins: () => (joined ? [NETWORK] : []),
      whenHere: (account) => homes.whenHere(account),
      routes: [
        enterRoutes({ tickets, homes, arrivalWaitMs: 0 }),
        reachabilityRoutes({ signer: node }),
        nodeStatusRoutes({ status }),
      ],
    },
  );
  const inject = (request: InjectOptions) => server.app.inject(request);
  return {
    server,
    accounts,
    local,
    directory,
    leases,
    store,
    clock,
    node,
    coordinator,
    statuses,
    facts,
    tickets: openTickets,
    append: (account, type, payload) => accountLog.append(account, () => [{ type, payload }]),
    inject,
    browser: () => new Browser(inject),
    async signUp(browser, person = ada) {
      const answer = await browser.signUp(person);
      if (answer.statusCode !== 200) throw new Error(answer.body);
      const id = (await browser.send({ method: 'GET', url: '/api/users/current', headers: json })).json().id as string;
      directory.passwords.set(id, person.password);
      return id;
    },
    ticket(account, over = {}) {
      const { signer = coordinator, node: target = node.peerId, nonceHash = null, now = clock.now() } = over;
      const id = over.id ?? Buffer.from(random.bytes(16)).toString('hex');
      return issueTicket(signer, { id, account, node: target, nonceHash }, now);
    },
    async close() {
      await server.stop();
      await lifecycle.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export const json = { accept: 'application/json' };

function nodeOptions(folder: string, client: string, over: Partial<NodeOptions> = {}): NodeOptions {
  const defaults = Object.fromEntries(Object.entries(NODE_OPTIONS).map(([name, spec]) => [name, spec.default]));
  return {
    ...(defaults as NodeOptions),
    name: 'Uppsala University',
    dataFolder: folder,
    passwordHashing: { memoryKiB: 8, iterations: 1, parallelism: 1 },
    'client.folder': client,
    publicUrl: ORIGIN,
    ...over,
  };
}
