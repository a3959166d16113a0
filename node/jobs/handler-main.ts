/** Entry of a job handler process; forked by handler-pool.ts. Ends by itself when its channel has closed. */
import { systemClock } from '../../protocol/runtime/clock.js';
import { createLogger, type LogLevel } from '../../protocol/runtime/logger.js';
import { createDatatypes } from '../datasets/datatype-registry.js';
import { Handler } from './handler.js';
import { processChannel } from './handler-channel.js';

const log = createLogger({ name: 'job-handler', level: (process.env.GALAXY_HANDLER_LOG_LEVEL as LogLevel) ?? 'info' });
const heartbeatMs = Number(process.env.GALAXY_HANDLER_HEARTBEAT_MS);

new Handler(
  { channel: processChannel(log), clock: systemClock, datatypes: createDatatypes(), log },
  { heartbeatMs, path: process.env.PATH },
).start();
