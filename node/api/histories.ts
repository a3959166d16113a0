/** /api/histories */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AccountView, HistoryRecord } from '../../protocol/account/records.js';
import type { HistoryChange, HistoryQuery } from '../histories/histories.js';
import type { OwnedHistory } from '../histories/owners.js';
import { requireAccount, requireAdmin } from './auth.js';
import type { ApiDeps, Routes } from './context.js';
import { apiErrors } from './errors.js';
import { filters, paging, purgeFlag, shape } from './queries.js';
import { historyDetailed, historySharing, historySummary } from './serializers/history.js';
import { chooseKeys } from './serializers/keys.js';
import { entityId, entityIdParam, flag, parse } from './validation.js';

const listQuery = z.object({
  ...filters,
  ...paging,
  ...shape,
  all: flag.optional(),
  deleted: flag.optional(),
  search: z.string().max(1000).optional(),
  sort_by: z.enum(['create_time', 'name', 'update_time', 'username']).optional(),
  sort_desc: flag.optional(),
  show_own: flag.optional(),
  show_published: flag.optional(),
  show_shared: flag.optional(),
  show_archived: flag.optional(),
});

const name = z.string().trim().max(255);
const annotation = z.string().max(65_535).nullable();
const tags = z.array(z.string().max(255)).max(200);

const creation = z.object({
  name: name.nullish(),
  history_id: entityId.nullish(),
  all_datasets: flag.nullish(),
  archive_source: z.unknown().optional(),
  archive_file: z.unknown().optional(),
});

const change = z.object({
  name: name.min(1).optional(),
  annotation: annotation.optional(),
  tags: tags.nullish(),
  deleted: flag.optional(),
  purged: flag.optional(),
  published: flag.optional(),
  importable: flag.optional(),
  archived: flag.optional(),
  genome_build: z.string().max(255).optional(),
});

const batch = z.object({ ids: z.array(entityId).min(1).max(1000), purge: flag.optional() });

