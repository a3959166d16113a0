/**
 * The main repository: a blob store and an account log without users of its own. It takes every account's entries and
 * blobs from their homes, and is one holder in a failure domain of its own: preferred, never required.
 */

import type { BlobAccess } from '../protocol/blobs/access.js';
import type { BlobStore } from '../protocol/blobs/blob.js';
import { openBlobStore } from '../protocol/blobs/blob-store.js';
import { serveBlobs } from '../protocol/blobs/serve.js';
import type { AccountLog } from '../protocol/log/account-log.js';
import { type LogExchangePolicy, serveLog } from '../protocol/log/exchange.js';
import { whyNotOrigin } from '../protocol/log/origin.js';
import { createSegmentTrust } from '../protocol/log/segment-trust.js';
import { openAccountLog } from '../protocol/log/store-account-log.js';
import type { Clock } from '../protocol/runtime/clock.js';
import type { Host } from '../protocol/runtime/host.js';
import type { Part } from '../protocol/runtime/lifecycle.js';
import type { Logger } from '../protocol/runtime/logger.js';
import type { Random } from '../protocol/runtime/random.js';
import type { Store } from '../protocol/runtime/store.js';
import type { Signer } from '../protocol/trust/identity.js';
import type { MemberList } from '../protocol/trust/members.js';
import type { Directory } from './directory.js';
import type { Registry } from './registry.js';

export interface RepositoryDeps {
  store: Store;
  clock: Clock;
  random: Random;
  log: Logger;
  signer: Signer;
  host: Pick<Host, 'handle'>;
  members: Pick<MemberList, 'admits'>;
  directory: Pick<Directory, 'homeOf' | 'byId'>;
  registry: Pick<Registry, 'get'>;
}

export interface RepositoryOptions {
  /** Of the blobs. */
  folder: string;
  storeFolder: string;
  /** New at every init or restore. */
  storeId: string;
  capacityBytes: number | null;
  minFreeBytes: number;
}

export class Repository implements Part {
  private opened: { blobs: BlobStore; accounts: AccountLog } | undefined;

  constructor(
    private readonly deps: RepositoryDeps,
    private readonly options: RepositoryOptions,
  ) {}

  get blobs(): BlobStore {
    return this.parts.blobs;
  }

  get accounts(): AccountLog {
    return this.parts.accounts;
  }

  async start(): Promise<void> {
    const { store, clock, random, log, signer, host } = this.deps;
    const { folder, storeFolder, storeId, capacityBytes, minFreeBytes } = this.options;
    const blobs = await openBlobStore({ store, clock, random, log }, { folder, capacityBytes, minFreeBytes });
    const accounts = await openAccountLog(
      {
        store,
        clock,
        random,
        log,
        // Home of nobody: it writes no entry of its own.
        leases: { current: () => undefined },
        trust: createSegmentTrust({ signer, coordinator: () => signer.peerId }),
      },
      { folder: storeFolder },
    );
    await blobs.start?.();
    await accounts.start?.();
    this.opened = { blobs, accounts };
    await serveLog({ host, log: accounts, store, clock, logger: log, storeId, policy: this.logPolicy() });
    await serveBlobs({ host, blobs, access: this.blobAccess(), clock, log }, { storeId });
  }

  async stop(): Promise<void> {
    await this.opened?.accounts.stop?.();
    await this.opened?.blobs.stop?.();
    this.opened = undefined;
  }

  usage(): { blobs: number; bytes: number; freeBytes: number } {
    return this.opened?.blobs.usage() ?? { blobs: 0, bytes: 0, freeBytes: 0 };
  }

  /** An account's log goes to its home and to those who follow that home. Entries come from any member: they are signed. */
  private logPolicy(): LogExchangePolicy {
    const { directory, registry } = this.deps;
    return {
      mayRead: (peer, account) => {
        const home = directory.homeOf(account);
        if (home === peer) return undefined;
        const partners = home === undefined ? [] : (registry.get(home)?.logPartners ?? []);
        return partners.includes(peer) ? undefined : "it is neither the account's home nor follows it";
      },
      // A leaver brings its accounts' logs here, and to do so asks how far they are; it gets no entry.
      mayCompare: (peer) =>
        registry.get(peer)?.record.state === 'draining' ? this.refusal(peer) : 'it is not leaving the network',
      mayPush: (peer) => this.refusal(peer),
      mayStore: async (peer, { account, node }) => whyNotOrigin({ node, pusher: peer }, await directory.byId(account)),
    };
  }

  /** Which account a blob belongs to is in the logs; until it is indexed here, every member is trusted with an id it knows. */
  private blobAccess(): BlobAccess {
    const verdict = (peer: string) => {
      const reason = this.refusal(peer);
      return reason === undefined ? ({ allowed: true } as const) : ({ allowed: false, reason } as const);
    };
    return { mayServe: verdict, mayHold: verdict };
  }

  private refusal(peer: string): string | undefined {
    return this.deps.members.admits(peer, this.deps.clock.now()) ? undefined : 'it is not a member';
  }

  private get parts(): { blobs: BlobStore; accounts: AccountLog } {
    if (this.opened === undefined) throw new Error('the repository is not started');
    return this.opened;
  }
}
