/**
 * A drain's steps in their order, built from the parts of a node that belongs to a network. The order is the promise:
 * accounts leave before jobs are waited for (their outcomes go to the new homes), everything that writes has ended before
 * the freeze, and the inventory is one of a node that no longer changes.
 */
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { AccountLog, LeaseSource } from '../../protocol/log/account-log.js';
import { type Clock, deadline } from '../../protocol/runtime/clock.js';
import { isDomainError } from '../../protocol/runtime/errors.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { BlobLane, Holders } from '../replication/holders.js';
import type { Ledger } from '../replication/ledger.js';
import { AccountsStep, type LeavingHomes } from './accounts.js';
import { AnnounceStep } from './announce.js';
import { DataStep, type LeavingCopies } from './data.js';
import { FreezeStep } from './freeze.js';
import type { DrainGate } from './gate.js';
import type { Handover } from './handover.js';
import { InventoryStep } from './inventory.js';
import { JobsStep } from './jobs.js';
import type { Drainable } from './part.js';
import { type DrainPlan, planDrain } from './plan.js';
import { ReceiptStep, readReceipt, receiptText } from './receipt.js';
import { type LeavingJobs, type LeavingUploads, UploadsStep } from './uploads.js';

export interface LeavingDeps {
  handover: Handover;
  gate: DrainGate;
  uploads: LeavingUploads;
  jobs: LeavingJobs & { counts(): { queued: number; running: number } };
  homes: LeavingHomes;
  log: Pick<AccountLog, 'accounts' | 'vector'>;
  leases: LeaseSource & { accounts(): string[] };
  /** Accounts that the directory has at home here. */
  assigned: () => AsyncIterable<string>;
  blobs: Pick<BlobStore, 'list' | 'has' | 'damaged'>;
  ledger: DataDepsLedger;
  lane: Pick<BlobLane, 'have'>;
  offerAccount: (peer: string, account: string, signal: AbortSignal) => Promise<unknown>;
  holders: Holders;
  copies: LeavingCopies & { bytesPerSecond(): number | undefined };
  clock: Clock;
  logger: Logger;
}

type DataDepsLedger = Pick<Ledger, 'track' | 'blob' | 'confirmBlobs' | 'lapse' | 'onChange'>;

export interface LeavingOptions {
  /** PeerIds. */
  node: string;
  coordinator: string;
  /** The number of this start. */
  boot: number;
  /** This node's institution. */
  domain: string;
  copies: number;
  /** How long the whole may take; steps that wait for users and jobs take a part of it. */
  deadlineMs: number;
}

/** What drain.ts needs of a node in a network. */
export interface Leaving {
  readonly steps: readonly Drainable[];
  cancel(signal: AbortSignal): Promise<void>;
  plan(copies: number | undefined, signal?: AbortSignal): Promise<DrainPlan>;
  /** What a receipt says, and what the operator should know beside it. */
  explain(receipt: string): string[];
}

const UPLOADS_MS = 10 * 60_000;
const JOBS_MS = 60 * 60_000;
const TERMS_MS = 10_000;

export function createLeaving(deps: LeavingDeps, options: LeavingOptions): Leaving {
  const { handover, gate, uploads, jobs, homes, log, leases, blobs, clock, logger } = deps;
  const { node, coordinator, boot, domain, copies, deadlineMs } = options;
  const data = new DataStep({ ...deps }, { domain, copies });
  const accounts = new AccountsStep(deps);
  const inventory = new InventoryStep({ log, blobs, handover });
  const steps: Drainable[] = [
    new AnnounceStep({ handover, gate, copying: data }),
    new UploadsStep({ uploads, jobs, clock }, { uploadsMs: Math.min(UPLOADS_MS, deadlineMs / 4) }),
    accounts,
    new JobsStep({ jobs, clock }, { jobsMs: Math.min(JOBS_MS, deadlineMs / 2) }),
    new FreezeStep({ gate, accounts, homes, jobs, writable: () => writableAccounts(log, leases) }),
    data,
    inventory,
    new ReceiptStep({
      handover,
      inventory,
      data,
      check: (receipt, root) => readReceipt(receipt, { coordinator, node, root, boot }),
      clock,
    }),
  ];
  return {
    steps,
    cancel: (signal) => handover.cancel(signal),
    plan: (accept, signal) =>
      planDrain(
        {
          log,
          leases,
          blobs,
          ledger: deps.ledger,
          holders: deps.holders,
          jobs,
          terms: () => termsOf(handover, deadline(TERMS_MS, signal)),
          bytesPerSecond: () => deps.copies.bytesPerSecond(),
        },
        { acceptCopies: accept, copies, domain },
        signal,
      ),
    explain: (receipt) => {
      const lines = receiptText(readReceipt(receipt, { coordinator, node, root: inventory.root, boot }));
      const local = accounts.local();
      if (local.length === 0) return lines;
      logger.warn({ accounts: local.slice(0, 100) }, 'accounts of this node alone have no new home');
      return [
        ...lines,
        `${local.length} account(s) of this node alone have no new home: their e-mail address belongs to another account of the network. Their data is held by other nodes; nobody can sign in to them until this node is back.`,
      ];
    },
  };
}

/** Undefined: the coordinator cannot be asked now. */
async function termsOf(handover: Pick<Handover, 'terms'>, signal: AbortSignal) {
  try {
    return await handover.terms(signal);
  } catch (error) {
    if (isDomainError(error, 'drain/away')) return undefined;
    throw error;
  }
}

async function* writableAccounts(log: Pick<AccountLog, 'accounts'>, leases: LeaseSource): AsyncGenerator<string> {
  for await (const account of log.accounts()) if (leases.current(account) !== undefined) yield account;
}
