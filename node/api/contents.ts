/** /api/histories/{id}/contents */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { BulkOperation, ItemRef } from '../datasets/bulk.js';
import { type ContentsQuery, UPDATE_TIME_SLACK_MS } from '../datasets/contents.js';
import { BULK_ITEMS_MAX } from '../datasets/datasets.js';
import type { ItemFacts } from '../datasets/facts.js';
import type { OwnedHistory } from '../histories/owners.js';
import { requireAccount } from './auth.js';
import { createCollection, newCollection } from './collections.js';
import type { ApiDeps, Routes } from './context.js';
import { datasetChange, updateDataset } from './datasets.js';
import { apiErrors } from './errors.js';
import { commaList, filters, paging, shape } from './queries.js';
import { collectionDetailed, itemSummary } from './serializers/collection.js';
import { datasetDetailed } from './serializers/dataset.js';
import { extraFiles } from './serializers/dataset-details.js';
import { chooseKeys, type Wanted } from './serializers/keys.js';
import { provenanceOf } from './serializers/provenance.js';
import { entityId, entityIdParam, flag, parse } from './validation.js';

type Uses = 'histories' | 'datasets' | 'collections' | 'datatypes' | 'jobs' | 'clock';
type ContentType = 'dataset' | 'dataset_collection';

const contentType = z
  .string()
  .regex(/^dataset(_collection)?s?$/, 'must be dataset or dataset_collection')
  .transform((type): ContentType => (type.startsWith('dataset_collection') ? 'dataset_collection' : 'dataset'));

const listQuery = z.object({
  ...filters,
  ...paging,
  ...shape,
  v: z.string().max(10).optional(),
  details: z
    .union([z.string(), z.array(z.string())])
    .transform((value) => [value].flat().join(','))
    .optional(),
  ids: commaList.optional(),
  types: z.union([z.string(), z.array(z.string()).max(10)]).optional(),
  type: z.union([z.string(), z.array(z.string()).max(10)]).optional(),
  deleted: flag.optional(),
  visible: flag.optional(),
});

const itemDeletion = z.object({
  purge: flag.optional(),
  recursive: flag.optional(),
});

const creation = z.object({
  type: contentType.optional(),
  source: z.enum(['hda', 'ldda', 'library', 'library_folder', 'new_collection', 'hdca']).optional(),
  content: z.string().max(255).nullish(),
  copy_elements: flag.optional(),
});

const itemRef = z.object({ id: entityId, history_content_type: contentType });

const bulkBody = z.object({
  operation: z.enum([
    'hide',
    'unhide',
    'delete',
    'undelete',
    'purge',
    'change_datatype',
    'change_dbkey',
    'add_tags',
    'remove_tags',
  ]),
  items: z.array(itemRef).max(BULK_ITEMS_MAX).nullish(),
  params: z
    .object({
      datatype: z.string().max(255).optional(),
      dbkey: z.string().max(255).optional(),
      tags: z.array(z.string().max(255)).max(200).optional(),
    })
    .nullish(),
});

