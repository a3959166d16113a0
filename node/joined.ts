/**
 * What a node has more of once it belongs to a network: the network's door, its accounts' comings and goings, and
 * replication to others. Part of the composition root (node.ts); built at start, or when a running node joins.
 */

import type { AccountView } from '../protocol/account/records.js';
import { type DomainError, isDomainError } from '../protocol/runtime/errors.js';
import type { ByteStream } from '../protocol/runtime/host.js';
import { Lifecycle, type Part } from '../protocol/runtime/lifecycle.js';
import { checkLease, checkLeaseFor } from '../protocol/trust/lease.js';
import type { Command } from '../protocol/wire/calls/register.js';
import { claimOwn } from './accounts/claims.js';
import { Homes } from './accounts/homes.js';
import { describeWaiting, Waiting } from './accounts/waiting.js';
import type { NodeCore } from './core.js';
import type { DrainGate } from './drain/gate.js';
import { createLeaving, type Leaving, type LeavingDeps } from './drain/leaving.js';
import { lastExecutor } from './jobs/across-homes.js';
import { Elsewhere, type RunsElsewhere } from './jobs/elsewhere.js';
import type { JobManager } from './jobs/manager.js';
import type { NetworkRecord } from './network-record.js';
import { writeNetworkRecord } from './network-record.js';
import type { NetworkFacts } from './node-status.js';
import { HandoverClient } from './peers/handover-client.js';
import { JobCalls } from './peers/job-calls.js';
import { Network, type NodeLoad } from './peers/network.js';
import { Providing } from './peers/providing.js';
import { BlobReplicator } from './replication/blob-replicator.js';
import type { CurrentHolders } from './replication/current-holders.js';
import type { Ledger } from './replication/ledger.js';
import { LogReplicator } from './replication/log-replicator.js';
import type { Replication } from './replication/replication.js';

export interface JoinedDeps {
  core: NodeCore;
  record: NetworkRecord;
  jobs: JobManager;
  ledger: Ledger;
  replication: Replication;
  holders: CurrentHolders;
  uploads: LeavingDeps['uploads'];
  gate: DrainGate;
  digest: () => NodeLoad;
  acceptTunnel: (stream: ByteStream) => Promise<void>;
  onClone: (refusal: DomainError) => void;
}

/** A push of blobs may be a terabyte; what counts is that bytes flow, which the lane itself watches. */
const BLOB_PUSH_MS = 24 * 3600 * 1000;
/** From this size on a blob has a provider record of its own in the DHT. */
export const DHT_BLOB_BYTES_MIN = 64 * 2 ** 20;
const LOG_PARTNERS = 2;

export class Joined implements Part {
  readonly network: Network;
  readonly homes: Homes;
  readonly logReplicator: LogReplicator;
  readonly blobReplicator: BlobReplicator;
  readonly leaving: Leaving;
  readonly jobCalls: JobCalls;
  private readonly waiting: Waiting;
  private readonly elsewhere: Elsewhere;
  private readonly lifecycle: Lifecycle;

  static async create(deps: JoinedDeps): Promise<Joined> {
    const { core, record } = deps;
    const { options, runtime, key, store, log, blobs, leases, info } = core;
    let joined: Joined | undefined;
    const self = () => {
      if (joined === undefined) throw new Error('the network was used before it was built');
      return joined;
    };
    const network = await Network.create(
      {
        key,
        store,
        clock: runtime.clock,
        random: runtime.random,
        log: runtime.logger,
        accountLog: log,
        blobs,
        leases,
        originOf: (account) => core.origins.of(account),
        gate: deps.gate,
        info,
        peersFile: core.folder.file('peers.json'),
        record,
        digest: deps.digest,
        logPartners: () => joined?.logReplicator.partners() ?? [],
        isLarge: (blob) => (deps.ledger.blob(blob)?.size ?? 0) >= DHT_BLOB_BYTES_MIN,
        acceptTunnel: deps.acceptTunnel,
        onRegistered: () => self().reconcile(),
        onAway: () => self().homes.endCheck(),
        onCommand: (command) => self().carryOut(command),
        onClone: deps.onClone,
        saveRecord: async (next) => {
          await writeNetworkRecord(store, next);
          core.membership.join(next);
        },
      },
      {
        listen: options['network.listen'],
        announce: options['network.announce'],
        publicUrl: options.publicUrl,
        heartbeatMs: options['network.heartbeatMs'],
        capacityBytes: options['storage.capacityBytes'] ?? blobs.usage().freeBytes,
        mayHoldFrom: options['replication.mayHoldFrom'],
      },
    );
    core.membership.useMembers((peer) => network.members.admits(peer, runtime.clock.now()));
    joined = new Joined(deps, network);
    return joined;
  }

