/** `drain --dry-run`: what a drain would hand over and whether it could; asked before anybody starts one. Changes nothing. */
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { AccountLog, LeaseSource } from '../../protocol/log/account-log.js';
import { counted, inBytes, inTime } from '../../protocol/runtime/amounts.js';
import { INVENTORY_ITEMS_MAX } from '../../protocol/wire/calls/handover.js';
import type { Holders } from '../replication/holders.js';
import { domainsOf, type Ledger } from '../replication/ledger.js';
import { otherDomains } from './data.js';

export interface Amount {
  blobs: number;
  bytes: number;
}

export interface DrainPlan {
  /** Whether a drain begun now would find enough holders. */
  possible: boolean;
  /** Why not, and what else should be known before. */
  reasons: string[];
  accounts: { home: number; held: number };
  total: Amount;
  /** Per the ledger no other holder that serves has it. */
  unique: Amount;
  /** Too few copies by the ledger: what would be copied. */
  lacking: Amount;
  /** Held for other nodes, or named by no entry; who else has it is asked in the drain. */
  unknown: Amount;
  jobs: { running: number; queued: number };
  copies: number;
  domains: number;
  bytesPerSecond: number | null;
  estimateMs: number | null;
}

export interface PlanDeps {
  log: Pick<AccountLog, 'accounts'>;
  leases: LeaseSource;
  blobs: Pick<BlobStore, 'list'>;
  ledger: Pick<Ledger, 'blob'>;
  holders: Holders;
  jobs: { counts(): { queued: number; running: number } };
  /** What the coordinator would ask for now; undefined while it cannot be asked. */
  terms: () => Promise<{ copies: number; domains: number } | undefined>;
  /** What the replicator has measured since the start. */
  bytesPerSecond: () => number | undefined;
}

export async function planDrain(
  deps: PlanDeps,
  { acceptCopies, copies: known, domain }: { acceptCopies: number | undefined; copies: number; domain: string },
  signal?: AbortSignal,
): Promise<DrainPlan> {
  const terms = await deps.terms();
  const wanted = terms?.copies ?? known;
  const copies = Math.min(acceptCopies ?? wanted, wanted);
  const domainOf = otherDomains(deps.holders, domain);
  const serving = deps.holders.list().filter((holder) => holder.serving && holder.domain !== domain);
  const domains = terms?.domains ?? new Set(serving.map((holder) => holder.domain)).size;
  const accounts = { home: 0, held: 0 };
  for await (const account of deps.log.accounts()) {
    if (deps.leases.current(account) === undefined) accounts.held += 1;
    else accounts.home += 1;
  }
  const [total, unique, lacking, unknown] = [nothing(), nothing(), nothing(), nothing()];
  for await (const { blob, size } of deps.blobs.list()) {
    signal?.throwIfAborted();
    add(total, size);
    const tracked = deps.ledger.blob(blob);
    if (tracked === undefined) {
      add(unknown, size);
      continue;
    }
    const found = domainsOf(tracked, domainOf).size;
    if (found === 0) add(unique, size);
    if (found < copies) add(lacking, size);
  }
  const bytesPerSecond = deps.bytesPerSecond() ?? null;
  const { queued, running } = deps.jobs.counts();
  const reasons: string[] = [];
  if (domains < copies) {
    reasons.push(
      `${counted(domains, 'other institution or repository', 'other institutions or repositories')} ${domains === 1 ? 'serves' : 'serve'} now, ${copies} are needed`,
    );
  }
  if (terms === undefined) reasons.push('the coordinator cannot be reached now; a drain would wait for it');
  const roomy = new Set(serving.filter(({ freeBytes }) => freeBytes >= lacking.bytes).map((holder) => holder.domain));
  if (domains >= copies && roomy.size < copies) {
    reasons.push(
      `only ${roomy.size} of ${domains} have room for the ${inBytes(lacking.bytes)} to copy; a drain may take longer or wait`,
    );
  }
  const needsHome = accounts.home > 0 && !serving.some(({ kind }) => kind === 'node');
  if (needsHome) reasons.push('no other node serves that could be the new home of the accounts');
  const isTooMuch = accounts.home + accounts.held + total.blobs > INVENTORY_ITEMS_MAX;
  if (isTooMuch) {
    reasons.push(
      `more than ${INVENTORY_ITEMS_MAX} objects and accounts are here: the coordinator compares no more at once`,
    );
  }
  return {
    possible: domains >= copies && !needsHome && !isTooMuch && terms !== undefined,
    reasons,
    accounts,
    total,
    unique,
    lacking,
    unknown,
    jobs: { running, queued },
    copies,
    domains,
    bytesPerSecond,
    estimateMs: lacking.bytes === 0 ? 0 : bytesPerSecond ? Math.ceil((lacking.bytes * 1000) / bytesPerSecond) : null,
  };
}

export function planText(plan: DrainPlan): string[] {
  const amount = ({ blobs, bytes }: Amount) => `${counted(blobs, 'object')}, ${inBytes(bytes)}`;
  const { accounts, total, unique, lacking, unknown, jobs, copies, domains, bytesPerSecond, estimateMs } = plan;
  const lines = [
    `Accounts at home here: ${accounts.home} (and the ${accounts.held === 1 ? 'log' : 'logs'} of ${counted(accounts.held, 'other')})`,
    `Data: ${amount(total)}`,
    `  only on this node: ${amount(unique)}`,
    `  to copy: ${amount(lacking)}`,
    ...(unknown.blobs > 0 ? [`  held for other nodes, asked about in the drain: ${amount(unknown)}`] : []),
    `Jobs: ${jobs.running} running, ${jobs.queued} waiting`,
    `Copies wanted: ${copies}; other institutions and repositories that serve: ${domains}`,
  ];
  if (estimateMs === 0) lines.push('Nothing has to be copied: a drain takes as long as its running jobs.');
  else if (estimateMs !== null && bytesPerSecond !== null) {
    lines.push(`Copying takes about ${inTime(estimateMs)}, at the ${inBytes(bytesPerSecond)}/s measured until now.`);
  } else lines.push('How long copying takes is not known: no rate was measured since the start.');
  for (const reason of plan.reasons) lines.push(`Note: ${reason}.`);
  lines.push(plan.possible ? 'A drain can begin now.' : 'A drain could not be completed now.');
  return lines;
}

function nothing(): Amount {
  return { blobs: 0, bytes: 0 };
}

function add(amount: Amount, size: number): void {
  amount.blobs += 1;
  amount.bytes += size;
}
