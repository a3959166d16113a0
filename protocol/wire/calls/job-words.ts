/**
 * `/galaxy/handover/1`, between nodes: what an executor and an account's home say to each other about jobs, beside the
 * outcome itself (outcome.ts). Both may be repeated. See docs/protocol/handover.md.
 */
import { z } from 'zod';
import { defineCall } from '../rpc.js';
import { entityId, words } from './shapes.js';

/** Ids of one question. */
export const JOB_WORDS_MAX = 500;

/** The executor to the home: no outcome will come of this job from me. */
export const gaveUpCall = defineCall({
  protocol: 'handover',
  name: 'gave-up',
  request: z.object({ account: entityId, job: entityId, reason: words }),
  response: z.object({}),
});

/** The home to an executor: do you still have these jobs? Those that it does not know are `unknown`. */
export const jobWordsCall = defineCall({
  protocol: 'handover',
  name: 'job-words',
  request: z.object({
    jobs: z.array(z.object({ account: entityId, job: entityId })).max(JOB_WORDS_MAX),
  }),
  response: z.object({
    /** In the order of the request. */
    words: z.array(z.enum(['running', 'finished', 'unknown'])).max(JOB_WORDS_MAX),
  }),
});
