/**
 * Who should hold what: pure. Rendezvous hashing weighted by configured capacity (Thaler and Ravishankar 1998; weights
 * as in Schindelhauer and Schomaker 2005), other institutions first, the repository preferred and never required. Free
 * space is a filter, not a weight: a weight that changes each hour would move everything each hour. What was placed is
 * recorded in the ledger and not recomputed.
 */
import { createHash } from 'node:crypto';
import type { Holder } from './holders.js';

export interface PlacementRequest {
  /** What is placed: a blob id, or a PeerId for its log partners. */
  key: string;
  sizeBytes: number;
  /** Copies wanted, each in a domain of its own. */
  copies: number;
  ownDomain: string;
  /** Domains that hold a confirmed copy already. */
  placedDomains: ReadonlySet<string>;
  /** Institutions that may hold data of this node; undefined: all. The repository is always allowed. */
  maySendTo: readonly string[] | null;
}

export interface Placement {
  /** In the order to try. */
  chosen: Holder[];
  /** Why each other candidate was passed over. */
  passedOver: { peer: string; reason: string }[];
  /** Copies that could not be placed for want of domains. */
  missing: number;
}

export function place(request: PlacementRequest, candidates: readonly Holder[]): Placement {
  const passedOver: Placement['passedOver'] = [];
  const fit = candidates.filter((candidate) => {
    const reason = unfit(request, candidate);
    if (reason) passedOver.push({ peer: candidate.peer, reason });
    return reason === undefined;
  });
  const ranked = fit
    .map((candidate) => ({ candidate, score: score(request.key, candidate) }))
    .sort((a, b) => b.score - a.score || (a.candidate.peer < b.candidate.peer ? -1 : 1));
  const domains = new Set(request.placedDomains);
  const wanted = Math.max(0, request.copies - domains.size);
  const chosen: Holder[] = [];
  for (const { candidate } of ranked) {
    if (domains.has(candidate.domain)) {
      passedOver.push({ peer: candidate.peer, reason: `${candidate.domain} holds a copy already` });
    } else if (chosen.length >= wanted) {
      passedOver.push({ peer: candidate.peer, reason: 'enough copies' });
    } else {
      chosen.push(candidate);
      domains.add(candidate.domain);
    }
  }
  return { chosen, passedOver, missing: wanted - chosen.length };
}

function unfit(request: PlacementRequest, candidate: Holder): string | undefined {
  if (!candidate.serving) return 'not serving';
  if (!candidate.connected) return 'not connected';
  if (candidate.freeBytes < request.sizeBytes) return 'not enough free space';
  if (candidate.kind === 'repository') return undefined;
  if (candidate.domain === request.ownDomain) return 'same institution';
  if (request.maySendTo !== null && !request.maySendTo.includes(candidate.domain))
    return 'not among replication.maySendTo';
  return undefined;
}

/** The repository is above every node; nodes draw capacity / -ln(u) with u uniform by hash of (key, peer). */
function score(key: string, candidate: Holder): number {
  if (candidate.kind === 'repository') return Number.POSITIVE_INFINITY;
  const digest = createHash('sha256').update(key).update('\0').update(candidate.peer).digest();
  const uniform = (digest.readUIntBE(0, 6) + 0.5) / 2 ** 48;
  return Math.max(1, candidate.capacityBytes) / -Math.log(uniform);
}
