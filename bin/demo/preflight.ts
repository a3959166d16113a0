/** What the demo needs of a machine, asked before anything is started: each lack is one clear line. */
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { defineErrors } from '../../protocol/runtime/errors.js';
import { COORDINATOR_ADDRESS, PLACES } from './network.js';

export const demoErrors = defineErrors('demo', {
  'port-taken': {
    kind: 'conflict',
    say: 'Port {port} of {address} is taken by another program.',
    mend: 'Stop that program (another demo?), or take other ports: `npm run demo -- --port 9090`; `--port 0` takes any that are free.',
  },
  'no-address': {
    kind: 'unavailable',
    say: 'This machine has no loopback address {address} ({reason}).',
    mend: 'Each process of the demo has one of its own. On macOS: `sudo ifconfig lo0 alias {address}`.',
  },
  'no-program': {
    kind: 'unavailable',
    say: 'The program `{program}` is not installed; the tools of the story need it.',
    mend: 'Install the package of your system that has it (coreutils, grep, gawk).',
  },
  'not-empty': {
    kind: 'conflict',
    say: 'The folder {folder} is not empty.',
    mend: 'The story begins with nothing: name a new folder with --data.',
  },
});

const PROGRAMS = ['sh', 'cat', 'head', 'wc', 'awk', 'sleep'];
/** Further addresses of the story: guests, strangers, the visitor. */
const MORE_ADDRESSES = ['127.0.1.14', '127.0.1.21', '127.0.1.22', '127.0.1.23', '127.0.1.31', '127.0.2.1'];

/** Errors: `demo/*`. */
export async function checkMachine(options: { folder: string | undefined; port: number }): Promise<void> {
  const { folder, port } = options;
  if (folder !== undefined && existsSync(folder) && readdirSync(folder).length > 0)
    throw demoErrors('not-empty', { folder });
  for (const program of PROGRAMS) if (!isInstalled(program)) throw demoErrors('no-program', { program });
  for (const address of [COORDINATOR_ADDRESS, ...Object.values(PLACES).map((place) => place.address)])
    await tryToListen(address, port);
  for (const address of MORE_ADDRESSES) await tryToListen(address, 0);
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function tryToListen(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EADDRINUSE') reject(demoErrors('port-taken', { address, port }, { cause }));
      else reject(demoErrors('no-address', { address, reason: cause.code ?? cause.message }, { cause }));
    });
    server.listen(port, address, () => server.close(() => resolve()));
  });
}
