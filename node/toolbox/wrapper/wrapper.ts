/**
 * A wrapper without macros → a tool. Everything that is not supported is refused here, by name and line, before
 * anything runs. What only Galaxy's own services would use is left out with a note.
 */

import { malformed, unsupported } from '../errors.js';
import type { Note, RequiredFiles, ToolBody, ToolHead } from '../loaded.js';
import { parseOutputs, providedMetadataFile } from '../outputs/output-xml.js';
import { parseInputs } from '../parameters/parameter-xml.js';
import { parseRequirements } from '../requirements/requirement-xml.js';
import { parseCitations, parseCreators, parseXrefs } from './about-xml.js';
import { parseConfigFiles, parseEnvironment } from './environment-xml.js';
import { failureRules } from './failure-rules.js';
import type { Expanded } from './macros.js';
import { type ProfileRules, profileOf } from './profile.js';
import { templateIn } from './source-template.js';
import type { ToolTest } from './test-case.js';
import { parseTests } from './test-xml.js';
import { element, elements, flag, templateOf, textOf, type XmlElement } from './wrapper-xml.js';

/** Understood, or without effect on what runs. */
const KNOWN = new Set([
  'description',
  'macros',
  'edam_topics',
  'edam_operations',
  'xrefs',
  'creator',
  'requirements',
  'required_files',
  'stdio',
  'version_command',
  'command',
  'environment_variables',
  'configfiles',
  'inputs',
  'outputs',
  'tests',
  'help',
  'citations',
  'trackster_conf',
  'parallelism',
  'options',
  'uihints',
  'icon',
  'display',
  'hidden',
]);

/** Would be Python of the wrapper's inside the server, or a service that a node does not have. */
const REFUSED = new Set(['code', 'action', 'type', 'expression', 'entry_points', 'request_param_translation']);

/** Tools whose work the node does itself. */
const INTERNAL = new Set(['upload1', '__DATA_FETCH__']);
const TEXT_CHARS_MAX = 255;

export interface WrapperOptions {
  file: string;
  /** Compile every template now, so that what it cannot do is refused now and not at the first run. */
  check: boolean;
}

/** Head and body. `expanded.root` is a `<tool>`. */
export function readTool(expanded: Expanded, options: WrapperOptions): { head: ToolHead; body: ToolBody } {
  const { root } = expanded;
  const notes: Note[] = [];
  const rules = profileOf(root.attributes.profile, root.attributes.python_template_version, root);
  const command = element(root, 'command');
  const internal = root.attributes.tool_type === 'node';
  checkElements(root, notes);
  checkKind(root, internal, rules);
  if (!command && !internal) throw malformed('the tool has no <command>', root);
  const body = bodyOf(expanded, command, rules, notes, options.check);
  return { head: headOf(root, internal, rules, notes, options.file), body };
}

function headOf(root: XmlElement, internal: boolean, rules: ProfileRules, notes: Note[], file: string): ToolHead {
  const { id = '', name, version } = root.attributes;
  const help = element(root, 'help');
  return {
    id,
    version: version ?? '1.0.0',
    name: name ?? id,
    description: textOf(element(root, 'description')).trim(),
    profile: rules.profile,
    file,
    hidden: flag(root.attributes.hidden ?? textOf(element(root, 'hidden')), false),
    ...parseRequirements(element(root, 'requirements'), notes),
    help: textOf(help),
    helpFormat: help?.attributes.format ?? 'restructuredtext',
    citations: parseCitations(element(root, 'citations'), notes),
    xrefs: parseXrefs(element(root, 'xrefs')),
    edamOperations: texts(element(root, 'edam_operations'), 'edam_operation'),
    edamTopics: texts(element(root, 'edam_topics'), 'edam_topic'),
    action: internal ? 'internal' : 'command',
    license: root.attributes.license,
    creators: parseCreators(element(root, 'creator')),
    notes,
  };
}

