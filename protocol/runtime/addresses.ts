/**
 * IP addresses and ranges of them, and whose address a request comes from when reverse proxies stand in front. Pure, and
 * the same for both programs: what one believes of `X-Forwarded-For` the other must not read otherwise.
 */
import { defineErrors } from './errors.js';

const addressErrors = defineErrors('address', {
  'bad-range': {
    kind: 'bad-request',
    say: '"{text}" is not an address range: {reason}.',
    mend: 'Write for example 192.0.2.0/24 or 2001:db8::/32.',
  },
});

export interface IpAddress {
  bits: 32 | 128;
  value: bigint;
}

export interface Cidr extends IpAddress {
  prefix: number;
}

/** IPv4, IPv6, IPv4 inside IPv6 (taken as the IPv4 it is), with or without a zone. Undefined: not an address. */
export function parseAddress(text: string): IpAddress | undefined {
  if (text.length > 64) return undefined;
  const bare = (text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text).split('%')[0] as string;
  if (!bare.includes(':')) {
    const value = parseIpv4(bare);
    return value === undefined ? undefined : { bits: 32, value };
  }
  const value = parseIpv6(bare);
  if (value === undefined) return undefined;
  return value >> 32n === 0xffffn ? { bits: 32, value: value & 0xffffffffn } : { bits: 128, value };
}

/** 'ADDRESS/PREFIX', or one address. Error: `address/bad-range`. */
export function parseCidr(text: string): Cidr {
  const [addressText, prefixText, ...more] = text.split('/');
  const address = parseAddress(addressText ?? '');
  if (address === undefined || more.length > 0) {
    throw addressErrors('bad-range', { text, reason: 'it does not begin with an IPv4 or IPv6 address' });
  }
  if (prefixText === undefined) return { ...address, prefix: address.bits };
  const written = /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : Number.NaN;
  // A mapped range (::ffff:192.0.2.0/120) counts its prefix from the IPv6 address.
  const prefix = addressText?.includes(':') && address.bits === 32 ? written - 96 : written;
  if (Number.isNaN(prefix) || prefix < 0 || prefix > address.bits) {
    throw addressErrors('bad-range', { text, reason: `the prefix is a number from 0 to ${address.bits}` });
  }
  return { ...address, prefix };
}

/** False for what is no address. */
export function isAmong(text: string, ranges: readonly Cidr[]): boolean {
  const address = ranges.length === 0 ? undefined : parseAddress(text);
  return address !== undefined && ranges.some((range) => contains(range, address));
}

export function contains(cidr: Cidr, address: IpAddress): boolean {
  if (cidr.bits !== address.bits) return false;
  const shift = BigInt(cidr.bits - cidr.prefix);
  return cidr.value >> shift === address.value >> shift;
}

/**
 * The visitor's own address. Each proxy appends the address it was called from, so the list is read from the right and
 * the first one that is no trusted proxy counts; everything left of it is only what somebody claimed.
 */
export function clientAddress(
  remote: string,
  forwardedFor: string | string[] | undefined,
  trusted: readonly Cidr[],
): string {
  const isTrusted = (text: string): boolean => isAmong(text, trusted);
  if (forwardedFor === undefined || !isTrusted(remote)) return remote;
  const hops = String(forwardedFor)
    .split(',')
    .map((hop) => hop.trim());
  let nearest = remote;
  for (let index = hops.length - 1; index >= 0; index--) {
    const hop = hops[index] as string;
    if (parseAddress(hop) === undefined) return nearest;
    nearest = hop;
    if (!isTrusted(hop)) return hop;
  }
  return nearest;
}

/** Loopback by name or number: what counts as "this machine" where plain http is allowed. */
export function isLoopbackHost(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  const address = parseAddress(host);
  if (address === undefined) return false;
  return address.bits === 32 ? address.value >> 24n === 127n : address.value === 1n;
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] as string, halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1] as string, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const gap = 8 - head.length - tail.length;
  if (halves.length === 1 ? gap !== 0 : gap < 1) return undefined;
  return [...head, ...Array<number>(gap).fill(0), ...tail].reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
}

/** The 16-bit groups of one side of '::'; an IPv4 address may end the last side. */
function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const found: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (last && index === parts.length - 1 && part.includes('.')) {
      const inner = parseIpv4(part);
      if (inner === undefined) return undefined;
      found.push(Number(inner >> 16n), Number(inner & 0xffffn));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) found.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return found;
}
