/**
 * The operators' page `/peers`: who is there, in which state, how loaded, when last heard. Plain HTML and one script that
 * asks `/api/network/peers.json` each second: a reload-proof page needs no socket. It shows institutions, never users.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { packageRoot } from '../../protocol/runtime/package.js';
import type { PeerRow } from '../peer.js';

export interface PeerListing {
  network: string;
  now: number;
  repository: { blobs: number; bytes: number; freeBytes: number };
  copies: number;
  /** `problem`: what it was told and could not do. On the page it names no account. */
  peers: (PeerRow & { accounts: number; problem: string | null })[];
  /** Nodes that left so long ago that they are not among `peers`. */
  leftBefore: number;
}

const FILES = {
  '/peers': { file: 'peers.html', type: 'text/html; charset=utf-8' },
  '/network/peers.js': { file: 'peers.js', type: 'text/javascript; charset=utf-8' },
  '/network/peers.css': { file: 'peers.css', type: 'text/css; charset=utf-8' },
} as const;

/** Nothing but this page's own script, style and data; nobody may frame it. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'";

export function dashboardPages(deps: { listing: () => PeerListing }): (app: FastifyInstance) => void {
  const folder = join(packageRoot(), 'coordinator', 'dashboard', 'static');
  return (app) => {
    for (const [path, { file, type }] of Object.entries(FILES)) {
      const bytes = readFileSync(join(folder, file));
      app.get(path, async (_request, reply) => {
        reply.header('content-security-policy', POLICY).header('cache-control', 'no-cache').type(type);
        return bytes;
      });
    }
    app.get('/api/network/peers.json', async (_request, reply) => {
      reply.header('cache-control', 'no-store');
      return deps.listing();
    });
  };
}
