/**
 * Datasets that a tool made without having said so before: files of its working folder that fit a rule of the wrapper.
 * They are moved to the run's outputs, so that nothing can write them any more, and looked at like any output.
 */
import { join } from 'node:path';
import type { Datatypes } from '../datasets/datatypes.js';
import { BoundedPattern, Effort, PatternExhausted, PatternRefused } from '../toolbox/cheetah/pattern.js';
import type { DiscoverRule } from '../toolbox/tool.js';
import { explain, filesFolder, inspectOutput } from './collect.js';
import { DEPTH_MAX, EXTRA_FILES_MAX, FOUND_MAX } from './found.js';
import type { DescribedFile, Provided } from './provided-metadata.js';
import { type FoundFile, type RunCollection, type RunOutput, type RunOutputResult, runPaths } from './run-spec.js';
import { filesIn, staysInside, TakenFiles } from './work-files.js';

export interface Discovered {
  files: FoundFile[];
  /** By collection. */
  elements: Record<string, { identifiers: string[]; key: string }[]>;
  /** Outputs whose own file is now the first that was found, with what was said of it. */
  primaries: Map<string, Primary>;
  /** What was left out, in sentences for the job's owner. */
  notes: string[];
  /** Files that outputs with `from_work_dir` may ask for as well. */
  taken: TakenFiles;
}

interface Primary {
  extension: string;
  name: string | undefined;
  genomeBuild: string | undefined;
  said?: DescribedFile | undefined;
}

interface Match {
  path: string;
  groups: Record<string, string | undefined>;
  /** By the tool, of this file. */
  said?: DescribedFile | undefined;
}

/** Names of things made by tools are shown, and end in URLs and files. */
const NAME_MAX = 255;
const NOTES_MAX = 20;
/** Of matching: one name, and all names of a run, which is some seconds. */
const NAME_STEPS_MAX = 50_000;
const STEPS_MAX = 10_000_000;

export async function discover(
  deps: { datatypes: Datatypes },
  folder: string,
  work: { outputs: readonly RunOutput[]; collections: readonly RunCollection[] },
  provided: Provided,
): Promise<Discovered> {
  const finder = new Finder(deps, folder, provided);
  for (const output of work.outputs) await finder.data(output);
  for (const collection of work.collections) await finder.collection(collection);
  return finder.result;
}

class Finder {
  readonly result: Discovered;
  private readonly keys = new Set<string>();
  /** What was there at the end of the run, by folder. */
  private readonly listings = new Map<string, string[]>();
  private readonly effort = new Effort(STEPS_MAX);
  private count = 0;
  private extraCount = 0;

  constructor(
    private readonly deps: { datatypes: Datatypes },
    private readonly folder: string,
    private readonly provided: Provided,
  ) {
    this.result = { files: [], elements: {}, primaries: new Map(), notes: [], taken: new TakenFiles(folder) };
  }

  async data(output: RunOutput): Promise<void> {
    let hasPrimary = false;
    const own = new Set<string>();
    for (const rule of output.discover ?? []) {
      for (const match of await this.matches(rule, output.name, datasetIdIn(output.file))) {
        if (own.has(match.path)) continue;
        own.add(match.path);
        const { groups } = match;
        const designation = groups.designation ?? groups.name ?? match.path.split('/').at(-1) ?? '';
        const extension = this.extensionOf(match, rule);
        if (rule.assignPrimary && !hasPrimary) {
          hasPrimary = await this.take(match, output.file);
          if (!hasPrimary) continue;
          const { name, dbkey } = groups;
          this.result.primaries.set(output.name, { extension, name, genomeBuild: dbkey, said: match.said });
          continue;
        }
        const name = groups.name ?? `${output.label ?? output.name} (${designation})`;
        const visible = groups.visible === undefined ? rule.visible : /^(?:visible|true)$/i.test(groups.visible);
        await this.found(match, `${output.name}/${designation}`, {
          name,
          extension,
          visible,
          genomeBuild: genomeBuildOf(match, rule),
        });
      }
    }
  }

