/** Fetches the Galaxy web client at installation. Always exits 0: the node fetches it again at its first start. */

import { clientFolder, fetchClient } from '../../protocol/runtime/client-asset.js';
import { describeError } from '../../protocol/runtime/errors.js';

try {
  const result = await fetchClient({ folder: clientFolder() });
  process.stderr.write(`Galaxy web client ${result.version}: ${result.fetched ? 'fetched' : 'already here'}.\n`);
} catch (error) {
  process.stderr.write(`The Galaxy web client could not be fetched now: ${describeError(error)}\n`);
}
