import { beforeEach, describe, expect, it } from 'vitest';
import { ReachabilityCheck, urlRefusal } from '../../../coordinator/peers/reachability.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { signToken } from '../../../protocol/trust/signed.js';

describe('whether a public URL reaches a node', () => {
  let key: NodeKey;
  const asked: string[] = [];
  const check = (answer: (nonce: string) => Response | Promise<Response>) =>
    new ReachabilityCheck(
      {
        clock: systemClock,
        random: systemRandom,
        fetch: async (input) => {
          asked.push(String(input));
          return answer(new URL(String(input)).searchParams.get('nonce') ?? '');
        },
      },
      { allowPlainHttp: false },
    );
  const signed = (by: NodeKey, nonce: string) => signToken(by, 'reachability', { nonce });

  beforeEach(async () => {
    key = await NodeKey.generate();
    asked.length = 0;
  });

  it('is proven by a nonce that the node signs, as JSON text or in an object', async () => {
    const ok = await check((nonce) => Response.json({ token: signed(key, nonce) })).url(
      'https://a.example/g/',
      key.peerId,
    );
    expect(ok).toMatchObject({ verified: true });
    expect(asked[0]).toMatch(/^https:\/\/a\.example\/g\/galaxy-node\/reachability\?nonce=[0-9a-f]{32}$/);
    const text = await check((nonce) => Response.json(signed(key, nonce))).url('http://127.0.0.1:1', key.peerId);
    expect(text).toMatchObject({ verified: true });
  });

  it.each<[string, (nonce: string, other: NodeKey, mine: NodeKey) => Response, RegExp]>([
    ['another node answers', (nonce, other) => Response.json({ token: signed(other, nonce) }), /another node/],
    [
      'an old answer is repeated',
      (_nonce, _other, mine) => Response.json({ token: signed(mine, 'old') }),
      /another nonce/,
    ],
    [
      'another kind of token',
      (nonce, _other, mine) => Response.json({ token: signToken(mine, 'x', { nonce }) }),
      /could not be fetched/,
    ],
    ['a page', () => new Response('<html>'), /could not be fetched/],
    ['an error', () => new Response('', { status: 404 }), /status 404/],
    ['an endless answer', () => new Response('x'.repeat(10_000)), /too long/],
  ])('is not proven when %s comes back', async (_name, answer, reason) => {
    const other = await NodeKey.generate();
    const result = await check((nonce) => answer(nonce, other, key)).url('https://a.example', key.peerId);
    expect(result.verified).toBe(false);
    expect(result.reason).toMatch(reason);
  });

  it('says why it could not be fetched', async () => {
    const failing = check(() =>
      Promise.reject(new TypeError('fetch failed', { cause: new Error('connection refused') })),
    );
    expect((await failing.url('https://a.example', key.peerId)).reason).toContain('connection refused');
  });

  it.each([
    ['https://a.example', undefined],
    ['http://127.0.1.2:8080', undefined],
    ['http://localhost:8080', undefined],
    ['http://a.example', 'plain http'],
    ['http://169.254.169.254', 'plain http'],
    ['ftp://a.example', 'neither'],
    ['rubbish', 'not a URL'],
  ])('takes %s for a target or says why not', async (url, reason) => {
    const refusal = urlRefusal(url, { allowPlainHttp: false });
    if (reason === undefined) expect(refusal).toBeUndefined();
    else expect(refusal).toContain(reason);
    if (reason !== undefined) {
      const result = await check(() => Response.json({})).url(url, key.peerId);
      expect(result.verified).toBe(false);
      expect(asked).toEqual([]);
    }
    expect(urlRefusal('http://a.example', { allowPlainHttp: true })).toBeUndefined();
  });
});