  private constructor(
    private readonly deps: JoinedDeps,
    network: Network,
  ) {
    const { core, ledger, replication, jobs, record } = deps;
    const { options, runtime, log, blobs, leases } = core;
    const { clock, random, logger } = runtime;
    this.network = network;
    this.lifecycle = new Lifecycle({ log: logger });
    const placement = { domain: record.name, maySendTo: options['replication.maySendTo'] };
    this.logReplicator = new LogReplicator(
      { log, ledger, leases, lane: network.lanes, holders: network.peers, clock, random, logger },
      { ...placement, peerId: core.key.peerId, partners: LOG_PARTNERS, paused: options['replication.paused'] },
    );
    this.blobReplicator = new BlobReplicator(
      { blobs, ledger, lane: network.lanes, holders: network.peers, clock, random, logger },
      {
        ...placement,
        copies: options['replication.copies'],
        pushDeadlineMs: BLOB_PUSH_MS,
        paused: options['replication.paused'],
      },
    );
    this.waiting = new Waiting({
      ask: (account) => network.directory.waiting(account),
      onCame: (account) => this.homes.catchUp(account),
      clock,
      logger,
    });
    this.homes = new Homes({
      self: core.key.peerId,
      isOwnClaim: (token) => checkLease(token, { coordinator: record.coordinator }).origin === core.key.peerId,
      log,
      leases,
      courier: network.lanes,
      holders: network.peers,
      followers: [
        {
          adopted: async (account, view) => {
            // Its former home has placed copies: who has them is asked before anything is sent again.
            this.blobReplicator.survey(await replication.adopt(view));
            await this.takeBack(account);
            await this.waiting.look(account);
            await jobs.across.adopt(account, this.runningElsewhere(view));
            this.elsewhere.look();
          },
          released: (account) => jobs.across.release(account),
        },
      ],
      flushLog: (signal) => this.logReplicator.flushed(signal),
      clock,
      logger,
    });
    const { registration, directory, lanes, peers, host } = network;
    this.jobCalls = new JobCalls({
      host,
      across: jobs.across,
      homeOf: (account) => this.homeOf(account),
      clock,
      log: logger,
    });
    this.elsewhere = new Elsewhere({
      jobs: jobs.across,
      ask: (peer, asked, signal) => this.jobCalls.ask(peer, asked, signal),
      peers,
      coordinator: registration,
      clock,
      logger,
    });
    this.leaving = createLeaving(
      {
        handover: new HandoverClient({
          host,
          coordinator: record.coordinator,
          registered: () => registration.registered,
        }),
        gate: deps.gate,
        uploads: deps.uploads,
        jobs,
        homes: this.homes,
        log,
        leases,
        assigned: async function* () {
          for await (const { account } of directory.leases()) yield account;
        },
        blobs,
        ledger,
        lane: lanes,
        offerAccount: (peer, account, signal) => lanes.offerAccount(peer, account, signal),
        holders: peers,
        copies: this.blobReplicator,
        clock,
        logger,
      },
      {
        node: core.key.peerId,
        coordinator: record.coordinator,
        boot: core.info.boot,
        domain: record.name,
        copies: options['replication.copies'],
        deadlineMs: options['drain.deadlineMinutes'] * 60_000,
      },
    );
  }

