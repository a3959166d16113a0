// Generates the protobuf codecs beside their .proto files. Generated files are not committed: the .proto is the source. They
// are type-checked like everything else; the generator leaves a parameter behind where a message has no lists to bound.
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
  writeFileSync(made, `// Generated from ${name}.\n${withoutUnused(readFileSync(made, 'utf8'))}`);
  renameSync(made, target);
}

function withoutUnused(text) {
  const decoders = /\(reader, length, (?:prefix, )?opts = \{\}\)(?: =>)? \{[\s\S]*?\n {6}\}/g;
  return text.replace(decoders, (one) =>
    one.includes('opts.') || one.includes(', opts)') ? one : one.replace(', opts = {}', ''),
  );
}
