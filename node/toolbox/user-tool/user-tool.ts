/**
 * A `class: GalaxyUserTool` file → the same head and body that a wrapper gives, so that forms, plans, tests and lists
 * know one kind of tool. Only its command is another one: text with JavaScript in it instead of a template.
 */
import { check } from '../../../protocol/runtime/schema-words.js';
import { malformed, unsupported } from '../errors.js';
import type { Note, ToolBody, ToolHead } from '../loaded.js';
import { parseOutputs } from '../outputs/output-xml.js';
import { parseInputs } from '../parameters/parameter-xml.js';
import type { Container } from '../requirements/requirement-xml.js';
import { parseCitations, parseXrefs } from '../wrapper/about-xml.js';
import { failureRules } from '../wrapper/failure-rules.js';
import { profileOf } from '../wrapper/profile.js';
import type { ToolTest } from '../wrapper/test-case.js';
import { ElementWriter } from './elements.js';
import { inputNames, type Part, parseExpressions } from './expression.js';
import { type UserToolFile, userToolSchema } from './schema.js';
import { readTests } from './tests.js';
import { type Path, YamlSource } from './yaml-source.js';

/** What runs, as far as it is known before a job. */
export interface UserCommand {
  parts: Part[];
  configFiles: { name: string; filename: string | undefined; parts: Part[] }[];
  /** JavaScript that all expressions may use, and the line in which each text of it begins. */
  libraries: { code: string; file: string; line: number }[];
}

export interface UserToolOptions {
  file: string;
  /** Refuse now what a label or an output's filter uses and this node does not have. */
  check: boolean;
  /** What a tool without an id is called. */
  id?: string;
}

/** Tools of this kind are younger than all changes that profiles tell of, up to this one. */
const PROFILE = '24.2';

/** Whether a file that ends in `.yml` may be such a tool: most YAML beside wrappers is something else. */
export function looksLikeUserTool(text: string): boolean {
  return /^["']?class["']?\s*:\s*["']?GalaxyUserTool\b/m.test(text);
}

/** Throws `toolbox/wrapper` and `toolbox/unsupported`, with the line. */
export function readUserTool(text: string, options: UserToolOptions): { head: ToolHead; body: ToolBody } {
  const source = new YamlSource(text, options.file);
  const file = checked(source);
  const notes: Note[] = [];
  const writer = new ElementWriter(source);
  const root = source.spot([]);
  const id = file.id ?? options.id;
  if (id === undefined) throw malformed('the tool has no id', root);
  const profile = profileOf(file.profile ?? PROFILE, undefined, source.spot(['profile']));
  // Its text may be empty unless it says otherwise, and is then an empty text and not None: JavaScript has no None.
  const rules = { ...profile, emptyTextIsNone: false };
  const inputs = parseInputs(writer.inputs(file), { sanitize: true, check: options.check, rules });
  const outputs = parseOutputs(writer.outputs(file), {
    check: options.check,
    python: rules.python,
    trimFromWorkDir: rules.trimFromWorkDir,
  });
  checkOutputs(file, source);
  const command = commandOf(file, source);
  checkNames(file, command);
  const help = typeof file.help === 'string' ? { format: 'markdown', content: file.help } : file.help;
  const citations = (file.citations ?? []).map(({ type, content }, index) =>
    writer.withText('citation', ['citations', index], { type }, content),
  );
  const xrefs = (file.xrefs ?? []).map(({ type, value }, index) =>
    writer.withText('xref', ['xrefs', index], { type }, value),
  );
  let tests: ToolTest[] | undefined;
  return {
    head: {
      id,
      version: file.version,
      name: file.name,
      description: file.description ?? '',
      profile: rules.profile,
      file: options.file,
      hidden: false,
      ...requirementsOf(file),
      help: help?.content ?? '',
      helpFormat: help?.format ?? 'markdown',
      citations: parseCitations(writer.make('citations', ['citations'], {}, citations), notes),
      xrefs: parseXrefs(writer.make('xrefs', ['xrefs'], {}, xrefs)),
      edamOperations: file.edam_operations ?? [],
      edamTopics: file.edam_topics ?? [],
      action: 'command',
      license: file.license ?? undefined,
      creators: [],
      notes,
    },
    body: {
      inputs,
      outputs,
      providedMetadataFile: 'galaxy.json',
      command: undefined,
      userCommand: command,
      configFiles: [],
      environment: [],
      failureRules: failureRules(undefined, [], rules, notes),
      rules,
      home: 'job',
      versionCommand: undefined,
      templates: {},
      get tests() {
        tests ??= readTests(file.tests ?? [], inputs, source);
        return tests;
      },
      parallelism: undefined,
      requiredFiles: undefined,
    },
  };
}

