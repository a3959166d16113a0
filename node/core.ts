/**
 * The node without its doors: data folder, store, account log, blobs, accounts. Commands beside a stopped node
 * (`user create`, `join`) work on this; a running node builds its doors around it (node.ts).
 */

import type { BlobStore } from '../protocol/blobs/blob.js';
import { openBlobStore } from '../protocol/blobs/blob-store.js';
import type { AccountLog } from '../protocol/log/account-log.js';
import { createSegmentTrust } from '../protocol/log/segment-trust.js';
import { openAccountLog } from '../protocol/log/store-account-log.js';
import { type Clock, systemClock } from '../protocol/runtime/clock.js';
import { type DataFolder, type FolderInfo, folderErrors } from '../protocol/runtime/data-folder.js';
import { Lifecycle } from '../protocol/runtime/lifecycle.js';
import { createLogger, type Logger } from '../protocol/runtime/logger.js';
import { type Random, systemRandom } from '../protocol/runtime/random.js';
import { openStore, refuseDamaged, type Store } from '../protocol/runtime/store.js';
import { loadNodeKey, type NodeKey } from '../protocol/trust/identity.js';
import { KEY_FILES } from '../protocol/trust/init-folder.js';
import { IdSource } from '../protocol/wire/ids.js';
import { Accounts } from './accounts/accounts.js';
import { openSealer } from './accounts/api-keys.js';
import { CurrentDirectory } from './accounts/current-directory.js';
import { HeldLeases } from './accounts/held-leases.js';
import { KeyRing } from './accounts/key-ring.js';
import { LocalDirectory } from './accounts/local-directory.js';
import { LocalLeases } from './accounts/local-leases.js';
import { Origins } from './accounts/origins.js';
import { NODE_NAMESPACE } from './namespaces.js';
import { type NetworkRecord, readNetworkRecord } from './network-record.js';
import type { NodeOptions } from './options.js';

/** What time, chance and the log are; tests pass their own. */
export interface NodeRuntime {
  clock: Clock;
  random: Random;
  logger: Logger;
}

export interface NodeCore {
  options: NodeOptions;
  runtime: NodeRuntime;
  folder: DataFolder;
  info: FolderInfo;
  key: NodeKey;
  store: Store;
  ids: IdSource;
  log: AccountLog;
  blobs: BlobStore;
  leases: HeldLeases;
  origins: Origins;
  directory: CurrentDirectory;
  localDirectory: LocalDirectory;
  keyRing: KeyRing;
  accounts: Accounts;
  membership: Membership;
  /** Registers parts; the root adds its doors to the same list, so that one stop reverses it all. */
  lifecycle: Lifecycle;
}

/** Whether this node belongs to a network; changes once, when it joins. */
export class Membership {
  private admitting: (peer: string) => boolean = () => false;

  constructor(private current: NetworkRecord | undefined) {}

  get record(): NetworkRecord | undefined {
    return this.current;
  }

  join(record: NetworkRecord): void {
    this.current = record;
  }

  /** By the member list; before the network's door is there, nobody is known. */
  admits(peer: string): boolean {
    return this.admitting(peer);
  }

  /** Joined: whom the member list admits. */
  useMembers(admits: (peer: string) => boolean): void {
    this.admitting = admits;
  }
}

export function systemRuntime(options: NodeOptions): NodeRuntime {
  return {
    clock: systemClock,
    random: systemRandom,
    logger: createLogger({ level: options.logLevel, name: 'galaxy-node' }),
  };
}

/** Takes the folder, opens everything in it, and starts it. The caller ends it with `lifecycle.stop()`. */
export async function openNodeCore(
  options: NodeOptions,
  folder: DataFolder,
  runtime: NodeRuntime = systemRuntime(options),
): Promise<NodeCore> {
  const { clock, random, logger } = runtime;
  const key = await loadNodeKey(folder.file(KEY_FILES.node));
  if (key.peerId !== folder.info.peerId) {
    throw folderErrors('other-owner', { folder: folder.path, found: folder.info.peerId, peer: key.peerId });
  }
  folder.lock(new Date(clock.now()).toISOString());
  const lifecycle = new Lifecycle({ log: logger });
  lifecycle.add('folder', { stop: async () => folder.unlock() });
  try {
    // Each part is there as soon as it is registered; what failed to open leaves nothing running behind it.
    await lifecycle.start();
    const storeFolder = folder.file('store');
    // What may refuse this start comes before the first change.
    refuseDamaged(storeFolder, { mustExist: folder.info.boot > 0, tables: false });
    const sealer = await openSealer(folder.file('sealing.key'), { random });
    const store = await openStore(storeFolder);
    lifecycle.add('store', { stop: () => store.close() });
    const info = folder.countStart();
    await lifecycle.start();

    const membership = new Membership(await readNetworkRecord(store));
    const ids = lifecycle.add(
      'ids',
      new IdSource(
        { clock, random, store, log: logger },
        { namespace: NODE_NAMESPACE.ids, nodeNumber: membership.record?.nodeNumber },
      ),
    );
    const unclaimed = new Set<string>();
    const localDirectory = new LocalDirectory({
      store,
      peerId: key.peerId,
      onClaimed: (account) => unclaimed.add(account),
    });
    // Epoch 0 in a network: made here before joining, and not taken by the network's directory.
    const directory = new CurrentDirectory(localDirectory, (account) => leases.current(account)?.epoch === 0);
    const leases = lifecycle.add(
      'leases',
      new HeldLeases({
        store,
        own: new LocalLeases({ signer: key, clock }),
        isOwn: (account) => membership.record === undefined || unclaimed.has(account),
      }),
    );
    for await (const account of localDirectory.accounts()) unclaimed.add(account);
    const coordinator = () => membership.record?.coordinator;
    const origins = new Origins({ leases, coordinator });
    const trust = createSegmentTrust({ signer: key, coordinator, origin: (account) => origins.of(account) });
    const log = lifecycle.add(
      'account log',
      await openAccountLog({ store, clock, random, log: logger, leases, trust }, { folder: storeFolder }),
    );
    const blobs = lifecycle.add(
      'blobs',
      await openBlobStore(
        { store, clock, log: logger, random },
        {
          folder: folder.file('blobs'),
          minFreeBytes: options['storage.minFreeBytes'],
          capacityBytes: options['storage.capacityBytes'],
        },
      ),
    );
    const keyRing = new KeyRing(sealer, { random });
    if (membership.record) keyRing.use(membership.record.networkKey);
    const accounts = lifecycle.add(
      'accounts',
      new Accounts(
        {
          store,
          accountLog: log,
          leases,
          directory,
          ids,
          clock,
          random,
          signer: key,
          sealer: keyRing,
          trust: () => {
            const coordinator = membership.record?.coordinator;
            return {
              issuers: coordinator ? [coordinator, key.peerId] : [key.peerId],
              coordinator,
              admits: (peer) => membership.admits(peer),
            };
          },
        },
        { passwordHashing: options.passwordHashing, sessionHours: options.sessionHours },
      ),
    );
    await lifecycle.start();
    return {
      options,
      runtime,
      folder,
      info,
      key,
      store,
      ids,
      log,
      blobs,
      leases,
      origins,
      directory,
      localDirectory,
      keyRing,
      accounts,
      membership,
      lifecycle,
    };
  } catch (error) {
    await lifecycle.stop();
    throw error;
  }
}
