/** `<outputs>` → what a tool makes: datasets, collections, and what is found after the run. */
import { isAbsolute } from 'node:path';
import { hasControlCharacters } from '../../../protocol/runtime/text.js';
import { malformed, unsupported } from '../errors.js';
import type { LoadedOutput } from '../loaded.js';
import { expressionIn, type Rendering, templateAt } from '../wrapper/source-template.js';
import { element, elements, flag, textOf, type XmlElement } from '../wrapper/wrapper-xml.js';
import { parseDiscover } from './discover-xml.js';
import { parseActions } from './output-actions.js';

export interface OutputOptions extends Rendering {
  trimFromWorkDir: boolean;
}

/** What elements have from their collection. */
interface Inherited {
  format?: string | undefined;
  formatSource?: string | undefined;
  metadataSource?: string | undefined;
}

const OUTPUTS_MAX = 1000;
const NAME_CHARS_MAX = 200;

export function parseOutputs(parent: XmlElement | undefined, options: OutputOptions): LoadedOutput[] {
  const parsed = elements(parent).flatMap((child) => parseOutput(child, options) ?? []);
  // Of two with one name the later counts, as in Galaxy.
  const outputs = [...new Map(parsed.map((output) => [output.name, output])).values()];
  if (parent && outputs.length > OUTPUTS_MAX) throw malformed(`more than ${OUTPUTS_MAX} outputs`, parent);
  return outputs;
}

/** Where the tool may say what it made; Galaxy's name for it unless the wrapper has another. */
export function providedMetadataFile(parent: XmlElement | undefined): string {
  const written = parent?.attributes.provided_metadata_file;
  if (parent === undefined || written === undefined) return 'galaxy.json';
  checkInside(written, 'provided_metadata_file', parent);
  return written;
}

/** Undefined for an element that Galaxy does not read either. */
function parseOutput(child: XmlElement, options: OutputOptions): LoadedOutput | undefined {
  const kind = child.name === 'output' ? (child.attributes.type ?? 'data') : child.name;
  if (kind === 'data') return parseData(child, options, {});
  if (kind === 'collection') return parseCollection(child, options);
  if (child.name === 'output') throw unsupported(`<output type="${kind}">`, child);
  return undefined;
}

function parseData(child: XmlElement, options: OutputOptions, inherited: Inherited): LoadedOutput {
  return { ...common(child, options, inherited), name: outputName(child), kind: 'data', elements: [] };
}

function parseCollection(child: XmlElement, options: OutputOptions): LoadedOutput {
  const { type, type_source: typeSource, structured_like: structuredLike } = child.attributes;
  const name = outputName(child);
  const base = common(child, options, {});
  const inherited = {
    format: child.attributes.format,
    formatSource: base.formatSource,
    metadataSource: base.metadataSource,
  };
  const members = elements(child, 'data').map((one) => parseElement(one, options, inherited));
  if (new Set(members.map((one) => one.name)).size < members.length) {
    throw malformed(`two elements of ${name} have one name`, child);
  }
  if (type === undefined && typeSource === undefined && structuredLike === undefined) {
    throw malformed(`the collection ${name} has neither type, type_source nor structured_like`, child);
  }
  if (
    type !== undefined &&
    !/^(?:list|paired|paired_or_unpaired|record)(?::(?:list|paired|paired_or_unpaired|record))*$/.test(type)
  ) {
    throw malformed(`"${type}" is no type of a collection`, child);
  }
  return {
    ...base,
    name,
    kind: 'collection',
    elements: members,
    ...(type === undefined ? {} : { collectionType: type }),
    ...(typeSource === undefined ? {} : { typeSource }),
    ...(structuredLike === undefined ? {} : { structuredLike }),
  };
}

/** An element's name is its identifier, and need not be one for templates: `$pair['my.reads']` is possible. */
function parseElement(child: XmlElement, options: OutputOptions, inherited: Inherited): LoadedOutput {
  const { name } = child.attributes;
  if (!name || name.length > NAME_CHARS_MAX || name.includes('/')) {
    throw malformed(`"${name ?? ''}" cannot be an element's name`, child);
  }
  return { ...common(child, options, inherited), name, kind: 'data', elements: [] };
}