/** As the schema has it; lists that are written as maps of names are lists. */
function checked(source: YamlSource): UserToolFile {
  const { value } = source;
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap) throw malformed('it is no map of fields', source.spot([]));
  const fields: Record<string, unknown> = { ...value };
  for (const name of ['inputs', 'outputs']) fields[name] = asList(fields[name]);
  const { data, problem } = check(userToolSchema, fields);
  if (problem === undefined) return data;
  const path: Path = problem.keys;
  const unknown = /unknown fields? [“"']?([\w$-]+)/.exec(problem.reason)?.[1];
  const spot = unknown === undefined ? source.spot(path) : source.keySpot(path, unknown);
  throw malformed(`${problem.path || 'the tool'} ${problem.reason}`, spot);
}

function asList(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.entries(value).map(([name, one]) => (typeof one === 'object' ? { name, ...one } : one));
}

function requirementsOf(file: UserToolFile): Pick<ToolHead, 'requirements' | 'containers' | 'resources'> {
  const containers: Container[] = file.container ? [{ type: 'docker', image: file.container }] : [];
  const resources: Record<string, number> = {};
  for (const one of file.requirements ?? []) {
    if (one.type === 'container') containers.push({ type: one.container.type, image: one.container.container_id });
    if (one.type !== 'resource') continue;
    const { type: _, ...amounts } = one;
    for (const [name, amount] of Object.entries(amounts)) if (typeof amount === 'number') resources[name] = amount;
  }
  const requirements = containers.map(({ type, image }) => ({ name: image, version: undefined, type }));
  return { requirements, containers, resources };
}

function commandOf(file: UserToolFile, source: YamlSource): UserCommand {
  const parts = (path: Path, text: string) => {
    const { spot, isBlock } = source.textSpot(path);
    return parseExpressions(text, spot, isBlock);
  };
  const configFiles = (file.configfiles ?? []).map(({ content, name, filename }, index) => {
    const path = ['configfiles', index];
    if (filename && !/^\w[\w.-]*$/.test(filename)) {
      throw malformed(`"${filename}" cannot be a configuration file's name`, source.spot([...path, 'filename']));
    }
    const known = filename ?? name;
    if (!known) throw malformed('a configuration file without a filename', source.spot(path));
    return { name: name ?? known, filename: filename ?? undefined, parts: parts([...path, 'content'], content) };
  });
  const libraries = (file.requirements ?? []).flatMap((one, index) =>
    one.type !== 'javascript'
      ? []
      : (one.expression_lib ?? []).map((code, at) => {
          const { spot } = source.textSpot(['requirements', index, 'expression_lib', at]);
          return { code, file: spot.file, line: spot.line };
        }),
  );
  return { parts: parts(['shell_command'], file.shell_command), configFiles, libraries };
}

/** A file that nothing claims would be lost without a word. */
function checkOutputs(file: UserToolFile, source: YamlSource): void {
  const inputs = new Map((file.inputs ?? []).map((input) => [input.name, input]));
  for (const [index, output] of (file.outputs ?? []).entries()) {
    const spot = source.spot(['outputs', index]);
    const discovers = (output.discover_datasets?.length ?? 0) > 0;
    if (output.type === 'data' && !output.from_work_dir && !discovers) {
      throw malformed(`the output ${output.name} has neither from_work_dir nor discover_datasets`, spot);
    }
    if (output.type === 'collection' && !discovers) {
      throw malformed(`the output ${output.name} has no discover_datasets`, spot);
    }
    for (const field of ['format_source', 'metadata_source'] as const) {
      const name = output[field];
      if (!name) continue;
      const type = inputs.get(name.split(/[|.]/)[0] ?? '')?.type;
      if (type === undefined) throw malformed(`${field} names "${name}", and there is no such input`, spot);
      if (type === 'text' || type === 'select' || type === 'boolean' || type === 'integer' || type === 'float') {
        throw malformed(`${field} names "${name}", which is no dataset`, spot);
      }
    }
  }
}

function checkNames(file: UserToolFile, command: UserCommand): void {
  const known = new Set((file.inputs ?? []).map(({ name }) => name));
  for (const part of [command.parts, ...command.configFiles.map(({ parts }) => parts)].flat()) {
    if (!('expression' in part)) continue;
    const { code, spot } = part.expression;
    const missing = inputNames(code).find((name) => !known.has(name));
    if (missing !== undefined)
      throw malformed(`an expression uses inputs.${missing}, and there is no such input`, spot);
    if (/(?<![\w$.])outputs\./.test(code)) throw unsupported('outputs in an expression', spot);
  }
}
