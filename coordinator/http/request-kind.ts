/**
 * What a request at the network's address is, and whose: pure. A browser's page load may be redirected; everything else
 * is proxied, because programs (BioBlend among them) do not follow redirects with their bodies and keys.
 */

import { createHash } from 'node:crypto';
import { hasControlCharacters } from '../../protocol/runtime/text.js';

export interface RequestFacts {
  method: string;
  /** Path and query as they came. */
  url: string;
  headers: Record<string, string | string[] | undefined>;
}

export type RequestKind = 'page' | 'program';

/** A page load: GET or HEAD by a browser that wants HTML for its window, outside the API. */
export function kindOf({ method, url, headers }: RequestFacts): RequestKind {
  if (method !== 'GET' && method !== 'HEAD') return 'program';
  if (pathOf(url).startsWith('/api/') || apiKeyOf({ method, url, headers }) !== undefined) return 'program';
  const destination = one(headers['sec-fetch-dest']);
  if (destination !== undefined && destination !== 'document') return 'program';
  return (one(headers.accept) ?? '').includes('text/html') ? 'page' : 'program';
}

export function pathOf(url: string): string {
  return url.split('?')[0] as string;
}

export function queryOf(url: string): URLSearchParams {
  return new URLSearchParams(url.split('?').slice(1).join('?'));
}

/** The header `x-api-key` before `?key=`, as Galaxy has it. */
export function apiKeyOf({ url, headers }: RequestFacts): string | undefined {
  const header = one(headers['x-api-key']);
  if (header !== undefined && header !== '') return header.slice(0, 512);
  const key = queryOf(url).get('key');
  return key === null || key === '' ? undefined : key.slice(0, 512);
}

/** Name or e-mail of HTTP Basic, which Galaxy takes at `authenticate/baseauth` only. */
export function basicLoginOf({ url, headers }: RequestFacts): string | undefined {
  if (!pathOf(url).endsWith('/authenticate/baseauth')) return undefined;
  const match = /^Basic ([A-Za-z0-9+/=]{1,2048})$/i.exec(one(headers.authorization) ?? '');
  if (!match) return undefined;
  const login = Buffer.from(match[1] as string, 'base64')
    .toString('utf8')
    .split(':')[0];
  return login === undefined || login === '' || login.length > 255 ? undefined : login;
}

/** A network's key begins with the account's id; any other may be a node's master key. */
export function accountOfKey(key: string): string | undefined {
  return /^[0-9a-f]{48}$/.test(key) ? key.slice(0, 16) : undefined;
}

export function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** A path on this or any node of the network, never another site: what may follow `to=`. */
export function safeTarget(to: string | null | undefined): string | undefined {
  if (to === null || to === undefined || to === '') return '/';
  // Browsers read '//host' and '/\host' as another site, and drop tabs and line breaks while reading.
  if (to.length > 2048 || !/^\/(?![/\\])[^ \\]*$/.test(to) || hasControlCharacters(to)) return undefined;
  return to;
}

/** The `Cookie` header as a node may see it: without the network's own cookies. */
export function cookiesForNode(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const kept = header.split(';').filter((pair) => !pair.trim().startsWith('galaxy_network'));
  const text = kept.join(';').trim();
  return text === '' ? undefined : text;
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
