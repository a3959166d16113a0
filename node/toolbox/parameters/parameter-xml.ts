/** `<inputs>` → parameters. What a parameter may hold is decided here, once; parameters.ts only applies it. */
import { hasControlCharacters } from '../../../protocol/runtime/text.js';
import { malformed, type Spot, unsupported } from '../errors.js';
import type { LoadedParameter } from '../loaded.js';
import type { ToolParameter } from '../tool.js';
import type { ProfileRules } from '../wrapper/profile.js';
import { element, elements, flag, isElement, textOf, type XmlElement } from '../wrapper/wrapper-xml.js';
import { type DynamicOptions, dynamicOptionsOf, optionsOf, optionTreeOf } from './options-xml.js';
import { defaultSanitize, noSanitize, parseSanitizer, type Sanitize } from './sanitizer.js';
import { type ParsedValidator, parseValidator } from './validator.js';

const SIMPLE = [
  'data',
  'data_collection',
  'text',
  'integer',
  'float',
  'boolean',
  'select',
  'hidden',
  'data_column',
  'color',
  'baseurl',
  'hidden_data',
  'genomebuild',
  'drill_down',
  'group_tag',
] as const satisfies readonly ToolParameter['type'][];
type SimpleType = (typeof SIMPLE)[number];

const NAME_CHARS_MAX = 255;
/** Groups may nest this deep. */
const DEPTH_MAX = 20;
/** What a `<when>` can be chosen by. */
const TESTS: ReadonlySet<string> = new Set(['select', 'boolean', 'hidden', 'text', 'integer', 'genomebuild']);

export interface ParameterOptions {
  /** False when the tool says `<options sanitize="false">`. */
  sanitize: boolean;
  /** Refuse now what an expression uses and this node does not have. */
  check?: boolean;
  rules?: Pick<ProfileRules, 'strictDefaults' | 'emptyTextIsNone' | 'dataRefRequired'>;
}

const LENIENT = { strictDefaults: false, emptyTextIsNone: false, dataRefRequired: false };

export function parseInputs(parent: XmlElement | undefined, options: ParameterOptions, depth = 0): LoadedParameter[] {
  if (!parent) return [];
  if (depth > DEPTH_MAX) throw malformed(`parameters are nested more than ${DEPTH_MAX} deep`, parent);
  const parameters = withoutPages(parent).flatMap((child) => parseOne(child, options, depth) ?? []);
  // Of two with one name the later counts, at the place of the first, as in Galaxy; lint says so.
  return [...new Map(parameters.map((parameter) => [parameter.name, parameter])).values()];
}

/** A `<page>` divided long forms once; what it holds stands where it stood. */
function withoutPages(parent: XmlElement): XmlElement[] {
  return elements(parent)
    .filter(({ name }) => name !== 'display')
    .flatMap((child) => (child.name === 'page' ? elements(child).filter(({ name }) => name !== 'display') : [child]));
}

function parseOne(child: XmlElement, options: ParameterOptions, depth: number): LoadedParameter | undefined {
  switch (child.name) {
    case 'param':
      return parseParam(child, options);
    case 'conditional':
      return parseConditional(child, options, depth);
    case 'repeat': {
      const [min, max] = [wholeAttribute(child, 'min'), wholeAttribute(child, 'max')];
      if (min !== undefined && max !== undefined && min > max) {
        throw malformed(`a <repeat> with min="${min}" and max="${max}"`, child);
      }
      return {
        ...group(child, 'repeat'),
        inputs: parseInputs(withoutHelp(child), options, depth + 1),
        ...(min === undefined ? {} : { min }),
        ...(max === undefined ? {} : { max }),
      };
    }
    case 'section':
      return { ...group(child, 'section'), inputs: parseInputs(withoutHelp(child), options, depth + 1) };
    case 'upload_dataset':
      throw unsupported(`<${child.name}> among the inputs`, child);
    default:
      // A <sanitizer> or <validator> that slipped out of its <param>, say: Galaxy reads none of it.
      return undefined;
  }
}

function withoutHelp(parent: XmlElement): XmlElement {
  return { ...parent, children: parent.children.filter((child) => !isElement(child) || child.name !== 'help') };
}

function group(child: XmlElement, type: 'conditional' | 'repeat' | 'section'): LoadedParameter {
  return {
    name: nameOf(child),
    type,
    label: child.attributes.title ?? child.attributes.label ?? '',
    help: child.attributes.help ?? textOf(element(child, 'help')).trim(),
    optional: false,
    attributes: child.attributes,
    spot: spotOf(child),
    validators: [],
    sanitize: noSanitize,
  };
}

