/**
 * `/galaxy/handover/1`, between nodes: an executor reports a job's outcome to the account's current home, from its durable
 * outbox. Acknowledged when the entry is fsynced and its blobs are at the home. See docs/protocol/handover.md.
 */
import { z } from 'zod';
import { entrySchemas } from '../../account/entries.js';
import { defineCall } from '../rpc.js';
import { entityId } from './shapes.js';

export const outcomeCall = defineCall({
  protocol: 'handover',
  name: 'outcome',
  request: z.object({ account: entityId, outcome: entrySchemas['job.outcome'] }),
  response: z.object({}),
});
