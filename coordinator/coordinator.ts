/**
 * The coordinator, put together: each part is built once, here, in the order in which it starts; stopping is the reverse.
 * Read this first. Core parts know neither libp2p nor HTTP; the doors (peers/, http/, dashboard/) bring the world in.
 */
import { parseCidr } from '../protocol/runtime/addresses.js';
import { type Clock, systemClock } from '../protocol/runtime/clock.js';
import type { DataFolder } from '../protocol/runtime/data-folder.js';
import { createLibp2pHost } from '../protocol/runtime/libp2p-host.js';
import { Lifecycle } from '../protocol/runtime/lifecycle.js';
import type { Logger } from '../protocol/runtime/logger.js';
import { packageVersion } from '../protocol/runtime/package.js';
import { type Random, randomHex, systemRandom } from '../protocol/runtime/random.js';
import { openStore, type Store } from '../protocol/runtime/store.js';
import { memberGate, openGate } from '../protocol/trust/gater.js';
import type { NodeKey } from '../protocol/trust/identity.js';
import { MemberList } from '../protocol/trust/members.js';
import { issueRevocation } from '../protocol/trust/revocation.js';
import { Places, TunnelAgent } from '../protocol/wire/http-tunnel.js';
import { Counters } from './counters.js';
import { dashboardPages, type PeerListing } from './dashboard/pages.js';
import { Directory } from './directory.js';
import { Drains } from './drains.js';
import { coordinatorErrors } from './errors.js';
import { Heads } from './heads.js';
import { Homes } from './homes.js';
import { Gateway } from './http/gateway.js';
import { HttpDoor } from './http/server.js';
import { Invitations, type OpenInvitation } from './invitations.js';
import { locate, openGeoDatabase, parseLocation, parseLocationTable } from './location.js';
import { NAMESPACES } from './namespaces.js';
import type { CoordinatorOptions } from './options.js';
import { hasLeftLongAgo } from './peer.js';
import type { Audience } from './peers/commands.js';
import { serveDirectory } from './peers/directory.js';
import { relayHeartbeats } from './peers/gossip.js';
import { serveHandover } from './peers/handover.js';
import { NetworkHolders } from './peers/holders.js';
import { serveLobby } from './peers/lobby.js';
import { serveMembers } from './peers/members.js';
import { ReachabilityCheck } from './peers/reachability.js';
import { Registrations } from './peers/registration.js';
import { Registry } from './registry.js';
import { Repository } from './repository.js';
import { Sessions } from './sessions.js';
import { SignIn } from './sign-in.js';

/** Nodes older than this speak other messages. */
const NODE_VERSION_MIN = '0.1.0';
const WAITING_PER_NODE_MAX = 1024;
const DAY_MS = 24 * 3600 * 1000;
/** Of nodes, in the status. */
const PROBLEMS_MAX = 100;

export interface CoordinatorDeps {
  /** Locked by the caller for this process. */
  folder: DataFolder;
  key: NodeKey;
  log: Logger;
  clock?: Clock;
  random?: Random;
  fetch?: typeof fetch;
}

export interface CoordinatorAddresses {
  http: string;
  /** The network's address for users. */
  networkUrl: string;
  lobby: string[];
  network: string[];
}

export interface Coordinator {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** After `start`. */
  addresses(): CoordinatorAddresses;
  /** The line to paste. `at`: 'LAT,LON'. */
  invite(invitation: { name: string; at?: string; days?: number }): Promise<{ line: string; expiresAt: number }>;
  invitations(): Promise<OpenInvitation[]>;
  withdraw(id: string): Promise<OpenInvitation>;
  /** Nodes that left long ago only when `all` is asked for. */
  peers(all?: boolean): PeerListing;
  /** By PeerId or name. Final. Errors: `coordinator/no-such-peer`, `coordinator/peer-ambiguous`. */
  revoke(who: string, reason: string): Promise<{ peerId: string; name: string }>;
  status(): object;
}

