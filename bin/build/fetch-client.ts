/** Fetches the Galaxy web client at installation. Always exits 0: the node fetches it again at its first start. */
import { clientFolder, fetchClient } from '../../protocol/runtime/client-asset.js';
import { describeError } from '../../protocol/runtime/errors.js';
import { progressBar } from '../progress.js';

const WORDS = {
  fetch: 'asking npm for the Galaxy web client (13 MB)',
  check: 'checking its hash',
  unpack: 'unpacking the Galaxy web client',
} as const;

const bar = progressBar('Galaxy web client');
try {
  const result = await fetchClient({
    folder: clientFolder(),
    onProgress: ({ step, bytes, bytesTotal }) => bar.update(bytes, bytesTotal, WORDS[step]),
  });
  bar.end();
  process.stderr.write(`Galaxy web client ${result.version}: ${result.fetched ? 'fetched' : 'already here'}.\n`);
} catch (error) {
  bar.end();
  process.stderr.write(`The Galaxy web client could not be fetched now: ${describeError(error)}\n`);
}
