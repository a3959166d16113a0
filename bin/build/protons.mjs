// Generates the protobuf codecs beside their .proto files. Generated files are not committed: the .proto is the source.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = new URL('../../protocol/wire/messages/', import.meta.url).pathname;
const protons = new URL('../../node_modules/protons/dist/bin/protons.js', import.meta.url).pathname;
for (const name of readdirSync(folder).filter((file) => file.endsWith('.proto'))) {
  const source = join(folder, name);
  const target = join(folder, name.replace('.proto', '.pb.ts'));
  if (existsSync(target) && statSync(target).mtimeMs >= statSync(source).mtimeMs) continue;
  const run = spawnSync(process.execPath, [protons, source], { stdio: 'inherit' });
  if (run.status !== 0) process.exit(run.status ?? 1);
  const made = join(folder, name.replace('.proto', '.ts'));
  writeFileSync(made, `// @ts-nocheck generated from ${name}\n${readFileSync(made, 'utf8').replace(/^/, '')}`);
  renameSync(made, target);
}
