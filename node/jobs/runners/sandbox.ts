/**
 * The command line that runs a job in a sandbox (bubblewrap): the system's programs and what the job reads can be read,
 * only what is the job's own can be written; no network, no other process, no rights. Pure; what the system looks like is
 * handed in.
 *
 * /tmp is the run's own folder on disk: in memory, a tool could take as much of that as it liked.
 */
import type { SandboxPlace } from '../run-spec.js';
import { type Enclosure, marker, mounts } from './enclosed.js';

/** What programs need of the system. `link`: it is one, to that. */
export interface SystemFolder {
  path: string;
  link?: string;
}

/** `sealed`: the program can see to it that nothing in there makes user namespaces, a way to much of the kernel. */
export function sandboxCommand(
  run: Enclosure,
  place: SandboxPlace,
  system: readonly SystemFolder[],
  path: string,
  sealed: boolean,
): string[] {
  const { folder } = run.spec;
  for (const { path: root, link } of system) {
    if (link === undefined && folder.startsWith(`${root}/`)) {
      throw new Error(`The data folder lies in ${root}, which tools that run confined can read. Move it elsewhere.`);
    }
  }
  const [variable, value] = marker(run);
  return [
    'bwrap',
    ...system.flatMap(({ path: one, link }) =>
      link === undefined ? ['--ro-bind', one, one] : ['--symlink', link, one],
    ),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...mounts(run, place).flatMap((mount) => [mount.writable ? '--bind' : '--ro-bind', mount.path, mount.at]),
    ...['--chdir', run.cwd, '--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...(sealed ? ['--unshare-user', '--disable-userns'] : []),
    ...['--clearenv', '--setenv', 'PATH', path, '--setenv', variable, value],
    ...['/bin/sh', run.entry],
  ];
}
