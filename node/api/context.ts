/**
 * What route files may use, and who is calling. Route files take `Pick<ApiDeps, …>` of what they need, validate with
 * zod, call core, and shape the answer; they decide nothing.
 */
import type { FastifyInstance } from 'fastify';
import type { AccountView } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Random } from '../../protocol/runtime/random.js';
import type { Accounts } from '../accounts/accounts.js';
import type { Collections } from '../datasets/collections.js';
import type { Datasets } from '../datasets/datasets.js';
import type { Datatypes } from '../datasets/datatypes.js';
import type { Uploads } from '../datasets/uploads.js';
import type { Histories } from '../histories/histories.js';
import type { JobService } from '../jobs/job.js';
import type { NodeOptions } from '../options.js';
import type { DataTables } from '../toolbox/data-tables/data-tables.js';
import type { Toolbox } from '../toolbox/tool.js';
import type { UserTools } from '../toolbox/user-tool/user-tools.js';

export interface ApiDeps {
  options: NodeOptions;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Name and PeerId of this node; every answer carries `X-Galaxy-Node`. */
  identity: { name: string; peerId: string };
  accounts: Accounts;
  histories: Histories;
  datasets: Datasets;
  collections: Collections;
  uploads: Uploads;
  datatypes: Datatypes;
  toolbox: Toolbox;
  userTools: UserTools;
  tables: Pick<DataTables, 'table'>;
  jobs: JobService;
  blobs: BlobStore;
}

/** Set on each request before its handler runs (`request.caller`). */
export interface Caller {
  /** Undefined: anonymous, or the master key without `run_as`. */
  account: string | undefined;
  /** The caller's own things; loaded when `account` is set. */
  view: AccountView | undefined;
  admin: boolean;
  via: 'session' | 'api-key' | 'master-key' | 'anonymous';
}

export type Routes<K extends keyof ApiDeps> = (app: FastifyInstance, deps: Pick<ApiDeps, K>) => void;

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
  }
}
