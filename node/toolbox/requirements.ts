/**
 * Where the programs of a tool come from, decided for each tool by what the machine and the configuration have, in this
 * order: programs on PATH, a script of the administrator's that is read before the job, a container that the wrapper or
 * the configuration names. The answer says for each package which of them, or what is missing.
 *
 * PATH is looked at, and nothing is run for it: a version is what the wrapper's author used and no promise of ours, so an
 * other version is not refused. Rejected: installing packages, which is the administrator's to decide.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Clock } from '../../protocol/runtime/clock.js';
import { toolErrors } from './errors.js';
import { LIBRARIES, PACKAGE_PROGRAMS, PYTHON_LIBRARIES } from './requirement-programs.js';
import type { Container, Requirement } from './requirement-xml.js';

export const ENGINES = ['podman', 'docker', 'apptainer', 'singularity'] as const;
export type Engine = (typeof ENGINES)[number];

export interface ContainerChoice {
  engine: Engine;
  /** For a wrapper that names no image: package → image. */
  images: Readonly<Record<string, string>>;
  /** Folders that every container may read: reference data. */
  readable: readonly string[];
}

export interface RequirementOptions {
  /** The PATH of jobs. */
  path: string;
  /** Shell text, `{name}` and `{version}` replaced, once for each package that is not on PATH. */
  environment: string | null;
  container: ContainerChoice | null;
}

export interface ResolvedPackage {
  name: string;
  version: string | undefined;
  by: 'path' | 'environment' | 'container' | 'nothing';
  /** On PATH, or looked for in vain. */
  programs: string[];
}

export interface Resolution {
  packages: ResolvedPackage[];
  /** Shell text before the tool's own. */
  setUp: string;
  container: { engine: Engine; image: string; readable: readonly string[] } | undefined;
  /** Packages that nothing gives. */
  missing: ResolvedPackage[];
}

interface NeedsPrograms {
  id: string;
  requirements: readonly Requirement[];
  containers: readonly Container[];
}

const LOOK_AGAIN_MS = 5000;
const REMEMBERED_MAX = 5000;

export class RequirementResolver {
  /** Program → where; forgotten now and then, because administrators install things. */
  private readonly found = new Map<string, boolean>();
  private lookedAt: number;

  constructor(
    private readonly deps: { clock: Pick<Clock, 'monotonic'> },
    private readonly options: RequirementOptions,
  ) {
    this.lookedAt = deps.clock.monotonic();
  }

  resolve(tool: NeedsPrograms): Resolution {
    const { environment } = this.options;
    const wanted = tool.requirements.filter(({ type }) => type !== 'docker' && type !== 'singularity');
    const looked = wanted.map((one) => this.onPath(one));
    const lacking = looked.filter(({ by }) => by === 'nothing');
    if (lacking.length === 0) return { packages: looked, setUp: '', container: undefined, missing: [] };
    if (environment !== null) {
      const packages = looked.map((one) => (one.by === 'path' ? one : { ...one, by: 'environment' as const }));
      return { packages, setUp: setUpText(environment, lacking), container: undefined, missing: [] };
    }
    const container = this.container(tool, lacking);
    if (container !== undefined) {
      const packages = looked.map((one) => ({ ...one, by: 'container' as const }));
      return { packages, setUp: '', container, missing: [] };
    }
    return { packages: looked, setUp: '', container: undefined, missing: lacking };
  }

  /** Throws `toolbox/programs` when a package of the tool is not there. */
  refuseMissing(tool: NeedsPrograms): void {
    const { missing } = this.resolve(tool);
    if (missing.length > 0) throw toolErrors('programs', { tool: tool.id, missing: missing.map(inWords).join(', ') });
  }

  private onPath({ name, version, type }: Requirement): ResolvedPackage {
    const programs = type === 'python-module' ? ['python3|python'] : programsOf(name);
    const absent = programs.filter((program) => !program.split('|').some((one) => this.has(one)));
    const known = { name, version };
    return absent.length === 0
      ? { ...known, by: 'path', programs: programs.map((one) => this.present(one)) }
      : { ...known, by: 'nothing', programs: absent.map((one) => one.split('|')[0] as string) };
  }

  private present(program: string): string {
    return program.split('|').find((one) => this.has(one)) ?? program;
  }

  private has(program: string): boolean {
    const now = this.deps.clock.monotonic();
    if (now - this.lookedAt > LOOK_AGAIN_MS || this.found.size > REMEMBERED_MAX) {
      this.found.clear();
      this.lookedAt = now;
    }
    const known = this.found.get(program);
    if (known !== undefined) return known;
    const there = this.options.path
      .split(delimiter)
      .some((folder) => folder !== '' && isProgram(join(folder, program)));
    this.found.set(program, there);
    return there;
  }

  private container(tool: NeedsPrograms, lacking: readonly ResolvedPackage[]) {
    const { container } = this.options;
    if (container === null) return undefined;
    const { engine, images, readable } = container;
    const image = imageFor(engine, tool.containers) ?? onlyImage(lacking, images);
    return image === undefined ? undefined : { engine, image, readable };
  }
}

/** Programs of a package, each perhaps with other names: `python3|python`. */
export function programsOf(name: string): readonly string[] {
  const plain = name.toLowerCase();
  const listed = PACKAGE_PROGRAMS.get(name) ?? PACKAGE_PROGRAMS.get(plain);
  if (listed) return listed;
  if (PYTHON_LIBRARIES.has(plain)) return ['python3|python'];
  for (const [pattern, programs] of LIBRARIES) if (pattern.test(plain)) return programs;
  return [plain === name ? name : `${name}|${plain}`];
}

/** The image of the wrapper's that this engine runs. */
export function imageFor(engine: Engine, containers: readonly Container[]): string | undefined {
  const docker = containers.find(({ type }) => type === 'docker')?.image;
  if (engine === 'podman' || engine === 'docker') return docker;
  const own = containers.find(({ type }) => type === 'singularity')?.image;
  return own ?? (docker === undefined ? undefined : `docker://${docker}`);
}

/** One image that has all of them; two different ones cannot be one job. */
function onlyImage(packages: readonly ResolvedPackage[], images: Readonly<Record<string, string>>): string | undefined {
  const named = new Set(packages.map(({ name }) => (Object.hasOwn(images, name) ? images[name] : undefined)));
  const [only] = named;
  return named.size === 1 ? only : undefined;
}

/** `module load {name}/{version}` for each. What a wrapper says is quoted: it is text and no command. */
export function setUpText(template: string, packages: readonly Pick<ResolvedPackage, 'name' | 'version'>[]): string {
  const lines = packages.map(({ name, version }) => {
    // A package without a version: `samtools/` would be no module.
    const fitting = version === undefined ? template.replace(/[/=@:-]\{version\}/g, '') : template;
    return fitting.replace(/\{(name|version)\}/g, (_, which: string) =>
      quoted(which === 'name' ? name : (version ?? '')),
    );
  });
  return [...new Set(lines)].map((line) => `${line}\n`).join('');
}

function quoted(text: string): string {
  return /^[\w.+-]+$/.test(text) ? text : `'${text.replace(/[\0\r\n]/g, ' ').replace(/'/g, `'\\''`)}'`;
}

function inWords({ name, version, programs }: ResolvedPackage): string {
  const what = version === undefined ? name : `${name} ${version}`;
  return programs.length === 1 && programs[0] === name ? what : `${what} (${programs.join(', ')})`;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