function bodyOf(
  { root, templates }: Expanded,
  command: XmlElement | undefined,
  rules: ProfileRules,
  notes: Note[],
  check: boolean,
): ToolBody {
  const rendering = { check, python: rules.python };
  const options = element(root, 'options');
  const sharedHome = command?.attributes.use_shared_home;
  const parallelism = element(root, 'parallelism');
  let tests: ToolTest[] | undefined;
  return {
    inputs: parseInputs(element(root, 'inputs'), { sanitize: flag(options?.attributes.sanitize, true), check, rules }),
    outputs: parseOutputs(element(root, 'outputs'), { ...rendering, trimFromWorkDir: rules.trimFromWorkDir }),
    providedMetadataFile: providedMetadataFile(element(root, 'outputs')),
    command: command && {
      template: templateIn(command, rendering),
      interpreter: interpreterOf(command, rules, notes),
      strict: flag(command.attributes.strict, rules.strictShell),
      spot: { file: command.file, line: command.line },
    },
    configFiles: parseConfigFiles(element(root, 'configfiles'), rendering),
    environment: parseEnvironment(element(root, 'environment_variables'), rendering),
    failureRules: failureRules(command, elements(root, 'stdio'), rules, notes),
    rules,
    home: (sharedHome === undefined ? rules.jobHome : !flag(sharedHome, false)) ? 'job' : 'shared',
    versionCommand: versionCommandOf(element(root, 'version_command')),
    templates: Object.fromEntries(templates),
    // Nobody but the test runner asks, and no test makes a tool unusable.
    get tests() {
      tests ??= parseTests(elements(root, 'tests'));
      return tests;
    },
    parallelism: parallelism && { ...parallelism.attributes },
    requiredFiles: requiredFilesOf(element(root, 'required_files')),
  };
}

function checkElements(root: XmlElement, notes: Note[]): void {
  for (const child of elements(root)) {
    if (REFUSED.has(child.name)) throw unsupported(`<${child.name}>`, child);
    if (KNOWN.has(child.name)) continue;
    const { file, line } = child;
    notes.push({ file, line, message: `<${child.name}> is no element of a tool, and is left out` });
  }
}

function checkKind(root: XmlElement, internal: boolean, rules: ProfileRules): void {
  const { id, name, version, tool_type: toolType } = root.attributes;
  if (!id) throw malformed('the tool has no id', root);
  if (!version?.trim() && !rules.versionOptional) {
    throw malformed(`the tool has no version, which profile ${rules.profile} asks for`, root);
  }
  for (const text of [id, version, name]) {
    if ((text?.length ?? 0) > TEXT_CHARS_MAX) {
      throw malformed(`the id, the name or the version is longer than ${TEXT_CHARS_MAX} characters`, root);
    }
  }
  if (internal && !INTERNAL.has(id)) throw unsupported('tool_type="node" for a tool that is not the node\'s own', root);
  if (toolType !== undefined && toolType !== 'default' && !internal) throw unsupported(`tool_type="${toolType}"`, root);
}

function interpreterOf(command: XmlElement, rules: ProfileRules, notes: Note[]): string | undefined {
  const { interpreter } = command.attributes;
  if (!interpreter || rules.interpreter) return interpreter || undefined;
  const { file, line } = command;
  notes.push({ file, line, message: `interpreter="${interpreter}" is left out, as profile ${rules.profile} has it` });
  return undefined;
}

function versionCommandOf(given: XmlElement | undefined): ToolBody['versionCommand'] {
  if (!given || textOf(given).trim() === '') return undefined;
  const { text, place } = templateOf(given);
  return { text: text.trim(), interpreter: given.attributes.interpreter, spot: place };
}

function requiredFilesOf(given: XmlElement | undefined): RequiredFiles | undefined {
  if (!given) return undefined;
  const listed = (name: string) =>
    elements(given, name).map((child) => {
      const { path, type = 'literal' } = child.attributes;
      if (!path) throw malformed(`an <${name}> in <required_files> without a path`, child);
      return { path, type };
    });
  return {
    extendDefaultExcludes: flag(given.attributes.extend_default_excludes, true),
    include: listed('include'),
    exclude: listed('exclude'),
  };
}

function texts(parent: XmlElement | undefined, name: string): string[] {
  return elements(parent, name).flatMap((child) => textOf(child).trim() || []);
}
