/** /api/datasets */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ContentsQuery } from '../datasets/contents.js';
import type { DatasetChange } from '../datasets/datasets.js';
import { requireAccount } from './auth.js';
import type { ApiDeps, Routes } from './context.js';
import { apiErrors } from './errors.js';
import { filters, paging, shape } from './queries.js';
import { collectionDetailed, itemSummary } from './serializers/collection.js';
import { datasetDetailed } from './serializers/dataset.js';
import { extraFiles, inheritanceChain, storageDetails } from './serializers/dataset-details.js';
import { jobMetrics, parametersDisplay } from './serializers/job.js';
import { chooseKeys } from './serializers/keys.js';
import { entityId, entityIdParam, flag, parse } from './validation.js';

const listQuery = z.object({ ...filters, ...paging, ...shape, history_id: entityId.optional() });

const showQuery = z.object({
  ...shape,
  hda_ldda: z.enum(['hda', 'ldda']).optional(),
  data_type: z.string().max(100).optional(),
});

/** What a client may change of a dataset, by any of Galaxy's names for it. */
export const datasetChange = z.object({
  name: z.string().min(1).max(1024).nullish(),
  annotation: z.string().max(65_535).nullish(),
  info: z.string().max(4096).nullish(),
  misc_info: z.string().max(4096).nullish(),
  tags: z.array(z.string().max(255)).max(200).nullish(),
  deleted: flag.optional(),
  purged: flag.optional(),
  visible: flag.optional(),
  genome_build: z.string().max(255).nullish(),
  dbkey: z.string().max(255).nullish(),
  metadata_dbkey: z.string().max(255).nullish(),
  datatype: z.string().max(255).nullish(),
  file_ext: z.string().max(255).nullish(),
  extension: z.string().max(255).nullish(),
});

const deletion = z.object({ purge: flag.optional() });
const batchDeletion = z.object({
  datasets: z.array(z.object({ id: entityId, src: z.enum(['hda', 'ldda']) })).max(1000),
  purge: flag.optional(),
});

const TEXT_BYTES_MAX = 1_000_000;

type Uses = 'histories' | 'datasets' | 'collections' | 'datatypes' | 'toolbox';

