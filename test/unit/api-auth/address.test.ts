import { type FastifyRequest, fastify } from 'fastify';
import { describe, expect, it } from 'vitest';
import { addressOf, installAuth } from '../../../node/api/auth.js';
import { parseCidr } from '../../../protocol/runtime/addresses.js';
import { openDoor } from './door.js';

function request(socket: object, forwarded?: string): FastifyRequest {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return { raw: { socket }, headers } as unknown as FastifyRequest;
}

describe("a visitor's address", () => {
  it('is that of the connection, whatever the visitor says of herself', () => {
    expect(addressOf(request({ remoteAddress: '192.0.2.1' }, '198.51.100.7'), [])).toBe('192.0.2.1');
  });

  it('is what the coordinator says when the request came through the tunnel, so that each is counted by herself', () => {
    const tunnel = { remoteAddress: '12D3Koo', remotePeer: '12D3Koo' };
    expect(addressOf(request(tunnel, '198.51.100.7'), [])).toBe('198.51.100.7');
    expect(addressOf(request(tunnel, '198.51.100.8'), [])).toBe('198.51.100.8');
    expect(addressOf(request(tunnel), [])).toBe('12D3Koo');
    expect(addressOf(request({}), [])).toBe('unknown');
  });

  it('is what a trusted proxy says, and that of the connection where it comes past the proxy', () => {
    const proxies = ['127.0.0.1', '192.0.2.0/24'].map(parseCidr);
    expect(addressOf(request({ remoteAddress: '127.0.0.1' }, '198.51.100.7'), proxies)).toBe('198.51.100.7');
    // What she wrote herself stands left of what the proxy added.
    expect(addressOf(request({ remoteAddress: '::ffff:127.0.0.1' }, '10.9.9.9, 198.51.100.7'), proxies)).toBe(
      '198.51.100.7',
    );
    expect(addressOf(request({ remoteAddress: '203.0.113.1' }, '198.51.100.7'), proxies)).toBe('203.0.113.1');
    expect(addressOf(request({ remoteAddress: '127.0.0.1' }), proxies)).toBe('127.0.0.1');
  });

  it('behind a trusted proxy is her own: wrong passwords of one lock nobody else out', async () => {
    const door = await openDoor({ options: { trustedProxies: ['127.0.0.1'] } });
    const ann = { email: 'ann@example.org', username: 'ann', password: 'password1' };
    await door.accounts.signUp(ann);
    const signIn = async (login: string, password: string, from: string) => {
      const authorization = `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`;
      const headers = { authorization, 'x-forwarded-for': from };
      return (await door.inject({ url: '/api/authenticate/baseauth', headers })).statusCode;
    };
    for (let n = 0; n < 61; n++) await signIn(`nobody${n}`, 'guess', '198.51.100.7');
    expect(await signIn('ann', ann.password, '198.51.100.7')).toBe(429);
    expect(await signIn('ann', ann.password, '198.51.100.8')).toBe(200);
    await door.close();
  });

  it('is not guessed when an option names a range that is none: the node does not start', () => {
    const deps = { options: { trustedProxies: ['localhost'] } } as unknown as Parameters<typeof installAuth>[1];
    expect(() => installAuth(fastify(), deps)).toThrow(expect.objectContaining({ code: 'address/bad-range' }));
  });
});
