/** /api/jobs */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AccountView } from '../../protocol/account/records.js';
import { ranWith, selectJobs } from '../datasets/job-queries.js';
import { jobsMaking } from '../datasets/places.js';
import { toolContext } from '../datasets/tool-context.js';
import { parseTime } from '../histories/query.js';
import { TERMINAL } from '../jobs/job.js';
import { requireAccount } from './auth.js';
import type { Routes } from './context.js';
import { apiErrors } from './errors.js';
import { jsonField } from './form-body.js';
import { paging } from './queries.js';
import {
  inputList,
  type JobFacts,
  jobDetails,
  jobFull,
  jobMetrics,
  jobSummary,
  parametersDisplay,
  stateOf,
} from './serializers/job.js';
import { entityId, entityIdParam, flag, parse, texts } from './validation.js';

const listQuery = z.object({
  ...paging,
  state: texts.optional(),
  tool_id: texts.optional(),
  tool_id_like: texts.optional(),
  history_id: entityId.optional(),
  user_id: entityId.optional(),
  invocation_id: entityId.optional(),
  workflow_id: entityId.optional(),
  implicit_collection_jobs_id: entityId.optional(),
  date_range_min: z.string().max(50).optional(),
  date_range_max: z.string().max(50).optional(),
  order_by: z.enum(['create_time', 'update_time']).optional(),
  user_details: flag.optional(),
  view: z.string().max(50).optional(),
});

const showQuery = z.object({ full: flag.optional() });
const searchBody = z.object({
  tool_id: z.string().max(1000),
  inputs: z.unknown(),
  state: z.union([z.string(), z.array(z.string()).max(20)]).nullish(),
});
const searchInputs = z.record(z.string(), z.json());
const cancelBody = z.object({ message: z.string().max(1024).nullish() });

const JOBS_DEFAULT = 500;
const SEARCH_HITS_MAX = 100;
const DAY_MS = 24 * 60 * 60 * 1000;

type Uses = 'jobs' | 'toolbox' | 'datasets' | 'blobs' | 'tables';

