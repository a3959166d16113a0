/** What Galaxy's page gives its client to start with: the user, the configuration, the token of forms. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AccountRecord } from '../../protocol/account/records.js';
import { csrfTokenFor } from './auth.js';
import { configurationOf } from './configuration.js';
import type { ApiDeps } from './context.js';
import { ANONYMOUS_USER, detailedUser } from './serializers/user.js';

export interface ClientBoot {
  signedIn: boolean;
  /** The `options` of the client's `config.set`. */
  options: object;
  /** For follow.js; absent on a node that is alone. */
  network?: { url: string; account: string | null };
}

export type BootClient = (request: FastifyRequest, reply: FastifyReply) => ClientBoot;

export function createClientBoot(
  deps: Pick<ApiDeps, 'options' | 'identity' | 'accounts' | 'clock' | 'random'>,
  server: { networkUrl?: () => string | undefined } = {},
): BootClient {
  const startedAt = deps.clock.now();
  return (request, reply) => {
    const { account, view } = request.caller;
    const record: AccountRecord | undefined = account === undefined ? undefined : view?.get('account', account);
    const url = server.networkUrl?.();
    const user = record && view ? detailedUser(record, view, deps.accounts) : ANONYMOUS_USER;
    return {
      signedIn: record !== undefined,
      ...(url === undefined ? {} : { network: { url, account: record?.id ?? null } }),
      options: {
        root: '/',
        user,
        config: {
          ...configurationOf(deps, request.caller, startedAt),
          active_view: 'analysis',
          show_inactivity_warning: false,
          tool_dynamic_configs: [],
          stored_workflow_menu_entries: [],
        },
        params: request.query,
        session_csrf_token: csrfTokenFor(request, reply, deps.random, deps.options.publicUrl),
      },
    };
  };
}
