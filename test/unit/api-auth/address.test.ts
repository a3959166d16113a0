import type { FastifyRequest } from 'fastify';
import { describe, expect, it } from 'vitest';
import { addressOf } from '../../../node/api/auth.js';

function request(socket: object, forwarded?: string): FastifyRequest {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return { raw: { socket }, headers } as unknown as FastifyRequest;
}

describe("a visitor's address", () => {
  it('is that of the connection, whatever the visitor says of herself', () => {
    expect(addressOf(request({ remoteAddress: '192.0.2.1' }, '198.51.100.7'))).toBe('192.0.2.1');
  });

  it('is what the coordinator says when the request came through the tunnel, so that each is counted by herself', () => {
    const tunnel = { remoteAddress: '12D3Koo', remotePeer: '12D3Koo' };
    expect(addressOf(request(tunnel, '198.51.100.7'))).toBe('198.51.100.7');
    expect(addressOf(request(tunnel, '198.51.100.8'))).toBe('198.51.100.8');
    expect(addressOf(request(tunnel))).toBe('12D3Koo');
    expect(addressOf(request({}))).toBe('unknown');
  });
});
