/** /api/users: accounts, their usage and what the client keeps with them. Keys and forms of preferences are beside. */
import type { components } from '@galaxyproject/galaxy-api-client';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AccountRecord, AccountView } from '../../protocol/account/records.js';
import type { Accounts } from '../accounts/accounts.js';
import { requireAccount, requireAdmin, requireCaller } from './auth.js';
import type { ApiDeps } from './context.js';
import { apiErrors } from './errors.js';
import { ANONYMOUS_USER, type AnonymousUser, type DetailedUser, detailedUser, plainUser } from './serializers/user.js';
import { sendText } from './text.js';
import { entityIdParam, flag, parse, whole } from './validation.js';

type Usage = components['schemas']['UserQuotaUsage'];
type Favorites = components['schemas']['FavoriteObjectsSummary'];

const text = z.string().max(1024);
const listQuery = z.object({
  deleted: flag.optional(),
  f_email: text.optional(),
  f_name: text.optional(),
  f_any: text.optional(),
  limit: whole({ min: 0, max: 1000 }).optional(),
  offset: whole({ min: 0, max: 1_000_000 }).optional(),
});
const createBody = z.object({ email: text, username: text, password: text });
const updateBody = z.object({ username: text.nullish(), active: z.boolean().nullish() });
const favoriteBody = z.object({ object_id: z.string().min(1).max(255) });
const THEME = /^[\w.-]{1,64}$/;
const FAVORITES_MAX = 500;

export function userRoutes(app: FastifyInstance, deps: Pick<ApiDeps, 'accounts'>): void {
  const { accounts } = deps;

  const current = (request: FastifyRequest): DetailedUser | AnonymousUser => {
    const { account, view } = request.caller;
    const record = account === undefined ? undefined : view?.get('account', account);
    return record && view ? detailedUser(record, view, accounts) : ANONYMOUS_USER;
  };

  const list = async (request: FastifyRequest, deleted: boolean | undefined) => {
    const query = parse(listQuery, request.query);
    const caller = requireCaller(request);
    const filter = {
      deleted: deleted ?? query.deleted ?? false,
      ...(query.f_email ? { email: query.f_email } : {}),
      ...(query.f_name ? { name: query.f_name } : {}),
      ...(query.f_any ? { any: query.f_any } : {}),
    };
    if (filter.deleted) requireAdmin(request);
    // E-mail addresses are nobody else's business: an ordinary user finds herself.
    const found = caller.admin ? await accounts.list(filter) : ownRecord(caller.view, filter);
    const offset = query.offset ?? 0;
    return found.slice(offset, query.limit === undefined ? undefined : offset + query.limit).map(plainUser);
  };

  app.get('/api/users', (request) => list(request, undefined));
  app.get('/api/users/deleted', (request) => list(request, true));

  app.post('/api/users', async (request) => {
    requireAdmin(request);
    const { account } = await accounts.signUp(parse(createBody, request.body));
    return shown(accounts, account);
  });

  app.get('/api/users/current', async (request) => current(request));
  app.get('/api/whoami', async (request) => {
    const { account, view } = request.caller;
    const record = account === undefined ? undefined : view?.get('account', account);
    return record ? plainUser(record) : null;
  });

  app.get('/api/users/:id', async (request) => {
    if (isCurrent(request)) return current(request);
    return shown(accounts, ownOrAny(request));
  });
  app.get('/api/users/deleted/:id', async (request) => {
    requireAdmin(request);
    return shown(accounts, entityIdParam(request.params));
  });

  app.put('/api/users/:id', async (request) => {
    const account = ownOrAny(request);
    const body = parse(updateBody, request.body);
    if (body.username) await accounts.rename(account, { username: body.username });
    return shown(accounts, account);
  });

  app.delete('/api/users/:id', async (request) => {
    const account = ownOrAny(request);
    const { purge } = parse(z.object({ purge: flag.optional() }), {
      ...(request.query as object),
      ...(request.body as object | undefined),
    });
    if (purge) throw apiErrors('not-implemented', { method: 'DELETE', path: '/api/users/{id}?purge=true' });
    await accounts.setDeleted(account, true);
    return shown(accounts, account);
  });

  app.post('/api/users/deleted/:id/undelete', async (request) => {
    requireAdmin(request);
    const account = entityIdParam(request.params);
    await accounts.setDeleted(account, false);
    return shown(accounts, account);
  });

  const usage = async (request: FastifyRequest): Promise<Usage> => {
    const { bytes } = accounts.usageOf(await accounts.viewOf(ownOrAny(request)));
    return {
      quota_source_label: null,
      total_disk_usage: bytes,
      quota_bytes: null,
      quota_percent: null,
      quota: 'unlimited',
    };
  };
  app.get('/api/users/:id/usage', async (request) => [await usage(request)]);
  app.get('/api/users/:id/usage/:label', (request) => usage(request));
  app.get('/api/users/:id/objectstore_usage', async (request) => {
    const { bytes } = accounts.usageOf(await accounts.viewOf(ownOrAny(request)));
    return [{ object_store_id: 'default', total_disk_usage: bytes }];
  });
  // Usage is derived at each question, so there is nothing to compute again: 204 is Galaxy's "done".
  app.put('/api/users/:id/recalculate_disk_usage', async (request, reply) => {
    ownOrAny(request);
    return reply.code(204).send();
  });

  app.put('/api/users/:id/theme/:theme', async (request, reply) => {
    const account = ownOrAny(request);
    const { theme } = request.params as { theme: string };
    if (!THEME.test(theme)) throw apiErrors('bad-parameter', { parameter: 'theme', reason: 'is not a name' });
    await accounts.setPreferences(account, { theme });
    return sendText(reply, theme);
  });

  const favorites = async (request: FastifyRequest, change: (tools: string[]) => string[]): Promise<Favorites> => {
    const account = ownOrAny(request);
    const { type } = request.params as { type: string };
    if (type !== 'tools')
      throw apiErrors('bad-parameter', {
        parameter: 'object_type',
        reason: 'must be "tools": nothing else can be a favorite',
      });
    const value = await accounts.changePreference(account, 'favorites', (old) => {
      const tools = change(favoriteTools(old));
      if (tools.length > FAVORITES_MAX)
        throw apiErrors('bad-parameter', {
          parameter: 'object_id',
          reason: 'cannot be added: there are too many favorites',
        });
      // A text that holds JSON: so Galaxy keeps it, and so the client reads it.
      return JSON.stringify({ tools });
    });
    return { tools: favoriteTools(value) };
  };
  app.get('/api/users/:id/favorites', async (request) => {
    const account = ownOrAny(request);
    return { tools: favoriteTools((await accounts.record(account)).preferences.favorites) };
  });
  app.put('/api/users/:id/favorites/:type', (request) => {
    const { object_id } = parse(favoriteBody, request.body);
    return favorites(request, (tools) => (tools.includes(object_id) ? tools : [...tools, object_id]));
  });
  app.delete('/api/users/:id/favorites/:type/*', (request) => {
    // Tool ids of the Tool Shed have slashes.
    const tool = (request.params as { '*': string })['*'];
    return favorites(request, (tools) => tools.filter((known) => known !== tool));
  });

  for (const name of ['custom_builds', 'credentials']) {
    app.get(`/api/users/:id/${name}`, async (request) => {
      ownOrAny(request);
      return [];
    });
  }
  app.get('/api/users/:id/beacon', async (request) => {
    ownOrAny(request);
    return { enabled: false };
  });
}