/** Opens the store; `start` does the rest. */
export async function createCoordinator(options: CoordinatorOptions, deps: CoordinatorDeps): Promise<Coordinator> {
  const { folder, key, log } = deps;
  const clock = deps.clock ?? systemClock;
  const random = deps.random ?? systemRandom;
  const network = options.networkName;

  const storeFolder = folder.file('store');
  const store = await openStore(storeFolder);
  const lifecycle = new Lifecycle({ log });
  lifecycle.add('store', { stop: () => store.close() });

  try {
    return await compose();
  } catch (error) {
    await store.close();
    throw error;
  }

  async function compose(): Promise<Coordinator> {
    const networkKey = await settleIdentity(store, random, { network, peerId: key.peerId });
    const rules = parseLocationTable(options.locations);
    const geo = options['geo.database'] === null ? undefined : await openGeoDatabase(options['geo.database']);
    const trustedProxies = options.trustedProxies.map(parseCidr);

    // Core.
    const counters = lifecycle.add('counters', new Counters({ store }));
    const members = lifecycle.add(
      'members',
      new MemberList(
        { store, log },
        { network, coordinator: key.peerId, namespace: NAMESPACES.members, membersMax: options.peersMax * 2 },
      ),
    );
    const directory = lifecycle.add('directory', new Directory({ store, clock, signer: key, counters }));
    const registry = lifecycle.add(
      'registry',
      new Registry(
        { store, clock, log, members },
        {
          silentMs: options['liveness.silentMs'],
          deadMs: options['liveness.deadMs'],
          redialMs: options['liveness.redialMs'],
          peersMax: options.peersMax,
        },
      ),
    );
    const homes = new Homes(
      { directory, registry, clock, log },
      {
        thresholds: {
          deadMs: options['liveness.deadMs'],
          massWindowMs: options['liveness.massWindowMs'],
          massHoldMs: options['liveness.massHoldMs'],
          loopLateMs: options['liveness.loopLateMs'],
          startGraceMs: options['liveness.startGraceMs'],
        },
      },
    );
    const heads = new Heads();
    const sessions = lifecycle.add(
      'sessions',
      new Sessions({ store, clock, random, signer: key, directory }, { sessionDays: options.sessionDays }),
    );
    const signIn = new SignIn({ directory, clock });
    const invitations = lifecycle.add(
      'invitations',
      new Invitations(
        { store, clock, random, signer: key, counters, members, memberOps: (member) => registry.memberOps(member) },
        { network },
      ),
    );

    // Hosts: one for members, one for strangers.
    const hostDeps = { key, log, clock };
    const host = await createLibp2pHost(
      { ...hostDeps, gate: memberGate({ members, clock }) },
      { listen: options['network.listen'], announce: options['network.announce'], gossip: true, dht: true },
    );
    const lobby = await createLibp2pHost(
      { ...hostDeps, gate: openGate },
      { listen: options['lobby.listen'], announce: options['lobby.announce'], gossip: false, dht: false },
    );

    const repository = lifecycle.add(
      'repository',
      new Repository(
        { store, clock, random, log, signer: key, host, members, directory, registry },
        {
          folder: folder.file('blobs'),
          storeFolder,
          storeId: folder.info.storeId,
          capacityBytes: options['repository.capacityBytes'],
          minFreeBytes: options['repository.minFreeBytes'],
        },
      ),
    );

    // Doors.
    const reachability = new ReachabilityCheck(
      { clock, random, fetch: deps.fetch ?? fetch },
      { allowPlainHttp: options.allowPlainHttp },
    );
    const drains = lifecycle.add(
      'drains',
      new Drains(
        {
          registry,
          directory,
          counters,
          store,
          queries: new NetworkHolders({ host, repository, clock }),
          signer: key,
          clock,
          random,
          log,
        },
        { network, copies: options.copies, startGraceMs: options['liveness.startGraceMs'] },
      ),
    );
    const agent = new TunnelAgent({ host, clock }, { streamsPerPeerMax: options['gateway.streamsPerNodeMax'] });
    const places = new Places({ placesMax: options['gateway.streamsPerNodeMax'], waitingMax: WAITING_PER_NODE_MAX });
    const networkUrl = (): string =>
      options.publicUrl?.replace(/\/$/, '') ?? door.address ?? `http://${options.listen}`;
    const listing = (audience: Audience, all = false): PeerListing => ({
      network,
      now: clock.now(),
      repository: repository.usage(),
      copies: options.copies,
      ...rowsOf(audience, all),
    });
    const rowsOf = (audience: Audience, all: boolean): Pick<PeerListing, 'peers' | 'leftBefore'> => {
      const rows = registry.rows();
      const shown = all ? rows : rows.filter((row) => !hasLeftLongAgo(row, clock.now()));
      return {
        peers: shown.map((row) => ({
          ...row,
          accounts: directory.homes(row.peerId),
          problem: registrations.problemOf(row.peerId, audience),
        })),
        leftBefore: rows.length - shown.length,
      };
    };
    const status = (audience: Audience) => {
      const rows = registry.rows();
      return {
        network,
        version: packageVersion(),
        coordinator: key.peerId,
        now: clock.now(),
        nodes: rows.filter((row) => row.state !== 'revoked' && row.presence !== 'left').length,
        serving: rows.filter((row) => row.state === 'serving' && row.presence === 'alive').length,
        repository: repository.usage(),
        problems: rows
          .map(({ peerId, name }) => ({ name, problem: registrations.problemOf(peerId, audience) }))
          .filter(({ problem }) => problem !== null)
          .slice(0, PROBLEMS_MAX),
      };
    };
    const gateway = new Gateway(
      {
        agent,
        places,
        clock,
        log,
        sessions,
        directory,
        homes,
        registry,
        locate: (address) => locate(address, rules, geo).location,
      },
      { networkUrl, trustedProxies, streamsPerClientMax: options['gateway.streamsPerClientMax'] },
    );
    const door = new HttpDoor(
      {
        gateway,
        sessions,
        registry,
        random,
        clock,
        status: () => status('public'),
        pages: dashboardPages({ listing: () => listing('public') }),
      },
      { listen: options.listen, trustedProxies },
    );
    const registrations = new Registrations(
      { host, registry, members, directory, reachability, heads, signer: key, clock, log },
      {
        network,
        versionMin: NODE_VERSION_MIN,
        requireReachableUrl: options.requireReachableUrl,
        redialMs: options['liveness.redialMs'],
        networkUrl,
      },
    );

    const waiting = async (account: string, except: string) => {
      const missing = heads.missing(account, await repository.accounts.vector(account));
      missing.delete(except);
      return [...missing]
        .map(([peer, lacks]) => ({ name: registry.get(peer)?.record.name ?? peer, ...lacks }))
        .slice(0, 64);
    };
    lifecycle.add('calls', {
      start: async () => {
        await serveMembers({ host, members, clock, log });
        await serveDirectory({ host, directory, registry, homes, sessions, signIn, waiting, clock, log });
        await serveHandover({ host, drains, homes, directory, registry, clock, log });
        await serveLobby(
          { lobby, host, invitations, members, reachability, clock, log },
          { network, networkKey, networkUrl },
        );
      },
    });
    lifecycle.add('registrations', registrations);
    // The address of users first: what nodes are told in their welcome names its port.
    lifecycle.add('http', door);
    lifecycle.add('network', host);
    lifecycle.add('gossip', { start: async () => relayHeartbeats({ host, members, clock }, { network }) });
    lifecycle.add('lobby', lobby);
    // Stopped before the hosts under them, so that nobody takes the end for a crash.
    lifecycle.add('doors', {
      stop: async () => {
        await door.stop();
        agent.destroy();
        await registrations.stop();
      },
    });

    return {
      start: () => lifecycle.start(),
      stop: () => lifecycle.stop(),
      addresses: () => ({
        http: door.address ?? '',
        networkUrl: networkUrl(),
        lobby: lobby.addresses(),
        network: host.addresses(),
      }),
      invite: ({ name, at, days }) =>
        invitations.create({
          name,
          location: at === undefined ? null : parseLocation(at),
          lifeMs: (days ?? options.invitationDays) * DAY_MS,
          lobby: lobby.addresses(),
        }),
      invitations: () => invitations.list(),
      withdraw: (id) => invitations.withdraw(id),
      peers: (all) => listing('operator', all),
      async revoke(who, reason) {
        const { peerId, name } = registry.find(who).record;
        if (members.revocationOf(peerId) === undefined) {
          const { number, op } = counters.nextRevocation();
          await store.commit([op]);
          await members.merge([issueRevocation(key, { network, number, peerId, name, reason }, clock.now())]);
        }
        return { peerId, name };
      },
      status: () => status('operator'),
    };
  }
}

/** What this folder is the coordinator of, written at its first start and checked at every other. Gives the network key. */
async function settleIdentity(
  store: Store,
  random: Random,
  mine: { network: string; peerId: string },
): Promise<string> {
  const read = async (name: string) => {
    const bytes = await store.get(NAMESPACES.meta, name);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
  };
  const stored = { network: await read('network'), peerId: await read('peerId'), networkKey: await read('networkKey') };
  if (stored.network !== undefined && stored.network !== mine.network) {
    throw coordinatorErrors('other-network', { stored: stored.network, configured: mine.network });
  }
  if (stored.peerId !== undefined && stored.peerId !== mine.peerId) {
    throw coordinatorErrors('other-key', { stored: stored.peerId, actual: mine.peerId });
  }
  const networkKey = stored.networkKey ?? randomHex(random, 32);
  await store.commit(
    Object.entries({ ...mine, networkKey }).map(([key, value]) => ({ ns: NAMESPACES.meta, key, value })),
  );
  return networkKey;
}
