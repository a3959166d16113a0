/**
 * The node: builds each part once, starts them in order, stops them in reverse. READ THIS FIRST.
 *
 *   core (folder, store, account log, blobs, accounts: core.ts)
 *   → toolbox, jobs, histories, datasets → replication → network (peers/) → web and API (web/, api/) → control socket
 *
 * Core never imports a door; where it needs one, it owns a small interface and this file hands the door in.
 */
import { totalmem } from 'node:os';
import { ControlServer } from '../protocol/runtime/control.js';
import type { DataFolder } from '../protocol/runtime/data-folder.js';
import type { Part } from '../protocol/runtime/lifecycle.js';
import { derivedId } from '../protocol/wire/ids.js';
import { type ApiServer, createApiServer } from './api/server.js';
import { type NodeCore, type NodeRuntime, openNodeCore, systemRuntime } from './core.js';
import { LocalJobActivity } from './datasets/activity.js';
import { Collections } from './datasets/collections.js';
import { Datasets } from './datasets/datasets.js';
import { createDatatypes } from './datasets/datatype-registry.js';
import { Uploads } from './datasets/uploads.js';
import { Histories } from './histories/histories.js';
import { HANDLER_DEFAULTS, HandlerPool } from './jobs/handler-pool.js';
import { JOB_DEFAULTS, JobManager } from './jobs/manager.js';
import { noOtherHome } from './jobs/outbox.js';
import type { NodeOptions } from './options.js';
import { joinNetwork } from './peers/join.js';
import { createToolbox } from './toolbox/toolbox.js';
import { type UserCommands, userCommands } from './user-commands.js';
import { createWeb } from './web/web.js';

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
  describe(): NodeDescription;
  /** Resolves when the process should end by itself: a `stop` command, a finished drain. */
  readonly done: Promise<void>;
}

/** The part of a node that commands beside a stopped one need. */
export interface OpenCore {
  commands: UserCommands;
  join(line: string, onProgress: (progress: Record<string, unknown>) => void): ReturnType<typeof joinNetwork>;
  close(): Promise<void>;
}

export async function openCore(options: NodeOptions, folder: DataFolder): Promise<OpenCore> {
  const core = await openNodeCore(options, folder);
  return {
    commands: userCommands(core.accounts),
    join: (line, onProgress) =>
      joinNetwork(
        { key: core.key, store: core.store, clock: core.runtime.clock, log: core.runtime.logger },
        line,
        { addresses: [...options['network.announce']], publicUrl: options.publicUrl },
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
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });

  const datatypes = createDatatypes();
  const toolbox = await createToolbox({ datatypes, log: logger }, { folders: [...options['tools.folders']] });
  const pool = lifecycle.add(
    'job handlers',
    new HandlerPool(
      { clock, random, log: logger },
      {
        ...HANDLER_DEFAULTS,
        handlers: options['jobs.handlers'],
        slots: options['jobs.slots'],
        logLevel: options.logLevel,
      },
    ),
  );
  const jobs = lifecycle.add(
    'jobs',
    new JobManager(
      {
        log,
        store,
        leases,
        blobs,
        toolbox,
        executor: pool,
        sink: noOtherHome,
        bringBlob: () => Promise.reject(new Error('no other node')),
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
      },
    ),
  );
  const activity = new LocalJobActivity({ jobs, clock });
  const histories = new Histories({ log, ids, clock, activity });
  const datasets = new Datasets({ log, ids, clock, activity, blobs, datatypes });
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

  const identity = { name: membership.record?.name ?? options.name, peerId: key.peerId };
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
      jobs,
      blobs,
      web,
    },
    { listen: options.listen },
  );
  let url = '';
  lifecycle.add('api', {
    start: async () => {
      url = (await api.start()).url;
    },
    stop: () => api.stop(),
  });

  const describe = (): NodeDescription => ({
    url: options.publicUrl ?? url,
    name: identity.name,
    peerId: key.peerId,
    addresses: [],
    network: membership.record?.network,
    toolProblems: toolbox.problems().length,
  });

  lifecycle.add(
    'control',
    new ControlServer(
      { folder, log: logger },
      {
        ...userCommands(accounts),
        stop: async () => {
          // After the answer has left: the socket is closed by the stop itself.
          clock.after(50, finish);
          return {};
        },
        status: async () => ({ ...describe(), ...jobs.counts(), ...blobs.usage(), text: [] }),
      },
    ),
  );

  return {
    start: () => lifecycle.start(),
    stop: () => lifecycle.stop(),
    describe,
    done,
  };
}