export const contentsRoutes: Routes<Uses> = (app, deps) => {
  const { histories, datasets, collections } = deps;

  const readable = (request: FastifyRequest) =>
    histories.readable(request.caller, entityIdParam(request.params, 'history'));

  const list = async (request: FastifyRequest, only: ContentType | undefined) => {
    const query = parse(listQuery, request.query);
    const { view, record } = await readable(request);
    const found = datasets.list(view, record.id, coreQuery(query, only));
    const isDetailed = detailChooser(query, deps.clock.now());
    return { found, answers: found.items.map((item) => answerItem(deps, view, item, query, isDetailed(item))) };
  };

  for (const [path, only] of [
    ['', undefined],
    ['/datasets', 'dataset'],
    ['/dataset_collections', 'dataset_collection'],
  ] as const) {
    app.get(`/api/histories/:history/contents${path}`, async (request, reply) => {
      const { found, answers } = await list(request, only);
      reply.header('total_matches', found.total);
      if (!request.headers.accept?.includes('vnd.galaxy.history.contents.stats+json')) return answers;
      reply.type('application/vnd.galaxy.history.contents.stats+json');
      const stats = { total_matches: found.total, total_size: found.size };
      return JSON.stringify({ stats, contents: answers });
    });

    app.post(`/api/histories/:history/contents${path}`, async (request) => {
      const caller = requireAccount(request);
      const history = histories.target(caller.view, entityIdParam(request.params, 'history'));
      const body = parse(creation, request.body);
      if ((only ?? body.type) === 'dataset_collection' && body.source !== 'hdca') {
        const collection = parse(newCollection, request.body);
        return createCollection(deps, caller, { ...collection, history_id: history.id });
      }
      if ((only ?? body.type) === 'dataset_collection' && body.content) {
        const facts = await collections.copy(caller.account, parse(entityId, body.content), {
          history: history.id,
          copyElements: body.copy_elements ?? true,
        });
        return collectionDetailed(facts, collections.elements(caller.view, facts));
      }
      if (body.source !== 'hda' || !body.content) {
        throw apiErrors('not-implemented', { method: 'POST', path: `contents from ${body.source ?? 'nothing'}` });
      }
      const id = parse(entityId, body.content);
      const source = datasets.held(await histories.holderOf(caller, id), id);
      const copy = await datasets.copy(caller.account, source, id, history.id);
      return datasetDetailed(copy, deps.datatypes, caller.account);
    });
  }

  app.put('/api/histories/:history/contents/bulk', async (request) => {
    const caller = requireAccount(request);
    const history = await histories.changeable(caller, entityIdParam(request.params, 'history'));
    const body = parse(bulkBody, request.body);
    const items: ItemRef[] = body.items
      ? body.items.map(({ id, history_content_type: type }) => ({ kind: kindOf(type), id }))
      : datasets
          .list(caller.view, history.id, coreQuery(parse(listQuery, request.query), undefined))
          .items.map(({ kind, id }) => ({ kind, id }));
    const result = await datasets.bulk(caller.account, history.id, items, bulkOperation(body));
    return {
      success_count: result.successes,
      errors: result.errors.map(({ item, message }) => ({
        error: message,
        item: { id: item.id, history_content_type: item.kind === 'dataset' ? 'dataset' : 'dataset_collection' },
      })),
    };
  });

  for (const [path, fixed] of ITEM_PATHS) {
    const base = `/api/histories/:history/contents${path}/:id`;
    const typeIn = (request: FastifyRequest): ContentType =>
      fixed ?? parse(z.object({ type: contentType.optional() }), request.query).type ?? 'dataset';

    app.get(base, async (request) => {
      const { view, record } = await readable(request);
      const id = entityIdParam(request.params);
      const wanted = parse(z.object(shape), request.query);
      const item =
        typeIn(request) === 'dataset' ? datasets.get(view, id, record.id) : collections.get(view, id, record.id);
      return answerItem(deps, view, item, wanted, true);
    });

    app.put(base, async (request) => {
      const caller = requireAccount(request);
      const history = await histories.changeable(caller, entityIdParam(request.params, 'history'));
      const id = entityIdParam(request.params);
      const change = parse(datasetChange, request.body);
      if (typeIn(request) === 'dataset') {
        datasets.get(caller.view, id, history.id);
        return updateDataset(deps, caller.account, id, change);
      }
      collections.get(caller.view, id, history.id);
      const { name, tags, deleted, visible } = change;
      const facts = await collections.update(caller.account, id, {
        ...(name ? { name } : {}),
        ...(tags ? { tags } : {}),
        ...(deleted === undefined ? {} : { deleted }),
        ...(visible === undefined ? {} : { visible }),
      });
      return collectionDetailed(facts, collections.elements(caller.view, facts));
    });

    app.delete(base, async (request) => {
      const caller = requireAccount(request);
      const history = await histories.changeable(caller, entityIdParam(request.params, 'history'));
      const id = entityIdParam(request.params);
      const wanted = { ...parse(itemDeletion, request.query), ...parse(itemDeletion, request.body) };
      const purge = wanted.purge ?? false;
      if (typeIn(request) === 'dataset') {
        datasets.get(caller.view, id, history.id);
        const facts = await datasets.delete(caller.account, id, { purge });
        return datasetDetailed(facts, deps.datatypes, caller.account);
      }
      collections.get(caller.view, id, history.id);
      const facts = await collections.delete(caller.account, id, { purge, recursive: wanted.recursive ?? false });
      return collectionDetailed(facts, collections.elements(caller.view, facts));
    });
  }

  app.get('/api/histories/:history/contents/:id/provenance', async (request) => {
    const { view, record } = await readable(request);
    const { follow } = parse(z.object({ follow: flag.optional() }), request.query);
    datasets.get(view, entityIdParam(request.params), record.id);
    return provenanceOf(view, entityIdParam(request.params), follow ?? false);
  });

  app.get('/api/histories/:history/contents/:id/extra_files', async (request) => {
    const { view, record } = await readable(request);
    return extraFiles(datasets.get(view, entityIdParam(request.params), record.id));
  });
};

