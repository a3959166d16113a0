import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { nonceHash } from '../../../protocol/trust/ticket.js';
import type { Browser } from '../api-auth/door.js';
import { ada, json, NETWORK, openWorld, type World } from './world.js';

let world: World;
let account: string;

beforeEach(async () => {
  world = await openWorld();
  account = await world.signUp(world.browser());
});
afterEach(() => world.close());

/** The first visit: the nonce's hash that the network is told. */
async function begin(browser: Browser, to = '/histories/list'): Promise<string> {
  const answer = await browser.get(`/galaxy-node/enter?to=${encodeURIComponent(to)}`);
  expect(answer.statusCode).toBe(303);
  return new URL(answer.headers.location as string).searchParams.get('nonce') as string;
}

const enter = (browser: Browser, ticket: string, to = '/histories/list') =>
  browser.get(`/galaxy-node/enter?to=${encodeURIComponent(to)}&ticket=${ticket}`);

const whoami = async (browser: Browser) =>
  (await browser.send({ method: 'GET', url: '/api/whoami', headers: json })).json()?.username;

describe('the way in', () => {
  it('sets a nonce that only this path sees, and asks the network for a ticket with its hash', async () => {
    const browser = world.browser();
    const answer = await browser.get(`/galaxy-node/enter?node=${world.node.peerId}&to=%2Fhistories%2Flist%3Fa%3D1`);
    const cookie = answer.cookies.find(({ name }) => name === 'galaxynonce');
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/galaxy-node/enter', maxAge: 300 });
    const asked = new URL(answer.headers.location as string);
    expect(asked.origin + asked.pathname).toBe(`${NETWORK}/network/ticket`);
    expect(Object.fromEntries(asked.searchParams)).toEqual({
      node: world.node.peerId,
      nonce: nonceHash(cookie?.value as string),
      to: '/histories/list?a=1',
    });
    expect(answer.headers['referrer-policy']).toBe('no-referrer');
  });

  it('signs her in by the ticket and leads to a clean address', async () => {
    const browser = world.browser();
    const answer = await enter(browser, world.ticket(account, { nonceHash: await begin(browser) }));
    expect([answer.statusCode, answer.headers.location]).toEqual([303, '/histories/list']);
    expect(answer.headers['referrer-policy']).toBe('no-referrer');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(await whoami(browser)).toBe('ada');
  });

  it('lets two tabs in that came at once', async () => {
    const browser = world.browser();
    const [first, second] = [await begin(browser, '/a'), await begin(browser, '/b')];
    expect((await enter(browser, world.ticket(account, { nonceHash: first }), '/a')).headers.location).toBe('/a');
    expect((await enter(browser, world.ticket(account, { nonceHash: second }), '/b')).headers.location).toBe('/b');
  });

  it('does not read a HEAD as a visit: a ticket is not spent by it', async () => {
    const browser = world.browser();
    const ticket = world.ticket(account, { nonceHash: await begin(browser) });
    const head = await browser.send({ method: 'HEAD', url: `/galaxy-node/enter?ticket=${ticket}` });
    expect(head.headers['set-cookie'] ?? '').not.toContain('galaxysession');
    expect((await enter(browser, ticket)).statusCode).toBe(303);
  });
});

describe('a ticket is refused', () => {
  const refused = async (browser: Browser, ticket: string, reason: string) => {
    const answer = await enter(browser, ticket);
    expect(answer.statusCode).toBe(403);
    expect(answer.headers['content-type']).toContain('text/html');
    expect(answer.body).toContain(reason);
    expect(answer.body).toContain(`${NETWORK}/network/go?to=${encodeURIComponent('/histories/list')}`);
    expect(browser.cookies.has('galaxysession')).toBe(false);
  };

  it('the second time, also after a restart of the node', async () => {
    const browser = world.browser();
    const ticket = world.ticket(account, { nonceHash: await begin(browser) });
    await enter(browser, ticket);
    browser.cookies.delete('galaxysession');
    await refused(browser, ticket, 'used before');
    const restarted = world.tickets();
    await restarted.start();
    await expect(restarted.accept(ticket, browser.cookies.get('galaxynonce'))).rejects.toThrow(/used before/);
  });

  it('when two come with it at the same moment, for one of them', async () => {
    const browser = world.browser();
    const ticket = world.ticket(account, { nonceHash: await begin(browser) });
    const both = await Promise.all(
      [world.browser(), world.browser()].map((other) => {
        for (const [name, value] of browser.cookies) other.cookies.set(name, value);
        return enter(other, ticket);
      }),
    );
    expect(both.map(({ statusCode }) => statusCode).sort()).toEqual([303, 403]);
  });

  it('in another browser, and in one without the nonce', async () => {
    const browser = world.browser();
    const ticket = world.ticket(account, { nonceHash: await begin(browser) });
    const thief = world.browser();
    await refused(thief, ticket, 'another browser');
    await begin(thief);
    await refused(thief, ticket, 'another browser');
    expect((await enter(browser, ticket)).statusCode).toBe(303);
  });

  it('when it is bound to no browser at all', async () => {
    const browser = world.browser();
    await begin(browser);
    await refused(browser, world.ticket(account), 'bound to no browser');
  });

  it('when it is for another node, of another coordinator, changed or too old', async () => {
    const browser = world.browser();
    const hash = await begin(browser);
    const stranger = await NodeKey.generate();
    await refused(browser, world.ticket(account, { nonceHash: hash, node: stranger.peerId }), 'another node');
    await refused(browser, world.ticket(account, { nonceHash: hash, signer: stranger }), 'a stranger');
    await refused(browser, world.ticket(account, { nonceHash: hash, signer: world.node }), 'a stranger');
    await refused(browser, `${world.ticket(account, { nonceHash: hash })}x`, 'changed or is incomplete');
    const old = world.ticket(account, { nonceHash: hash, now: world.clock.now() - 121_000 });
    await refused(browser, old, 'expired');
  });

  it('and one loaded once more does no harm to who is signed in already', async () => {
    const browser = world.browser();
    const ticket = world.ticket(account, { nonceHash: await begin(browser) });
    await enter(browser, ticket);
    const again = await enter(browser, ticket);
    expect([again.statusCode, again.headers.location]).toEqual([303, '/histories/list']);
  });
});

