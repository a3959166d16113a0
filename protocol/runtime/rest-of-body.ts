/**
 * What is left of a request body that was answered before all of it came: too large, not signed in, no room. A server that
 * then closes the connection resets it, and whoever was still sending sees a broken pipe in place of the answer. So the
 * rest is read and thrown away, for a while: who goes on sending for longer than that wants something else.
 *
 * Rejected: reading the rest before answering; a client that listens while it sends would learn later what it waits for.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cancel, Clock } from './clock.js';

export const REST_BYTES_MAX = 64 * 1024 ** 2;
export const REST_MS_MAX = 10_000;
const LOOK_MS = 250;

/** Call it when a request comes: it acts when the answer is out and the request is not all here. */
export function readRestOfBody(request: IncomingMessage, response: ServerResponse, clock: Clock): void {
  response.once('finish', () => {
    // Undefined where there is no connection at all.
    if (request.complete !== false || request.destroyed) return;
    discardRest(request, clock);
  });
}

function discardRest(request: IncomingMessage, clock: Clock): void {
  const { socket } = request;
  const before = socket.bytesRead ?? 0;
  const until = clock.monotonic() + REST_MS_MAX;
  // Whoever was to read it must not hold it back: a web stream around it pauses it at every chunk that nobody takes.
  request.unpipe();
  request.removeAllListeners('data');
  request.removeAllListeners('readable');
  // Without a listener of its own a stream that flowed already stops when the last one that listened for 'readable' goes.
  request.on('data', () => {});
  request.resume();
  let stop: Cancel = () => {};
  const ended = () => stop();
  stop = clock.every(LOOK_MS, () => {
    const isTooMuch = (socket.bytesRead ?? 0) - before > REST_BYTES_MAX;
    if (!isTooMuch && clock.monotonic() < until) return;
    stop();
    request.destroy();
  });
  request.once('end', ended);
  request.once('close', ended);
}
