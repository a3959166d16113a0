import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { homeErrors } from '../../../node/accounts/home-errors.js';
import { awaitArrival, CurrentHomes, type HomeGate } from '../../../node/accounts/home-gate.js';
import { openToken } from '../../../protocol/trust/signed.js';
import { REACHABILITY_KIND, reachabilitySchema } from '../../../protocol/wire/calls/join.js';
import { ManualClock } from '../../support/manual-clock.js';
import type { Browser } from '../api-auth/door.js';
import { json, NETWORK, openWorld, type World } from './world.js';

let world: World;
let browser: Browser;
let account: string;

beforeEach(async () => {
  world = await openWorld();
  browser = world.browser();
  account = await world.signUp(browser);
  for (const name of ['galaxyhandoff', 'galaxyhandoffdue']) browser.cookies.delete(name);
});
afterEach(() => world.close());

const leave = () => world.leases.lose(account, 2, world.coordinator.peerId);
const go = `${NETWORK}/network/go`;

describe('an account that moved', () => {
  it('sends its pages to the network’s address, to the same place', async () => {
    await leave();
    const answer = await browser.get('/datasets/list?a=1&b=2');
    expect(answer.statusCode).toBe(307);
    expect(answer.headers.location).toBe(`${go}?to=${encodeURIComponent('/datasets/list?a=1&b=2')}`);
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('answers calls of its page with 410, the address in a header, and never with a redirect', async () => {
    await leave();
    for (const headers of [json, { accept: 'text/html', 'sec-fetch-dest': 'iframe' }, { accept: '*/*' }]) {
      const answer = await browser.send({ method: 'GET', url: '/datasets/0123456789abcdef/display', headers });
      expect(answer.statusCode).toBe(410);
      expect(answer.headers['x-galaxy-moved']).toBe(go);
      expect(answer.json()).toEqual({
        err_msg: expect.stringContaining('at home on another node'),
        err_code: 410001,
        moved: { url: go },
      });
    }
    const change = await browser.send({ method: 'POST', url: '/api/histories', headers: json, payload: {} });
    expect([change.statusCode, change.headers['x-galaxy-moved']]).toEqual([410, go]);
    expect(browser.cookies.has('galaxysession')).toBe(true);
  });

  it('answers an API key with 410 as well', async () => {
    const key = await world.accounts.keys.create(account);
    const call = () => world.inject({ method: 'GET', url: '/api/whoami', headers: { 'x-api-key': key } });
    expect((await call()).json().username).toBe('ada');
    await leave();
    const answer = await call();
    expect([answer.statusCode, answer.json().err_code, answer.headers['x-galaxy-moved']]).toEqual([410, 410001, go]);
  });

  it('does not send a browser in circles whom the network does not know', async () => {
    await leave();
    for (let time = 0; time < 3; time++) expect((await browser.get('/')).statusCode).toBe(307);
    const answer = await browser.get('/');
    expect([answer.statusCode, answer.headers.location]).toEqual([302, '/login/start']);
    expect([...browser.cookies.keys()]).toEqual(['galaxyvisit']);
  });

  it('is served again when it comes back', async () => {
    await leave();
    expect((await browser.get('/')).statusCode).toBe(307);
    world.statuses.set(account, { at: 'here' });
    expect((await browser.get('/')).statusCode).toBe(200);
  });

  it('asks for patience while it is arriving or leaving', async () => {
    for (const at of ['arriving', 'leaving'] as const) {
      world.statuses.set(account, { at });
      const answer = await browser.send({ method: 'GET', url: '/api/whoami', headers: json });
      expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '5']);
    }
  });

  it('says so of a change that was under way when it left', async () => {
    world.statuses.set(account, { at: 'here' });
    await leave();
    const answer = await browser.send({ method: 'GET', url: '/user/logout', headers: json });
    expect([answer.statusCode, answer.headers['x-galaxy-moved']]).toEqual([410, go]);
  });
});

describe('waiting for an account', () => {
  it('ends as soon as it is here, also when this node has not heard of it yet, and at the limit', async () => {
    const clock = new ManualClock();
    const answers = [homeErrors('moved'), homeErrors('arriving'), undefined];
    let asked = 0;
    const homes: HomeGate = {
      status: () => ({ at: 'arriving' }),
      async whenHere() {
        const error = answers[Math.min(asked++, answers.length - 1)];
        if (error) throw error;
      },
    };
    const goOn = async () => {
      for (let turn = 0; turn < 20; turn++) {
        await Promise.resolve();
        clock.advance(100);
      }
    };
    const [came] = await Promise.all([awaitArrival({ homes, clock }, 'a', 1000), goOn()]);
    expect([came, asked]).toEqual([true, 3]);
    const never: HomeGate = { ...homes, whenHere: () => Promise.reject(homeErrors('moved')) };
    const waiting = awaitArrival({ homes: never, clock }, 'a', 1000);
    let ended: boolean | undefined;
    void waiting.then((result) => {
      ended = result;
    });
    while (ended === undefined) await goOn();
    expect(ended).toBe(false);
    const broken: HomeGate = { ...homes, whenHere: () => Promise.reject(new Error('a fault of ours')) };
    await expect(awaitArrival({ homes: broken, clock }, 'a')).rejects.toThrow('a fault of ours');
  });

  it('a node that is alone is home of what it has a lease for', async () => {
    const homes = new CurrentHomes({ leases: world.leases });
    expect(homes.status(account)).toEqual({ at: 'here' });
    await homes.whenHere(account);
    await leave();
    await expect(homes.whenHere(account)).rejects.toThrow(/another node/);
    homes.use({ status: () => ({ at: 'here' }), whenHere: async () => {} });
    await homes.whenHere(account);
  });
});

describe('reachability', () => {
  const ask = (nonce: string) => world.inject({ method: 'GET', url: `/galaxy-node/reachability?nonce=${nonce}` });

  it('is proven by signing the nonce, to everybody', async () => {
    const answer = await ask('0123456789abcdef0123456789abcdef');
    expect([answer.statusCode, answer.headers['cache-control']]).toEqual([200, 'no-store']);
    const { payload, signer } = openToken(answer.json().token, REACHABILITY_KIND, reachabilitySchema);
    expect([signer, payload.nonce]).toEqual([world.node.peerId, '0123456789abcdef0123456789abcdef']);
  });

  it.each(['', 'short', 'x'.repeat(129), 'a%20b%20c%20d%20e'])('signs nothing that is no nonce (%s)', async (nonce) => {
    expect((await ask(nonce)).statusCode).toBe(400);
  });

  it('has a limit in a minute', async () => {
    for (let time = 0; time < 3000; time++) await ask('0123456789abcdef');
    const answer = await ask('0123456789abcdef');
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([429, '30']);
    world.clock.advance(60_000);
    expect((await ask('0123456789abcdef')).statusCode).toBe(200);
  });
});
