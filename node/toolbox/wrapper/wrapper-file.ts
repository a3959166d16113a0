/**
 * A wrapper's file → what this node says to it: a tool, a problem, or "no wrapper". The file and its macros are kept as
 * bytes; the tool's body is made from them when it is needed, and made again when it has not been needed for long.
 * Rejected: keeping every tool whole, which for thousands of tools is most of a gigabyte that nobody looks at.
 */
import { describeError, isDomainError, printable } from '../../../protocol/runtime/errors.js';
import type { LoadedTool, ToolBody, ToolHead } from '../loaded.js';
import type { ToolProblem } from '../tool.js';
import { looksLikeUserTool, readUserTool } from '../user-tool/user-tool.js';
import { type Expanded, expandMacros } from './macros.js';
import { gatherImports, importedFrom, type SourceFile, type SourceLibrary, type WrapperSources } from './sources.js';
import { readTool } from './wrapper.js';
import { parseXml } from './wrapper-xml.js';
import { decodeXml } from './xml-bytes.js';

export type Verdict =
  | { kind: 'tool'; head: ToolHead }
  | { kind: 'problem'; problem: ToolProblem; code: string }
  /** XML of another kind: macros, data tables, test data. */
  | { kind: 'other' };

export interface ReadWrapper {
  sources: WrapperSources;
  verdict: Verdict;
}

/** Bodies in memory. */
const BODIES_MAX = 256;
const HEAD_BYTES = 64 * 1024;

/** Reads a wrapper that is not known yet, compiling all its templates. Never rejects for what a wrapper says. */
export async function readWrapper(wrapper: SourceFile, boundary: string, library: SourceLibrary): Promise<ReadWrapper> {
  const sources: WrapperSources = { wrapper, imports: new Map(), absent: [] };
  try {
    if (isYaml(wrapper.path)) return { sources, verdict: yamlVerdict(wrapper) };
    const name = rootName(wrapper);
    if (name !== undefined && name !== 'tool') return { sources, verdict: { kind: 'other' } };
    const root = parseXml(wrapper.bytes, wrapper.path);
    if (root.name !== 'tool') return { sources, verdict: { kind: 'other' } };
    await gatherImports(root, sources, boundary, library);
    const expanded = expandMacros(root, importedFrom(sources));
    const { head } = readTool(expanded, { file: wrapper.path, check: true });
    // A copy: slices of the wrapper's text would keep all of it in memory, as a string beside the bytes.
    return { sources, verdict: { kind: 'tool', head: JSON.parse(JSON.stringify(head)) as ToolHead } };
  } catch (error) {
    const code = isDomainError(error) ? error.code : 'internal';
    return { sources, verdict: { kind: 'problem', problem: problemOf(wrapper.path, error), code } };
  }
}

/** GalaxyUserTool; any other YAML is none of ours. */
function yamlVerdict({ path, bytes }: SourceFile): Verdict {
  const text = decodeXml(bytes, path);
  if (!looksLikeUserTool(text)) return { kind: 'other' };
  const { head } = readUserTool(text, { file: path, check: true });
  return { kind: 'tool', head: JSON.parse(JSON.stringify(head)) as ToolHead };
}

export function isYaml(path: string): boolean {
  return /\.ya?ml$/.test(path);
}

/** The tree without macros. Throws what `readWrapper` says as a problem. */
export async function expandWrapper(
  wrapper: SourceFile,
  boundary: string,
  library: SourceLibrary,
): Promise<Expanded & { sources: WrapperSources }> {
  const sources: WrapperSources = { wrapper, imports: new Map(), absent: [] };
  const root = parseXml(wrapper.bytes, wrapper.path);
  // A macro file has holes that only a wrapper fills.
  if (root.name !== 'tool') return { root, templates: new Map(), sources };
  await gatherImports(root, sources, boundary, library);
  return { ...expandMacros(root, importedFrom(sources)), sources };
}

/** The name of the root element, as far as a glance tells: most XML beside wrappers is something else. */
function rootName({ bytes }: SourceFile): string | undefined {
  let text = bytes.subarray(0, HEAD_BYTES).toString('latin1');
  for (;;) {
    text = text.replace(/^[\s\u00ef\u00bb\u00bf]+/, '');
    const skipped = /^<\?[\s\S]*?\?>|^<!--[\s\S]*?-->/.exec(text)?.[0];
    if (skipped === undefined) return /^<([A-Za-z_][\w:.-]*)[\s/>]/.exec(text)?.[1];
    text = text.slice(skipped.length);
  }
}

export function problemOf(file: string, error: unknown): ToolProblem {
  if (!isDomainError(error)) return { file, line: undefined, message: printable(String(error)) };
  const { line } = error.data;
  return {
    file: typeof error.data.file === 'string' && error.data.file !== '' ? error.data.file : file,
    line: typeof line === 'number' ? line : undefined,
    message: describeError(error),
  };
}

/** The bodies that were needed last. */
export class Bodies {
  private readonly held = new Map<object, ToolBody>();

  get(tool: object, make: () => ToolBody): ToolBody {
    const body = this.held.get(tool) ?? make();
    this.held.delete(tool);
    this.held.set(tool, body);
    for (const oldest of this.held.keys()) {
      if (this.held.size <= BODIES_MAX) break;
      this.held.delete(oldest);
    }
    return body;
  }
}

/** A tool whose body comes when it is asked for. */
export function toolFrom(head: ToolHead, sources: WrapperSources, bodies: Bodies): LoadedTool {
  return Object.assign(new LazyBody(sources, bodies), head, { section: { id: '', name: '' } });
}

class LazyBody implements ToolBody {
  readonly #sources: WrapperSources;
  readonly #bodies: Bodies;

  constructor(sources: WrapperSources, bodies: Bodies) {
    this.#sources = sources;
    this.#bodies = bodies;
  }

  get source() {
    const { bytes, path } = this.#sources.wrapper;
    return decodeXml(bytes, path);
  }

  get inputs() {
    return this.#body.inputs;
  }

  get outputs() {
    return this.#body.outputs;
  }

  get providedMetadataFile() {
    return this.#body.providedMetadataFile;
  }

  get command() {
    return this.#body.command;
  }

  get userCommand() {
    return this.#body.userCommand;
  }

  get configFiles() {
    return this.#body.configFiles;
  }

  get environment() {
    return this.#body.environment;
  }

  get failureRules() {
    return this.#body.failureRules;
  }

  get rules() {
    return this.#body.rules;
  }

  get home() {
    return this.#body.home;
  }

  get versionCommand() {
    return this.#body.versionCommand;
  }

  get templates() {
    return this.#body.templates;
  }

  get tests() {
    return this.#body.tests;
  }

  get parallelism() {
    return this.#body.parallelism;
  }

  get requiredFiles() {
    return this.#body.requiredFiles;
  }

  get #body(): ToolBody {
    return this.#bodies.get(this, () => bodyFrom(this.#sources));
  }
}

function bodyFrom(sources: WrapperSources): ToolBody {
  const { path, bytes } = sources.wrapper;
  if (isYaml(path)) return readUserTool(decodeXml(bytes, path), { file: path, check: false }).body;
  const expanded = expandMacros(parseXml(bytes, path), importedFrom(sources));
  return readTool(expanded, { file: path, check: false }).body;
}
