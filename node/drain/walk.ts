/**
 * From the first step to the receipt: each step is begun, run and journalled in order; one that finds an earlier one
 * broken sends the walk back to it; one that cannot go on is tried again, with growing pauses, for as long as it takes.
 */
import type { Clock } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Random } from '../../protocol/runtime/random.js';
import { backoffMs, type Wakeup } from '../replication/wakeup.js';
import type { DrainJournal, JournalRecord } from './journal.js';
import type { Drainable, StepContext, StepResult } from './part.js';
import type { DrainView } from './view.js';

export interface WalkDeps {
  steps: readonly Drainable[];
  journal: DrainJournal;
  view: DrainView;
  wakeup: Wakeup;
  /** Keeps the receipt; the walk is over when it resolves. */
  complete: (receipt: string) => Promise<void>;
  /** Undoes everything; rejects when that is not possible now, and the drain waits like for anything else. */
  refuse: () => Promise<void>;
  clock: Clock;
  random: Random;
  logger: Logger;
}

export type WalkEnd = { receipt: string } | { refused: unknown };

/** Rejects only when the signal aborts. */
export async function walk(deps: WalkDeps, signal: AbortSignal): Promise<WalkEnd> {
  const { steps, view, wakeup, random, logger } = deps;
  let index = 0;
  let setbacks = 0;
  for (;;) {
    signal.throwIfAborted();
    const step = steps[index];
    if (step === undefined) throw new Error('the last step of a drain gave no receipt');
    let problem: unknown;
    try {
      const result = await take(deps, step, signal);
      if (result === undefined) {
        index += 1;
        // A round of copying and comparing is no new beginning.
        if (view.notSafe === undefined) setbacks = 0;
        continue;
      }
      if ('receipt' in result) {
        await deps.complete(result.receipt);
        return result;
      }
      index = indexOf(steps, result.backTo);
    } catch (error) {
      signal.throwIfAborted();
      problem = error;
      if (recordOf(deps.journal).done.length === 0 && step.refuses?.(error)) {
        try {
          await deps.refuse();
          return { refused: error };
        } catch (failure) {
          problem = failure;
        }
      }
    }
    setbacks += 1;
    if (problem !== undefined) {
      const reason = describeError(problem);
      view.waitsFor(reason);
      logger.warn({ step: step.name, reason, setbacks }, 'a drain waits');
    }
    await wakeup.wait(signal, backoffMs(setbacks, random.float()));
  }
}

/** After a restart: what was closed is closed before anybody comes in. */
export async function shutDoors(deps: Omit<WalkDeps, 'complete' | 'refuse' | 'random' | 'wakeup'>) {
  for (const step of deps.steps) {
    if (!recordOf(deps.journal).done.includes(step.name)) continue;
    await step.begin?.(contextOf(deps, step, new AbortController().signal)).catch((error: unknown) => {
      // It is run again in its turn, and tried until it can.
      deps.logger.warn({ step: step.name, reason: describeError(error) }, 'a step of the drain did not resume');
    });
  }
}

async function take(deps: WalkDeps, step: Drainable, signal: AbortSignal): Promise<StepResult> {
  const { journal, view, clock, logger } = deps;
  const { name } = step;
  view.enter(step);
  if (recordOf(journal).begun[name] === undefined) {
    const now = clock.now();
    await journal.update((record) => ({ ...known(record), begun: { ...known(record).begun, [name]: now } }));
  }
  const context = contextOf(deps, step, signal);
  await step.begin?.(context);
  const result = await step.run(context);
  // What was halted meanwhile is not written down: a later word may have undone it.
  signal.throwIfAborted();
  if (result !== undefined) return result;
  if (!recordOf(journal).done.includes(name)) {
    await journal.update((record) => ({ ...known(record), done: [...known(record).done, name] }));
  }
  logger.info({ step: name }, 'a step of the drain holds');
  return undefined;
}

function contextOf(
  { journal, view, clock }: Pick<WalkDeps, 'journal' | 'view' | 'clock'>,
  step: Drainable,
  signal: AbortSignal,
): StepContext {
  const { acceptCopies, begun } = recordOf(journal);
  return {
    signal,
    acceptCopies,
    since: begun[step.name] ?? clock.now(),
    report: (left) => {
      if (!signal.aborted) view.report(left);
    },
    unsafe: (unsafe) => {
      if (!signal.aborted) view.found(unsafe);
    },
  };
}

function recordOf(journal: DrainJournal): Readonly<JournalRecord> {
  return known(journal.record);
}

function known(record: Readonly<JournalRecord> | undefined): Readonly<JournalRecord> {
  if (record === undefined) throw new Error('no drain is journalled');
  return record;
}

function indexOf(steps: readonly Drainable[], name: string): number {
  const index = steps.findIndex((step) => step.name === name);
  if (index < 0) throw new Error(`a drain has no step ${name}`);
  return index;
}
