/** API keys: /api/users/{id}/api_key, and how a script gets one with a password. */
import type { components } from '@galaxyproject/galaxy-api-client';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { accountErrors } from '../accounts/errors.js';
import type { ApiDeps } from './context.js';
import { apiErrors } from './errors.js';
import { galaxyTime } from './serializers/time.js';
import { sendText } from './text.js';
import { ownOrAny } from './users.js';

type Key = components['schemas']['APIKeyModel'];

export function userKeyRoutes(app: FastifyInstance, deps: Pick<ApiDeps, 'accounts'>): void {
  const { accounts } = deps;
  const create = async (request: FastifyRequest) => {
    const account = ownOrAny(request);
    await accounts.viewOf(account);
    return accounts.keys.create(account);
  };

  app.get('/api/users/:id/api_key', async (request, reply) => {
    const account = ownOrAny(request);
    await accounts.viewOf(account);
    return sendText(reply, (await accounts.keys.newest(account))?.key ?? (await accounts.keys.create(account)));
  });
  app.get('/api/users/:id/api_key/detailed', async (request, reply) => {
    const key = await accounts.keys.newest(ownOrAny(request));
    if (!key) return reply.code(204).send();
    return { key: key.key, create_time: galaxyTime(key.createdAt) } satisfies Key;
  });
  app.get('/api/users/:id/api_key/inputs', async (request) =>
    inputs((await accounts.keys.newest(ownOrAny(request)))?.key),
  );
  app.post('/api/users/:id/api_key', async (request, reply) => sendText(reply, await create(request)));
  app.put('/api/users/:id/api_key', async (request, reply) => sendText(reply, await create(request)));
  app.put('/api/users/:id/api_key/inputs', async (request) => inputs(await create(request)));
  app.delete('/api/users/:id/api_key', async (request, reply) => {
    await accounts.keys.revokeAll(ownOrAny(request));
    return reply.code(204).send();
  });

  app.get('/api/authenticate/baseauth', async (request) => {
    const { login, password } = basicAuth(request);
    const { account, here } = await accounts.signIn({ login, password, from: request.clientAddress });
    if (!here) throw accountErrors('elsewhere');
    return { api_key: (await accounts.keys.newest(account))?.key ?? (await accounts.keys.create(account)) };
  });
}

/** As Galaxy's form shows it; BioBlend reads `inputs[0].value`. */
function inputs(key: string | undefined) {
  return {
    message: key === undefined ? null : 'Generated a new web API key.',
    inputs: [
      { name: 'api-key', type: 'text', label: 'Current API key:', value: key ?? 'Not available.', readonly: true },
    ],
  };
}

function basicAuth(request: FastifyRequest): { login: string; password: string } {
  const header = request.headers.authorization ?? '';
  // BioBlend sends the credentials without naming the scheme; Galaxy reads them all the same.
  const encoded = /^(?:basic )?([A-Za-z0-9+/=]{1,4096})$/i.exec(header)?.[1];
  if (encoded === undefined) throw apiErrors('basic-needed');
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const at = text.indexOf(':');
  if (at < 1) throw apiErrors('basic-needed');
  return { login: text.slice(0, at), password: text.slice(at + 1) };
}
