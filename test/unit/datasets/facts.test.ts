import { expect, it } from 'vitest';
import { LocalJobActivity } from '../../../node/datasets/activity.js';
import { copyDraft } from '../../../node/datasets/copies.js';
import { collectionFacts, datasetFacts, type JobActivity } from '../../../node/datasets/facts.js';
import { uuidOf } from '../../../node/datasets/uuid.js';
import type { JobState, LocalJobState } from '../../../node/jobs/job.js';
import { entrySchemas } from '../../../protocol/account/entries.js';
import type { AccountView, DatasetRecord, JobRecord } from '../../../protocol/account/records.js';
import { ManualClock } from '../../support/manual-clock.js';

const quiet: JobActivity = { local: () => undefined, touchedAt: () => 0 };
const JOB = '00000000000000c1';

const dataset: DatasetRecord = {
  id: '00000000000000d1',
  history: '00000000000000b1',
  hid: 3,
  uuid: 'u',
  createdAt: 10,
  job: JOB,
  output: 'out',
  name: 'a dataset',
  extension: 'auto',
  purged: false,
  metadata: {},
  applied: 20,
};

const content = {
  state: 'ok' as const,
  extension: 'bed',
  files: [{ role: 'primary' as const, path: '', blob: 'b', size: 7 }],
  size: 7,
  peek: '',
  blurb: '',
  info: 'from the content',
  metadata: { columns: 3, data_lines: 1 },
};

function jobWith(change: Partial<JobRecord>): JobRecord {
  return {
    id: JOB,
    tool: 'cat1',
    toolVersion: '1',
    history: dataset.history,
    params: {},
    inputs: {},
    outputs: { out: dataset.id },
    createdAt: 11,
    attempts: {},
    cancelled: false,
    applied: 30,
    ...change,
  };
}

const outcome = (state: 'ok' | 'error' | 'deleted' | 'failed', outputs = {}, message?: string) => ({
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
    outputs,
    ...(message ? { message } : {}),
  },
});

function viewOf(...records: (DatasetRecord | JobRecord)[]): AccountView {
  const found = new Map(records.map((record) => [record.id, record]));
  return {
    account: '00000000000000a1',
    get: (_kind: string, id: string) => found.get(id),
    list: () => [],
    items: () => ({ datasets: [], collections: [] }),
    changedAt: () => 0,
    nextHid: () => 1,
  } as unknown as AccountView;
}

it('the state of a dataset is that of its content, else that of its job, else what can be said', () => {
  const stateWith = (job: JobRecord | undefined, local?: LocalJobState) =>
    datasetFacts(viewOf(dataset, ...(job ? [job] : [])), dataset, { ...quiet, local: () => local }).state;
  expect(stateWith(jobWith(outcome('ok', { out: content })))).toBe('ok');
  expect(stateWith(jobWith(outcome('error', { out: { ...content, state: 'error' } })))).toBe('error');
  expect(stateWith(jobWith(outcome('ok', {})))).toBe('error');
  expect(stateWith(jobWith(outcome('failed')))).toBe('error');
  expect(stateWith(jobWith(outcome('deleted')))).toBe('discarded');
  expect(stateWith(jobWith({ cancelled: true }))).toBe('discarded');
  expect(stateWith(jobWith({}))).toBe('new');
  expect(stateWith(jobWith({ attempts: { 1: { executor: 'x', startedAt: 1 } } }))).toBe('queued');
  expect(stateWith(jobWith({}), { state: 'waiting', reason: '' })).toBe('new');
  expect(stateWith(jobWith({}), { state: 'paused', reason: '' })).toBe('paused');
  // The entry that submits the job has not arrived yet.
  expect(stateWith(undefined)).toBe('new');
});

it('a type that was left open is the one found, and one that a user set stays', () => {
  const view = viewOf(jobWith(outcome('ok', { out: content })));
  expect(datasetFacts(view, dataset, quiet).extension).toBe('bed');
  expect(datasetFacts(view, { ...dataset, extension: 'tabular' }, quiet).extension).toBe('tabular');
});

it('what a user changed of the metadata stands over what was found', () => {
  const view = viewOf(jobWith(outcome('ok', { out: content })));
  const facts = datasetFacts(view, { ...dataset, metadata: { columns: 4 } }, quiet);
  expect(facts.metadata).toEqual({ columns: 4, data_lines: 1 });
  expect(facts).toMatchObject({ size: 7, info: 'from the content', genomeBuild: '?', updatedAt: 30 });
});

it('why a job failed is what its outputs say', () => {
  const view = viewOf(jobWith(outcome('error', {}, 'It ended with code 1.')));
  expect(datasetFacts(view, dataset, quiet).info).toBe('It ended with code 1.');
});

it('a collection is in the state of the element that is worst off', () => {
  const done = { ...dataset, id: '00000000000000d2', job: undefined, output: undefined, content } as DatasetRecord;
  const view = viewOf(dataset, done, jobWith({}));
  const record = {
    id: '00000000000000e1',
    history: dataset.history,
    hid: 1,
    name: 'list',
    collectionType: 'list',
    createdAt: 1,
    applied: 2,
    elements: [done.id, dataset.id, '00000000000000ff'].map((id) => ({ identifier: id, kind: 'dataset' as const, id })),
  };
  const facts = collectionFacts(view, record, quiet);
  expect(facts).toMatchObject({ state: 'new', states: { ok: 1, new: 1 }, extensions: ['auto', 'bed'], updatedAt: 30 });
  const whole = collectionFacts(view, { ...record, elements: record.elements.slice(0, 1) }, quiet);
  expect(whole.state).toBe('ok');
});

it('a copy is a valid entry: with the content, or with the job that will decide it', () => {
  const to = { id: '00000000000000d9', history: '00000000000000b2', hid: 8, at: 99, sharesJob: true };
  const finished = copyDraft(viewOf(jobWith(outcome('ok', { out: content }))), { ...dataset, tags: ['t'] }, to);
  expect(entrySchemas['dataset.created'].parse(finished?.payload)).toMatchObject({
    id: to.id,
    hid: 8,
    copiedFrom: dataset.id,
    content: { size: 7 },
    tags: ['t'],
    uuid: uuidOf(to.id),
  });
  const waiting = copyDraft(viewOf(jobWith({})), dataset, to);
  expect(entrySchemas['dataset.created'].parse(waiting?.payload)).toMatchObject({ job: JOB, output: 'out' });
  expect(copyDraft(viewOf(jobWith({})), dataset, { ...to, sharesJob: false })).toBeUndefined();
});

it('two ids have two UUIDs, and one id always the same', () => {
  const uuid = uuidOf('00000000000000d1');
  expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(uuidOf('00000000000000d1')).toBe(uuid);
  expect(uuidOf('00000000000000d2')).not.toBe(uuid);
});

it('what happens to a job on this node is remembered until the job has ended', () => {
  const clock = new ManualClock(1000);
  let tell: (change: { account: string; job: string; state: JobState }) => void = () => {};
  const jobs = {
    local: () => undefined,
    onChange: (listener: typeof tell) => {
      tell = listener;
      return () => {};
    },
  };
  const activity = new LocalJobActivity({ jobs, clock });
  expect(activity.touchedAt(JOB)).toBe(0);
  clock.advance(500);
  tell({ account: 'a', job: JOB, state: 'paused' });
  expect(activity.touchedAt(JOB)).toBe(1500);
  expect(datasetFacts(viewOf(dataset, jobWith({})), dataset, activity).updatedAt).toBe(1500);
  tell({ account: 'a', job: JOB, state: 'ok' });
  expect(activity.touchedAt(JOB)).toBe(0);
});
