/** A process of its own that loads wrappers once and says how long that took: `node load.js FOLDER [CACHE]`. */
import '../../../protocol/runtime/polyfill.js';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import { createToolbox } from '../../../node/toolbox/toolbox.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';

const [folder = '', cache] = process.argv.slice(2);
const from = systemClock.monotonic();
const toolbox = await createToolbox(
  { datatypes: createDatatypes(), log: silentLogger },
  { folders: [folder], bundled: false, ...(cache === undefined ? {} : { cache }) },
);
const ms = systemClock.monotonic() - from;
const said = {
  seconds: ms / 1000,
  tools: toolbox.tools().length,
  problems: toolbox.problems().length,
  rssBytes: process.memoryUsage().rss,
};
process.stdout.write(`${JSON.stringify(said)}\n`);