const ITEM_PATHS: readonly [string, ContentType | undefined][] = [
  ['', undefined],
  ['/datasets', 'dataset'],
  ['/dataset_collections', 'dataset_collection'],
];

function answerItem(
  deps: Pick<ApiDeps, 'collections' | 'datatypes'>,
  view: OwnedHistory['view'],
  item: ItemFacts,
  wanted: Wanted,
  full: boolean,
) {
  const detailed = () =>
    item.kind === 'dataset'
      ? datasetDetailed(item, deps.datatypes, view.account)
      : collectionDetailed(item, deps.collections.elements(view, item));
  if (full && wanted.keys === undefined && wanted.view === undefined) return detailed();
  return chooseKeys(itemSummary(item), detailed, wanted, 'summary');
}

/**
 * The web client (`v=dev`) keeps one object for an item in its list and in its details, and a summary empties it of all
 * that only the details have. Its first look at a page asks for what changed since now, in detail where an item is open,
 * and a summary of the list follows at once: what the slack lets through to the first is in detail in both.
 */
function detailChooser(query: z.output<typeof listQuery>, now: number): (item: ItemFacts) => boolean {
  if (query.details === 'all') return () => true;
  const ids = new Set((query.details ?? '').split(','));
  const recent = query.v === 'dev' ? now - 2 * UPDATE_TIME_SLACK_MS : Number.POSITIVE_INFINITY;
  return (item) => ids.has(item.id) || item.updatedAt >= recent;
}

function coreQuery(query: z.output<typeof listQuery>, only: ContentType | undefined): ContentsQuery {
  const { q, qv, order, limit, offset, ids, deleted, visible } = query;
  const named = [query.types ?? query.type ?? []].flat().flatMap((value) => value.split(','));
  const types = only ? [only] : named.length > 0 ? named.map((type) => parse(contentType, type)) : undefined;
  return {
    ...(q ? { q } : {}),
    ...(qv ? { qv } : {}),
    ...(order ? { order } : {}),
    ...(limit === undefined ? {} : { limit }),
    ...(offset === undefined ? {} : { offset }),
    ...(ids ? { ids } : {}),
    ...(types ? { types } : {}),
    ...(deleted === undefined ? {} : { deleted }),
    ...(visible === undefined ? {} : { visible }),
  };
}

function kindOf(type: ContentType): ItemRef['kind'] {
  return type === 'dataset' ? 'dataset' : 'collection';
}

function bulkOperation({ operation, params }: z.output<typeof bulkBody>): BulkOperation {
  const missing = (parameter: string) =>
    apiErrors('bad-parameter', { parameter, reason: `is missing: ${operation} needs it` });
  switch (operation) {
    case 'change_datatype':
      if (!params?.datatype) throw missing('params.datatype');
      return { operation, datatype: params.datatype };
    case 'change_dbkey':
      if (!params?.dbkey) throw missing('params.dbkey');
      return { operation, dbkey: params.dbkey };
    case 'add_tags':
    case 'remove_tags':
      if (!params?.tags) throw missing('params.tags');
      return { operation, tags: params.tags };
    default:
      return { operation };
  }
}