  async start(): Promise<void> {
    const { core, holders } = this.deps;
    const { clock, logger: log } = core.runtime;
    const { network } = this;
    try {
      await this.jobCalls.serve();
      holders.use(network.peers);
      core.directory.use(network.directory);
      this.lifecycle.add('waiting', this.waiting);
      this.lifecycle.add('homes', this.homes);
      this.lifecycle.add('network', network);
      this.lifecycle.add('jobs elsewhere', this.elsewhere);
      this.lifecycle.add('log replicator', this.logReplicator);
      this.lifecycle.add('blob replicator', this.blobReplicator);
      const { host } = network;
      this.lifecycle.add(
        'provider records',
        new Providing(
          { host, blobs: core.blobs, homed: () => core.leases.accounts(), clock, log },
          { bytesMin: DHT_BLOB_BYTES_MIN },
        ),
      );
      await this.lifecycle.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.deps.holders.use(undefined);
    await this.lifecycle.stop();
  }

  setPaused(paused: boolean): void {
    this.blobReplicator.setPaused(paused);
    this.logReplicator.setPaused(paused);
  }

  /** What the network's door knows, for the node's page. */
  facts(): NetworkFacts {
    const { network } = this;
    return {
      name: this.deps.record.network,
      url: network.networkUrl,
      registered: network.registration.registered,
      heardAt: network.registration.heardAt,
      problem: network.registration.refusal?.message,
      reachable: network.reachable,
      holders: network.peers.list(),
      statuses: network.peers.statuses(),
      waitingFor: (account) =>
        this.waiting
          .of(account)
          .map((waiting) => ({ name: waiting.name, changes: waiting.changes, what: describeWaiting(waiting) })),
    };
  }

  /** By the directory's word, or what this node was told. */
  private async homeOf(account: string): Promise<string | undefined> {
    const told = this.deps.core.leases.movedTo(account)?.home;
    return this.network.registration.registered ? ((await this.network.directory.byId(account))?.home ?? told) : told;
  }

  /** Keys and sign-ins that were taken back at a former home whose last entries nobody has. */
  private async takeBack(account: string): Promise<void> {
    const { accounts, runtime } = this.deps.core;
    try {
      const { directory } = this.network;
      await accounts.takeBack(account, (hashes) => directory.revocations(account, hashes));
    } catch (error) {
      // Without the coordinator the account is served all the same; the gateway refuses such keys by itself.
      if (!isDomainError(error)) throw error;
      runtime.logger.warn({ account, reason: error.message }, 'revoked keys could not be asked for');
    }
  }

  bringBlob(blob: string, signal: AbortSignal): Promise<void> {
    return this.network.lanes.fetch(blob, signal);
  }

  /** Registered, again or for the first time: what changed meanwhile, and accounts that the directory does not have yet. */
  private async reconcile(): Promise<void> {
    const { core } = this.deps;
    const { directory } = this.network;
    const held = new Map<string, { epoch: number; token: string }>();
    this.homes.beginCheck();
    for await (const { account, epoch, lease } of directory.leases()) {
      this.homes.confirm(account, epoch);
      const known = core.leases.current(account);
      held.set(account, known?.epoch === epoch ? known : this.lease(account, lease));
    }
    await this.homes.reconcile(held, async (account) => directory.byId(account));
    const { store, leases, log, runtime } = core;
    await claimOwn({ store, own: core.localDirectory, network: directory, leases, log, logger: runtime.logger }, held);
  }

  private async carryOut(command: Command): Promise<void> {
    const { account } = command;
    if (command.what === 'seal') await this.homes.leave(account, command.epoch, command.to);
    else await this.homes.adopt(account, command.from, this.lease(account, command.lease));
  }

  /** Errors: those of `checkLeaseFor`: one for another account or node is never kept. */
  private lease(account: string, token: string): { epoch: number; token: string } {
    const { core, record } = this.deps;
    const lease = checkLeaseFor(token, { account, node: core.key.peerId, coordinator: record.coordinator });
    core.origins.note(lease);
    return { epoch: lease.epoch, token };
  }

  /**
   * Jobs that another node has started and that may still run there: it is connected, and is asked soon. One that is not
   * reports nothing now, and its jobs start again here.
   */
  private runningElsewhere(view: AccountView): RunsElsewhere {
    const { host, peers } = this.network;
    const running = new Map<string, { peer: string; boot?: number | undefined }>();
    for (const { id, attempts, outcome } of view.list('job')) {
      const peer = lastExecutor(attempts);
      if (outcome !== undefined || peer === undefined || peer === this.deps.core.key.peerId) continue;
      if (host.isConnected(peer)) running.set(id, { peer, boot: peers.status(peer)?.boot });
    }
    return running;
  }
}