/** Most are names of Python's too; one with a hyphen, say, templates cannot reach, and `from_work_dir` needs no template. */
function outputName(child: XmlElement): string {
  const { name = '' } = child.attributes;
  const impossible = name === '' || name.length > NAME_CHARS_MAX || /[|/\\]/.test(name) || hasControlCharacters(name);
  if (impossible || name === '__proto__') throw malformed(`"${name}" cannot be an output's name`, child);
  return name;
}

/** What data and collections are both told. */
function common(
  child: XmlElement,
  { trimFromWorkDir, ...rendering }: OutputOptions,
  inherited: Inherited,
): Omit<LoadedOutput, 'name' | 'kind' | 'elements'> {
  const { label, default_identifier_source: defaultIdentifierSource } = child.attributes;
  const formatSource = child.attributes.format_source ?? inherited.formatSource;
  const metadataSource = child.attributes.metadata_source ?? inherited.metadataSource;
  const written = child.attributes.from_work_dir;
  const fromWorkDir = trimFromWorkDir ? written?.trim() : written;
  if (fromWorkDir) checkInside(fromWorkDir, 'from_work_dir', child);
  const format = flag(child.attributes.auto_format, false)
    ? '_sniff_'
    : (child.attributes.format ?? child.attributes.ext ?? inherited.format ?? 'data').trim();
  const filters = elements(child, 'filter').filter((filter) => textOf(filter).trim() !== '');
  const changes = elements(child, 'change_format').flatMap((change) => elements(change, 'when'));
  const labelText = label ?? (element(child, 'label') ? textOf(element(child, 'label')) : undefined);
  const discover = elements(child, 'discover_datasets').map((one) => parseDiscover(one, { format }));
  return {
    format,
    ...(formatSource === undefined ? {} : { formatSource }),
    ...(metadataSource ? { metadataSource } : {}),
    ...(labelText === undefined ? {} : { label: labelText }),
    ...(fromWorkDir ? { fromWorkDir } : {}),
    ...(defaultIdentifierSource === undefined ? {} : { defaultIdentifierSource }),
    hidden: flag(child.attributes.hidden, false),
    discovers: discover.length > 0,
    discover,
    precreateFolder: flag(child.attributes.precreate_directory, false),
    inheritFormat: flag(child.attributes.inherit_format, false),
    actions: elements(child, 'actions').flatMap((one) => parseActions(one, rendering)),
    filters: filters.map((filter) => textOf(filter).trim()),
    changeFormat: changes
      .filter((when) => when.attributes.input_dataset === undefined)
      .map((when) => ({
        input: required(when, 'input'),
        value: required(when, 'value'),
        format: required(when, 'format'),
      })),
    labelTemplate:
      labelText === undefined ? undefined : templateAt(labelText, { file: child.file, line: child.line }, rendering),
    filterExpressions: filters.map((filter) => expressionIn(filter, rendering.check)),
    changeByValue: changes
      .filter((when) => when.attributes.input_dataset === undefined)
      .map((when) => {
        const input = required(when, 'input');
        const source = input.includes('$') ? input : `\${${input}}`;
        return {
          input: templateAt(source, { file: when.file, line: when.line }, rendering),
          value: required(when, 'value'),
          format: required(when, 'format'),
        };
      }),
    changeByDataset: changes
      .filter((when) => when.attributes.input_dataset !== undefined)
      .map((when) => ({
        input: required(when, 'input_dataset'),
        attribute: when.attributes.attribute ?? 'ext',
        value: required(when, 'value'),
        format: required(when, 'format'),
      })),
  };
}

function checkInside(path: string, attribute: string, at: XmlElement): void {
  if (isAbsolute(path) || path.split('/').includes('..') || path.includes('\u0000')) {
    throw malformed(`${attribute}="${path}" leaves the working folder`, at);
  }
}

function required(when: XmlElement, name: string): string {
  const value = when.attributes[name];
  if (value === undefined) throw malformed(`<when> in <change_format> without ${name}`, when);
  return value;
}
