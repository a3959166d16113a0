/**
 * Where a visitor is: her address against the table of the configuration, then against an optional city database.
 * Matching is pure; only `openGeoDatabase` reads a file. Rejected: asking a service on the web, which would tell it every
 * visitor's address and put a stranger between a user and her node.
 */
import * as maxmind from 'maxmind';
import { describeError } from '../protocol/runtime/errors.js';
import { coordinatorErrors } from './errors.js';

/** Degrees. */
export interface LatLon {
  lat: number;
  lon: number;
}

export interface IpAddress {
  bits: 32 | 128;
  value: bigint;
}

export interface Cidr extends IpAddress {
  prefix: number;
}

export interface LocationRule {
  cidr: Cidr;
  text: string;
  location: LatLon;
}

export interface Located {
  location: LatLon | undefined;
  reason: string;
}

export interface GeoDatabase {
  find(address: string): LatLon | undefined;
}

/** 'LAT,LON' in degrees. Error: `coordinator/bad-location`. */
export function parseLocation(text: string): LatLon {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length !== 2) throw coordinatorErrors('bad-location', { text, reason: 'two numbers with a comma' });
  const [lat, lon] = parts.map((part) => (/^[+-]?\d{1,3}(\.\d{1,12})?$/.test(part) ? Number(part) : Number.NaN));
  if (lat === undefined || Number.isNaN(lat) || Math.abs(lat) > 90) {
    throw coordinatorErrors('bad-location', { text, reason: 'the latitude is a number from -90 to 90' });
  }
  if (lon === undefined || Number.isNaN(lon) || Math.abs(lon) > 180) {
    throw coordinatorErrors('bad-location', { text, reason: 'the longitude is a number from -180 to 180' });
  }
  return { lat, lon };
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

/** 'ADDRESS/PREFIX', or one address. Error: `coordinator/bad-cidr`. */
export function parseCidr(text: string): Cidr {
  const [addressText, prefixText, ...more] = text.split('/');
  const address = parseAddress(addressText ?? '');
  if (address === undefined || more.length > 0) {
    throw coordinatorErrors('bad-cidr', { text, reason: 'it does not begin with an IPv4 or IPv6 address' });
  }
  if (prefixText === undefined) return { ...address, prefix: address.bits };
  const written = /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : Number.NaN;
  // A mapped range (::ffff:192.0.2.0/120) counts its prefix from the IPv6 address.
  const prefix = addressText?.includes(':') && address.bits === 32 ? written - 96 : written;
  if (Number.isNaN(prefix) || prefix < 0 || prefix > address.bits) {
    throw coordinatorErrors('bad-cidr', { text, reason: `the prefix is a number from 0 to ${address.bits}` });
  }
  return { ...address, prefix };
}

export function contains(cidr: Cidr, address: IpAddress): boolean {
  if (cidr.bits !== address.bits) return false;
  const shift = BigInt(cidr.bits - cidr.prefix);
  return cidr.value >> shift === address.value >> shift;
}

export function parseLocationTable(table: Record<string, string>): LocationRule[] {
  return Object.entries(table).map(([text, location]) => ({
    cidr: parseCidr(text),
    text,
    location: parseLocation(location),
  }));
}

/** The longest matching range of the table, else the database, else nothing; with the reason. */
export function locate(address: string, rules: readonly LocationRule[], database: GeoDatabase | undefined): Located {
  const parsed = parseAddress(address);
  if (parsed === undefined) return { location: undefined, reason: 'the address is not an IP address' };
  let best: LocationRule | undefined;
  for (const rule of rules) {
    if (contains(rule.cidr, parsed) && (best === undefined || rule.cidr.prefix > best.cidr.prefix)) best = rule;
  }
  if (best !== undefined) return { location: best.location, reason: `the table has ${best.text}` };
  const found = database?.find(address);
  if (found !== undefined) return { location: found, reason: 'the location database' };
  return { location: undefined, reason: database ? 'unknown to the location database' : 'no location database' };
}

/**
 * The visitor's own address. Each proxy appends the address it was called from, so the list is read from the right and
 * the first one that is no trusted proxy counts; everything left of it is only what somebody claimed.
 */
export function clientAddress(remote: string, forwardedFor: string | undefined, trusted: readonly Cidr[]): string {
  const isTrusted = (text: string): boolean => {
    const address = parseAddress(text);
    return address !== undefined && trusted.some((cidr) => contains(cidr, address));
  };
  if (forwardedFor === undefined || !isTrusted(remote)) return remote;
  const hops = forwardedFor.split(',').map((hop) => hop.trim());
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

interface CityRecord {
  location?: { latitude?: number; longitude?: number };
  latitude?: number | string;
  longitude?: number | string;
}

/** Opens an MMDB file; reads both MaxMind's nested and DB-IP's flat records. Error: `coordinator/no-geo-database`. */
export async function openGeoDatabase(file: string): Promise<GeoDatabase> {
  try {
    const reader = await maxmind.open(file);
    return {
      find(address) {
        const parsed = parseAddress(address);
        if (parsed === undefined) return undefined;
        const record = reader.get(address.split('%')[0] as string) as CityRecord | null;
        const lat = Number(record?.location?.latitude ?? record?.latitude ?? Number.NaN);
        const lon = Number(record?.location?.longitude ?? record?.longitude ?? Number.NaN);
        return Number.isFinite(lat) && Number.isFinite(lon) ? { lat, lon } : undefined;
      },
    };
  } catch (error) {
    throw coordinatorErrors('no-geo-database', { file, reason: describeError(error) }, { cause: error });
  }
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
