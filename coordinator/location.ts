/**
 * Where a visitor is: her address against the table of the configuration, then against an optional city database.
 * Matching is pure; only `openGeoDatabase` reads a file. Rejected: asking a service on the web, which would tell it every
 * visitor's address and put a stranger between a user and her node.
 */
import * as maxmind from 'maxmind';
import { type Cidr, contains, parseAddress, parseCidr } from '../protocol/runtime/addresses.js';
import { describeError } from '../protocol/runtime/errors.js';
import { coordinatorErrors } from './errors.js';

/** Degrees. */
export interface LatLon {
  lat: number;
  lon: number;
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
