/** The control command `drain`: begins one or joins in, reports, and answers how it ended. */

import { z } from 'zod';
import type { ControlHandler } from '../../protocol/runtime/control.js';
import { check, sentenceOf } from '../../protocol/runtime/schema-words.js';
import type { Drain, DrainOutcome } from '../drain.js';
import { drainErrors } from './errors.js';
import type { Leaving } from './leaving.js';
import { planText } from './plan.js';
import { unsafeText } from './report.js';

export interface DrainAnswer extends Record<string, unknown> {
  text: string[];
  /** The exit code follows it. */
  safe: boolean;
}

const argumentsShape = z.object({
  dryRun: z.boolean().default(false),
  acceptCopies: z.number().int().min(1).max(10).nullish(),
  abandon: z.boolean().optional(),
  cancel: z.boolean().default(false),
});

export interface DrainCommandDeps {
  drain: Pick<Drain, 'begin' | 'cancel' | 'outcome' | 'onChange' | 'progress' | 'endAlone'>;
  leaving: () => Leaving | undefined;
  receiptPath: string;
}

export function drainCommand({ drain, leaving: current, receiptPath }: DrainCommandDeps): ControlHandler {
  return async (args, progress, signal): Promise<DrainAnswer> => {
    const { data, problem } = check(argumentsShape, args);
    if (problem !== undefined) throw drainErrors('bad-arguments', { reason: sentenceOf(problem) });
    const { dryRun, abandon, cancel } = data;
    const acceptCopies = data.acceptCopies ?? undefined;
    const leaving = current();
    if (leaving === undefined) {
      if (cancel) throw drainErrors('not-draining');
      if (!dryRun) drain.endAlone();
      return {
        text: ['This node belongs to no network: there is nobody to hand anything over to, and its data stays here.'],
        safe: true,
      };
    }
    if (cancel) {
      await drain.cancel();
      return {
        text: ['The drain was called off and the node serves. Accounts that have left stay at their new homes.'],
        safe: true,
      };
    }
    if (dryRun) {
      const plan = await leaving.plan(acceptCopies, signal);
      return { text: planText(plan), safe: plan.possible, plan };
    }
    const outcome = drain.outcome(signal);
    outcome.catch(() => {});
    const release = drain.onChange(() => progress(drain.progress()));
    try {
      await drain.begin({
        ...(abandon === undefined ? {} : { abandon }),
        ...(acceptCopies === undefined ? {} : { acceptCopies }),
      });
      return answerTo(await outcome, leaving, receiptPath);
    } finally {
      release();
    }
  };
}

/** A refusal is thrown as it came: it says what is missing and what can be done. */
function answerTo(outcome: DrainOutcome, leaving: Leaving, receiptPath: string): DrainAnswer {
  switch (outcome.is) {
    case 'drained':
      return {
        text: [
          'Everything is handed over and verified.',
          ...leaving.explain(outcome.receipt),
          `The receipt is in ${receiptPath}:`,
          outcome.receipt,
        ],
        safe: true,
        receipt: outcome.receipt,
      };
    case 'unsafe':
      return {
        text: [
          'The deadline has passed before everything was safe.',
          ...(outcome.unsafe === undefined
            ? ['The coordinator has not compared anything yet, so nothing here counts as safe.']
            : unsafeText(outcome.unsafe)),
          `The node is ${outcome.doing}.`,
          ...(outcome.waiting === undefined ? [] : [`Waiting: ${outcome.waiting}`]),
          outcome.abandoned
            ? 'Abandoned, as asked: the node ends. Keep its data folder; starting it again goes on with the drain.'
            : 'The node stays and goes on draining; `galaxy-node status` shows how far it is.',
        ],
        safe: false,
        ...(outcome.unsafe === undefined ? {} : { unsafe: outcome.unsafe }),
      };
    case 'called-off':
      return { text: ['The drain was called off.'], safe: false };
    case 'stopped':
      return { text: ['The node was stopped. The drain goes on at its next start.'], safe: false };
    case 'refused':
      throw outcome.error;
  }
}
