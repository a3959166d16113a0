/**
 * HTTP/1.1 over a stream of `/galaxy/http/1`, without a parser of our own: the stream becomes a `node:stream` Duplex that
 * looks enough like a socket for Node's own HTTP client and server. Requests and answers stream both ways, with
 * backpressure end to end; keep-alive reuses a stream for the next request.
 *
 * Requests must take a place in `Places` first: `http.Agent` counts a connection only once it is open, and opening a
 * stream is asynchronous, so a burst would open more streams than the muxer allows.
 */
import http from 'node:http';
import { Duplex } from 'node:stream';
import type { Cancel, Clock } from '../runtime/clock.js';
import { defineErrors } from '../runtime/errors.js';
import type { ByteStream, Host } from '../runtime/host.js';
import { LIMITS, PROTOCOLS } from './limits.js';

export const tunnelErrors = defineErrors('tunnel', {
  busy: {
    kind: 'too-many',
    say: 'Too many requests to this node are under way (at most {max}).',
    mend: 'Try again in a few seconds.',
  },
});

/** What Node's HTTP calls on a socket besides the stream's own methods. */
interface SocketLike {
  setTimeout(ms: number, listener?: () => void): Duplex;
  setNoDelay(): Duplex;
  setKeepAlive(): Duplex;
  ref(): Duplex;
  unref(): Duplex;
  /** Read by Agent and by the server's log lines. */
  timeout: number;
  remoteAddress: string;
  /** PeerId of the other end, proven by the connection. */
  remotePeer: string;
  encrypted: boolean;
}

export type TunnelSocket = Duplex & SocketLike;

export function toDuplex(stream: ByteStream, deps: { clock: Clock }): TunnelSocket {
  const source = stream.source();
  let reading = false;
  let idle: Cancel | undefined;
  let lastActivity = deps.clock.monotonic();
  const touch = () => {
    lastActivity = deps.clock.monotonic();
  };

  const pull = async (duplex: Duplex) => {
    if (reading) return;
    reading = true;
    try {
      for (;;) {
        const { value, done } = await source.next();
        touch();
        if (done) {
          duplex.push(null);
          return;
        }
        const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
        if (bytes.length > 0 && !duplex.push(bytes)) return;
      }
    } catch (error) {
      duplex.destroy(error as Error);
    } finally {
      reading = false;
    }
  };

  const duplex = new Duplex({
    allowHalfOpen: true,
    read() {
      void pull(this);
    },
    write(chunk: Buffer, _encoding, callback) {
      touch();
      stream.write(chunk).then(() => callback(), callback);
    },
    final(callback) {
      stream.closeWrite().then(() => callback(), callback);
    },
    destroy(error, callback) {
      idle?.();
      // After both halves have ended there is nothing left to abort; abort() is idempotent and then does nothing.
      stream.abort(error ?? new Error('the HTTP tunnel was closed'));
      callback(error);
    },
  });

  const watch = (ms: number) => {
    idle?.();
    idle = undefined;
    socket.timeout = ms;
    if (ms <= 0) return;
    const wait = (delayMs: number) => {
      idle = deps.clock.after(delayMs, () => {
        const leftMs = lastActivity + ms - deps.clock.monotonic();
        if (leftMs > 0) return wait(leftMs);
        idle = undefined;
        socket.emit('timeout');
      });
    };
    touch();
    wait(ms);
  };

  const same = () => socket;
  const socket: TunnelSocket = Object.assign(duplex, {
    setTimeout: (ms: number, listener?: () => void) => {
      // As of a socket: 0 takes the listener back. Node's client counts on that when it reuses a connection.
      if (listener && ms > 0) socket.once('timeout', listener);
      else if (listener) socket.off('timeout', listener);
      watch(ms);
      return socket;
    },
    setNoDelay: same,
    setKeepAlive: same,
    ref: same,
    unref: same,
    timeout: 0,
    remoteAddress: stream.remotePeer,
    remotePeer: stream.remotePeer,
    encrypted: true,
  });
  return socket;
}

/** Serves one inbound stream with a Node HTTP server; resolves when the stream has ended. */
export function acceptTunnel(server: http.Server, stream: ByteStream, deps: { clock: Clock }): Promise<void> {
  const socket = toDuplex(stream, deps);
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.on('error', () => socket.destroy());
    server.emit('connection', socket);
  });
}

/** An agent for `http.request({ agent, host: peerId, … })`. Streams are kept alive and used again, per peer. */
export class TunnelAgent extends http.Agent {
  constructor(
    private readonly deps: { host: Pick<Host, 'openStream'>; clock: Clock },
    options: { streamsPerPeerMax: number; idleMs?: number },
  ) {
    super({
      keepAlive: true,
      maxSockets: options.streamsPerPeerMax,
      maxFreeSockets: 16,
      // Shorter than the server keeps an idle connection, so that a request rarely meets one that is just being closed.
      timeout: options.idleMs ?? 4000,
    });
  }

  override createConnection(
    options: http.ClientRequestArgs,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const done = callback as (error: Error | null, socket?: Duplex) => void;
    const signal = AbortSignal.timeout(LIMITS.http.deadlineMs / 4);
    this.deps.host.openStream(String(options.host), PROTOCOLS.http, signal).then(
      (stream) => done(null, toDuplex(stream, this.deps)),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
    return undefined;
  }
}

/** So many at a time per key; the next wait in line, and the line has an end too. */
export class Places {
  private readonly keys = new Map<string, { taken: number; line: (() => void)[] }>();

  constructor(private readonly options: { placesMax: number; waitingMax: number }) {}

  /** Resolves with the function that gives the place back (idempotent). Error: `tunnel/busy`, or the signal's reason. */
  async take(key: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const at = this.keys.get(key) ?? { taken: 0, line: [] };
    this.keys.set(key, at);
    if (at.taken < this.options.placesMax) {
      at.taken++;
      return this.giver(key, at);
    }
    if (at.line.length >= this.options.waitingMax) throw tunnelErrors('busy', { max: this.options.placesMax });
    await new Promise<void>((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        at.line.splice(at.line.indexOf(enter), 1);
        reject(signal.reason);
      };
      at.line.push(enter);
      signal.addEventListener('abort', leave, { once: true });
    });
    return this.giver(key, at);
  }

  taken(key: string): number {
    return this.keys.get(key)?.taken ?? 0;
  }

  private giver(key: string, at: { taken: number; line: (() => void)[] }): () => void {
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const next = at.line.shift();
      // The place passes on without being free in between.
      if (next) return next();
      at.taken--;
      if (at.taken === 0) this.keys.delete(key);
    };
  }
}