export const datasetRoutes: Routes<Uses> = (app, deps) => {
  const { histories, datasets, collections, datatypes } = deps;

  const facts = async (request: FastifyRequest) => {
    const id = entityIdParam(request.params);
    const view = datasets.held(await histories.holderOf(request.caller, id), id);
    return { view, facts: datasets.get(view, id) };
  };

  app.get('/api/datasets', async (request) => {
    const { view, account } = requireAccount(request);
    const query = parse(listQuery, request.query);
    const wanted: ContentsQuery = {
      ...(query.q ? { q: query.q } : {}),
      ...(query.qv ? { qv: query.qv } : {}),
      limit: query.limit ?? 500,
      offset: query.offset ?? 0,
      order: query.order ?? 'create_time-dsc',
    };
    const found =
      query.history_id === undefined
        ? datasets.listAll(view, wanted)
        : datasets.list(view, histories.own(view, query.history_id).id, wanted);
    return found.items.map((item) => {
      const detailed = () =>
        item.kind === 'dataset'
          ? datasetDetailed(item, datatypes, account)
          : collectionDetailed(item, collections.elements(view, item));
      return chooseKeys(itemSummary(item), detailed, query, 'summary');
    });
  });

  app.delete('/api/datasets', async (request) => {
    const { account } = requireAccount(request);
    const body = parse(batchDeletion, request.body);
    const result = await datasets.deleteAll(
      account,
      body.datasets.map(({ id }) => id),
      { purge: body.purge ?? false },
    );
    return {
      success_count: result.successes,
      errors: result.errors.map(({ item, message }) => ({
        dataset: { id: item.id, src: 'hda' },
        error_message: message,
      })),
    };
  });

  app.get('/api/datasets/:id', async (request) => {
    const query = parse(showQuery, request.query);
    const { view, facts: found } = await facts(request);
    if (query.data_type !== undefined) {
      throw apiErrors('not-implemented', { method: 'GET', path: `datasets with data_type=${query.data_type}` });
    }
    return chooseKeys(itemSummary(found), () => datasetDetailed(found, datatypes, view.account), query, 'detailed');
  });

  app.put('/api/datasets/:id', async (request) => {
    const { account } = requireAccount(request);
    return updateDataset(deps, account, entityIdParam(request.params), parse(datasetChange, request.body));
  });

  app.delete('/api/datasets/:id', async (request, reply) => {
    const { account } = requireAccount(request);
    const purge = parse(deletion, request.query).purge ?? parse(deletion, request.body).purge ?? false;
    const removed = await datasets.delete(account, entityIdParam(request.params), { purge });
    return reply.code(200).send(datasetDetailed(removed, datatypes, account));
  });

  app.get('/api/datasets/:id/storage', async (request) => storageDetails((await facts(request)).facts));

  app.get('/api/datasets/:id/metrics', async (request) => {
    const { job } = (await facts(request)).facts;
    return job === undefined ? [] : jobMetrics(job);
  });

  app.get('/api/datasets/:id/parameters_display', async (request) => {
    const { view, facts: found } = await facts(request);
    return parametersDisplay(view, found.job, deps.toolbox);
  });

  app.get('/api/datasets/:id/inheritance_chain', async (request) => {
    const { view, facts: found } = await facts(request);
    return inheritanceChain(view, found);
  });

  app.get('/api/datasets/:id/get_content_as_text', async (request) => {
    const { view, facts: found } = await facts(request);
    const { text, truncated } = await datasets.text(view, found.id, TEXT_BYTES_MAX);
    return { item_data: text, truncated, item_url: `/datasets/${found.id}/display` };
  });

  app.get('/api/datasets/:id/extra_files', async (request) => extraFiles((await facts(request)).facts));

  app.get('/api/datasets/:id/hash', async (request) => {
    const { content } = (await facts(request)).facts;
    const files = content?.files ?? [];
    return files.map(({ path, blob }) => ({ hash_function: 'CID', hash_value: blob, extra_files_path: path || null }));
  });

  app.get('/api/datasets/:id/converted', async (request) => {
    await facts(request);
    return {};
  });

  // Its collection, when Galaxy's client follows an element.
  app.get('/api/datasets/:id/collections', async (request) => {
    const { view, facts: found } = await facts(request);
    const holding = [...view.list('collection')].filter(({ elements }) => elements.some(({ id }) => id === found.id));
    return holding.map(({ id }) => {
      const collection = collections.get(view, id);
      return collectionDetailed(collection, collections.elements(view, collection));
    });
  });
};

export async function updateDataset(
  { datasets, datatypes }: Pick<ApiDeps, 'datasets' | 'datatypes'>,
  account: string,
  id: string,
  change: z.output<typeof datasetChange>,
) {
  const updated = change.purged
    ? await datasets.delete(account, id, { purge: true })
    : await datasets.update(account, id, coreChange(change));
  return datasetDetailed(updated, datatypes, account);
}

function coreChange(change: z.output<typeof datasetChange>): DatasetChange {
  const extension = change.datatype ?? change.file_ext ?? change.extension;
  const genomeBuild = change.genome_build ?? change.dbkey ?? change.metadata_dbkey;
  const info = change.info ?? change.misc_info;
  return {
    ...(change.name ? { name: change.name } : {}),
    ...(change.annotation === undefined ? {} : { annotation: change.annotation }),
    ...(change.tags ? { tags: change.tags } : {}),
    ...(change.deleted === undefined ? {} : { deleted: change.deleted }),
    ...(change.visible === undefined ? {} : { visible: change.visible }),
    ...(info == null ? {} : { info }),
    ...(genomeBuild == null ? {} : { genomeBuild }),
    ...(extension == null ? {} : { extension }),
  };
}
