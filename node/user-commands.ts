/** What the command line does to users, beside a running node and on a stopped one alike. */
import { z } from 'zod';
import { defineErrors } from '../protocol/runtime/errors.js';
import { check, sentenceOf } from '../protocol/runtime/schema-words.js';
import type { Accounts } from './accounts/accounts.js';

export const commandErrors = defineErrors('command', {
  'bad-arguments': { kind: 'bad-request', say: 'The command was called wrongly: {reason}.', mend: 'See --help.' },
  'no-user': { kind: 'not-found', say: 'There is no user "{login}" on this node.', mend: 'Check the address.' },
  'user-exists': {
    kind: 'conflict',
    say: 'There is a user "{email}" already; nothing was changed.',
    mend: 'A new password: `galaxy-node user passwd {email}`. Admin rights: `galaxy-node user create --admin --email {email}`.',
  },
});

const createArgs = z.object({
  email: z.string(),
  username: z.string().nullable(),
  admin: z.boolean(),
  password: z.string(),
});
const passwdArgs = z.object({ login: z.string(), password: z.string() });

export interface UserCommands {
  /** `wasAdmin`: of a user who existed. Errors: `command/user-exists` without `admin`, and those of a sign-up. */
  'user-create'(
    args: Record<string, unknown>,
  ): Promise<{ id: string; username: string; created: boolean; wasAdmin: boolean }>;
  'user-passwd'(args: Record<string, unknown>): Promise<{ changed: true }>;
}

export function userCommands(
  accounts: Pick<Accounts, 'byLogin' | 'signUp' | 'isAdmin' | 'grantAdmin' | 'changePassword'>,
): UserCommands {
  return {
    async 'user-create'(args) {
      const { email, username, admin, password } = parse(createArgs, args);
      const before = await accounts.byLogin(email);
      // Somebody who asks for a new user with a password must not believe that it holds now.
      if (before !== undefined && !admin) throw commandErrors('user-exists', { email });
      const name = before?.username ?? username ?? nameFrom(email);
      const id = before?.account ?? (await accounts.signUp({ email, username: name, password })).account;
      const wasAdmin = accounts.isAdmin(id);
      if (admin && !wasAdmin) await accounts.grantAdmin(id);
      return { id, username: name, created: before === undefined, wasAdmin };
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
  const { data, problem } = check(schema, args);
  if (problem === undefined) return data;
  throw commandErrors('bad-arguments', { reason: sentenceOf(problem) });
}
