/** /api/upload/resumable_upload (TUS) and /api/tools/fetch */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { UploadedFile } from '../datasets/uploads.js';
import { UPLOAD_PATH } from '../datasets/uploads.js';
import type { FetchItem, FetchSubmission } from '../jobs/job.js';
import { requireAccount } from './auth.js';
import type { ApiDeps, Routes } from './context.js';
import { type PlannedItem, planFetch, uploadReference } from './fetch-request.js';
import { jsonField, readForm, releaseAll } from './form-body.js';
import { datasetDetailed, namedOutput } from './serializers/dataset.js';
import { jobSummary } from './serializers/job.js';
import { inGalaxysShape } from './tus-answers.js';
import { entityId, parse } from './validation.js';

export type UploadUses = 'uploads' | 'histories' | 'datasets' | 'datatypes' | 'jobs';

const destination = z.object({ history_id: entityId.optional() });

export const uploadRoutes: Routes<UploadUses> = (app, deps) => {
  const { uploads, histories } = deps;

  void app.register(async (scope) => {
    // TUS reads the connection itself: no parser may take a byte of it.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    const tus = async (request: FastifyRequest, reply: FastifyReply) => {
      const { account } = requireAccount(request);
      reply.hijack();
      // What the hooks have set; a hijacked reply sends no headers of its own.
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) reply.raw.setHeader(name, value);
      }
      inGalaxysShape(reply.raw);
      await uploads.handle(account, request.raw, reply.raw);
    };
    // Chunks are as large as their sender likes; what is too much is decided by the whole upload's size.
    const bodyLimit = Number.MAX_SAFE_INTEGER;
    scope.route({ method: ['POST', 'OPTIONS'], url: UPLOAD_PATH, bodyLimit, handler: tus });
    scope.route({
      method: ['PATCH', 'HEAD', 'DELETE', 'OPTIONS'],
      url: `${UPLOAD_PATH}/:upload`,
      bodyLimit,
      exposeHeadRoute: false,
      handler: tus,
    });
  });

  app.post('/api/tools/fetch', async (request) => {
    const caller = requireAccount(request);
    const { fields, files } = await readForm(request, uploads);
    try {
      const history = histories.target(caller.view, parse(destination, fields).history_id);
      const planned = planFetch(fields);
      const items = await resolveItems(deps, caller.account, planned, fields, files);
      return await submitUpload(deps, caller, { history: history.id, tool: '__DATA_FETCH__', items }, files);
    } catch (error) {
      await releaseAll(files.values());
      throw error;
    }
  });
};

/** Which file each item means; uploads made before are added to `files`, so that a refusal gives them back. */
export async function resolveItems(
  { uploads }: Pick<ApiDeps, 'uploads'>,
  account: string,
  planned: readonly PlannedItem[],
  fields: Record<string, unknown>,
  files: Map<string, UploadedFile>,
): Promise<FetchItem[]> {
  const items: FetchItem[] = [];
  for (const { source, ...item } of planned) {
    if (source.kind === 'text') {
      items.push({ ...item, source });
      continue;
    }
    const field = `files_${source.index}|file_data`;
    let file = files.get(field);
    if (file === undefined) {
      const { session_id: session, name } = parse(uploadReference, jsonField(fields[field], field));
      file = await uploads.claim(account, session, name ?? undefined);
      files.set(field, file);
    }
    items.push({ ...item, name: item.name || file.name, source: { kind: 'file', path: file.path } });
  }
  return items;
}

export async function submitUpload(
  { jobs, datasets, datatypes }: Pick<ApiDeps, 'jobs' | 'datasets' | 'datatypes'>,
  { account, view }: ReturnType<typeof requireAccount>,
  submission: FetchSubmission,
  files: Map<string, UploadedFile>,
) {
  const { job, outputs } = await jobs.submitFetch(account, submission);
  // From here on the files are the job's.
  files.clear();
  const record = view.get('job', job);
  return {
    outputs: Object.entries(outputs).map(([name, id]) =>
      namedOutput(datasetDetailed(datasets.get(view, id), datatypes, account), name),
    ),
    output_collections: [],
    jobs: record === undefined ? [] : [jobSummary({ view, record, local: jobs.local(job) })],
    implicit_collections: [],
    produces_entry_points: false,
  };
}
