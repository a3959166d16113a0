/** A wrapper file → a tool. Everything that is not supported is refused here, by name and line, before anything runs. */
import { compileTemplate } from './cheetah/template.js';
import { malformed, translated, unsupported } from './errors.js';
import { failureRules } from './failure-rules.js';
import type { ConfigFile, LoadedTool } from './loaded.js';
import { expandMacros } from './macros.js';
import { parseOutputs } from './output-xml.js';
import { parseInputs } from './parameter-xml.js';
import { element, elements, flag, parseXml, templateOf, textOf, type XmlElement } from './wrapper-xml.js';

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
]);

/** Tools whose work the node does itself. */
const INTERNAL = new Set(['upload1', '__DATA_FETCH__']);
const DEFAULT_PROFILE = '16.01';

/** Undefined when the file is XML of another kind (a macro file). `folder`: the tool folder it belongs to. */
export async function readWrapper(source: string, file: string, folder: string): Promise<LoadedTool | undefined> {
  const parsed = parseXml(source, file);
  if (parsed.name !== 'tool') return undefined;
  const root = await expandMacros(parsed, folder);
  const { id, name, version = '1.0.0', profile = DEFAULT_PROFILE, tool_type: toolType } = root.attributes;
  if (!id) throw malformed('the tool has no id', root);
  if (id.length > 255 || version.length > 255)
    throw malformed('the id or the version is longer than 255 characters', root);
  const internal = toolType === 'node';
  if (internal && !INTERNAL.has(id)) throw unsupported('tool_type="node" for a tool that is not the node\'s own', root);
  if (toolType !== undefined && !internal) throw unsupported(`tool_type="${toolType}"`, root);
  for (const child of elements(root)) if (!KNOWN.has(child.name)) throw unsupported(`<${child.name}>`, child);
  const command = element(root, 'command');
  if (!command && !internal) throw malformed('the tool has no <command>', root);
  const options = element(root, 'options');
  const help = element(root, 'help');
  return {
    id,
    version,
    name: name ?? id,
    description: textOf(element(root, 'description')).trim(),
    profile,
    section: { id: '', name: '' },
    file,
    hidden: flag(root.attributes.hidden, false),
    inputs: parseInputs(element(root, 'inputs'), { sanitize: flag(options?.attributes.sanitize, true) }),
    outputs: parseOutputs(element(root, 'outputs')),
    requirements: requirementsOf(element(root, 'requirements')),
    help: textOf(help),
    helpFormat: help?.attributes.format ?? 'restructuredtext',
    citations: elements(element(root, 'citations'), 'citation').map((citation) => ({
      type: citation.attributes.type ?? 'doi',
      content: textOf(citation).trim(),
    })),
    xrefs: elements(element(root, 'xrefs'), 'xref').map((xref) => ({
      reftype: xref.attributes.type ?? '',
      value: textOf(xref).trim(),
    })),
    edamOperations: texts(element(root, 'edam_operations'), 'edam_operation'),
    edamTopics: texts(element(root, 'edam_topics'), 'edam_topic'),
    action: internal ? 'internal' : 'command',
    source,
    command: command && {
      template: template(command),
      interpreter: command.attributes.interpreter,
      strict: flag(command.attributes.strict, false),
    },
    configFiles: configFiles(element(root, 'configfiles')),
    environment: elements(element(root, 'environment_variables')).map(environmentVariable),
    failureRules: failureRules(command, element(root, 'stdio'), profile),
    license: root.attributes.license,
  };
}

function template(given: XmlElement) {
  const { text, place } = templateOf(given);
  return translated(true, () => compileTemplate(text, place));
}

function texts(parent: XmlElement | undefined, name: string): string[] {
  return elements(parent, name).map((child) => textOf(child).trim());
}

function requirementsOf(parent: XmlElement | undefined): LoadedTool['requirements'] {
  return elements(parent).flatMap((child) => {
    if (child.name !== 'requirement' && child.name !== 'container') return [];
    const otherwise = child.name === 'container' ? 'docker' : 'package';
    return [
      { name: textOf(child).trim(), version: child.attributes.version, type: child.attributes.type ?? otherwise },
    ];
  });
}

function configFiles(parent: XmlElement | undefined): ConfigFile[] {
  return elements(parent).map((child, index) => {
    if (child.name !== 'configfile') throw unsupported(`<${child.name}> in <configfiles>`, child);
    const { filename, name = filename ?? `config_${index}` } = child.attributes;
    if (filename !== undefined && !/^[\w][\w.-]*$/.test(filename)) {
      throw malformed(`"${filename}" cannot be a configuration file's name`, child);
    }
    if (!/^\w[\w.-]*$/.test(name)) throw malformed(`"${name}" cannot be a configuration file's name`, child);
    return { name, filename, template: template(child) };
  });
}

function environmentVariable(child: XmlElement): LoadedTool['environment'][number] {
  if (child.name !== 'environment_variable') throw unsupported(`<${child.name}> in <environment_variables>`, child);
  if (child.attributes.inject !== undefined) throw unsupported(`inject="${child.attributes.inject}"`, child);
  const { name } = child.attributes;
  if (!name || !/^[A-Za-z_]\w*$/.test(name)) throw malformed(`"${name ?? ''}" cannot be a variable's name`, child);
  return { name, template: template(child), strip: flag(child.attributes.strip, false) };
}
