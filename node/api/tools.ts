/** /api/tools: what there is, the form, running. Tool ids may hold spaces and slashes. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AccountView } from '../../protocol/account/records.js';
import type { JsonObject } from '../../protocol/log/entry.js';
import { toolContext } from '../datasets/tool-context.js';
import { planToolRun } from '../datasets/tool-run.js';
import type { SubmittedJob } from '../jobs/job.js';
import type { Tool } from '../toolbox/tool.js';
import { isYaml } from '../toolbox/wrapper/wrapper-file.js';
import { requireAccount } from './auth.js';
import type { ApiDeps, Routes } from './context.js';
import { apiErrors } from './errors.js';
import { planLegacyUpload } from './fetch-request.js';
import { jsonField, readForm, releaseAll } from './form-body.js';
import { collectionDetailed } from './serializers/collection.js';
import { datasetDetailed, namedOutput } from './serializers/dataset.js';
import { jobSummary } from './serializers/job.js';
import { sectionsWithTools, toolRequirements } from './serializers/tool-panel.js';
import { resolveItems, submitUpload } from './uploads.js';
import { entityId, flag, parse } from './validation.js';

type Uses =
  | 'toolbox'
  | 'userTools'
  | 'histories'
  | 'datasets'
  | 'collections'
  | 'datatypes'
  | 'jobs'
  | 'uploads'
  | 'blobs'
  | 'tables';

const listQuery = z.object({
  in_panel: flag.optional(),
  q: z.string().max(1000).optional(),
  tool_id: z.string().max(1000).optional(),
  trackster: flag.optional(),
  view: z.string().max(100).optional(),
});

const showQuery = z.object({
  io_details: flag.optional(),
  link_details: flag.optional(),
  tool_version: z.string().max(255).optional(),
  version: z.string().max(255).optional(),
  tool_uuid: z.string().max(64).optional(),
});

const buildBody = z.object({
  tool_uuid: z.string().max(64).nullish(),
  inputs: z.unknown().optional(),
  tool_version: z.string().max(255).nullish(),
  version: z.string().max(255).nullish(),
  history_id: entityId.nullish(),
  job_id: entityId.nullish(),
});

const runBody = z.object({
  tool_id: z.string().min(1).max(1000).nullish(),
  /** A tool of the caller's own. */
  tool_uuid: z.string().max(64).nullish(),
  tool_version: z.string().max(255).nullish(),
  history_id: entityId.nullish(),
  input_format: z.enum(['legacy', '21.01']).optional(),
});

/** Answers to a search. */
const HITS_MAX = 200;

export const toolRoutes: Routes<Uses> = (app, deps) => {
  const { toolbox, histories } = deps;

  app.get('/api/tools', async (request) => {
    const query = parse(listQuery, request.query);
    if (query.q !== undefined) return search(deps, query.q);
    const describe = (tool: Tool) => toolbox.describe(tool, { ioDetails: false, linkDetails: true });
    if (query.tool_id !== undefined) {
      const wanted = query.tool_id;
      return toolbox
        .tools()
        .filter(({ id }) => id === wanted)
        .map(describe);
    }
    if (query.in_panel ?? true) return sectionsWithTools(toolbox);
    return toolbox
      .tools()
      .filter(({ hidden }) => !hidden)
      .map(describe);
  });

  app.get('/api/tools/tests_summary', async () => ({}));
  app.get('/api/tools/all_requirements', async () => toolbox.tools().flatMap(toolRequirements));

  app.post('/api/tools', async (request, reply) => {
    const caller = requireAccount(request);
    const { fields, files } = await readForm(request, deps.uploads);
    try {
      const body = parse(runBody, fields);
      const history = histories.target(caller.view, body.history_id ?? undefined);
      const inputs = inputsOf(fields);
      if (body.tool_id === 'upload1') {
        const has = (index: number) => {
          const field = `files_${index}|file_data`;
          return files.has(field) || inputs[field] != null;
        };
        const items = await resolveItems(deps, caller.account, planLegacyUpload(inputs, has), inputs, files);
        return await submitUpload(deps, caller, { history: history.id, tool: 'upload1', items }, files);
      }
      const tool = findTool(deps, request, body.tool_uuid ?? body.tool_id ?? '', body.tool_version);
      const plan = planToolRun(toolbox, tool, inputs, toolContext(caller.view, history.id, deps));
      if ('errors' in plan) {
        return reply.code(400).send({
          err_msg: Object.entries(plan.errors)
            .map(([parameter, reason]) => `${parameter}: ${reason}`)
            .join(' '),
          err_code: 400008,
          err_data: plan.errors,
        });
      }
      const submitted = await deps.jobs.submit(caller.account, plan.submissions, plan.implicit);
      return runAnswer(deps, caller.account, caller.view, submitted);
    } finally {
      await releaseAll(files.values());
    }
  });

  // One route for all of a tool, because its id may hold slashes: the last segment says what is asked.
  app.get('/api/tools/*', async (request, reply) => {
    const { id, part } = splitToolPath(toolPath(request));
    const query = parse(showQuery, request.query);
    const version = query.tool_version ?? query.version;
    if (part === undefined) {
      return toolbox.describe(findTool(deps, request, query.tool_uuid ?? id, version), {
        ioDetails: query.io_details ?? false,
        linkDetails: query.link_details ?? false,
      });
    }
    const tool = findTool(deps, request, query.tool_uuid ?? id, version);
    switch (part) {
      case 'build':
        return buildForm(deps, request, tool, parse(buildBody, request.query));
      case 'citations':
        return tool.citations.map(({ type, content }) => ({ format: 'bibtex', type, content }));
      case 'raw_tool_source':
        return reply
          .type('text/plain; charset=utf-8')
          .header('language', isYaml(tool.file) ? 'yaml' : 'xml')
          .send(tool.source);
      case 'requirements':
        return toolRequirements(tool);
      case 'test_data':
        return [];
      default:
        throw apiErrors('not-found', { what: `${part} of a tool`, id });
    }
  });

  app.post('/api/tools/*', async (request) => {
    const { id, part } = splitToolPath(toolPath(request));
    if (part !== 'build') throw apiErrors('no-endpoint', { method: 'POST', path: '/api/tools/…' });
    const body = parse(buildBody, request.body);
    const tool = findTool(deps, request, body.tool_uuid ?? id, body.tool_version ?? body.version);
    return buildForm(deps, request, tool, body);
  });
};

