/**
 * How far each node says it wrote each account. Beside what the repository has, it tells what is missing and where: after
 * a crash the user is told "3 changes wait at Uppsala" instead of nothing. Memory only: a coordinator that restarts hears
 * of later changes, and of earlier ones when their node comes back and brings them.
 */
import type { Vector } from '../protocol/log/account-log.js';
import { segmentKeyText } from '../protocol/log/entry.js';
import type { AccountHead } from '../protocol/wire/calls/register.js';

const ACCOUNTS_MAX = 100_000;
/** A node that restarts often has many segments; the last ones count. */
const SEGMENTS_PER_ACCOUNT_MAX = 64;

interface Head {
  peer: string;
  seq: number;
}

export class Heads {
  /** account → segment → head; the account heard of last is the last one. */
  private readonly accounts = new Map<string, Map<string, Head>>();

  observe(peer: string, heads: readonly AccountHead[]): void {
    for (const { seq, ...key } of heads) {
      const segments = this.accounts.get(key.account) ?? new Map<string, Head>();
      this.accounts.delete(key.account);
      this.accounts.set(key.account, segments);
      const name = segmentKeyText(key);
      const known = segments.get(name);
      if (known === undefined || known.seq < seq) segments.set(name, { peer, seq });
      const oldest = segments.keys().next().value;
      if (segments.size > SEGMENTS_PER_ACCOUNT_MAX && oldest !== undefined) segments.delete(oldest);
    }
    while (this.accounts.size > ACCOUNTS_MAX) this.accounts.delete(this.accounts.keys().next().value as string);
  }

  /** PeerId → entries that `vector` lacks of it. */
  missing(account: string, vector: Vector): Map<string, number> {
    const missing = new Map<string, number>();
    for (const [segment, { peer, seq }] of this.accounts.get(account) ?? []) {
      const lacks = seq - (vector[segment]?.seq ?? 0);
      if (lacks > 0) missing.set(peer, (missing.get(peer) ?? 0) + lacks);
    }
    return missing;
  }
}
