import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');

interface Import {
  from: string;
  to: string;
}

/** The doors: where the world comes in. Core never imports one, and none imports another. */
const DOORS = ['node/api', 'node/web', 'node/peers', 'coordinator/http', 'coordinator/peers', 'coordinator/dashboard'];
const ROOTS = ['node/node.ts', 'node/joined.ts', 'coordinator/coordinator.ts'];

/** An outside library that is a world of its own, and the one place per program that imports it. */
const WORLDS: Record<string, string[]> = {
  level: ['protocol/runtime/store.ts'],
  libp2p: ['protocol/runtime/libp2p-host.ts'],
  '@libp2p/tcp': ['protocol/runtime/libp2p-host.ts'],
  '@libp2p/gossipsub': ['protocol/runtime/libp2p-host.ts'],
  '@libp2p/kad-dht': ['protocol/runtime/libp2p-host.ts'],
  '@chainsafe/libp2p-noise': ['protocol/runtime/libp2p-host.ts'],
  pino: ['protocol/runtime/logger.ts'],
  commander: ['bin/'],
  fastify: ['node/api/', 'node/web/', 'coordinator/http/', 'coordinator/dashboard/'],
};

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.pb.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] as string);
  return found.map((name) => ({
    from: file,
    to: name.startsWith('.') ? relative(root, resolve(root, dirname(file), name)).replace(/\.js$/, '.ts') : name,
  }));
}

const files = ['protocol', 'node', 'coordinator', 'bin'].flatMap(sources);
const imports = files.flatMap(importsOf);
const top = (path: string) => path.split('/')[0] as string;
const doorOf = (path: string) => DOORS.find((door) => path.startsWith(`${door}/`));
const show = (list: Import[]) => list.map(({ from, to }) => `${from} → ${to}`);

describe('the arrows between the parts', () => {
  it('there are sources to look at', () => {
    expect(files.length).toBeGreaterThan(50);
  });

  it('protocol imports neither node nor coordinator nor bin', () => {
    expect(
      show(imports.filter((i) => top(i.from) === 'protocol' && ['node', 'coordinator', 'bin'].includes(top(i.to)))),
    ).toEqual([]);
  });

  it('node and coordinator do not import each other, nor bin', () => {
    const wrong = imports.filter(
      (i) =>
        (top(i.from) === 'node' && ['coordinator', 'bin'].includes(top(i.to))) ||
        (top(i.from) === 'coordinator' && ['node', 'bin'].includes(top(i.to))),
    );
    expect(show(wrong)).toEqual([]);
  });

  it('nothing but tests imports test code', () => {
    expect(show(imports.filter((i) => top(i.to) === 'test'))).toEqual([]);
  });

  it('core never imports a door, and a door never another door', () => {
    const wrong = imports.filter((i) => {
      const target = doorOf(i.to);
      if (target === undefined || ROOTS.includes(i.from) || top(i.from) === 'bin') return false;
      return doorOf(i.from) !== target;
    });
    expect(show(wrong)).toEqual([]);
  });

  it('an outside library that is a world of its own has one importing place', () => {
    const wrong = imports.filter((i) => {
      const allowed = WORLDS[i.to];
      return allowed !== undefined && !allowed.some((place) => i.from.startsWith(place));
    });
    expect(show(wrong)).toEqual([]);
  });

  it('time, chance and the end of the process live in protocol/runtime and bin/', () => {
    const text = (file: string) => readFileSync(join(root, file), 'utf8');
    // A method or a parameter of that name is none of ours: `setTimeout(ms: number, …)`.
    const worldly = /\bDate\.now\(|\bMath\.random\(|(?<!\.)\bset(?:Timeout|Interval)\((?!\w+\??:|\))/;
    const wrong = files
      .filter((file) => !file.startsWith('protocol/runtime/') && !file.startsWith('bin/'))
      .filter((file) => worldly.test(text(file)));
    expect(wrong).toEqual([]);
    expect(files.filter((file) => file !== 'bin/run.ts' && /\bprocess\.exit\(/.test(text(file)))).toEqual([]);
  });
});
