/**
 * Where the programs of a tool come from, decided for each tool by what the machine and the configuration have, in this
 * order: programs on PATH, a script of the administrator's that is read before the job, a container that the wrapper or
 * the configuration names. The answer says for each package which of them, or what is missing. A wrapper that names an
 * image and no package says nothing that could be looked for: it runs in its image where containers are configured, and
 * on PATH where they are not.
 *
 * A tool that must run confined (`confine`) runs in a container or in the sandbox, and nowhere else. Its image is one that
 * is there already: nobody makes this node fetch something by writing a tool.
 *
 * PATH is looked at, and nothing is run for it: a version is what the wrapper's author used and no promise of ours, so an
 * other version is not refused. Rejected: installing packages, which is the administrator's to decide.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Clock } from '../../../protocol/runtime/clock.js';
import { toolErrors } from '../errors.js';
import type { Tool } from '../tool.js';
import { type Engine, keepsImages } from './requirement-engine.js';
import { LIBRARIES, PACKAGE_PROGRAMS, PYTHON_LIBRARIES } from './requirement-programs.js';
import type { Container, Requirement } from './requirement-xml.js';

export interface ContainerChoice {
  engine: Engine;
  /** For a wrapper that names no image: package → image. */
  images: Readonly<Record<string, string>>;
  /** Folders that every container may read: reference data. */
  readable: readonly string[];
  /** Whether what runs in a container reaches the network. */
  network: boolean;
  /** Whether the engine bounds cores, memory and processes. */
  limits: boolean;
}

export interface RequirementOptions {
  /** The PATH of jobs. */
  path: string;
  /** Shell text, `{name}` and `{version}` replaced, once for each package that is not on PATH. */
  environment: string | null;
  container: ContainerChoice | null;
  /** Variables for the engine's own program. */
  engineEnvironment?: Readonly<Record<string, string>>;
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
  /** Shell text before the tool's own; it is read and must succeed. */
  setUp: string;
  /** Where its processes run. `nowhere`: it must run confined, and there is nothing to confine it with. */
  place: 'here' | 'sandbox' | 'container' | 'nowhere';
  container: ContainerUse | undefined;
  /** Packages that nothing gives. */
  missing: ResolvedPackage[];
  /** The container program, when only it is missing. */
  missingEngine: Engine | undefined;
}

export interface ContainerUse extends Omit<ContainerChoice, 'images'> {
  image: string;
  /** Whether the engine may fetch the image. */
  pull: boolean;
  engineEnvironment: Readonly<Record<string, string>>;
}

export type NeedsPrograms = Pick<Tool, 'id' | 'requirements' | 'confine'>;

