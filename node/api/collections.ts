/** /api/dataset_collections */
import { z } from 'zod';
import { ELEMENTS_MAX } from '../datasets/collections.js';
import { requireAccount } from './auth.js';
import type { ApiDeps, Routes } from './context.js';
import { apiErrors } from './errors.js';
import { paging } from './queries.js';
import { collectionDetailed, collectionElement } from './serializers/collection.js';
import { entityId, entityIdParam, flag, parse } from './validation.js';

const element = z.object({
  name: z.string().max(1024),
  src: z.enum(['hda', 'hdca', 'ldda', 'new_collection']),
  id: entityId.optional(),
});

export const newCollection = z.object({
  name: z.string().min(1).max(1024),
  collection_type: z.string().min(1).max(255),
  element_identifiers: z.array(element).max(ELEMENTS_MAX),
  history_id: entityId.optional(),
  copy_elements: flag.optional(),
  hide_source_items: flag.optional(),
  tags: z.array(z.string().max(255)).max(200).optional(),
});

const contentsQuery = z.object(paging);

type Uses = 'histories' | 'collections';

export const collectionRoutes: Routes<Uses> = (app, deps) => {
  const { collections } = deps;

  app.post('/api/dataset_collections', async (request) =>
    createCollection(deps, requireAccount(request), parse(newCollection, request.body)),
  );

  app.get('/api/dataset_collections/:id', async (request) => {
    const { view } = requireAccount(request);
    const facts = collections.get(view, entityIdParam(request.params));
    return collectionDetailed(facts, collections.elements(view, facts));
  });

  // The second id is that of an inner collection; there are none yet, so it is the collection itself.
  app.get('/api/dataset_collections/:id/contents/:parent', async (request) => {
    const { view } = requireAccount(request);
    const { limit, offset = 0 } = parse(contentsQuery, request.query);
    const facts = collections.get(view, entityIdParam(request.params));
    if (entityIdParam(request.params, 'parent') !== facts.id) {
      throw apiErrors('not-found', { what: 'collection', id: entityIdParam(request.params, 'parent') });
    }
    const elements = collections.elements(view, facts);
    return elements.slice(offset, limit === undefined ? undefined : offset + limit).map(collectionElement);
  });
};

export async function createCollection(
  { histories, collections }: Pick<ApiDeps, Uses>,
  caller: ReturnType<typeof requireAccount>,
  body: z.output<typeof newCollection>,
) {
  const history = histories.target(caller.view, body.history_id);
  const elements = body.element_identifiers.map(({ name, src, id }) => {
    if (src !== 'hda' || id === undefined) {
      throw apiErrors('not-implemented', { method: 'POST', path: `collections with elements from ${src}` });
    }
    return { identifier: name, dataset: id };
  });
  const facts = await collections.create(caller.account, {
    history: history.id,
    name: body.name,
    type: body.collection_type,
    elements,
    // Galaxy copies by default; BioBlend and the client tell elements by their ids, and so say what they want.
    copyElements: body.copy_elements ?? false,
    hideSource: body.hide_source_items ?? false,
    ...(body.tags ? { tags: body.tags } : {}),
  });
  return collectionDetailed(facts, collections.elements(caller.view, facts));
}
