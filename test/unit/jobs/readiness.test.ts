import { expect, it } from 'vitest';
import { readiness } from '../../../node/jobs/readiness.js';
import type { AccountView, CollectionRecord, JobRecord } from '../../../protocol/account/records.js';

const MAKER = '00000000000000c1';

const job = (change: Partial<JobRecord> = {}): JobRecord => ({
  id: MAKER,
  tool: 'pieces',
  toolVersion: '1',
  history: '00000000000000b1',
  params: {},
  inputs: {},
  outputs: {},
  createdAt: 1,
  attempts: {},
  cancelled: false,
  applied: 1,
  ...change,
});

const outcome = (state: 'ok' | 'error', message?: string): Partial<JobRecord> => ({
  outcome: {
    epoch: 0,
    attempt: 1,
    state,
    executor: 'x',
    exitCode: 0,
    commandLine: '',
    stdout: '',
    stderr: '',
    startedAt: 1,
    endedAt: 2,
    outputs: {},
    ...(message ? { message } : {}),
  },
});

function ready(maker: JobRecord) {
  const parts: CollectionRecord = {
    id: '00000000000000e1',
    history: maker.history,
    hid: 4,
    name: 'parts',
    collectionType: 'list',
    elements: [],
    createdAt: 1,
    applied: 1,
    discovered: true,
    job: MAKER,
  };
  const records = new Map<string, unknown>([
    [`collection/${parts.id}`, parts],
    [`job/${MAKER}`, maker],
  ]);
  const view = { get: (kind: string, id: string) => records.get(`${kind}/${id}`) } as unknown as AccountView;
  const taker = job({ id: '00000000000000c2', inputs: { parts: [{ kind: 'collection', id: parts.id }] } });
  return readiness(view, taker, { hasBlob: () => true, isPaused: () => false });
}

it('a job waits for the job that is to find what is in its collection', () => {
  expect(ready(job())).toEqual({ is: 'waiting', reason: 'waiting for collection 4', jobs: [MAKER] });
});

it('a job whose collection was found to be empty is ready', () => {
  expect(ready(job(outcome('ok')))).toEqual({ is: 'ready' });
});

it('a job whose collection could not be made is paused, with the reason', () => {
  expect(ready(job(outcome('error', 'no space left')))).toEqual({
    is: 'paused',
    reason: 'collection 4 could not be made: no space left',
    jobs: [MAKER],
  });
});