const LOOK_AGAIN_MS = 5000;
const REMEMBERED_MAX = 5000;
export const SANDBOX_PROGRAM = 'bwrap';

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
    const wanted = tool.requirements.filter(({ type }) => !isContainer(type));
    const packages = wanted.map((one) => this.onPath(one));
    const lacking = packages.filter(({ by }) => by === 'nothing');
    const named = { packages, setUp: '', container: undefined, missing: [], missingEngine: undefined };
    const container = this.container(tool, lacking);
    const isInImage = wanted.length === 0 && container !== undefined;
    if (lacking.length === 0 && !isInImage) return { ...named, place: this.outside(tool) };
    if (lacking.length > 0 && environment !== null) {
      const given = packages.map((one) => (one.by === 'path' ? one : { ...one, by: 'environment' as const }));
      return { ...named, packages: given, setUp: setUpText(environment, lacking), place: this.outside(tool) };
    }
    if (container === undefined) return { ...named, missing: lacking, place: this.outside(tool) };
    const { engine } = container;
    if (!this.has(engine)) return { ...named, missing: lacking, missingEngine: engine, place: 'container' };
    const inside = packages.map((one) => ({ ...one, by: 'container' as const }));
    return { ...named, packages: inside, container, place: 'container' };
  }

  /** What the tool lacks, in words; undefined when it can run. */
  lacks(tool: NeedsPrograms): string | undefined {
    const resolution = this.resolve(tool);
    const words = lackingWords(resolution);
    if (words !== '') return `${words} is not installed`;
    return resolution.place === 'nowhere' ? `${SANDBOX_PROGRAM} (to confine it) is not installed` : undefined;
  }

  /** Throws `toolbox/programs` when something of the tool is not there, `toolbox/unconfined` when it would run unconfined. */
  refuse(tool: NeedsPrograms): void {
    const resolution = this.resolve(tool);
    const missing = lackingWords(resolution);
    if (missing !== '') throw toolErrors('programs', { tool: tool.id, missing });
    if (resolution.place === 'nowhere') throw toolErrors('unconfined', { tool: tool.id });
  }

  /** Without a container. */
  private outside({ confine }: NeedsPrograms): 'here' | 'sandbox' | 'nowhere' {
    if (confine === undefined) return 'here';
    return this.has(SANDBOX_PROGRAM) ? 'sandbox' : 'nowhere';
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

  private container(tool: NeedsPrograms, lacking: readonly ResolvedPackage[]): ContainerUse | undefined {
    const { container, engineEnvironment = {} } = this.options;
    if (container === null) return undefined;
    const { images, ...choice } = container;
    const isFree = tool.confine === undefined;
    // Apptainer fetches an image that it does not have, whoever names it.
    const own = isFree || keepsImages(choice.engine) ? imageFor(choice.engine, containersOf(tool)) : undefined;
    const image = own ?? onlyImage(lacking, images);
    if (image === undefined) return undefined;
    return { ...choice, image, pull: isFree, network: isFree && choice.network, engineEnvironment };
  }
}

function isContainer(type: string): type is Container['type'] {
  return type === 'docker' || type === 'singularity';
}

function containersOf({ requirements }: NeedsPrograms): Container[] {
  return requirements.flatMap(({ type, name }) => (isContainer(type) ? [{ type, image: name }] : []));
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
  const docker = containers.find(({ type }) => type === 'docker')?.image.replace(/^docker:\/\//, '');
  if (keepsImages(engine)) return docker;
  const own = containers.find(({ type }) => type === 'singularity')?.image;
  return own ?? (docker === undefined ? undefined : `docker://${docker}`);
}

/** One image that has all of them; two different ones cannot be one job. */
function onlyImage(packages: readonly ResolvedPackage[], images: Readonly<Record<string, string>>): string | undefined {
  const named = new Set(packages.map(({ name }) => (Object.hasOwn(images, name) ? images[name] : undefined)));
  const [only] = named;
  return named.size === 1 ? only : undefined;
}

/** `module load {name}/{version}` for each, read by a shell (`.`), and each must succeed. What a wrapper says is quoted: it is text and no command. */
export function setUpText(template: string, packages: readonly Pick<ResolvedPackage, 'name' | 'version'>[]): string {
  const lines = packages.map(({ name, version }) => {
    // A package without a version: `samtools/` would be no module.
    const fitting = version === undefined ? template.replace(/[/=@:-]\{version\}/g, '') : template;
    return fitting.replace(/\{(name|version)\}/g, (_, which: string) =>
      quoted(which === 'name' ? name : (version ?? '')),
    );
  });
  return [...new Set(lines)].map((line) => `${line}\n[ "$?" -eq 0 ] || return 1\n`).join('');
}

function quoted(text: string): string {
  return /^[\w.+-]+$/.test(text) ? text : `'${text.replace(/[\0\r\n]/g, ' ').replace(/'/g, `'\\''`)}'`;
}

function lackingWords({ missing, missingEngine }: Resolution): string {
  const words = missing.map(inWords);
  if (missingEngine !== undefined) words.push(`${missingEngine} (for its container)`);
  return words.join(', ');
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
