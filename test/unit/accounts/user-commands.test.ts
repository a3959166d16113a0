import { beforeEach, describe, expect, it } from 'vitest';
import { type UserCommands, userCommands } from '../../../node/user-commands.js';

const ada = { email: 'ada@example.org', username: null, password: 'some password' };
let users: Map<string, { account: string; email: string; username: string; password: string }>;
let admins: Set<string>;
let commands: UserCommands;

beforeEach(() => {
  users = new Map();
  admins = new Set();
  commands = userCommands({
    byLogin: async (login) => {
      const user = users.get(login);
      return user && ({ ...user, home: 'here', epoch: 0 } as never);
    },
    signUp: async ({ email, username, password }) => {
      const account = `id-of-${username}`;
      users.set(email, { account, email, username, password });
      return { account } as never;
    },
    isAdmin: (account) => admins.has(account),
    grantAdmin: async (account) => {
      admins.add(account);
    },
    changePassword: async () => {},
  });
});

describe('user create', () => {
  it('creates a user, with a name made from the address', async () => {
    expect(await commands['user-create']({ ...ada, admin: false })).toEqual({
      id: 'id-of-ada',
      username: 'ada',
      created: true,
      wasAdmin: false,
    });
    expect(admins.size).toBe(0);
  });

  it('refuses an address that exists, says what to do instead, and changes nothing', async () => {
    await commands['user-create']({ ...ada, admin: false });
    const again = commands['user-create']({ ...ada, password: 'another password', admin: false });
    await expect(again).rejects.toMatchObject({
      code: 'command/user-exists',
      message: 'There is a user "ada@example.org" already; nothing was changed.',
      mend: expect.stringContaining('`galaxy-node user passwd ada@example.org`'),
    });
    expect(users.get(ada.email)?.password).toBe('some password');
  });

  it('gives admin rights to a user who exists, and says whether they had them and that the password stays', async () => {
    await commands['user-create']({ ...ada, admin: false });
    const again = { ...ada, password: 'another password', admin: true };
    expect(await commands['user-create'](again)).toMatchObject({ created: false, wasAdmin: false });
    expect(admins).toEqual(new Set(['id-of-ada']));
    expect(await commands['user-create'](again)).toMatchObject({ created: false, wasAdmin: true });
    expect(users.get(ada.email)?.password).toBe('some password');
  });
});