function parseConditional(child: XmlElement, options: ParameterOptions, depth: number): LoadedParameter {
  for (const attribute of ['value_from', 'value_ref', 'value_ref_in_group']) {
    if (child.attributes[attribute] !== undefined) throw unsupported(`a conditional with ${attribute}`, child);
  }
  const first = element(child, 'param');
  if (!first) throw malformed('a <conditional> needs a <param> of its own', child);
  const test = parseParam(first, options);
  if (!TESTS.has(test.type)) {
    throw unsupported(`a conditional on a parameter of type ${test.type}`, first);
  }
  if (test.multiple) throw unsupported('a conditional on a parameter of several values', first);
  const cases = elements(child, 'when').map((when) => {
    const { value } = when.attributes;
    if (value === undefined) throw malformed('a <when> without a value', when);
    return { value, inputs: parseInputs(when, options, depth + 1) };
  });
  return { ...group(child, 'conditional'), test, cases };
}

function parseParam(child: XmlElement, options: ParameterOptions): LoadedParameter {
  const type = typeOf(child);
  if (child.attributes.dynamic_options !== undefined) throw unsupported('dynamic_options', child);
  const multiple = flag(child.attributes.multiple, false);
  // Galaxy's rule: who may choose several may choose none.
  const several = multiple && (type === 'select' || type === 'data_column');
  const optionsElement = element(child, 'options');
  const parsed = [...elements(child, 'validator'), ...elements(optionsElement, 'validator')].map((one) =>
    parseValidator(one, options.check ?? true, type === 'float'),
  );
  const base: LoadedParameter = {
    name: nameOf(child),
    type,
    label: child.attributes.label ?? textOf(element(child, 'label')).trim(),
    help: child.attributes.help ?? textOf(element(child, 'help')).trim(),
    optional: flag(child.attributes.optional, several),
    attributes: child.attributes,
    spot: spotOf(child),
    ...validatorsOf(parsed),
    sanitize: sanitizerOf(child, options),
  };
  const known = new Set<string>();
  const extra = extras(child, type, known, options.rules ?? LENIENT);
  refuseInner(child, type, known);
  const parameter = { ...base, ...extra };
  return type === 'text' ? inferOptional(parameter, options) : parameter;
}

function validatorsOf(parsed: readonly ParsedValidator[]): Pick<LoadedParameter, 'validators' | 'datasetValidators'> {
  const datasets = parsed.flatMap((one) => (one.on === 'dataset' ? [one.check] : []));
  return {
    validators: parsed.flatMap((one) => (one.on === 'value' ? [one.check] : [])),
    ...(datasets.length > 0 ? { datasetValidators: datasets } : {}),
  };
}

/** A text that nothing forbids to be empty may be empty, and is then None for newer wrappers. */
function inferOptional(parameter: LoadedParameter, options: ParameterOptions): LoadedParameter {
  const said = parameter.attributes.optional !== undefined;
  const optional = said ? parameter.optional : parameter.validators.every((validate) => validate('') === undefined);
  const emptyIsNone = optional && (said || (options.rules ?? LENIENT).emptyTextIsNone);
  return { ...parameter, optional, optionalInferred: optional && !said, ...(emptyIsNone ? { emptyIsNone } : {}) };
}

/** What only this type has. Adds to `known` the child elements that it read. */
function extras(
  child: XmlElement,
  type: SimpleType,
  known: Set<string>,
  rules: NonNullable<ParameterOptions['rules']>,
): Partial<LoadedParameter> {
  const { value } = child.attributes;
  switch (type) {
    case 'data':
    case 'hidden_data':
      known.add('options');
      return {
        formats: formatsOf(child),
        multiple: type === 'data' && flag(child.attributes.multiple, false),
        ...dynamicOf(child),
        ...numberAttributes(child),
      };
    case 'data_collection':
      known.add('options');
      return {
        ...dynamicOf(child),
        formats: formatsOf(child),
        collectionTypes: listed(child.attributes.collection_type),
      };
    case 'select':
      return selectExtras(child, known, rules);
    case 'group_tag':
    case 'genomebuild':
      if (type === 'group_tag' && !child.attributes.data_ref) throw malformed('a group_tag needs a data_ref', child);
      return { multiple: flag(child.attributes.multiple, false), ...(value === undefined ? {} : { value }) };
    case 'drill_down':
      known.add('options');
      if (!['exact', 'recurse', undefined].includes(child.attributes.hierarchy)) {
        throw malformed(`hierarchy="${child.attributes.hierarchy}" is neither exact nor recurse`, child);
      }
      return { tree: optionTreeOf(child), multiple: flag(child.attributes.multiple, false) };
    case 'data_column': {
      if (!child.attributes.data_ref && rules.dataRefRequired) throw malformed('a data_column needs a data_ref', child);
      const held = child.attributes.default_value ?? value;
      return {
        multiple: flag(child.attributes.multiple, false),
        ...(held === undefined || held === '' ? {} : { value: held }),
      };
    }
    case 'boolean':
      return { value: flag(child.attributes.checked ?? child.attributes.value, false) };
    case 'integer':
    case 'float':
      return numberExtras(child, type, rules);
    case 'text':
      known.add('option');
      return { ...(value === undefined ? {} : { value }), options: optionsOf(child) };
    case 'color':
      return { value: value ?? '#000000' };
    default:
      return { value: value ?? '' };
  }
}

