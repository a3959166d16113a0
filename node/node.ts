/**
 * The node: builds each part once, starts them in order, stops them in reverse. READ THIS FIRST.
 *
 *   core (folder, store, account log, blobs, accounts: core.ts)
 *   → toolbox, jobs, histories, datasets → replication → network (peers/) → web and API (web/, api/) → control socket
 *
 * Core never imports a door; where it needs one, it owns a small interface and this file hands the door in.
 */
import { totalmem } from 'node:os';
import type { BlobStore } from '../protocol/blobs/blob.js';
import type { AccountLog } from '../protocol/log/account-log.js';
import { type Clock, deadline, nextTurn, sleep } from '../protocol/runtime/clock.js';
import { ControlServer } from '../protocol/runtime/control.js';
import type { DataFolder } from '../protocol/runtime/data-folder.js';
import { defineErrors } from '../protocol/runtime/errors.js';
import type { Part } from '../protocol/runtime/lifecycle.js';
import { packageVersion } from '../protocol/runtime/package.js';
import { acceptTunnel } from '../protocol/wire/http-tunnel.js';
import { derivedId } from '../protocol/wire/ids.js';
import type { Accounts } from './accounts/accounts.js';
import { CurrentHomes } from './accounts/home-gate.js';
import { Tickets } from './accounts/tickets.js';
import { enterRoutes } from './api/enter.js';
import { nodeStatusRoutes } from './api/node-status.js';
import { reachabilityRoutes } from './api/reachability.js';
import { type ApiServer, createApiServer } from './api/server.js';
import { type NodeCore, type NodeRuntime, openNodeCore, systemRuntime } from './core.js';
import { LocalJobActivity } from './datasets/activity.js';
import { Collections } from './datasets/collections.js';
import { Datasets } from './datasets/datasets.js';
import { createDatatypes } from './datasets/datatype-registry.js';
import { Uploads } from './datasets/uploads.js';
import { drainCommand } from './drain/command.js';
import { drainErrors } from './drain/errors.js';
import { DrainGate } from './drain/gate.js';
import { untilQuiet } from './drain/quiet.js';
import { RECEIPT_FILE, ReceiptFile } from './drain/receipt-file.js';
import { Drain } from './drain.js';
import { Histories } from './histories/histories.js';
import { HANDLER_DEFAULTS, HandlerPool } from './jobs/handler-pool.js';
import { jobPath } from './jobs/job-path.js';
import { JOB_DEFAULTS, JobManager } from './jobs/manager.js';
import { noOtherHome } from './jobs/outbox.js';
import type { Joined } from './joined.js';
import { type NetworkRecord, readNetworkRecord } from './network-record.js';
import { NodeStatus } from './node-status.js';
import type { NodeOptions } from './options.js';
import type { JoinResult } from './peers/join.js';
import { CurrentHolders } from './replication/current-holders.js';
import { Ledger } from './replication/ledger.js';
import { Replication } from './replication/replication.js';
import { statusText } from './status-text.js';
import { createDataTables, type DataTables } from './toolbox/data-tables/data-tables.js';
import { engineEnvironment } from './toolbox/requirements/requirement-engine.js';
import { RequirementResolver } from './toolbox/requirements/requirements.js';
import type { Toolbox } from './toolbox/tool.js';
import { createToolbox } from './toolbox/toolbox.js';
import { UserTools } from './toolbox/user-tool/user-tools.js';
import { type UserCommands, userCommands } from './user-commands.js';
import { createWeb } from './web/web.js';

const nodeErrors = defineErrors('node', {
  alone: {
    kind: 'unavailable',
    say: 'The data {blob} is not on this node, and it belongs to no network.',
    mend: 'Restore the data folder from a backup.',
  },
});

/** How long the first try to register may keep users waiting. */
const FIRST_TRY_MS = 8000;
/** How long a join waits until this node is listed as serving. */
const REGISTER_WAIT_MS = 20_000;
/** Of `join`: those of joinNetwork, and two more in a running node. */
const JOIN_STEPS = 5;

export interface NodeDescription {
  url: string;
  name: string;
  peerId: string;
  addresses: string[];
  network: string | undefined;
  toolProblems: number;
}

export interface GalaxyNode extends Part {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGTERM: drains first when this node belongs to a network. */
  terminate(): Promise<void>;
  describe(): NodeDescription;
  /** Resolves when the process should end by itself: a `stop` command, a finished drain. */
  readonly done: Promise<void>;
  /** For whoever embeds a node in a program of its own: `tool test`. */
  readonly parts: NodeParts;
}

