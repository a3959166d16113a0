/**
 * A podman with a store of its own in a folder, and one image in it: Debian's busybox-static. As a test finds a machine,
 * perhaps itself in a container: files are copied and not overlaid, and no limit is asked for that is not there.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programPath } from './programs.js';

const run = promisify(execFile);
/** Podman lowers its own limit of processes to this, and cannot raise it again in a container. */
const PROCESSES_MAX = 32_768;

export const IMAGE = 'localhost/galaxy-test/busybox:1';
export const BUSYBOX = '/bin/busybox';

export interface TestPodman {
  /** For the engine's own program. */
  environment: Record<string, string>;
  /** Names of containers that there are, running or not. */
  containers(): Promise<string[]>;
  remove(): Promise<void>;
}

export async function openPodman(folder: string): Promise<TestPodman> {
  mkdirSync(folder, { recursive: true });
  const conf = join(folder, 'containers.conf');
  const storage = join(folder, 'storage.conf');
  const limits = [
    `nofile=${hardLimit('Max open files')}`,
    `nproc=${Math.min(PROCESSES_MAX, hardLimit('Max processes'))}`,
  ];
  const runtime = programPath('runc') === undefined ? 'crun' : 'runc';
  writeFileSync(
    conf,
    [
      '[containers]',
      `default_ulimits = [${limits.map((limit) => `"${limit}:${limit.split('=')[1]}"`).join(', ')}]`,
      '[engine]',
      'cgroup_manager = "cgroupfs"',
      'events_logger = "file"',
      `runtime = "${runtime}"`,
      '',
    ].join('\n'),
  );
  writeFileSync(
    storage,
    `[storage]\ndriver = "vfs"\ngraphroot = "${join(folder, 'store')}"\nrunroot = "${join(folder, 'run')}"\n`,
  );
  const environment = {
    HOME: join(folder, 'home'),
    XDG_RUNTIME_DIR: join(folder, 'run'),
    CONTAINERS_CONF: conf,
    CONTAINERS_STORAGE_CONF: storage,
  };
  const podman = async (...args: string[]) =>
    (await run('podman', args, { env: { PATH: process.env.PATH, ...environment }, timeout: 60_000 })).stdout;
  const root = join(folder, 'root');
  for (const name of ['bin', 'tmp', 'etc', 'proc', 'dev']) mkdirSync(join(root, name), { recursive: true });
  cpSync(BUSYBOX, join(root, 'bin', 'busybox'));
  for (const name of ['sh', 'cat', 'cp', 'echo', 'env', 'id', 'ln', 'ls', 'nc', 'sleep', 'touch', 'tr', 'wc']) {
    symlinkSync('busybox', join(root, 'bin', name));
  }
  await run('tar', ['-C', root, '-cf', join(folder, 'root.tar'), '.']);
  await podman('import', '--quiet', join(folder, 'root.tar'), IMAGE);
  return {
    environment,
    containers: async () => (await podman('ps', '--all', '--format={{.Names}}')).split('\n').filter(Boolean),
    async remove() {
      await podman('rm', '--all', '--force').catch(() => {});
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function hardLimit(name: string): number {
  const line = readFileSync('/proc/self/limits', 'utf8')
    .split('\n')
    .find((one) => one.startsWith(name));
  const hard = Number(line?.slice(name.length).trim().split(/\s+/)[1]);
  return Number.isInteger(hard) ? hard : 1_048_576;
}
