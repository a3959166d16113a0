/** Holds the arrows of docs/ARCHITECTURE.md: who may import whom, and where the world (time, chance, processes) comes in. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');

interface Import {
  from: string;
  to: string;
  /** Gone after compilation. */
  isType: boolean;
}

/** The doors: where the world comes in. Core never imports one, and none imports another. */
const DOORS = ['node/api', 'node/web', 'node/peers', 'coordinator/http', 'coordinator/peers', 'coordinator/dashboard'];
const ROOTS = ['node/node.ts', 'node/joined.ts', 'coordinator/coordinator.ts'];
/** What the programs take from a door past the root: the demo's false member joins as a node does, a table has its type. */
const BIN_TO_DOOR = ['bin/demo/liar.ts → node/peers/join.ts', 'bin/peer-table.ts → coordinator/dashboard/pages.ts'];

/** Inside protocol, each part may import those named and itself. `calls` are the shapes that cross the wire, `entry` the log's. */
const PROTOCOL: Record<string, string[]> = {
  runtime: [],
  wire: ['runtime'],
  entry: ['runtime', 'wire'],
  trust: ['runtime', 'wire'],
  membership: ['runtime', 'wire', 'trust'],
  account: ['runtime', 'wire', 'entry'],
  log: ['runtime', 'wire', 'trust', 'entry', 'account'],
  blobs: ['runtime', 'wire'],
  calls: ['runtime', 'wire', 'trust', 'account'],
};

/** A library that is a world of its own, its subpaths included, and the places that import it. `*` stands for a name's rest. */
const WORLDS: [name: string, places: string[]][] = [
  ['level', ['protocol/runtime/store.ts']],
  ['@libp2p/crypto', ['protocol/trust/identity.ts']],
  ['@libp2p/peer-id', ['protocol/runtime/libp2p-', 'protocol/trust/identity.ts']],
  ['@libp2p/interface', ['protocol/runtime/libp2p-', 'protocol/trust/identity.ts']],
  ['@libp2p/*', ['protocol/runtime/libp2p-']],
  ['libp2p', ['protocol/runtime/libp2p-']],
  ['@chainsafe/*', ['protocol/runtime/libp2p-']],
  ['@multiformats/*', ['protocol/runtime/libp2p-']],
  ['pino', ['protocol/runtime/logger.ts']],
  ['commander', ['bin/']],
  ['cli-progress', ['bin/progress.ts']],
  ['fastify', ['node/api/', 'node/web/', 'coordinator/http/', 'coordinator/dashboard/']],
  ['@fastify/*', ['node/api/', 'node/web/', 'coordinator/http/', 'coordinator/dashboard/']],
  ['@tus/*', ['node/datasets/uploads.ts']],
  ['@node-rs/*', ['node/accounts/passwords.ts', 'coordinator/sign-in.ts']],
  // Other processes begin here and nowhere else.
  [
    'node:child_process',
    [
      'node/jobs/handler-pool.ts',
      'node/jobs/runners/local.ts',
      'node/tool-test/sam.ts',
      'protocol/runtime/client-asset.ts',
      'bin/demo/processes.ts',
    ],
  ],
  ['node:cluster', []],
  // JavaScript that users write, and the thread that it may use up.
  ['quickjs-emscripten-core', ['node/toolbox/user-tool/quickjs.ts']],
  ['@jitl/*', ['node/toolbox/user-tool/quickjs.ts']],
  ['node:worker_threads', ['node/toolbox/user-tool/isolate']],
];

/** Where the programs look at a clock: `--watch`, and the demo's waits. */
const BIN_TIMERS = ['bin/galaxy-coordinator.ts', 'bin/demo/waits.ts'];

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.pb.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

