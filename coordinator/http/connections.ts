/**
 * How many connections the network's address keeps: in all, of one client, and of those that say nothing. Requests have
 * a bound of their own (gateway.ts); this is for whoever opens connections and sends none.
 *
 * A client is an address, or a /64 of IPv6, which is what one machine gets. Behind a trusted proxy all are one, so that
 * one is bounded in all only; the proxy has to bound its own clients.
 */
import type { Server, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import { type Cidr, isAmong, parseAddress } from '../../protocol/runtime/addresses.js';

export interface ConnectionLimits {
  connectionsMax: number;
  /** Behind one address there may be a whole institute, with some connections for each browser. */
  perClientMax: number;
  /** From the first moment of a connection, or of its next request, to the end of the headers. */
  headersTimeoutMs: number;
  /** Between two requests. */
  keepAliveMs: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  connectionsMax: 8192,
  perClientMax: 512,
  headersTimeoutMs: 10_000,
  keepAliveMs: 30_000,
};

/** For `createServer`. Node.js looks for connections whose time is up now and then: so much longer may they stay. */
export function serverOptions({ headersTimeoutMs }: ConnectionLimits): ServerOptions {
  return { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: Math.ceil(headersTimeoutMs / 4) };
}

/** Call it before the server listens. */
export function boundConnections(server: Server, limits: ConnectionLimits, trustedProxies: readonly Cidr[]): void {
  /** Client → connections. Holds only those with at least one. */
  const open = new Map<string, number>();
  server.maxConnections = limits.connectionsMax;
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress;
    // Gone already.
    if (address === undefined) return void socket.destroy();
    if (isAmong(address, trustedProxies)) return;
    const client = clientOf(address);
    const count = open.get(client) ?? 0;
    if (count >= limits.perClientMax) return void socket.destroy();
    open.set(client, count + 1);
    socket.once('close', () => {
      const left = (open.get(client) ?? 1) - 1;
      if (left > 0) open.set(client, left);
      else open.delete(client);
    });
  });
}

export function clientOf(address: string): string {
  const parsed = parseAddress(address);
  if (parsed === undefined) return address;
  return parsed.bits === 32 ? String(parsed.value) : `${parsed.value >> 64n}/64`;
}
