import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clientAddress,
  contains,
  isLoopbackHost,
  parseAddress,
  parseCidr,
} from '../../../protocol/runtime/addresses.js';

const ipv4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => parts.join('.'));
const ipv6 = fc
  .array(fc.nat(0xffff), { minLength: 8, maxLength: 8 })
  .map((parts) => parts.map((n) => n.toString(16)).join(':'));

describe('addresses and ranges', () => {
  it.each([
    ['192.0.2.0/24', '192.0.2.255', true],
    ['192.0.2.0/24', '192.0.3.0', false],
    ['192.0.2.128/25', '192.0.2.127', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['192.0.2.0/24', '::ffff:192.0.2.9', true],
    ['::ffff:192.0.2.0/120', '192.0.2.9', true],
    ['2001:db8::/32', '2001:db8:1::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['::/0', '192.0.2.1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['::1/128', '[::1]', true],
  ])('%s contains %s: %s', (cidr, address, expected) => {
    const parsed = parseAddress(address);
    expect(parsed !== undefined && contains(parseCidr(cidr), parsed)).toBe(expected);
  });

  it.each([
    '',
    'x',
    '192.0.2',
    '192.0.2.256/8',
    '192.0.2.0/33',
    '192.0.2.0/',
    '192.0.2.0/8/8',
    '1:2:3',
    '::1::2/3',
    '01.2.3.4',
  ])('refuses the range "%s"', (text) => {
    expect(() => parseCidr(text)).toThrow(expect.objectContaining({ code: 'address/bad-range' }));
  });

  it('finds every address in every range that begins with it', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), fc.nat(32), (address, prefix) => {
        const parsed = parseAddress(address);
        expect(parsed).toBeDefined();
        expect(contains(parseCidr(`${address}/${prefix}`), parsed as NonNullable<typeof parsed>)).toBe(true);
      }),
    );
  });

  it('never fails on what somebody sends for an address', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), (text) => {
        expect(() => parseAddress(text)).not.toThrow();
      }),
    );
  });

  it.each([
    ['no proxy is trusted', '198.51.100.1', '10.0.0.1', [], '198.51.100.1'],
    ['the caller is no proxy', '198.51.100.1', '10.0.0.1', ['127.0.0.0/8'], '198.51.100.1'],
    ['one proxy', '127.0.0.1', '198.51.100.7', ['127.0.0.0/8'], '198.51.100.7'],
    ['what the client claimed is ignored', '127.0.0.1', '10.9.9.9, 198.51.100.7', ['127.0.0.0/8'], '198.51.100.7'],
    ['two proxies', '127.0.0.1', '198.51.100.7, 192.0.2.1', ['127.0.0.0/8', '192.0.2.0/24'], '198.51.100.7'],
    ['all are proxies', '127.0.0.1', '192.0.2.2, 192.0.2.1', ['127.0.0.0/8', '192.0.2.0/24'], '192.0.2.2'],
    ['rubbish ends the list', '127.0.0.1', 'unknown, 192.0.2.1', ['127.0.0.0/8', '192.0.2.0/24'], '192.0.2.1'],
  ])('believes X-Forwarded-For only as far as the proxies: %s', (_name, remote, header, trusted, expected) => {
    expect(clientAddress(remote, header, trusted.map(parseCidr))).toBe(expected);
  });

  it('knows loopback by name and by number', () => {
    for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '::1', '[::1]', 'a.localhost']) {
      expect(isLoopbackHost(host), host).toBe(true);
    }
    for (const host of ['localhost.example.org', '128.0.0.1', '::2', 'example.org']) {
      expect(isLoopbackHost(host), host).toBe(false);
    }
  });
});