  async collection(collection: RunCollection): Promise<void> {
    const depth = collection.collectionType.split(':').length;
    const elements: Discovered['elements'][string] = [];
    this.result.elements[collection.name] = elements;
    const seen = new Set<string>();
    const own = new Set<string>();
    for (const rule of collection.discover) {
      for (const match of await this.matches(rule, collection.name, '[0-9a-f]+')) {
        if (own.has(match.path)) continue;
        own.add(match.path);
        const identifiers = identifiersOf(match).map((one) => one.slice(0, NAME_MAX));
        const shown = match.path;
        if (identifiers.length !== depth || depth > DEPTH_MAX || identifiers.some((one) => one === '')) {
          this.note(`${shown} was left out: ${collection.name} is a ${collection.collectionType}.`);
          continue;
        }
        const place = JSON.stringify(identifiers);
        if (seen.has(place)) {
          this.note(`${shown} was left out: there is another ${identifiers.join(', ')} in ${collection.name}.`);
          continue;
        }
        seen.add(place);
        const name = match.groups.name ?? match.groups.designation ?? identifiers.at(-1) ?? '';
        const extension = this.extensionOf(match, rule);
        const key = await this.found(match, `${collection.name}/${identifiers.join('/')}`, {
          name,
          extension,
          visible: false,
          genomeBuild: genomeBuildOf(match, rule),
        });
        if (key !== undefined) elements.push({ identifiers, key });
      }
    }
  }

  private async found(
    match: Match,
    wanted: string,
    said: { name: string; extension: string; visible: boolean; genomeBuild: string | undefined },
  ): Promise<string | undefined> {
    if (this.result.files.length >= FOUND_MAX) {
      this.note(`More than ${FOUND_MAX} datasets were found; the rest was left out.`);
      return undefined;
    }
    const file = join(runPaths(this.folder).outputs, 'found', String(this.count));
    if (!(await this.take(match, file))) return undefined;
    this.count += 1;
    const key = this.freeKey(wanted.slice(0, 2000));
    const seen = await inspectOutput(this.deps, { name: key, file, extension: said.extension }, '');
    this.result.files.push({
      ...seen,
      ...(await this.described(match, file, seen)),
      file,
      key,
      name: said.name.slice(0, NAME_MAX),
      visible: said.visible,
      ...(said.genomeBuild ? { genomeBuild: said.genomeBuild.slice(0, NAME_MAX) } : {}),
    });
    return key;
  }

  private async described({ said }: Match, file: string, seen: RunOutputResult): Promise<Partial<RunOutputResult>> {
    if (said === undefined) return {};
    const extra = said.extraFiles === undefined ? [] : await this.extraFiles(said.extraFiles, file);
    return {
      metadata: { ...seen.metadata, ...said.metadata },
      ...(seen.info === '' && said.info !== undefined ? { info: said.info } : {}),
      ...(said.createdFrom === undefined ? {} : { createdFrom: said.createdFrom }),
      ...(extra.length > 0 ? { extra, state: seen.state === 'empty' ? 'ok' : seen.state } : {}),
    };
  }

  /** Files of a folder of the tool's, moved beside the file that they belong to. */
  private async extraFiles(named: string, file: string): Promise<NonNullable<RunOutputResult['extra']>> {
    const directory = this.insideWorking(named);
    if (directory === undefined) return [];
    const extra: NonNullable<RunOutputResult['extra']> = [];
    for (const path of await filesIn(join(runPaths(this.folder).working, directory), { recurse: true })) {
      if (this.extraCount >= EXTRA_FILES_MAX) {
        this.note(`More than ${EXTRA_FILES_MAX} extra files were found; the rest was left out.`);
        break;
      }
      const target = join(filesFolder(file), path);
      if (!(await this.take({ path: `${directory}/${path}`, groups: {} }, target))) continue;
      this.extraCount += 1;
      extra.push({ path, file: target });
    }
    return extra;
  }

  /** What the wrapper says stands; a file's ending is no promise: if no datatype is called so, the bytes decide. */
  private extensionOf({ groups }: Match, rule: DiscoverRule): string {
    if (!groups.ext) return rule.format === '' ? 'auto' : rule.format;
    return this.deps.datatypes.get(groups.ext) === undefined ? 'auto' : groups.ext;
  }

  private freeKey(wanted: string): string {
    let key = wanted;
    for (let number = 2; this.keys.has(key); number++) key = `${wanted}#${number}`;
    this.keys.add(key);
    return key;
  }

  private async take(match: Match, file: string): Promise<boolean> {
    try {
      return await this.result.taken.take(match.path, file);
    } catch (error) {
      this.note(explain(error));
      return false;
    }
  }

