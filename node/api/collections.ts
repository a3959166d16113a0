/** /api/dataset_collections */
import { z } from 'zod';
import { ELEMENTS_MAX, type NewElement, RANKS_MAX } from '../datasets/new-collection.js';
import { requireAccount } from './auth.js';
import type { ApiDeps, Routes } from './context.js';
import { apiErrors } from './errors.js';
import { paging } from './queries.js';
import { collectionDetailed, collectionElement, collectionSummary } from './serializers/collection.js';
import { entityId, entityIdParam, flag, parse } from './validation.js';

interface ElementBody {
  name: string;
  src: 'hda' | 'hdca' | 'ldda' | 'new_collection';
  id?: string | null | undefined;
  collection_type?: string | null | undefined;
  element_identifiers?: ElementBody[] | null | undefined;
}

/** `depth`: levels that may be within. A schema that calls itself would follow a request as deep as it likes. */
function elementSchema(depth: number): z.ZodType<ElementBody> {
  return z.object({
    name: z.string().max(1024),
    src: z.enum(['hda', 'hdca', 'ldda', 'new_collection']),
    id: entityId.nullish(),
    collection_type: z.string().max(255).nullish(),
    element_identifiers: (depth > 0
      ? z.array(elementSchema(depth - 1)).max(ELEMENTS_MAX)
      : z.array(z.never()).max(0)
    ).nullish(),
  });
}

export const newCollection = z.object({
  name: z.string().min(1).max(1024),
  collection_type: z.string().min(1).max(255),
  element_identifiers: z.array(elementSchema(RANKS_MAX - 1)).max(ELEMENTS_MAX),
  history_id: entityId.optional(),
  copy_elements: flag.optional(),
  hide_source_items: flag.optional(),
  tags: z.array(z.string().max(255)).max(200).optional(),
});

const showQuery = z.object({ view: z.enum(['collection', 'element', 'element-reference']).optional() });
const contentsQuery = z.object(paging);

type Uses = 'histories' | 'collections';

export const collectionRoutes: Routes<Uses> = (app, deps) => {
  const { collections } = deps;

  app.post('/api/dataset_collections', async (request) =>
    createCollection(deps, requireAccount(request), parse(newCollection, request.body)),
  );

  app.get('/api/dataset_collections/:id', async (request) => {
    const { view } = requireAccount(request);
    const wanted = parse(showQuery, request.query);
    const facts = collections.get(view, entityIdParam(request.params));
    return wanted.view === 'collection'
      ? collectionSummary(facts)
      : collectionDetailed(facts, collections.elements(view, facts));
  });

  // The second id is that of an inner collection, or of the collection itself.
  app.get('/api/dataset_collections/:id/contents/:parent', async (request) => {
    const { view } = requireAccount(request);
    const { limit, offset = 0 } = parse(contentsQuery, request.query);
    const outer = entityIdParam(request.params);
    const facts = collections.within(view, outer, entityIdParam(request.params, 'parent'));
    // What is in inner ones is asked for when somebody opens them.
    const elements = collections.elements(view, facts, 0);
    return elements
      .slice(offset, limit === undefined ? undefined : offset + limit)
      .map((one) => collectionElement(one, outer));
  });

  app.get('/api/dataset_collections/:id/attributes', async (request) => {
    const { view } = requireAccount(request);
    const { id, extensions, tags, genomeBuilds } = collections.get(view, entityIdParam(request.params));
    return {
      dbkey: genomeBuilds[0] ?? '?',
      extension: extensions[0] ?? 'auto',
      model_class: 'HistoryDatasetCollectionAssociation',
      dbkeys: genomeBuilds,
      extensions,
      tags: tags.join(','),
      obj_id: id,
    };
  });

  // No datatype is made into another one yet.
  app.get('/api/dataset_collections/:id/suitable_converters', async (request) => {
    collections.get(requireAccount(request).view, entityIdParam(request.params));
    return [];
  });

  app.get('/api/dataset_collection_element/:id', async (request) => {
    const { view } = requireAccount(request);
    const found = collections.element(view, entityIdParam(request.params));
    return collectionElement(found.element, found.outer);
  });
};

export async function createCollection(
  { histories, collections }: Pick<ApiDeps, Uses>,
  caller: ReturnType<typeof requireAccount>,
  body: z.output<typeof newCollection>,
) {
  const history = histories.target(caller.view, body.history_id);
  const facts = await collections.create(caller.account, {
    history: history.id,
    name: body.name,
    type: body.collection_type,
    elements: body.element_identifiers.map((one) => newElement(one)),
    // Galaxy copies by default; BioBlend and the client tell elements by their ids, and so say what they want.
    copyElements: body.copy_elements ?? false,
    hideSource: body.hide_source_items ?? false,
    ...(body.tags ? { tags: body.tags } : {}),
  });
  return collectionDetailed(facts, collections.elements(caller.view, facts));
}

function newElement({ name, src, id, collection_type: type, element_identifiers: inner }: ElementBody): NewElement {
  const missing = (field: string) =>
    apiErrors('bad-parameter', { parameter: `element_identifiers ("${name}")`, reason: `needs its ${field}` });
  switch (src) {
    case 'hda':
      if (!id) throw missing('id');
      return { identifier: name, dataset: id };
    case 'hdca':
      if (!id) throw missing('id');
      return { identifier: name, collection: id };
    case 'new_collection':
      if (!inner) throw missing('element_identifiers');
      return { identifier: name, elements: inner.map((one) => newElement(one)), type: type ?? undefined };
    case 'ldda':
      throw apiErrors('not-implemented', { method: 'POST', path: `collections with elements from ${src}` });
  }
}
