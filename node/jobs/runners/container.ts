/**
 * The command line that runs a job in a container. Pure: golden tests hold each engine's, word by word.
 *
 * Everything is found in the container at the path that it has outside, so that a command is the same in both. What runs
 * there has no rights but those of its user, who is the node's own, and no network unless the administrator allows it.
 * The image's entry point is passed by: the command is the wrapper's.
 * Rejected: the engines' sockets and libraries, of which each engine has another.
 */
import { createHash } from 'node:crypto';
import { toolErrors } from '../../toolbox/errors.js';
import { keepsImages } from '../../toolbox/requirements/requirement-engine.js';
import type { ContainerPlace } from '../run-spec.js';
import { type Enclosure, marker, mounts } from './enclosed.js';

const PROCESSES_MAX = 4096;

export interface ContainerCommand {
  argv: string[];
  /** For the engine's program, besides PATH. */
  environment: Record<string, string>;
  /** Ends the container at once, whatever became of the program that began it. */
  end: string[] | undefined;
}

/** `user`: of the node. Throws `toolbox/image` for what is no image. */
export function containerCommand(
  run: Enclosure,
  place: ContainerPlace,
  user: { uid: number; gid: number },
): ContainerCommand {
  return keepsImages(place.engine) ? ociCommand(run, place, user) : apptainerCommand(run, place);
}

function ociCommand(run: Enclosure, place: ContainerPlace, { uid, gid }: { uid: number; gid: number }) {
  const { spec, cwd, entry } = run;
  const { engine, image, pull, network, limits, confined, engineEnvironment } = place;
  if (!/^[a-z0-9][a-z0-9._:/@-]*$/i.test(image)) throw toolErrors('image', { image });
  const name = containerName(run);
  const [variable, value] = marker(run);
  const argv = [
    ...[engine, 'run', '--rm', `--name=${name}`, `--pull=${pull ? 'missing' : 'never'}`],
    ...(network ? [] : ['--network=none']),
    ...['--cap-drop=all', '--security-opt=no-new-privileges', '--security-opt=label=disable', '--log-driver=none'],
    // Without it the user of a rootless podman's container is another one outside, and can write nothing of the job.
    ...(engine === 'podman' && uid !== 0 ? ['--userns=keep-id'] : []),
    `--user=${uid}:${gid}`,
    ...(confined ? ['--read-only'] : []),
    ...(limits ? [`--cpus=${spec.cores}`, `--memory=${spec.memoryMb}m`, `--pids-limit=${PROCESSES_MAX}`] : []),
    `--env=${variable}=${value}`,
    ...mounts(run, place).map((mount) => {
      const fields = ['type=bind', `source=${mount.path}`, `target=${mount.at}`];
      return `--mount=${csv([...fields, ...(mount.writable ? [] : ['readonly'])])}`;
    }),
    ...[`--workdir=${cwd}`, '--entrypoint=/bin/sh', image, entry],
  ];
  return { argv, environment: { ...engineEnvironment }, end: [engine, 'kill', name] };
}

/** Its processes are the node's own children in a namespace of processes, which ends with the first of them. */
function apptainerCommand(run: Enclosure, place: ContainerPlace): ContainerCommand {
  const { engine, image, network, engineEnvironment } = place;
  if (image.startsWith('-') || /[\0\r\n]/.test(image) || image.trim() === '') throw toolErrors('image', { image });
  const [variable, value] = marker(run);
  const argv = [
    ...[engine, 'exec', '--containall', '--cleanenv', '--no-home', '--no-privs'],
    ...(network ? [] : ['--net', '--network=none']),
    ...mounts(run, place).map((mount) => {
      const fields = ['type=bind', `source=${mount.path}`, `destination=${mount.at}`];
      return `--mount=${csv([...fields, ...(mount.writable ? [] : ['ro'])])}`;
    }),
    ...[`--pwd=${run.cwd}`, image, '/bin/sh', run.entry],
  ];
  const prefix = engine === 'apptainer' ? 'APPTAINERENV' : 'SINGULARITYENV';
  return { argv, environment: { ...engineEnvironment, [`${prefix}_${variable}`]: value }, end: undefined };
}

/** Two nodes of one machine may run the same job, one after the other. */
export function containerName({ spec, purpose }: Pick<Enclosure, 'spec' | 'purpose'>): string {
  const where = createHash('sha256').update(spec.folder).digest('hex').slice(0, 8);
  return `galaxy-job-${spec.job}-${spec.attempt}-${where}${purpose === 'tool' ? '' : `-${purpose}`}`;
}

/** All engines read a mount as a line of comma separated fields. */
function csv(fields: readonly string[]): string {
  return fields.map((field) => (/[,"\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',');
}