describe('what is remembered of tickets', () => {
  it('is forgotten when they could not be used any more', async () => {
    const browser = world.browser();
    await enter(browser, world.ticket(account, { nonceHash: await begin(browser) }));
    const kept = async () => {
      const ids = [];
      for await (const [id] of world.store.iterate('ticket.spent')) ids.push(id);
      return ids.length;
    };
    expect(await kept()).toBe(1);
    world.clock.advance(60_000 + 60_000 + 1);
    await enter(browser, world.ticket(account, { nonceHash: await begin(browser) }));
    expect(await kept()).toBe(1);
    world.clock.advance(300_000);
    await world.tickets().start();
    expect(await kept()).toBe(0);
  });
});

describe('where it leads', () => {
  it.each([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '/\t/evil.example',
    'javascript:alert(1)',
    '/galaxy-node/enter?to=/',
    '/network/signed-out',
    `/${'x'.repeat(3000)}`,
  ])('never to %s', async (to) => {
    const browser = world.browser();
    const hash = await begin(browser, to);
    const asked = new URL(
      (await browser.get(`/galaxy-node/enter?to=${encodeURIComponent(to)}`)).headers.location ?? '',
    );
    expect(asked.searchParams.get('to')).toBe('/');
    expect((await enter(browser, world.ticket(account, { nonceHash: hash }), to)).headers.location).toBe('/');
  });

  it('back to the network, when the address was meant for another node', async () => {
    const other = await NodeKey.generate();
    const answer = await world.browser().get(`/galaxy-node/enter?node=${other.peerId}&to=/x`);
    expect(answer.headers.location).toBe(`${NETWORK}/network/go?to=%2Fx`);
  });

  it('just to the page, on a node that is alone', async () => {
    const alone = await openWorld({ alone: true });
    expect((await alone.browser().get('/galaxy-node/enter?to=/x')).headers.location).toBe('/x');
    await alone.close();
  });
});

describe('an account that is still on its way', () => {
  it.each([{ at: 'arriving' as const }, { at: 'elsewhere' as const, home: undefined }])(
    'gets a page that goes on by itself, and no session ($at)',
    async (status) => {
      const browser = world.browser();
      world.statuses.set(account, status);
      const answer = await enter(browser, world.ticket(account, { nonceHash: await begin(browser) }));
      expect(answer.statusCode).toBe(503);
      expect(answer.headers['retry-after']).toBe('3');
      expect(answer.body).toContain('<script src="/static/galaxy-node/again.js" data-seconds="3" defer>');
      expect(answer.body).toContain(`${NETWORK}/network/go?to=`);
      expect(browser.cookies.has('galaxysession')).toBe(false);
    },
  );
});

describe('the page', () => {
  it('has what follow.js needs in a network, and nothing of it on a node that is alone', async () => {
    const browser = world.browser();
    await enter(browser, world.ticket(account, { nonceHash: await begin(browser) }));
    const { body } = await browser.get('/');
    expect(body).toContain(`window.galaxyNetwork={"url":"${NETWORK}","account":"${account}"}`);
    expect(body.indexOf('/static/galaxy-node/follow.js')).toBeLessThan(body.indexOf('libs.bundled.js'));
    expect((await world.inject({ method: 'GET', url: '/static/galaxy-node/follow.js' })).body).toContain(
      'galaxyNetwork',
    );
    const anonymous = (await world.browser().get('/login/start')).body;
    expect(anonymous).toContain(`window.galaxyNetwork={"url":"${NETWORK}","account":null}`);

    const alone = await openWorld({ alone: true });
    const other = alone.browser();
    await alone.signUp(other, ada);
    expect((await other.get('/')).body).not.toMatch(/galaxyNetwork|follow\.js/);
    await alone.close();
  });
});
