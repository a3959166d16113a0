/** A drain under way, on disk: each step is written down before the next begins, so that a killed one goes on. */
import { z } from 'zod';
import { readJson, type Store } from '../../protocol/runtime/store.js';
import { NODE_NAMESPACE } from '../namespaces.js';

const KEY = 'state';

const shape = z.object({
  phase: z.enum(['draining', 'drained']),
  startedAt: z.number(),
  deadlineAt: z.number(),
  acceptCopies: z.number().int().positive().optional(),
  abandon: z.boolean(),
  /** Steps that held, in the order in which they first did. */
  done: z.array(z.string().max(64)).max(64),
  /** Step → when it was first begun. */
  begun: z.record(z.string().max(64), z.number()),
  receipt: z.string().optional(),
});
export type JournalRecord = z.output<typeof shape>;

export class DrainJournal {
  private current: JournalRecord | undefined;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly deps: { store: Pick<Store, 'get' | 'commit'> }) {}

  get record(): Readonly<JournalRecord> | undefined {
    return this.current;
  }

  async load(): Promise<void> {
    const bytes = await this.deps.store.get(NODE_NAMESPACE.drain, KEY);
    this.current = bytes === undefined ? undefined : shape.parse(readJson(bytes));
  }

  /** In memory only once it is on disk; one change after the other, so that none is lost. */
  update(change: (record: Readonly<JournalRecord> | undefined) => JournalRecord): Promise<void> {
    const mine = this.turn.then(async () => {
      const next = shape.parse(change(this.current));
      await this.deps.store.commit([{ ns: NODE_NAMESPACE.drain, key: KEY, value: JSON.stringify(next) }]);
      this.current = next;
    });
    this.turn = mine.catch(() => {});
    return mine;
  }

  clear(): Promise<void> {
    const mine = this.turn.then(async () => {
      await this.deps.store.commit([{ ns: NODE_NAMESPACE.drain, key: KEY, delete: true }]);
      this.current = undefined;
    });
    this.turn = mine.catch(() => {});
    return mine;
  }
}