export const historyRoutes: Routes<'histories'> = (app, { histories }) => {
  const detailed = (view: AccountView, record: HistoryRecord, reader: string | undefined) =>
    historyDetailed(view, record, histories.stats(view, record), reader);
  const shaped = (owned: OwnedHistory, query: z.output<typeof listQuery>, reader: string | undefined) => {
    const { view, record } = owned;
    const summary = { ...historySummary(record, histories.stats(view, record)), username: ownerName(view) };
    return chooseKeys(summary, () => detailed(view, record, reader), query, 'summary');
  };

  const listFor = async (request: FastifyRequest, query: z.output<typeof listQuery>, wanted: HistoryQuery) => {
    if (query.all) {
      requireAdmin(request);
      return histories.everyones(wanted);
    }
    if (query.show_published) return histories.published(wanted);
    const { view } = request.caller;
    // A visitor has none, and nothing is shared with single users yet.
    if (view === undefined || (query.show_shared && !query.show_own)) return { histories: [], total: 0 };
    return own(histories, view, wanted);
  };

  app.get('/api/histories', async (request, reply) => {
    const query = parse(listQuery, request.query);
    const reader = request.caller.account;
    const wanted = coreQuery(query);
    const found = await listFor(request, query, wanted);
    reply.header('total_matches', found.total);
    return found.histories.map((owned) => shaped(owned, query, reader));
  });

  app.get('/api/histories/published', async (request, reply) => {
    const query = parse(listQuery, request.query);
    const found = await histories.published(coreQuery(query));
    reply.header('total_matches', found.total);
    return found.histories.map((owned) => shaped(owned, query, request.caller.account));
  });

  app.get('/api/histories/shared_with_me', async (request, reply) => {
    requireAccount(request);
    reply.header('total_matches', 0);
    return [];
  });

  app.get('/api/histories/deleted', async (request) => {
    const { account, view } = requireAccount(request);
    const query = parse(listQuery, request.query);
    const found = own(histories, view, { ...coreQuery(query), deleted: true });
    return found.histories.map((owned) => shaped(owned, query, account));
  });

  app.get('/api/histories/archived', async (request) => {
    const { account, view } = requireAccount(request);
    const query = parse(listQuery, request.query);
    const wanted = coreQuery(query);
    const archivedOnly = { ...wanted, q: [...(wanted.q ?? []), 'archived'], qv: [...(wanted.qv ?? []), 'true'] };
    return own(histories, view, archivedOnly).histories.map((owned) => shaped(owned, query, account));
  });

  // The client asks this on its sign-in page too.
  app.get('/api/histories/count', async ({ caller }) => (caller.view === undefined ? 0 : histories.count(caller.view)));

  app.get('/api/histories/most_recently_used', async (request) => {
    const { account, view } = request.caller;
    const record = view && histories.mostRecent(view);
    return view && record ? detailed(view, record, account) : null;
  });

  app.post('/api/histories', async (request) => {
    const caller = requireAccount(request);
    const body = parse(creation, request.body);
    if (body.archive_source || body.archive_file) {
      throw apiErrors('not-implemented', { method: 'POST', path: 'of a history archive' });
    }
    const record = body.history_id
      ? await histories.copy(caller.account, await histories.readable(caller, body.history_id), {
          name: body.name ?? undefined,
          includeDeleted: body.all_datasets ?? false,
        })
      : await histories.create(caller.account, { name: body.name ?? undefined });
    return detailed(caller.view, record, caller.account);
  });

  app.put('/api/histories/batch/delete', async (request) => {
    const { account, view } = requireAccount(request);
    const { ids, purge } = parse(batch, request.body);
    const records = await histories.deleteAll(account, ids, { purge: purge ?? false });
    return records.map((record) => detailed(view, record, account));
  });

  app.put('/api/histories/batch/undelete', async (request) => {
    const { account, view } = requireAccount(request);
    const records = await histories.undeleteAll(account, parse(batch, request.body).ids);
    return records.map((record) => detailed(view, record, account));
  });

  app.post('/api/histories/deleted/:id/undelete', async (request) => {
    const caller = requireAccount(request);
    const { id } = await histories.changeable(caller, entityIdParam(request.params));
    return detailed(caller.view, await histories.undelete(caller.account, id), caller.account);
  });

  app.get('/api/histories/:id', async (request) => {
    const query = parse(z.object(shape), request.query);
    const { view, record } = await histories.readable(request.caller, entityIdParam(request.params));
    const summary = historySummary(record, histories.stats(view, record));
    return chooseKeys(summary, () => detailed(view, record, request.caller.account), query, 'detailed');
  });

  app.put('/api/histories/:id', async (request) => {
    const caller = requireAccount(request);
    const { id } = await histories.changeable(caller, entityIdParam(request.params));
    const body = parse(change, request.body);
    const record = body.purged
      ? await histories.delete(caller.account, id, { purge: true })
      : await histories.update(caller.account, id, coreChange(body));
    return detailed(caller.view, record, caller.account);
  });

  app.delete('/api/histories/:id', async (request) => {
    const caller = requireAccount(request);
    const { id } = await histories.changeable(caller, entityIdParam(request.params));
    const purge = parse(purgeFlag, request.query).purge ?? parse(purgeFlag, request.body).purge ?? false;
    return detailed(caller.view, await histories.delete(caller.account, id, { purge }), caller.account);
  });

  app.post('/api/histories/:id/archive', async (request) => {
    const caller = requireAccount(request);
    const { id } = await histories.changeable(caller, entityIdParam(request.params));
    return detailed(caller.view, await histories.update(caller.account, id, { archived: true }), caller.account);
  });

  app.put('/api/histories/:id/archive/restore', async (request) => {
    const caller = requireAccount(request);
    const { id } = await histories.changeable(caller, entityIdParam(request.params));
    return detailed(caller.view, await histories.update(caller.account, id, { archived: false }), caller.account);
  });

  app.post('/api/histories/:id/tags/:tag', async (request) => {
    const caller = requireAccount(request);
    const { id } = await histories.changeable(caller, entityIdParam(request.params));
    const { tag } = parse(z.object({ tag: z.string().min(1).max(255) }), request.params);
    await histories.addTags(caller.account, id, [tag]);
    return { id, model_class: 'HistoryTagAssociation', user_tname: tag, user_value: null };
  });

  app.put('/api/histories/:id/set_as_current', async (request) => {
    const { account, view } = requireAccount(request);
    return detailed(view, await histories.setCurrent(account, entityIdParam(request.params)), account);
  });

  app.get('/api/histories/:id/sharing', async (request) => {
    const caller = requireAccount(request);
    return historySharing(caller.view, await histories.changeable(caller, entityIdParam(request.params)));
  });

  for (const [action, fields] of Object.entries(SHARING)) {
    app.put(`/api/histories/:id/${action}`, async (request) => {
      const caller = requireAccount(request);
      const { id } = await histories.changeable(caller, entityIdParam(request.params));
      return historySharing(caller.view, await histories.update(caller.account, id, fields));
    });
  }

  app.put('/api/histories/:id/slug', async (request, reply) => {
    const caller = requireAccount(request);
    const { id } = await histories.changeable(caller, entityIdParam(request.params));
    const { new_slug: slug } = parse(z.object({ new_slug: z.string().max(200) }), request.body);
    await histories.update(caller.account, id, { slug });
    return reply.code(204).send();
  });

  // What the client asks of a history and what needs parts that are not here yet: nothing, in the right shape.
  app.get('/api/histories/:id/jobs_summary', async (request) => {
    await histories.readable(request.caller, entityIdParam(request.params));
    return [];
  });
  app.get('/api/histories/:id/custom_builds_metadata', async (request) => {
    await histories.readable(request.caller, entityIdParam(request.params));
    return { installed_builds: [], fasta_hdas: [] };
  });
};

const SHARING: Record<string, HistoryChange> = {
  enable_link_access: { importable: true },
  disable_link_access: { importable: false, published: false },
  publish: { published: true },
  unpublish: { published: false },
};

function own(
  histories: ApiDeps['histories'],
  view: AccountView,
  query: HistoryQuery,
): { histories: OwnedHistory[]; total: number } {
  const { histories: records, total } = histories.list(view, query);
  return { histories: records.map((record) => ({ account: view.account, view, record })), total };
}

function ownerName(view: AccountView): string | null {
  return view.get('account', view.account)?.username ?? null;
}

function coreQuery(query: z.output<typeof listQuery>): HistoryQuery {
  const { q, qv, deleted, limit, offset, search, sort_by, sort_desc } = query;
  const sorted = sort_by === undefined ? undefined : `${sort_by}-${(sort_desc ?? true) ? 'dsc' : 'asc'}`;
  const order = query.order ?? sorted;
  return {
    ...(q ? { q } : {}),
    ...(qv ? { qv } : {}),
    ...(deleted === undefined ? {} : { deleted }),
    ...(limit === undefined ? {} : { limit }),
    ...(offset === undefined ? {} : { offset }),
    ...(search === undefined ? {} : { search }),
    ...(order === undefined ? {} : { order }),
  };
}

function coreChange(body: z.output<typeof change>): HistoryChange {
  const { purged: _, genome_build: genomeBuild, tags: given, ...rest } = body;
  return { ...rest, ...(given ? { tags: given } : {}), ...(genomeBuild === undefined ? {} : { genomeBuild }) };
}