const PARTS = new Set([
  'build',
  'citations',
  'raw_tool_source',
  'requirements',
  'test_data',
  'test_data_download',
  'test_data_path',
  'icon',
  'diagnostics',
]);

/** `a/b/build` → tool `a/b`, part `build`. A tool may not be named like a part alone. */
export function splitToolPath(path: string): { id: string; part: string | undefined } {
  const cut = path.lastIndexOf('/');
  const last = path.slice(cut + 1);
  return cut > 0 && PARTS.has(last) ? { id: path.slice(0, cut), part: last } : { id: path, part: undefined };
}

function toolPath(request: FastifyRequest): string {
  return (request.params as { '*': string })['*'].replace(/\/+$/, '');
}

/** `latest`, or a version that is gone, is answered with the newest, as in Galaxy. */
function findTool(
  { toolbox, userTools }: Pick<ApiDeps, 'toolbox' | 'userTools'>,
  { caller }: Pick<FastifyRequest, 'caller'>,
  id: string,
  version: string | null | undefined,
): Tool {
  const own = caller.view && userTools.tool(caller.view, caller, id);
  if (own) return own;
  const wanted = version && version !== 'latest' ? version : undefined;
  const tool = toolbox.tool(id, wanted) ?? toolbox.tool(id);
  if (tool === undefined) throw apiErrors('not-found', { what: 'tool', id });
  return tool;
}

function buildForm(
  deps: Pick<ApiDeps, Uses>,
  request: FastifyRequest,
  tool: Tool,
  body: z.output<typeof buildBody>,
): JsonObject {
  const { toolbox, histories } = deps;
  const { view } = requireAccount(request);
  const history = body.history_id ? histories.own(view, body.history_id) : histories.pickCurrent(view);
  const inputs = jsonField(body.inputs ?? {}, 'inputs');
  return toolbox.form(tool, toolContext(view, history?.id ?? '', deps), parse(inputsSchema, inputs));
}

const inputsSchema = z.record(z.string(), z.json());

/** Inputs stand in `inputs` (JSON or its text), and in older requests beside it as `param|name`. */
function inputsOf(fields: Record<string, unknown>): JsonObject {
  const inner = parse(inputsSchema, jsonField(fields.inputs ?? {}, 'inputs'));
  const beside: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (/^(files_\d+\|.+|.+\|.+)$/.test(name)) beside[name] = jsonField(value, name);
  }
  return { ...parse(inputsSchema, beside), ...inner } as JsonObject;
}

function runAnswer(
  { datasets, collections, datatypes, jobs }: Pick<ApiDeps, Uses>,
  account: string,
  view: AccountView,
  submitted: readonly SubmittedJob[],
) {
  const collectionsOf = (named: Record<string, string> | undefined) =>
    Object.entries(named ?? {}).flatMap(([name, id]) => {
      const facts = collections.get(view, id);
      // What one of many jobs makes is part of what they make together.
      if (facts.record.parent !== undefined) return [];
      return [namedOutput(collectionDetailed(facts, collections.elements(view, facts)), name)];
    });
  return {
    outputs: submitted.flatMap(({ outputs }) =>
      Object.entries(outputs).map(([name, id]) =>
        namedOutput(datasetDetailed(datasets.get(view, id), datatypes, account), name),
      ),
    ),
    output_collections: submitted.flatMap((one) => collectionsOf(one.collections)),
    jobs: submitted.flatMap(({ job }) => {
      const record = view.get('job', job);
      return record === undefined ? [] : [jobSummary({ view, record, local: jobs.local(job) })];
    }),
    // The same for every job of a request.
    implicit_collections: collectionsOf(submitted[0]?.implicit),
    produces_entry_points: false,
    errors: [],
  };
}

/** Ids of tools whose id, name, description or section has every word; whole matches of id or name first. */
function search({ toolbox }: Pick<ApiDeps, 'toolbox'>, query: string): string[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const scored = toolbox
    .tools()
    .filter(({ hidden }) => !hidden)
    .map((tool) => {
      const name = `${tool.id} ${tool.name}`.toLowerCase();
      const all = `${name} ${tool.description} ${tool.section.name} ${tool.help}`.toLowerCase();
      if (!words.every((word) => all.includes(word))) return { id: tool.id, score: 0 };
      return { id: tool.id, score: 1 + words.filter((word) => name.includes(word)).length };
    })
    .filter(({ score }) => score > 0);
  return [...new Set(scored.sort((a, b) => b.score - a.score).map(({ id }) => id))].slice(0, HITS_MAX);
}
