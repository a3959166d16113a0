/** What the command line does to users, beside a running node and on a stopped one alike. */
import { z } from 'zod';
import { defineErrors } from '../protocol/runtime/errors.js';
import type { Accounts } from './accounts/accounts.js';

export const commandErrors = defineErrors('command', {
  'bad-arguments': { kind: 'bad-request', say: 'The command was called wrongly: {reason}.', mend: 'See --help.' },
  'no-user': { kind: 'not-found', say: 'There is no user "{login}" on this node.', mend: 'Check the address.' },
});

const createArgs = z.object({
  email: z.string(),
  username: z.string().nullable(),
  admin: z.boolean(),
  password: z.string(),
});
const passwdArgs = z.object({ login: z.string(), password: z.string() });

export interface UserCommands {
  'user-create'(args: Record<string, unknown>): Promise<{ id: string; username: string; created: boolean }>;
  'user-passwd'(args: Record<string, unknown>): Promise<{ changed: true }>;
}

export function userCommands(accounts: Accounts): UserCommands {
  return {
    async 'user-create'(args) {
      const { email, username, admin, password } = parse(createArgs, args);
      const before = await accounts.byLogin(email);
      const name = before?.username ?? username ?? nameFrom(email);
      const id = before?.account ?? (await accounts.signUp({ email, username: name, password })).account;
      if (admin) await accounts.grantAdmin(id);
      return { id, username: name, created: before === undefined };
    },
    async 'user-passwd'(args) {
      const { login, password } = parse(passwdArgs, args);
      const found = await accounts.byLogin(login);
      if (found === undefined) throw commandErrors('no-user', { login });
      await accounts.changePassword(found.account, { password });
      return { changed: true };
    },
  };
}

/** Galaxy's own rule for a public name, applied to what stands before the @. */
function nameFrom(email: string): string {
  const name = (email.split('@')[0] ?? '').toLowerCase().replace(/[^a-z0-9_.-]+/g, '-');
  return name.padEnd(3, '_').slice(0, 255);
}

function parse<S extends z.ZodType>(schema: S, args: unknown): z.output<S> {
  const parsed = schema.safeParse(args);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw commandErrors('bad-arguments', { reason: `${issue?.path.join('.')}: ${issue?.message}` });
}
