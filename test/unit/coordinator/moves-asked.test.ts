import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../../coordinator/directory.js';
import { gatewayErrors } from '../../../coordinator/errors.js';
import { Gateway, type GatewayDeps } from '../../../coordinator/http/gateway.js';
import { buildHttp } from '../../../coordinator/http/server.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { ManualClock } from './support.js';

const id = (n: number) => n.toString(16).padStart(16, '0');
const account = (of: string) => ({ account: of, home: 'gone' }) as Account;
const KNOWN_KEY = id(0xa1) + 'f'.repeat(32);
const madeUpKey = (of: string) => of + '0'.repeat(32);

describe('who only names an account', () => {
  let clock: ManualClock;
  /** For each request: whose home was asked for, and whether it might be moved. */
  let asked: [account: string, mayMove: boolean][];
  let app: ReturnType<typeof buildHttp>;

  beforeEach(() => {
    clock = new ManualClock();
    asked = [];
    const hash = createHash('sha256').update(KNOWN_KEY).digest('hex');
    const deps = {
      clock,
      log: silentLogger,
      locate: () => undefined,
      sessions: { account: async (cookie?: string) => (cookie === 'signed' ? account(id(0xc1)) : undefined) },
      directory: {
        byKeyHash: async (given: string) => (given === hash ? account(id(0xa1)) : undefined),
        isKeyRevoked: async () => false,
        byId: async (given: string) => account(given),
        find: async (login: string) => account(id(Number(login.slice(4)))),
      },
      registry: { list: () => [], get: () => undefined },
      homes: {
        resolve: async ({ account: of }: Account, _from: unknown, mayMove = () => true) => {
          asked.push([of, mayMove()]);
          throw gatewayErrors('no-node');
        },
      },
    } as unknown as GatewayDeps;
    const options = { networkUrl: () => 'http://network', trustedProxies: [], streamsPerClientMax: 64 };
    app = buildHttp(
      {
        gateway: new Gateway(deps, options),
        sessions: deps.sessions,
        registry: deps.registry,
        random: systemRandom,
        clock,
        status: () => ({}),
        pages: () => {},
      },
      options,
    );
  });

  const ask = (headers: Record<string, string>, remoteAddress = '192.0.2.1', url = '/api/histories') =>
    app.inject({ url, headers, remoteAddress });
  const basic = (n: number, from?: string) => {
    const authorization = `Basic ${Buffer.from(`user${n}:x`).toString('base64')}`;
    return ask({ authorization }, from, '/api/authenticate/baseauth');
  };
  const moved = () => asked.splice(0).filter(([, mayMove]) => mayMove).length;

  it.each([
    ['a made-up key', (n: number, from?: string) => ask({ 'x-api-key': madeUpKey(id(n)) }, from)],
    ['the login of HTTP Basic', basic],
  ])('by %s has only some moved in a moment, wherever the accounts are', async (_how, name) => {
    for (let n = 1; n <= 30; n++) expect((await name(n)).statusCode).toBe(503);
    expect([asked.length, moved()]).toEqual([30, 20]);
    // Another address is another asker, but an account is moved once.
    await name(1, '192.0.2.2');
    await name(31, '192.0.2.2');
    expect(asked.splice(0)).toEqual([
      [id(1), false],
      [id(31), true],
    ]);
    clock.advance(2000);
    await name(1);
    expect(moved()).toBe(1);
  });

  it('is not her: a key that is known, and the cookie of a sign-in, have their own account moved whenever they ask', async () => {
    for (let n = 1; n <= 30; n++) await ask({ 'x-api-key': madeUpKey(id(n)) });
    asked.splice(0);
    for (let n = 0; n < 25; n++) await ask({ 'x-api-key': KNOWN_KEY });
    for (let n = 0; n < 25; n++) await ask({ cookie: 'galaxy_network=signed' });
    expect(moved()).toBe(50);
  });
});
