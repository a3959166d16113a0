/**
 * The tools of this node: loads wrappers from folders and answers everything the rest of the node asks of a tool.
 * Loading is all or nothing per tool, never per toolbox: what cannot be used is a problem with file, line and reason,
 * and the others work. `reload` builds a new set and then swaps it; a `Tool` from before goes on working.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../protocol/runtime/clock.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { packageRoot } from '../../protocol/runtime/package.js';
import type { Datatypes } from '../datasets/datatypes.js';
import { describeTool } from './describe.js';
import { toolErrors } from './errors.js';
import type { LoadedTool } from './loaded.js';
import { planOutputs } from './outputs/outputs.js';
import { toolForm } from './parameters/form.js';
import { expand } from './parameters/parameters.js';
import { prepareCommand } from './rendering/command.js';
import { shownWithLack } from './requirements/requirement-shown.js';
import type { RequirementResolver } from './requirements/requirements.js';
import type { Tool, Toolbox, ToolContext, ToolProblem } from './tool.js';
import { AdoptedTools } from './user-tool/adopted.js';
import { checkExpressions, prepareUserCommand } from './user-tool/command.js';
import type { Isolate } from './user-tool/evaluation.js';
import { ThreadIsolate } from './user-tool/isolate.js';
import { importBoundary, type SourceFile, SourceLibrary } from './wrapper/sources.js';
import { OTHER_SECTION, readSections, type Section, wrapperFiles } from './wrapper/tool-folder.js';
import { VerdictCache } from './wrapper/verdict-cache.js';
import { Bodies, problemOf, readWrapper, toolFrom } from './wrapper/wrapper-file.js';

export interface ToolboxDeps {
  datatypes: Pick<Datatypes, 'accepts' | 'get'>;
  log: Logger;
  /** What tools need and this node does not have is shown with them. */
  programs?: Pick<RequirementResolver, 'lacks'>;
  /** Where expressions of user tools are evaluated; by default a thread that begins when it is needed. */
  isolate?: Isolate;
}

export interface ToolboxOptions {
  /** After the bundled one; a later one's tool of the same id and version replaces an earlier one. A wrapper may be named alone. */
  folders: string[];
  /** Last of all, when it is there: what `galaxy-node tool install` put into the data folder. */
  installed?: string;
  /** False: without the tools that this product brings. */
  bundled?: boolean;
  /** A file that may remember what was found out about wrappers until the next start. */
  cache?: string;
  /** False: no tools that users write for themselves. */
  userTools?: boolean;
}

interface LoadDeps {
  cache: VerdictCache;
  bodies: Bodies;
}

/** What one loading gave. */
interface Stock {
  /** Id → versions, newest first. */
  versions: Map<string, LoadedTool[]>;
  sections: Section[];
  problems: ToolProblem[];
}

const PROBLEMS_MAX = 1000;
/** Beside the sources and not beside the compiled code: XML is not compiled. */
const BUNDLED = join(packageRoot(), 'node', 'toolbox', 'tools');

export async function createToolbox(deps: ToolboxDeps, options: ToolboxOptions): Promise<Toolbox> {
  const { log } = deps;
  const accepts = (formats: readonly string[], extension: string) => deps.datatypes.accepts(formats, extension);
  const isolate = deps.isolate ?? new ThreadIsolate({ clock: systemClock });
  const adopted = new AdoptedTools();
  const known = new WeakMap<Tool, LoadedTool>();
  let stock: Stock = { versions: new Map(), sections: [], problems: [] };
  let loading: Promise<void> | undefined;
  const loadDeps: LoadDeps = { cache: await VerdictCache.open(log, options.cache), bodies: new Bodies() };

  async function load(): Promise<void> {
    const { installed, bundled = true } = options;
    const folders = [...(bundled ? [BUNDLED] : []), ...options.folders];
    if (installed !== undefined && existsSync(installed)) folders.push(installed);
    const next = await loadStock(folders, loadDeps);
    for (const tool of [...next.versions.values()].flat()) known.set(tool, tool);
    stock = next;
    for (const problem of next.problems) log.warn({ ...problem }, 'a tool was not loaded');
    log.debug({ tools: next.versions.size, problems: next.problems.length }, 'tools loaded');
  }

  function loaded(tool: Tool): LoadedTool {
    const found = known.get(tool);
    if (!found) throw toolErrors('foreign', { tool: tool.id });
    return found;
  }

  const planDeps = (context: ToolContext) => ({ context, accepts, log });
  await load();
  return {
    tools: () => [...stock.versions.values()].flat(),
    sections: () => stock.sections,
    tool(id, version) {
      const versions = stock.versions.get(id);
      return version === undefined ? versions?.[0] : versions?.find((tool) => tool.version === version);
    },
    problems: () => stock.problems,
    async reload() {
      // Two at once would race to be the last: the second waits for the first and loads again.
      while (loading) await loading.catch(() => {});
      loading = load();
      try {
        await loading;
      } finally {
        loading = undefined;
      }
    },
    expand: (tool, inputs, context) => expand(loaded(tool).inputs, inputs, context),
    plan: (tool, job, context) => planOutputs(loaded(tool), job, planDeps(context)).outputs,
    planCollections: (tool, job, context) => planOutputs(loaded(tool), job, planDeps(context)).collections,
    prepare: (tool, job, context, files) => prepareCommand(loaded(tool), job, planDeps(context), files),
    evaluate(tool, job, context, files) {
      const held = loaded(tool);
      const { userCommand } = held;
      return userCommand && prepareUserCommand(isolate, held, userCommand, job, context, files);
    },
    ofUser(uuid, representation) {
      if (options.userTools === false) return undefined;
      const tool = adopted.get(uuid, representation);
      known.set(tool, tool);
      return tool;
    },
    async checkExpressions(tool) {
      const { userCommand } = loaded(tool);
      if (userCommand) await checkExpressions(isolate, userCommand);
    },
    form: (tool, context, inputs) => {
      const versions = (stock.versions.get(tool.id) ?? [tool]).map(({ version }) => version);
      const form = toolForm(loaded(tool), { datatypes: deps.datatypes, context, versions: versions.reverse() }, inputs);
      return shownWithLack(form, deps.programs?.lacks(tool));
    },
    describe: (tool, shown) => shownWithLack(describeTool(loaded(tool), deps, shown), deps.programs?.lacks(tool)),
  };
}

