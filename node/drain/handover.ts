/** The coordinator's side of a drain as core sees it; the door is peers/handover-client.ts. Every call may be repeated. */
import type { CompareAnswer, InventoryItem } from '../../protocol/wire/calls/handover.js';

export interface NewHome {
  home: string;
  /** The institution. */
  name: string;
  epoch: number;
  url: string | null;
  reasons: string[];
}

export interface UnsafeItem {
  kind: InventoryItem['kind'];
  id: string;
  reason: string;
}

export interface Unsafe {
  objects: number;
  bytes: number;
  /** The first of them. */
  first: UnsafeItem[];
}

/** Errors of all: `drain/away` when the coordinator cannot be asked, and what it refuses (`handover/…`, `directory/…`). */
export interface Handover {
  /** Whether a call has a chance now. */
  reachable(): boolean;
  /** What an announcement would meet now: holders wanted, institutions that serve besides this one. */
  terms(signal: AbortSignal): Promise<{ copies: number; domains: number }>;
  announce(
    acceptCopies: number | undefined,
    signal: AbortSignal,
  ): Promise<{ copies: number; domains: number; accounts: number }>;
  rehome(account: string, signal: AbortSignal): Promise<NewHome>;
  inventory(page: number, items: readonly InventoryItem[], last: boolean, signal: AbortSignal): Promise<number>;
  /** Begins the comparison of what was sent, and says how far it is; a higher round looks again at what lacked copies. */
  compare(root: string, round: number, signal: AbortSignal): Promise<CompareAnswer>;
  /** Error: `handover/not-compared`. */
  receipt(root: string, signal: AbortSignal): Promise<string>;
  cancel(signal: AbortSignal): Promise<void>;
}
