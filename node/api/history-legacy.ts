/**
 * /history/…: what Galaxy's client still asks outside the API. The poll is `current_history_json?since=T`, every three
 * seconds from each open page; unchanged is JSON `null` with 200.
 */
import { z } from 'zod';
import { parseTime } from '../histories/query.js';
import { requireAccount } from './auth.js';
import type { Routes } from './context.js';
import { historyDetailed } from './serializers/history.js';
import { entityId, parse } from './validation.js';

const pollQuery = z.object({ since: z.string().max(100).optional() });
const chosen = z.object({ id: entityId });

export const historyLegacyRoutes: Routes<'histories'> = (app, { histories }) => {
  app.get('/history/current_history_json', async (request, reply) => {
    const { since } = parse(pollQuery, request.query);
    const { account, view } = request.caller;
    reply.type('application/json');
    // A visitor has no history; the client shows its sign-in instead.
    if (account === undefined || view === undefined) return 'null';
    const record = await histories.current(account);
    const known = since === undefined ? undefined : parseTime(since);
    if (known !== undefined && histories.changedAt(view, record) <= known) return 'null';
    return historyDetailed(view, record, histories.stats(view, record), account);
  });

  app.get('/history/create_new_current', async (request) => {
    const { account, view } = requireAccount(request);
    const record = await histories.createCurrent(account);
    return historyDetailed(view, record, histories.stats(view, record), account);
  });

  app.get('/history/set_as_current', async (request) => {
    const { account, view } = requireAccount(request);
    const record = await histories.setCurrent(account, parse(chosen, request.query).id);
    return historyDetailed(view, record, histories.stats(view, record), account);
  });
};
