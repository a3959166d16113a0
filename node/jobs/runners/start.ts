/**
 * How a script of a run is started: as it is, after the administrator's set-up, in a sandbox, in a container. Writes the
 * files that this takes into the run's folder, which no earlier process of the run could write to when it was confined.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepsImages } from '../../toolbox/requirements/requirement-engine.js';
import type { RunPlace, RunSpec, RunWork } from '../run-spec.js';
import { runPaths } from '../run-spec.js';
import { containerCommand } from './container.js';
import { type Enclosure, entryScript, environmentScript, quoted } from './enclosed.js';
import { type SystemFolder, sandboxCommand } from './sandbox.js';
import { canSealUsers } from './sandbox-program.js';

export type CommandWork = Extract<RunWork, { kind: 'command' }>;

export interface Start {
  argv: string[];
  environment: Record<string, string>;
  /** Ends what runs when ending the process does not. */
  end?: string[] | undefined;
}

export interface ToStart {
  script: string;
  cwd: string;
  /** PATH among it. */
  environment: Record<string, string>;
  purpose: Enclosure['purpose'];
}

const BASH = 'if [ -z "$BASH_VERSION" ] && command -v bash >/dev/null 2>&1; then exec bash "$0"; fi';

export function startOf(spec: RunSpec, work: CommandWork, start: ToStart): Start {
  const paths = runPaths(spec.folder);
  const { place } = work;
  const { environment, cwd, purpose } = start;
  const script = work.setUp === undefined ? start.script : writeSetUp(spec, work.setUp, start.script);
  if (place === undefined) return { argv: ['/bin/sh', script], environment };
  rmSync(paths.entered, { force: true });
  write(paths.environment, environmentScript(environment));
  write(paths.entry, entryScript({ entered: paths.entered, environment: paths.environment, script }));
  const isConfined = place.kind === 'sandbox' || place.confined;
  const { sharedHome } = work;
  const writes = isConfined || sharedHome === undefined ? [] : [sharedHome];
  for (const folder of writes) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const run: Enclosure = { spec, purpose, cwd, writes, entry: paths.entry };
  const there: RunPlace = { ...place, reads: place.reads.filter((path) => existsSync(path)) };
  const { PATH = '' } = environment;
  if (there.kind === 'sandbox') {
    return { argv: sandboxCommand(run, there, systemFolders(), PATH, canSealUsers(PATH)), environment: { PATH } };
  }
  const user = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const command = containerCommand(run, there, user);
  return { ...command, environment: { PATH, ...command.environment } };
}

/** Why nothing of the tool ran, in a plain sentence; undefined when it did. */
export function notStarted(
  spec: RunSpec,
  work: CommandWork,
  { exitCode, stderr }: { exitCode: number | null; stderr: string },
): string | undefined {
  const paths = runPaths(spec.folder);
  const { place } = work;
  // A tool that succeeded may have cleared its temporary folder, and the mark with it.
  if (place !== undefined && exitCode !== 0 && !existsSync(paths.entered)) {
    const said = lastLine(stderr);
    const reason = said === '' ? '' : `: ${said.replace(/\.$/, '')}`;
    if (place.kind === 'sandbox') return `The sandbox for this tool could not be started${reason}.`;
    const { engine, image } = place;
    const isAbsent = !place.pull && keepsImages(engine) && /image/i.test(said);
    const mend = isAbsent ? ` Only images that are on this node are used for it: "${engine} pull ${image}".` : '';
    return `The container for this tool (${engine}, ${image}) could not be started${reason}.${mend}`;
  }
  if (work.setUp !== undefined && existsSync(paths.setUpFailed)) {
    const said = lastLine(stderr);
    return `The programs of this tool could not be set up on this node (tools.environment)${said === '' ? '' : `: ${said.replace(/\.$/, '')}`}.`;
  }
  return undefined;
}

/** The administrator's text is for the shell that tools get as well: bash where there is one. */
function writeSetUp(spec: RunSpec, text: string, script: string): string {
  const paths = runPaths(spec.folder);
  const first = `${paths.setUp}.first`;
  write(paths.setUp, text);
  const failed = quoted(paths.setUpFailed);
  write(
    first,
    [
      BASH,
      `trap ': >${failed}' EXIT`,
      `. ${quoted(paths.setUp)} || exit 1`,
      'trap - EXIT',
      `exec /bin/sh ${quoted(script)}`,
      '',
    ].join('\n'),
  );
  return first;
}

function write(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim().slice(0, 500) ?? '';
}

/** Configuration without which programs do not work, none of it anybody's own. */
const SETTINGS = /^(alternatives|fonts|java.*|ld\.so\.cache|localtime|perl|R)$/;

/** /bin and the like are folders on some systems and links into /usr on others. */
export function systemFolders(): SystemFolder[] {
  const folders: SystemFolder[] = [{ path: '/usr' }];
  for (const path of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) folders.push({ path, link: readlinkSync(path) });
    else if (stat?.isDirectory()) folders.push({ path });
  }
  const settings = readdirSync('/etc').filter((name) => SETTINGS.test(name));
  return [...folders, ...settings.sort().map((name) => ({ path: join('/etc', name) }))];
}