const STATIC = /^(?:import|export)\s+(type\s+)?(?:[\w*{][^'"`;]*?\sfrom\s+)?'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'\s*\)/g;

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const found = [...text.matchAll(STATIC)].map(([, type, name]) => ({
    name: name as string,
    isType: type !== undefined,
  }));
  for (const [, name] of text.matchAll(DYNAMIC)) found.push({ name: name as string, isType: false });
  return found.map(({ name, isType }) => ({
    from: file,
    to: name.startsWith('.') ? relative(root, resolve(root, dirname(file), name)).replace(/\.js$/, '.ts') : name,
    isType,
  }));
}

const files = ['protocol', 'node', 'coordinator', 'bin'].flatMap(sources);
const imports = files.flatMap(importsOf);
const top = (path: string) => path.split('/')[0] as string;
const doorOf = (path: string) => DOORS.find((door) => path.startsWith(`${door}/`));
const arrow = ({ from, to }: Import) => `${from} → ${to}`;
const show = (list: Import[]) => list.map(arrow);

function partOf(path: string): string | undefined {
  if (top(path) !== 'protocol') return undefined;
  if (path.startsWith('protocol/wire/calls/')) return 'calls';
  if (path === 'protocol/log/entry.ts' || path === 'protocol/log/patch.ts') return 'entry';
  return path.split('/')[1];
}

function worldOf(name: string): string[] | undefined {
  // A builtin is meant with and without its prefix.
  const full = /^(child_process|cluster|worker_threads)$/.test(name) ? `node:${name}` : name;
  return WORLDS.find(([world]) =>
    world.endsWith('*') ? full.startsWith(world.slice(0, -1)) : full === world || full.startsWith(`${world}/`),
  )?.[1];
}

describe('the arrows between the parts', () => {
  it('there are sources and imports to look at', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(imports.length).toBeGreaterThan(5 * files.length);
    const parts = new Set(files.map(partOf));
    expect(Object.keys(PROTOCOL).filter((part) => !parts.has(part))).toEqual([]);
  });

  it('protocol imports neither node nor coordinator nor bin', () => {
    expect(
      show(imports.filter((i) => top(i.from) === 'protocol' && ['node', 'coordinator', 'bin'].includes(top(i.to)))),
    ).toEqual([]);
  });

  it('inside protocol imports run one way', () => {
    const wrong = imports.filter((i) => {
      const [from, to] = [partOf(i.from), partOf(i.to)];
      return from !== undefined && to !== undefined && from !== to && !PROTOCOL[from]?.includes(to);
    });
    expect(show(wrong)).toEqual([]);
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

  it('core never imports a door, a door never another door, and a program one only where it is named', () => {
    const wrong = imports.filter((i) => {
      const target = doorOf(i.to);
      if (target === undefined || ROOTS.includes(i.from) || BIN_TO_DOOR.includes(arrow(i))) return false;
      return doorOf(i.from) !== target;
    });
    expect(show(wrong)).toEqual([]);
    expect(BIN_TO_DOOR.filter((one) => !imports.some((i) => arrow(i) === one))).toEqual([]);
  });

  it('no file imports itself by way of others', () => {
    const targets = new Map<string, string[]>();
    for (const { from, to, isType } of imports) if (!isType) targets.set(from, [...(targets.get(from) ?? []), to]);
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, way: readonly string[]) => {
      const at = way.indexOf(file);
      if (at >= 0) circles.push([...way.slice(at), file].join(' → '));
      if (at >= 0 || done.has(file)) return;
      for (const target of targets.get(file) ?? []) visit(target, [...way, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });

  it('a library that is a world of its own, and each way to another process, has its importing places', () => {
    const wrong = imports.filter((i) => {
      const places = worldOf(i.to);
      return places !== undefined && !places.some((place) => i.from.startsWith(place));
    });
    expect(show(wrong)).toEqual([]);
  });

  it('time, chance and the end of the process live in protocol/runtime, bin/run.ts and two places of bin', () => {
    const text = (file: string) => readFileSync(join(root, file), 'utf8');
    // A method or a parameter of that name is none of ours: `setTimeout(ms: number, …)`.
    const worldly = /\bDate\.now\(|\bMath\.random\(|(?<!\.)\bset(?:Timeout|Interval|Immediate)\((?!\w+\??:|\))/;
    const wrong = files
      .filter((file) => !file.startsWith('protocol/runtime/') && !BIN_TIMERS.includes(file))
      .filter((file) => worldly.test(text(file)));
    expect(wrong).toEqual([]);
    expect(files.filter((file) => file !== 'bin/run.ts' && /\bprocess\.exit\(/.test(text(file)))).toEqual([]);
  });
});
