/** How far this node wrote each account since the coordinator was last told, and what; see coordinator/heads.ts. */
import { type Thing, thingsOf } from '../../protocol/account/things.js';
import type { AccountLog } from '../../protocol/log/account-log.js';
import { segmentKeyText } from '../../protocol/log/entry.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import { type AccountHead, DIGEST_THINGS_MAX, HEAD_THINGS_MAX } from '../../protocol/wire/calls/register.js';

/** Told oldest first; past this many segments the oldest news is dropped, and told again with the account's next change. */
const SEGMENTS_MAX = 50_000;

interface Written extends Omit<AccountHead, 'things'> {
  /** By kind and id; the one changed last is the last. */
  things: Map<string, Thing & { seq: number }>;
}

export class WrittenHeads implements Part {
  private readonly changed = new Map<string, Written>();
  private release: (() => void) | undefined;

  constructor(
    private readonly deps: {
      accountLog: Pick<AccountLog, 'onApplied'>;
      onWritten: () => void;
    },
  ) {}

  async start(): Promise<void> {
    this.release = this.deps.accountLog.onApplied(({ account, entries, own }) => {
      if (!own) return;
      for (const entry of entries) {
        const { epoch, writer, seq } = entry;
        const key = segmentKeyText({ account, epoch, writer });
        const written = this.changed.get(key) ?? { account, epoch, writer, seq, things: new Map() };
        this.changed.set(key, written);
        written.seq = seq;
        for (const thing of thingsOf(entry)) {
          const name = `${thing.kind}/${thing.id}`;
          written.things.delete(name);
          written.things.set(name, { ...thing, seq });
        }
        while (written.things.size > HEAD_THINGS_MAX)
          written.things.delete(written.things.keys().next().value as string);
      }
      if (this.changed.size > SEGMENTS_MAX) this.changed.delete(this.changed.keys().next().value as string);
      this.deps.onWritten();
    });
  }

  async stop(): Promise<void> {
    this.release?.();
  }

  /** At most `max`, and no more than a digest may name things; the others come with the next one. */
  take(max: number): AccountHead[] {
    const heads: AccountHead[] = [];
    let things = 0;
    for (const [key, written] of this.changed) {
      if (heads.length >= max || things + written.things.size > DIGEST_THINGS_MAX) break;
      this.changed.delete(key);
      things += written.things.size;
      heads.push({ ...written, things: [...written.things.values()] });
    }
    return heads;
  }
}