function selectExtras(
  child: XmlElement,
  known: Set<string>,
  rules: NonNullable<ParameterOptions['rules']>,
): Partial<LoadedParameter> {
  known.add('option');
  known.add('options');
  const inner = element(child, 'options');
  const options = [...optionsOf(child), ...(inner ? optionsOf(inner) : [])];
  const { value } = child.attributes;
  const { dynamic } = dynamicOf(child);
  // A default that is no choice at all is how some old wrappers say "none of them".
  if (rules.strictDefaults && !dynamic && value && !options.some((option) => option.value === value)) {
    throw malformed(`value="${value}" is not among the choices`, child);
  }
  const chosen = value === undefined ? [] : flag(child.attributes.multiple, false) ? value.split(',') : [value];
  const preset = !options.some(({ selected }) => selected);
  return {
    options: options.map((option) =>
      preset && chosen.includes(option.value) ? { ...option, selected: true } : option,
    ),
    multiple: flag(child.attributes.multiple, false),
    ...(dynamic ? { dynamic } : {}),
  };
}

function dynamicOf(child: XmlElement): { dynamic?: DynamicOptions } {
  const given = element(child, 'options');
  const dynamic = given && dynamicOptionsOf(given);
  return dynamic ? { dynamic } : {};
}

function numberExtras(
  child: XmlElement,
  type: 'integer' | 'float',
  rules: NonNullable<ParameterOptions['rules']>,
): Partial<LoadedParameter> {
  const { value } = child.attributes;
  const numbers = numberAttributes(child);
  if (value === undefined || value.trim() === '') return numbers;
  const number = Number(value);
  if (Number.isNaN(number) || (type === 'integer' && !Number.isInteger(number))) {
    throw malformed(`value="${value}" is not ${type === 'integer' ? 'a whole' : 'a'} number`, child);
  }
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = numbers;
  if (rules.strictDefaults && (number < min || number > max)) {
    throw malformed(`value="${value}" is not between min and max`, child);
  }
  return { ...numbers, value: number };
}

function formatsOf(child: XmlElement): string[] {
  const formats = listed(child.attributes.format).map((format) => format.toLowerCase());
  return formats.length > 0 ? formats : ['data'];
}

function listed(written: string | undefined): string[] {
  return (written ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

/** What would change what the tool does. Whatever else stands in a `<param>`, Galaxy does not read either. */
function refuseInner(child: XmlElement, type: string, known: ReadonlySet<string>): void {
  const conversion = type === 'data' ? element(child, 'conversion') : undefined;
  if (conversion) throw unsupported(`<conversion> in a ${type} parameter`, conversion);
  const options = known.has('options') ? undefined : element(child, 'options');
  const source = options && Object.keys(options.attributes).find((name) => name.startsWith('from_'));
  if (source) throw unsupported(`<options ${source}="${options.attributes[source]}"> in a ${type} parameter`, options);
}

function typeOf(child: XmlElement): SimpleType {
  const { type } = child.attributes;
  if (type === undefined) throw malformed('a <param> without a type', child);
  const found = SIMPLE.find((known) => known === type);
  if (!found) throw unsupported(`the parameter type "${type}"`, child);
  return found;
}

/** `name`, or made from `argument` as Galaxy makes it. */
function nameOf(child: XmlElement): string {
  const name = child.attributes.name ?? child.attributes.argument?.replace(/^-+/, '').replace(/-/g, '_');
  if (!name) throw malformed(`a <${child.name}> without a name`, child);
  const impossible = name.length > NAME_CHARS_MAX || name.includes('|') || hasControlCharacters(name);
  if (impossible || name === '__proto__') throw malformed(`"${name}" cannot be a parameter's name`, child);
  return name;
}

function spotOf({ file, line }: XmlElement): Spot {
  return { file, line };
}

function sanitizerOf(child: XmlElement, options: ParameterOptions): Sanitize {
  const given = element(child, 'sanitizer');
  if (given) return parseSanitizer(given);
  return options.sanitize ? defaultSanitize : noSanitize;
}

function numberAttributes(child: XmlElement): { min?: number; max?: number } {
  const result: { min?: number; max?: number } = {};
  for (const name of ['min', 'max'] as const) {
    const text = child.attributes[name];
    if (text === undefined || text === '') continue;
    const number = Number(text);
    if (Number.isNaN(number)) throw malformed(`${name}="${text}" is not a number`, child);
    result[name] = number;
  }
  return result;
}

function wholeAttribute(child: XmlElement, name: 'min' | 'max'): number | undefined {
  const text = child.attributes[name];
  if (text === undefined || text === '') return undefined;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw malformed(`${name}="${text}" is not a whole number`, child);
  return number;
}
