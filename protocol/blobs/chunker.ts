/** Cuts what comes in into chunks of 1 MiB, whatever the sizes in which it comes. */
import { CHUNK_BYTES } from '../wire/limits.js';

const FIRST_BUFFER_BYTES = 16 * 1024;

/**
 * Each chunk is a view of one buffer that the next chunk overwrites: use it before asking for the next. The buffer
 * starts small, because a node takes in many small files at once.
 */
export async function* chunksOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  let filled = 0;
  for await (const part of source) {
    let taken = 0;
    while (taken < part.length) {
      const step = Math.min(part.length - taken, CHUNK_BYTES - filled);
      buffer = withRoom(buffer, filled, filled + step);
      buffer.set(part.subarray(taken, taken + step), filled);
      filled += step;
      taken += step;
      if (filled === CHUNK_BYTES) {
        yield buffer;
        filled = 0;
      }
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}

function withRoom(buffer: Uint8Array<ArrayBuffer>, filled: number, needed: number): Uint8Array<ArrayBuffer> {
  if (needed <= buffer.length) return buffer;
  const larger = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(needed, buffer.length * 2)));
  larger.set(buffer.subarray(0, filled));
  return larger;
}

/** The same items, ending with the signal's reason when it aborts, even while the source is silent. */
export async function* abortable<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let ended = false;
  try {
    while (true) {
      const next = await nextOrAbort(iterator, signal);
      if (next.done) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    // Not awaited: a source that hangs in next() would hang here as well.
    if (!ended) iterator.return?.().then(undefined, () => {});
  }
}

/** A listener per item: racing one long-lived promise would keep a reaction for each item until the end. */
function nextOrAbort<T>(iterator: AsyncIterator<T>, signal: AbortSignal): Promise<IteratorResult<T>> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const off = () => signal.removeEventListener('abort', onAbort);
    iterator.next().then(
      (result) => {
        off();
        resolve(result);
      },
      (error: unknown) => {
        off();
        reject(error);
      },
    );
  });
}
