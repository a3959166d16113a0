/**
 * What containers and the sandbox have in common: the script that is their first process, and what they may see.
 *
 * The environment goes in as a file that the shell reads, and not by command line (any process of the machine can read
 * those) nor by the engines' own files (which cannot hold a line end, or are read as shell text).
 */
import { RUN_MARKER, type RunPlace, type RunSpec, runPaths } from '../run-spec.js';

/** Arguments are bounded by the system: about two MiB, each of these twice or three times a path. */
const READS_MAX = 4000;

export interface Enclosure {
  spec: Pick<RunSpec, 'job' | 'attempt' | 'folder' | 'cores' | 'memoryMb'>;
  purpose: 'tool' | 'version' | 'index';
  cwd: string;
  /** Folders besides the run's own that can be written. */
  writes: readonly string[];
  /** What `sh` runs in there. */
  entry: string;
}

/**
 * The first process. As process 1 of a container a shell is not ended by SIGTERM: it passes that on to all others there.
 * It must be process 1 for that: anywhere else "all others" are not the tool's.
 */
export function entryScript(options: { entered: string; environment: string; script: string }): string {
  const { entered, environment, script } = options;
  return [
    `: >${quoted(entered)} || exit 125`,
    `. ${quoted(environment)} || exit 125`,
    `[ "$$" -eq 1 ] || exec /bin/sh ${quoted(script)}`,
    `trap 'trap "" TERM; kill -TERM -1 2>/dev/null' TERM`,
    `/bin/sh ${quoted(script)} &`,
    'tool=$!',
    // A signal ends the waiting, and not the tool.
    'while :; do wait "$tool"; code=$?; kill -0 "$tool" 2>/dev/null || exit "$code"; done',
    '',
  ].join('\n');
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** PATH is the place's own. Throws a plain sentence for a name that no shell can hold. */
export function environmentScript(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .filter(([name]) => name !== 'PATH')
    .map(([name, value]) => {
      if (!NAME.test(name)) throw new Error(`the tool's environment variable ${JSON.stringify(name)} is no name`);
      return `export ${name}=${quoted(value)}\n`;
    })
    .join('');
}

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** What can be seen and written, outermost first: what comes later may lie in what came before. */
export function mounts(run: Enclosure, place: RunPlace): { path: string; at: string; writable: boolean }[] {
  const { folder } = run.spec;
  const paths = runPaths(folder);
  if (place.reads.length > READS_MAX) {
    throw new Error(`The job reads ${place.reads.length} files; in a container or sandbox it may read ${READS_MAX}.`);
  }
  const isConfined = place.kind === 'sandbox' || place.confined;
  // The node writes logs and scripts into the run's folder: a link put in their place would be followed out of it.
  const own = isConfined
    ? [
        { path: folder, writable: false },
        ...[paths.working, paths.outputs, paths.temporary, paths.home].map((path) => ({ path, writable: true })),
      ]
    : [{ path: folder, writable: true }];
  const reads = [...new Set(place.reads)].map((path) => ({ path, writable: false }));
  const writes = run.writes.map((path) => ({ path, writable: true }));
  const all = [...reads, ...writes, ...own].map((one) => ({ ...one, at: one.path }));
  all.sort((a, b) => depth(a.at) - depth(b.at));
  return [{ path: paths.temporary, at: '/tmp', writable: true }, ...all];
}

/** Where a later start of the node finds what an earlier one left. */
export function marker({ spec }: Enclosure): readonly [string, string] {
  return [RUN_MARKER, spec.folder];
}

function depth(path: string): number {
  return path.split('/').length;
}