/** The account in the path: one's own (also as `current`), or any for an administrator. */
export function ownOrAny(request: FastifyRequest): string {
  const caller = requireCaller(request);
  if (isCurrent(request)) return requireAccount(request).account;
  const account = entityIdParam(request.params);
  if (account !== caller.account && !caller.admin) throw apiErrors('no-access', { what: 'user' });
  return account;
}

function isCurrent(request: FastifyRequest): boolean {
  return (request.params as { id?: string }).id === 'current';
}

async function shown(accounts: Accounts, account: string): Promise<DetailedUser> {
  const view = await accounts.viewOf(account);
  return detailedUser(view.get('account', account) as AccountRecord, view, accounts);
}

function ownRecord(
  view: AccountView | undefined,
  filter: { email?: string; name?: string; any?: string },
): AccountRecord[] {
  const record = view?.get('account', view.account);
  if (!record) return [];
  const has = (whole: string, part: string | undefined) => part === undefined || whole.includes(part);
  const fits =
    has(record.email, filter.email) &&
    has(record.username, filter.name) &&
    (has(record.email, filter.any) || has(record.username, filter.any));
  return fits ? [record] : [];
}

/** What is stored came through `favorites`, or from a newer version: anything else is no favorites. */
function favoriteTools(stored: unknown): string[] {
  try {
    const parsed: unknown = typeof stored === 'string' ? JSON.parse(stored) : undefined;
    return z.object({ tools: z.array(z.string()) }).parse(parsed).tools;
  } catch {
    return [];
  }
}
