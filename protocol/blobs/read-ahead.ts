/**
 * Starts works before their results are asked for, and hands the results on in order: what hides the disk's latency
 * when thousands of small files are read. Bounded by number and by bytes.
 */
export interface Work<T> {
  bytes: number;
  run(): Promise<T>;
}

/** An it-pipe transform. */
export function readAhead<T>(options: { bytesMax: number; worksMax: number }) {
  return async function* (works: Iterable<Work<T>>): AsyncGenerator<T, void, undefined> {
    const running: { bytes: number; result: Promise<T> }[] = [];
    let bytes = 0;
    try {
      for (const work of works) {
        while (running.length > 0 && (running.length >= options.worksMax || bytes + work.bytes > options.bytesMax)) {
          const first = running.shift();
          if (first === undefined) break;
          bytes -= first.bytes;
          yield await first.result;
        }
        const result = work.run();
        result.catch(() => {}); // told when its turn comes
        running.push({ bytes: work.bytes, result });
        bytes += work.bytes;
      }
      for (let first = running.shift(); first; first = running.shift()) yield await first.result;
    } finally {
      await Promise.allSettled(running.map(({ result }) => result));
    }
  };
}
