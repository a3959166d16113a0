/** A handler process with simple datatypes, for tests. */
import { Handler } from '../../../node/jobs/handler.js';
import { processChannel } from '../../../node/jobs/handler-channel.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { FakeDatatypes } from './fakes.js';

new Handler(
  { channel: processChannel(silentLogger), clock: systemClock, datatypes: new FakeDatatypes(), log: silentLogger },
  { heartbeatMs: Number(process.env.GALAXY_HANDLER_HEARTBEAT_MS), path: process.env.PATH },
).start();