export interface NodeParts {
  accounts: Accounts;
  histories: Histories;
  datasets: Datasets;
  collections: Collections;
  jobs: JobManager;
  toolbox: Toolbox;
  tables: DataTables;
  blobs: BlobStore;
  log: AccountLog;
  clock: Clock;
}

/** The part of a node that commands beside a stopped one need. */
export interface OpenCore {
  commands: UserCommands;
  join(line: string, onProgress: (progress: Record<string, unknown>) => void): Promise<JoinResult>;
  close(): Promise<void>;
}

/** Loaded by members only: a node that stands alone starts sooner and smaller without libp2p. */
async function networkParts() {
  const [{ Joined }, { inWords, joinNetwork }] = await Promise.all([import('./joined.js'), import('./peers/join.js')]);
  return { Joined, inWords, joinNetwork };
}

export async function openCore(options: NodeOptions, folder: DataFolder): Promise<OpenCore> {
  const core = await openNodeCore(options, folder);
  return {
    commands: userCommands(core.accounts),
    join: async (line, onProgress) =>
      (await networkParts()).joinNetwork(
        { key: core.key, store: core.store, clock: core.runtime.clock, log: core.runtime.logger },
        line,
        {
          listen: options['network.listen'],
          announce: options['network.announce'],
          publicUrl: options.publicUrl === 'listen' ? null : options.publicUrl,
        },
        onProgress,
      ),
    close: () => core.lifecycle.stop(),
  };
}

export async function createNode(
  options: NodeOptions,
  folder: DataFolder,
  runtime: NodeRuntime = systemRuntime(options),
): Promise<GalaxyNode> {
  const core = await openNodeCore(options, folder, runtime);
  try {
    return await assemble(core);
  } catch (error) {
    await core.lifecycle.stop();
    throw error;
  }
}