  private async matches(rule: DiscoverRule, output: string, datasetId: string): Promise<Match[]> {
    if (!staysInside(rule.directory)) return [];
    if (rule.fromProvidedMetadata) {
      const files = this.provided.get(output)?.files ?? [];
      return files.flatMap(({ filename, groups }) => {
        const path = this.insideWorking(filename);
        return path === undefined ? [] : [{ path, groups }];
      });
    }
    const pattern = this.patternOf(rule.pattern.replaceAll('DATASET_ID', datasetId));
    if (pattern === undefined) return [];
    const root = join(runPaths(this.folder).working, rule.directory);
    const found: Match[] = [];
    for (const relative of await this.listing(root, rule)) {
      const name = rule.matchRelativePath ? relative : (relative.split('/').at(-1) ?? '');
      const path = rule.directory === '' ? relative : `${rule.directory}/${relative}`;
      const groups = this.groupsIn(name, pattern, path);
      if (groups) found.push(this.match(path, groups, output));
    }
    return found.sort(orderOf(rule));
  }

  private match(path: string, groups: Match['groups'], output: string): Match {
    const described = this.provided.get(output)?.described;
    const said = described?.get(path.split('/').at(-1) ?? '') ?? described?.get(path);
    return said === undefined ? { path, groups } : { path, groups: { ...groups, ...said.groups }, said };
  }

  private patternOf(source: string): BoundedPattern | undefined {
    try {
      return new BoundedPattern(source);
    } catch (error) {
      if (!(error instanceof PatternRefused)) throw error;
      this.note(`Nothing was looked for by the pattern ${source}: ${error.message}.`);
      return undefined;
    }
  }

  private groupsIn(name: string, pattern: BoundedPattern, path: string): Match['groups'] | undefined {
    try {
      return pattern.match(name, new Effort(NAME_STEPS_MAX, this.effort));
    } catch (error) {
      if (!(error instanceof PatternExhausted)) throw error;
      this.note(`${path} was left out: to match it with ${pattern.source} takes too many steps.`);
      return undefined;
    }
  }

  private async listing(root: string, rule: DiscoverRule): Promise<readonly string[]> {
    const key = `${rule.recurse ? 'below' : 'in'} ${root}`;
    const held = this.listings.get(key) ?? (await filesIn(root, rule));
    this.listings.set(key, held);
    return held;
  }

  /** Tools write absolute paths there as well. */
  private insideWorking(filename: string): string | undefined {
    const working = `${runPaths(this.folder).working}/`;
    const relative = filename.startsWith(working) ? filename.slice(working.length) : filename;
    if (staysInside(relative)) return relative;
    this.note(`${filename} is outside the working folder; it was not taken.`);
    return undefined;
  }

  private note(sentence: string): void {
    if (this.result.notes.length < NOTES_MAX && !this.result.notes.includes(sentence)) this.result.notes.push(sentence);
  }
}

/** What stands for DATASET_ID in a pattern: files of several outputs are told apart by it. */
function datasetIdIn(file: string): string {
  return /dataset_([0-9a-f]+)\.dat$/.exec(file)?.[1] ?? '[0-9a-f]+';
}

function genomeBuildOf({ groups }: Match, rule: DiscoverRule): string | undefined {
  return groups.dbkey || rule.genomeBuild;
}

/** `identifier_0`, `identifier_1`, …; else the designation or the name is the only one. */
function identifiersOf({ groups, path }: Match): string[] {
  const identifiers: string[] = [];
  for (let level = 0; level < DEPTH_MAX; level++) {
    const one = groups[`identifier_${level}`];
    if (one === undefined) break;
    identifiers.push(one);
  }
  if (identifiers.length > 0) return identifiers;
  return [groups.designation ?? groups.name ?? path.split('/').at(-1) ?? ''];
}

function orderOf({ sortBy, sortReverse, sortNumeric }: DiscoverRule): (a: Match, b: Match) => number {
  const keyOf = ({ path, groups }: Match) => (sortBy === 'filename' ? path.split('/').at(-1) : groups[sortBy]) ?? '';
  const compare = (a: Match, b: Match) => {
    const [x, y] = [keyOf(a), keyOf(b)];
    const order = sortNumeric ? number(x) - number(y) : 0;
    if (order !== 0 && !Number.isNaN(order)) return order;
    if (x !== y) return x < y ? -1 : 1;
    return a.path < b.path ? -1 : 1;
  };
  return sortReverse ? (a, b) => compare(b, a) : compare;
}

function number(text: string): number {
  return Number.parseFloat(text);
}
