/** The forms of Galaxy's preferences page: what it shows (GET) and what it saves (PUT), described as its form builder takes them. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { requireCaller, setSessionCookie } from './auth.js';
import type { ApiDeps } from './context.js';
import { apiErrors } from './errors.js';
import { ownOrAny } from './users.js';
import { parse } from './validation.js';

const text = z.string().max(2048);
const informationBody = z.object({ email: text.nullish(), username: text.nullish() });
const passwordBody = z.object({ current: text.nullish(), password: text, confirm: text.nullish() });

export function userFormRoutes(app: FastifyInstance, deps: Pick<ApiDeps, 'accounts' | 'options' | 'log'>): void {
  const { accounts, log } = deps;

  app.get('/api/users/:id/information/inputs', async (request) => {
    const { email, username } = await accounts.record(ownOrAny(request));
    return {
      email,
      username,
      addresses: [],
      inputs: [
        { id: 'email_input', name: 'email', type: 'text', label: 'Email address', value: email, help: '' },
        {
          id: 'name_input',
          name: 'username',
          type: 'text',
          label: 'Public name',
          value: username,
          help: "Shown to others where you share or publish. At least 3 characters: lower-case letters, numbers, '.', '_' and '-'.",
        },
      ],
    };
  });
  app.put('/api/users/:id/information/inputs', async (request) => {
    const account = ownOrAny(request);
    const { email, username } = parse(informationBody, request.body);
    await accounts.rename(account, {
      ...(email ? { email } : {}),
      ...(username ? { username } : {}),
    });
    return { message: 'User information has been saved.' };
  });

  app.get('/api/users/:id/password/inputs', async (request) => {
    const account = ownOrAny(request);
    const field = (name: string, label: string) => ({ name, type: 'password', label, value: '' });
    const own = account === request.caller.account;
    return {
      inputs: [
        ...(own ? [field('current', 'Current password')] : []),
        field('password', 'New password'),
        field('confirm', 'Confirm password'),
      ],
    };
  });
  app.put('/api/users/:id/password/inputs', async (request, reply) => {
    const account = ownOrAny(request);
    const body = parse(passwordBody, request.body);
    const own = account === request.caller.account;
    if (own && !body.current)
      throw apiErrors('bad-parameter', {
        parameter: 'current',
        reason: 'is missing: please provide your current password',
      });
    await accounts.changePassword(account, {
      ...(own ? { current: body.current ?? '' } : {}),
      password: body.password,
      ...(body.confirm === undefined ? {} : { confirm: body.confirm }),
    });
    log.info({ account, by: request.caller.account ?? 'master key' }, 'password changed');
    // Every sign-in ends with the old password, and this one begins anew.
    if (own && request.session) setSessionCookie(request, reply, accounts.sessions.issue(account).token, deps);
    return { message: 'Password has been changed.' };
  });

  for (const form of ['permissions', 'toolbox_filters', 'communication']) {
    app.get(`/api/users/:id/${form}/inputs`, async (request) => {
      requireCaller(request);
      ownOrAny(request);
      return { inputs: [] };
    });
  }
}