async function assemble(core: NodeCore): Promise<GalaxyNode> {
  const { options, folder, key, store, ids, log, blobs, leases, accounts, lifecycle, membership } = core;
  const { clock, random, logger } = core.runtime;
  let finish: () => void = () => {};
  let fail: (error: Error) => void = () => {};
  const done = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  // Whoever runs the node listens; a test that does not must not be ended by it.
  done.catch(() => {});
  let open: () => void = () => {};
  const opening = new Promise<void>((resolve) => {
    open = resolve;
  });
  /** Set while this node belongs to a network; see joined.ts. */
  let joined: Joined | undefined;

  const datatypes = createDatatypes();
  const programs = new RequirementResolver(
    { clock },
    {
      path: jobPath(),
      environment: options['tools.environment'],
      container: options['tools.container'],
      engineEnvironment: engineEnvironment(process.env),
    },
  );
  const toolbox = await createToolbox(
    { datatypes, log: logger, programs },
    {
      folders: [...options['tools.folders']],
      installed: folder.file('tools'),
      cache: folder.file('cache', 'tools'),
      userTools: options['tools.userTools'] !== 'nobody',
    },
  );
  const userTools = new UserTools({ log, ids, clock, toolbox }, { who: options['tools.userTools'] });
  const tables = createDataTables({ folder: folder.file('tool-data') });
  const pool = lifecycle.add(
    'job handlers',
    new HandlerPool(
      { clock, log: logger },
      {
        ...HANDLER_DEFAULTS,
        handlers: options['jobs.handlers'],
        slots: options['jobs.slots'],
        logLevel: options.logLevel,
      },
    ),
  );
  const bringBlob = (blob: string, signal: AbortSignal) =>
    joined ? joined.bringBlob(blob, signal) : Promise.reject(nodeErrors('alone', { blob }));
  const jobs = lifecycle.add(
    'jobs',
    new JobManager(
      {
        log,
        store,
        leases,
        blobs,
        toolbox,
        tables,
        programs,
        executor: pool,
        home: {
          deliver: (...word) => (joined?.jobCalls ?? noOtherHome).deliver(...word),
          gaveUp: (...word) => (joined?.jobCalls ?? noOtherHome).gaveUp(...word),
        },
        bringBlob: (_account, blob, signal) => bringBlob(blob, signal),
        clock,
        logger,
        ids,
        derivedId,
      },
      {
        ...JOB_DEFAULTS,
        dataFolder: folder.path,
        peerId: key.peerId,
        queueMax: options['jobs.queueMax'],
        memoryMbPerJob: Math.floor(totalmem() / 2 ** 20 / options['jobs.slots']),
        fetchBytesMax: options['uploads.sizeMaxBytes'],
        startsClosed: true,
      },
    ),
  );
  const activity = new LocalJobActivity({ jobs, clock });
  const histories = new Histories({ log, ids, clock, activity });
  const datasets = new Datasets({
    log,
    ids,
    clock,
    activity,
    jobs,
    blobs,
    datatypes,
    bringBlob: (_account, blob, signal) => bringBlob(blob, signal),
  });
  const collections = new Collections({ log, ids, clock, activity });
  const uploads = lifecycle.add(
    'uploads',
    new Uploads(
      { clock, random, log: logger },
      {
        folder: folder.file('uploads'),
        sizeMaxBytes: options['uploads.sizeMaxBytes'],
        minFreeBytes: options['storage.minFreeBytes'],
      },
    ),
  );

  const holders = new CurrentHolders();
  const ledger = lifecycle.add('ledger', new Ledger({ store, clock }));
  const replication = lifecycle.add(
    'replication',
    new Replication(
      {
        log,
        ledger,
        holders,
        blobs,
        clock,
        logger,
        paused: () => joined?.blobReplicator.isPaused() ?? false,
        foreignAtRisk: (copies, domainOf) => joined?.logReplicator.foreignAtRisk(copies, domainOf) ?? 0,
      },
      { copies: options['replication.copies'] },
    ),
  );

  const gate = new DrainGate();
  let lastPolledAt: number | undefined;
  const drain = await Drain.open(
    {
      store,
      leaving: () => joined?.leaving,
      receipts: new ReceiptFile(folder),
      quiet: (signal) => untilQuiet({ clock, lastPolledAt: () => lastPolledAt }, signal),
      clock,
      random,
      logger,
    },
    { deadlineMs: options['drain.deadlineMinutes'] * 60_000 },
  );

  const identity = { name: membership.record?.name ?? options.name, peerId: key.peerId };
  const homes = new CurrentHomes({ leases });
  const tickets = lifecycle.add(
    'tickets',
    new Tickets({ store, clock, peerId: key.peerId, coordinator: () => membership.record?.coordinator }),
  );
  const status = new NodeStatus({
    clock,
    identity,
    version: packageVersion(),
    url: () => options.publicUrl ?? url,
    jobs,
    blobs,
    replication,
    network: () => joined?.facts(),
    drain: () => drain.status(),
  });
  const web = lifecycle.add('web', createWeb({ clock, log: logger, identity, options }));
  const api: ApiServer = await createApiServer(
    {
      options,
      clock,
      random,
      log: logger,
      identity,
      accounts,
      histories,
      datasets,
      collections,
      uploads,
      datatypes,
      toolbox,
      userTools,
      tables,
      jobs,
      blobs,
      web,
    },
    {
      listen: options.listen,
      opening,
      networkUrl: () => joined?.network.networkUrl,
      signer: key,
      origins: () => (joined ? [new URL(joined.network.networkUrl).origin] : []),
      whenHere: (account) => homes.whenHere(account),
      routes: [
        enterRoutes({ tickets, homes }),
        reachabilityRoutes({ signer: key }),
        nodeStatusRoutes({ status }),
        (app) => {
          app.addHook('onResponse', async (request) => {
            if (request.caller?.via === 'session') lastPolledAt = clock.monotonic();
          });
        },
      ],
    },
  );
  let url = '';

  const join = async (record: NetworkRecord) => {
    membership.join(record);
    core.keyRing.use(record.networkKey);
    ids.setNodeNumber(record.nodeNumber);
    identity.name = record.name;
    const parts = await networkParts();
    joined = await parts.Joined.create({
      core,
      record,
      jobs,
      ledger,
      replication,
      holders,
      digest: () => {
        const { queued, running, slots } = jobs.counts();
        const { atRisk } = replication.status();
        return {
          state: drain.state,
          slots,
          queued,
          running,
          freeBytes: blobs.usage().freeBytes,
          atRiskBytes: atRisk.bytes,
          atRiskAgeMs: atRisk.oldestAgeMs,
          publicUrl: options.publicUrl,
        };
      },
      uploads,
      gate,
      onClone: fail,
      acceptTunnel: (stream) => acceptTunnel(api.httpServer, stream, { clock }),
    });
    joined.network.registration.onChange(() => drain.wake());
    // A drain that was under way shuts its doors before anybody can come in.
    await drain.start();
    homes.use(joined.homes);
    await joined.start();
  };
  void drain.done.then(({ safe, unsafe }) => {
    const amount = { objects: unsafe?.objects ?? 0, bytes: unsafe?.bytes ?? 0 };
    clock.after(50, () => (safe ? finish() : fail(drainErrors('abandoned', amount))));
  });
  // Listening comes first, because its port may be part of what the network is told; answering comes last.
  lifecycle.add('api', {
    start: async () => {
      url = (await api.start()).url;
      if (options.publicUrl === 'listen') options.publicUrl = url;
    },
    stop: () => api.stop(),
  });
  lifecycle.add('network', {
    start: async () => {
      if (membership.record) await join(membership.record);
      // Accounts may have moved while this node was off: nobody is served an old view of one, and none of its jobs starts,
      // before the coordinator was asked, or found to be away. Where there are so many that asking takes longer than
      // this, those that are not confirmed yet wait (homes.ts), and so do all jobs.
      if (joined) await Promise.race([joined.network.registration.tried, sleep(clock, FIRST_TRY_MS)]);
      if (joined) void joined.homes.whenChecked().then(() => jobs.open());
      else jobs.open();
      open();
    },
    stop: async () => {
      await drain.stop();
      await joined?.stop();
    },
  });

  const describe = (): NodeDescription => ({
    url: options.publicUrl ?? url,
    name: identity.name,
    peerId: key.peerId,
    addresses: joined?.network.host.addresses() ?? [],
    network: membership.record?.network,
    toolProblems: toolbox.problems().length,
  });

  /** Stopped in a drain: an orderly end, but a failure, or whoever waits for it would take the folder for safe. */
  const interrupt = async () => {
    // Before the control socket closes: whoever waits for the drain is told.
    await drain.stop();
    await nextTurn();
    await lifecycle.stop();
    const error = drainErrors('interrupted');
    fail(error);
    throw error;
  };

  /** Options that a running node can take. */
  const takeOption = (name: string, value: unknown): boolean => {
    if (name !== 'replication.paused' || typeof value !== 'boolean') return false;
    options['replication.paused'] = value;
    joined?.setPaused(value);
    return true;
  };

  lifecycle.add(
    'control',
    new ControlServer(
      { folder, log: logger },
      {
        ...userCommands(accounts),
        drain: drainCommand({ drain, leaving: () => joined?.leaving, receiptPath: folder.file(RECEIPT_FILE) }),
        join: async (args, progress, signal) => {
          const { inWords, joinNetwork } = await networkParts();
          const result = await joinNetwork(
            { key, store, clock, log: logger },
            String(args.line),
            { listen: options['network.listen'], announce: options['network.announce'], publicUrl: options.publicUrl },
            (at) => progress({ ...at, steps: JOIN_STEPS }),
            signal,
          );
          progress({ step: JOIN_STEPS - 1, steps: JOIN_STEPS, doing: 'beginning to take part' });
          const record = await readNetworkRecord(store);
          if (joined === undefined && record !== undefined) await join(record);
          progress({
            step: JOIN_STEPS,
            steps: JOIN_STEPS,
            doing: 'registering; the coordinator fetches the public URL',
          });
          const limit = deadline(REGISTER_WAIT_MS, signal);
          await joined?.network.registration.whenRegistered(limit);
          // At the join itself this node did not answer for the network yet; now the coordinator has tried for good.
          const tried = await joined?.network.whenReachable(limit);
          const reachable = tried ? { ...result.reachable, web: inWords(tried) } : result.reachable;
          return { ...result, reachable, running: true };
        },
        stop: async () => {
          // After the answer has left: the socket is closed by the stop itself.
          clock.after(50, () => (drain.state === 'draining' ? void interrupt().catch(() => {}) : finish()));
          return {};
        },
        option: async (args) => ({ taken: takeOption(String(args.name), args.value) }),
        'reload-tools': async () => {
          await toolbox.reload();
          return { tools: toolbox.tools().length, problems: toolbox.problems() };
        },
        status: async () => {
          const report = status.report({ admin: true });
          const fetched = joined?.network.lanes.fetched ?? { asked: 0, dht: 0 };
          return { ...report, addresses: describe().addresses, fetched, text: statusText(report, toolbox.problems()) };
        },
      },
    ),
  );

  return {
    start: () => lifecycle.start(),
    // SIGINT in a drain, whoever began it, must not end it as if it were done.
    stop: () => (drain.state === 'draining' ? interrupt() : lifecycle.stop()),
    terminate: async () => {
      if (joined === undefined) return lifecycle.stop();
      const ended = drain.outcome(new AbortController().signal);
      ended.catch(() => {});
      try {
        await drain.ensure();
        // Refused (too few institutions left): the data stays in its folder, and whoever stopped us is told why.
        const refused = ended.then((end) => (end.is === 'refused' ? Promise.reject(end.error) : done));
        await Promise.race([done, refused]);
      } finally {
        await lifecycle.stop();
      }
    },
    describe,
    done,
    parts: { accounts, histories, datasets, collections, jobs, toolbox, tables, blobs, log, clock },
  };
}
