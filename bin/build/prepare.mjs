// Runs at `npm ci` and `npm pack`: codecs, compilation, and the Galaxy web client. Exits 0 with a line where the build
// tools are absent and dist/ is there (`npm ci --omit=dev`).
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const root = new URL('../../', import.meta.url).pathname;
const tools = ['node_modules/typescript/bin/tsc', 'node_modules/protons/dist/bin/protons.js'].map(
  (path) => root + path,
);
if (!tools.every((tool) => existsSync(tool))) {
  if (existsSync(`${root}dist/bin/galaxy-node.js`)) {
    process.stderr.write('prepare: the build tools are not installed; using the compiled files in dist/.\n');
    process.exit(0);
  }
  process.stderr.write(
    'prepare: the build tools are not installed and dist/ is missing. Run `npm ci` without --omit=dev.\n',
  );
  process.exit(1);
}
const run = (...args) => {
  const result = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
};
run('bin/build/protons.mjs');
run(tools[0], '-p', 'tsconfig.build.json');
// Never fails an installation: `start` tries again and the API works without it.
spawnSync(process.execPath, ['dist/bin/build/fetch-client.js'], { cwd: root, stdio: 'inherit' });