export const jobRoutes: Routes<Uses> = (app, deps) => {
  const { jobs, toolbox, datasets } = deps;
  const factsOf = (view: AccountView, id: string): JobFacts => {
    const record = view.get('job', id);
    if (record === undefined) throw apiErrors('not-found', { what: 'job', id });
    return { view, record, local: jobs.local(id) };
  };
  const facts = (request: FastifyRequest) => {
    const { view } = requireAccount(request);
    return factsOf(view, entityIdParam(request.params));
  };

  app.get('/api/jobs', async (request) => {
    const { view, account } = requireAccount(request);
    const query = parse(listQuery, request.query);
    // Nobody else's jobs are here, and nothing is invoked from a workflow yet.
    if ((query.user_id ?? account) !== account || query.invocation_id || query.workflow_id) return [];
    const found = selectJobs(
      view,
      {
        states: query.state,
        tools: query.tool_id,
        toolsLike: query.tool_id_like,
        history: query.history_id,
        among: together(view, query.implicit_collection_jobs_id),
        from: timeBound('date_range_min', query.date_range_min, 0),
        // A day given as the end means all of it, unless it has a time.
        to: timeBound('date_range_max', query.date_range_max, DAY_MS - 1),
        orderBy: query.order_by ?? 'update_time',
        limit: query.limit ?? JOBS_DEFAULT,
        offset: query.offset,
      },
      (record) => stateOf({ record, local: jobs.local(record.id) }),
    );
    return found.map((record) => jobSummary({ view, record, local: jobs.local(record.id) }));
  });

  app.post('/api/jobs/search', async (request) => {
    const { view } = requireAccount(request);
    const body = parse(searchBody, request.body);
    const inputs = parse(searchInputs, jsonField(body.inputs, 'inputs')) as Parameters<typeof ranWith>[1];
    const states = body.state == null ? undefined : [body.state].flat();
    const same = selectJobs(view, { tools: [body.tool_id], orderBy: 'create_time' }, () => 'ok').filter((record) => {
      const state = stateOf({ record, local: jobs.local(record.id) });
      const fits = states ? states.includes(state) : !['error', 'failed', 'deleted', 'paused'].includes(state);
      return fits && ranWith(record, inputs);
    });
    return same.slice(0, SEARCH_HITS_MAX).map((record) => jobDetails({ view, record, local: jobs.local(record.id) }));
  });

  app.get('/api/jobs/:id', async (request) => {
    const { full } = parse(showQuery, request.query);
    return full ? jobFull(facts(request)) : jobDetails(facts(request));
  });

  app.delete('/api/jobs/:id', async (request) => {
    const { account, view } = requireAccount(request);
    const found = factsOf(view, entityIdParam(request.params));
    const { message } = parse(cancelBody, request.body);
    if (TERMINAL.has(stateOf(found))) return false;
    await jobs.cancel(account, found.record.id, message ?? undefined);
    return true;
  });

  app.get('/api/jobs/:id/inputs', async (request) => {
    const { view, record } = facts(request);
    return inputList(view, record).map(({ name, ref: { id, src } }) => ({ name, dataset: { src, id } }));
  });

  app.get('/api/jobs/:id/outputs', async (request) => {
    const { record } = facts(request);
    return [
      ...Object.entries(record.outputs).map(([name, id]) => ({ name, dataset: { src: 'hda', id } })),
      ...Object.entries(record.outputCollections ?? {}).map(([name, id]) => ({
        name,
        dataset_collection_instance: { src: 'hdca', id },
      })),
    ];
  });

  app.get('/api/jobs/:id/metrics', async (request) => jobMetrics(facts(request).record));

  app.get('/api/jobs/:id/parameters_display', async (request) => {
    const { view, record } = facts(request);
    return parametersDisplay(view, record, toolbox);
  });

  app.get('/api/jobs/:id/destination_params', async (request) => {
    const { record, local } = facts(request);
    const attempt = Object.entries(record.attempts).at(-1);
    return {
      Runner: 'local',
      'Runner Job ID': record.id,
      Handler: record.outcome?.executor ?? attempt?.[1].executor ?? null,
      Attempt: record.outcome?.attempt ?? (attempt ? Number(attempt[0]) : 0),
      ...(local ? { Waiting: local.reason } : {}),
    };
  });

  app.get('/api/jobs/:id/common_problems', async (request) => {
    const { view, record } = facts(request);
    const ids = Object.values(record.inputs).flatMap((list) => list.map(({ id }) => id));
    return {
      has_empty_inputs: ids.some((id) => datasets.find(view, id)?.size === 0),
      has_duplicate_inputs: new Set(ids).size < ids.length,
    };
  });

  app.get('/api/jobs/:id/console_output', async (request) => {
    const found = facts(request);
    const { outcome } = found.record;
    return { state: stateOf(found), stdout: outcome?.stdout ?? '', stderr: outcome?.stderr ?? '' };
  });

  app.get('/api/jobs/:id/build_for_rerun', async (request) => {
    const { view, record } = facts(request);
    const tool = toolbox.tool(record.tool, record.toolVersion) ?? toolbox.tool(record.tool);
    if (tool === undefined) throw apiErrors('not-found', { what: 'tool', id: record.tool });
    if (tool.action === 'internal') {
      throw apiErrors('bad-parameter', { parameter: 'id', reason: 'names an upload, which cannot be run again' });
    }
    const form = toolbox.form(tool, toolContext(view, record.history, deps), record.params);
    return { ...form, job_id: record.id, job_remap: null, history_id: record.history };
  });

  app.put('/api/jobs/:id/resume', async (request) => {
    const { account, view } = requireAccount(request);
    const { record } = factsOf(view, entityIdParam(request.params));
    if (jobs.resume === undefined) throw apiErrors('not-implemented', { method: 'PUT', path: 'jobs/…/resume' });
    await jobs.resume(account, record.id);
    return Object.entries(record.outputs).map(([name, id]) => ({ name, dataset: { src: 'hda', id } }));
  });

  app.post('/api/jobs/:id/error', async (request) => {
    facts(request);
    const why = 'An error occurred sending the report by email: Mail is not configured for this Galaxy instance';
    return { messages: [[why, 'danger']] };
  });

  // Nothing is invoked from a workflow yet; the client asks this of every job it shows.
  app.get('/api/invocations', async (request) => {
    requireAccount(request);
    return [];
  });
};

/** The jobs of an implicit collection, which are known by its id. */
function together(view: AccountView, id: string | undefined): Set<string> | undefined {
  if (id === undefined) return undefined;
  const record = view.get('collection', id);
  return record?.implicit ? jobsMaking(view, record) : new Set();
}

function timeBound(parameter: string, text: string | undefined, wholeDayMs: number): number | undefined {
  if (text === undefined) return undefined;
  const at = parseTime(text);
  if (at === undefined) throw apiErrors('bad-parameter', { parameter, reason: 'must be a date, YYYY-MM-DD' });
  return text.includes('T') || text.includes(':') ? at : at + wholeDayMs;
}
