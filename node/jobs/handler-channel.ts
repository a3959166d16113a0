/** A handler's channel to its node: the IPC channel that it was forked with. */
import type { Logger } from '../../protocol/runtime/logger.js';
import type { HandlerChannel } from './handler.js';
import type { ToHandler } from './run-spec.js';

export function processChannel(log: Logger): HandlerChannel {
  // Whoever stops the node signals its whole group; only the node decides when its handlers end, by the channel.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  return {
    send(message) {
      if (!process.connected) return;
      process.send?.(message, undefined, undefined, (error: Error | null) => {
        if (error) log.debug({ err: error }, 'the channel to the node closed while a message was on its way');
      });
    },
    onMessage: (listener) => process.on('message', (message) => listener(message as ToHandler)),
    onClose: (listener) => {
      // The node may have gone while this process was still loading; the event is then past.
      if (process.connected) process.once('disconnect', listener);
      else queueMicrotask(listener);
    },
  };
}
