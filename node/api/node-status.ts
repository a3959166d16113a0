/** What this node is doing and how safe one's data is: for everybody who has signed in, and for the page /node. */
import { z } from 'zod';
import type { NodeStatus } from '../node-status.js';
import { requireAccount, requireCaller } from './auth.js';
import { apiErrors } from './errors.js';
import type { RouteFile } from './route-file.js';
import { entityId, entityIdParam, parse } from './validation.js';

const listQuery = z.object({ history: entityId.optional() });

export function nodeStatusRoutes({ status }: { status: NodeStatus }): RouteFile {
  return (app) => {
    app.get('/api/node/status', async (request, reply) => {
      const caller = requireCaller(request);
      reply.header('cache-control', 'no-store');
      return status.report({ admin: caller.admin, account: caller.account });
    });

    app.get('/api/node/datasets', async (request, reply) => {
      const { view } = requireAccount(request);
      const { history } = parse(listQuery, request.query);
      reply.header('cache-control', 'no-store');
      return status.datasets(view, history);
    });

    app.get('/api/node/datasets/:id', async (request, reply) => {
      const { view } = requireAccount(request);
      const id = entityIdParam(request.params);
      const copies = status.dataset(view, id);
      if (copies === undefined) throw apiErrors('not-found', { what: 'dataset', id });
      reply.header('cache-control', 'no-store');
      return copies;
    });
  };
}