/** Files being read at a time. */
const READS_MAX = 16;

async function loadStock(folders: readonly string[], { cache, bodies }: LoadDeps): Promise<Stock> {
  const problems: ToolProblem[] = [];
  const note = (problem: ToolProblem) => {
    if (problems.length < PROBLEMS_MAX) problems.push(problem);
  };
  const library = new SourceLibrary();
  const tools = new Map<string, LoadedTool>();
  const sections: Section[] = [];
  for (const folder of folders) {
    try {
      // A wrapper alone may be named as well.
      const kind = statSync(folder, { throwIfNoEntry: false })?.isFile() ? 'file' : 'folder';
      if (kind === 'folder') sections.push(...(await readSections(folder)));
      const boundary = importBoundary(folder, kind);
      const files = kind === 'file' ? [folder] : await wrapperFiles(folder);
      for await (const wrapper of readAll(files, library, (file, error) => note(problemOf(file, error)))) {
        const known = await cache.find(wrapper, boundary, library);
        const read = known ?? (await readWrapper(wrapper, boundary, library));
        if (!known) cache.put(read, boundary);
        const { verdict, sources } = read;
        if (verdict.kind === 'problem') note(verdict.problem);
        if (verdict.kind !== 'tool') continue;
        const tool = toolFrom(verdict.head, sources, bodies);
        tools.set(JSON.stringify([tool.id, tool.version]), tool);
      }
    } catch (error) {
      note(problemOf(folder, error));
    }
  }
  await cache.save();
  const versions = new Map<string, LoadedTool[]>();
  for (const tool of tools.values()) {
    const list = versions.get(tool.id);
    if (list) list.push(tool);
    else versions.set(tool.id, [tool]);
  }
  for (const list of versions.values()) list.sort((a, b) => compareVersions(b.version, a.version));
  return { versions, sections: placed(versions, sections), problems };
}

/** In the order of `files`, a few ahead of whoever asks. A file that cannot be read is told and left out. */
async function* readAll(
  files: readonly string[],
  library: SourceLibrary,
  failed: (file: string, error: unknown) => void,
): AsyncGenerator<SourceFile> {
  const begun: Promise<SourceFile | undefined>[] = [];
  const begin = (file: string) =>
    library.read(file).catch((error: unknown) => {
      failed(file, error);
      return undefined;
    });
  for (let next = 0; next < files.length || begun.length > 0; ) {
    while (next < files.length && begun.length < READS_MAX) begun.push(begin(files[next++] as string));
    const source = await begun.shift();
    if (source) yield source;
  }
}

/** Tells each tool its section, and the panel its order; hidden tools stand in a section and not in the panel. */
function placed(versions: Map<string, LoadedTool[]>, given: readonly Section[]): Section[] {
  const merged = new Map<string, Section>();
  for (const { id, name, tools } of given) {
    const held = merged.get(id);
    merged.set(id, { id, name, tools: [...(held?.tools ?? []), ...tools] });
  }
  const named = new Set([...merged.values()].flatMap(({ tools }) => tools));
  const rest = [...versions.keys()].filter((id) => !named.has(id));
  if (rest.length > 0) {
    const other = merged.get(OTHER_SECTION.id);
    merged.set(OTHER_SECTION.id, { ...OTHER_SECTION, tools: [...(other?.tools ?? []), ...rest] });
  }
  for (const { id, name, tools } of merged.values()) {
    for (const tool of tools.flatMap((one) => versions.get(one) ?? [])) tool.section = { id, name };
  }
  const shown = (id: string) => versions.get(id)?.some(({ hidden }) => !hidden) ?? false;
  return [...merged.values()]
    .map((section) => ({ ...section, tools: [...new Set(section.tools)].filter(shown) }))
    .filter(({ tools }) => tools.length > 0);
}

/** `1.0.10` after `1.0.9`, `1.0.0+galaxy1` after `1.0.0`. */
export function compareVersions(a: string, b: string): number {
  const parts = (version: string) => version.split(/[.+_-]/);
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x, y] = [left[i], right[i]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    const [m, n] = [Number(x), Number(y)];
    const order = Number.isNaN(m) || Number.isNaN(n) ? x.localeCompare(y, 'en', { numeric: true }) : m - n;
    if (order !== 0) return order;
  }
  return 0;
}
