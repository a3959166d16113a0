/**
 * How far each node says it wrote each account. Beside what the repository has, it tells what is missing and where: after
 * a crash the user is told "2 datasets and 1 history wait at Uppsala" instead of nothing. Memory only: a coordinator that
 * restarts hears of later changes, and of earlier ones when their node comes back and brings them.
 */
import { countThings, type Thing, type ThingCounts } from '../protocol/account/things.js';
import type { Vector } from '../protocol/log/account-log.js';
import { segmentKeyText } from '../protocol/log/entry.js';
import type { AccountHead } from '../protocol/wire/calls/register.js';

const ACCOUNTS_MAX = 100_000;
/** A node that restarts often has many segments; the last ones count. */
const SEGMENTS_PER_ACCOUNT_MAX = 64;

/** The ones changed last: what is older has usually been copied. */
const THINGS_PER_SEGMENT_MAX = 200;

interface Head {
  peer: string;
  seq: number;
  /** Undefined: the node does not say. */
  things: Map<string, Thing & { seq: number }> | undefined;
}

export interface Missing {
  /** Things, or entries when the node did not say what they are. */
  changes: number;
  things: ThingCounts;
}

export class Heads {
  /** account → segment → head; the account heard of last is the last one. */
  private readonly accounts = new Map<string, Map<string, Head>>();

  observe(peer: string, heads: readonly AccountHead[]): void {
    for (const { seq, things, ...key } of heads) {
      const segments = this.accounts.get(key.account) ?? new Map<string, Head>();
      this.accounts.delete(key.account);
      this.accounts.set(key.account, segments);
      const name = segmentKeyText(key);
      const known = segments.get(name);
      if (known === undefined || known.seq < seq) {
        segments.set(name, { peer, seq, things: things && merged(known?.things, things) });
      }
      const oldest = segments.keys().next().value;
      if (segments.size > SEGMENTS_PER_ACCOUNT_MAX && oldest !== undefined) segments.delete(oldest);
    }
    while (this.accounts.size > ACCOUNTS_MAX) this.accounts.delete(this.accounts.keys().next().value as string);
  }

  /** PeerId → what `vector` lacks of it, where that is anything a person would miss. */
  missing(account: string, vector: Vector): Map<string, Missing> {
    const lacking = new Map<string, { unnamed: number; things: Thing[] }>();
    for (const [segment, { peer, seq, things }] of this.accounts.get(account) ?? []) {
      const has = vector[segment]?.seq ?? 0;
      if (seq <= has) continue;
      const lacks = lacking.get(peer) ?? { unnamed: 0, things: [] };
      lacking.set(peer, lacks);
      if (things === undefined) lacks.unnamed += seq - has;
      else for (const thing of things.values()) if (thing.seq > has) lacks.things.push(thing);
    }
    const missing = new Map<string, Missing>();
    for (const [peer, { unnamed, things }] of lacking) {
      const counts = countThings(things);
      const changes = unnamed + Object.values(counts).reduce((sum, count) => sum + count, 0);
      if (changes > 0) missing.set(peer, { changes, things: counts });
    }
    return missing;
  }
}

function merged(
  known: Head['things'],
  news: readonly (Thing & { seq: number })[],
): Map<string, Thing & { seq: number }> {
  const things = known ?? new Map<string, Thing & { seq: number }>();
  for (const thing of news) {
    const name = `${thing.kind}/${thing.id}`;
    things.delete(name);
    things.set(name, thing);
  }
  while (things.size > THINGS_PER_SEGMENT_MAX) things.delete(things.keys().next().value as string);
  return things;
}
