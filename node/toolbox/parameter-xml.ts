/** `<inputs>` → parameters. What a parameter may hold is decided here, once; parameters.ts only applies it. */
import { malformed, type Spot, unsupported } from './errors.js';
import type { LoadedParameter } from './loaded.js';
import { defaultSanitize, noSanitize, parseSanitizer, type Sanitize } from './sanitizer.js';
import type { ToolParameter } from './tool.js';
import { parseValidator } from './validator.js';
import { element, elements, flag, textOf, type XmlElement } from './wrapper-xml.js';

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
] as const satisfies readonly ToolParameter['type'][];
type SimpleType = (typeof SIMPLE)[number];

/** Groups may nest this deep. */
const DEPTH_MAX = 20;
const IGNORED_CHILDREN = new Set(['label', 'help']);

export interface ParameterOptions {
  /** False when the tool says `<options sanitize="false">`. */
  sanitize: boolean;
}

export function parseInputs(parent: XmlElement | undefined, options: ParameterOptions, depth = 0): LoadedParameter[] {
  if (!parent) return [];
  if (depth > DEPTH_MAX) throw malformed(`parameters are nested more than ${DEPTH_MAX} deep`, parent);
  const parameters = elements(parent)
    .filter(({ name }) => name !== 'display')
    .map((child) => parseOne(child, options, depth));
  const seen = new Set<string>();
  for (const { name, spot } of parameters) {
    if (seen.has(name)) throw malformed(`the parameter "${name}" is there twice`, spot);
    seen.add(name);
  }
  return parameters;
}

function parseOne(child: XmlElement, options: ParameterOptions, depth: number): LoadedParameter {
  switch (child.name) {
    case 'param':
      return parseParam(child, options);
    case 'conditional':
      return parseConditional(child, options, depth);
    case 'repeat': {
      const [min, max] = [wholeAttribute(child, 'min'), wholeAttribute(child, 'max')];
      return {
        ...group(child, 'repeat'),
        inputs: parseInputs(child, options, depth + 1),
        ...(min === undefined ? {} : { min }),
        ...(max === undefined ? {} : { max }),
      };
    }
    case 'section':
      return { ...group(child, 'section'), inputs: parseInputs(child, options, depth + 1) };
    default:
      throw unsupported(`<${child.name}> among the inputs`, child);
  }
}

function group(child: XmlElement, type: 'conditional' | 'repeat' | 'section'): LoadedParameter {
  return {
    name: nameOf(child),
    type,
    label: child.attributes.title ?? child.attributes.label ?? '',
    help: child.attributes.help ?? textOf(element(child, 'help')).trim(),
    optional: false,
    attributes: { ...child.attributes },
    spot: spotOf(child),
    validators: [],
    sanitize: noSanitize,
  };
}

function parseConditional(child: XmlElement, options: ParameterOptions, depth: number): LoadedParameter {
  for (const attribute of ['value_from', 'value_ref', 'value_ref_in_group']) {
    if (child.attributes[attribute] !== undefined) throw unsupported(`a conditional with ${attribute}`, child);
  }
  const [first, ...more] = elements(child, 'param');
  if (!first || more.length > 0) throw malformed('a <conditional> needs exactly one <param> of its own', child);
  const test = parseParam(first, options);
  if (!['select', 'boolean', 'hidden', 'text', 'integer'].includes(test.type)) {
    throw unsupported(`a conditional on a parameter of type ${test.type}`, first);
  }
  const cases = elements(child, 'when').map((when) => {
    const { value } = when.attributes;
    if (value === undefined) throw malformed('a <when> without a value', when);
    return { value, inputs: parseInputs(when, options, depth + 1) };
  });
  const other = elements(child).find(({ name }) => name !== 'param' && name !== 'when');
  if (other) throw unsupported(`<${other.name}> in a conditional`, other);
  return { ...group(child, 'conditional'), test, cases };
}

function parseParam(child: XmlElement, options: ParameterOptions): LoadedParameter {
  const type = typeOf(child);
  if (child.attributes.dynamic_options !== undefined) throw unsupported('dynamic_options', child);
  const base: LoadedParameter = {
    name: nameOf(child),
    type,
    label: child.attributes.label ?? textOf(element(child, 'label')).trim(),
    help: child.attributes.help ?? textOf(element(child, 'help')).trim(),
    optional: flag(child.attributes.optional, false),
    attributes: { ...child.attributes },
    spot: spotOf(child),
    validators: elements(child, 'validator').map(parseValidator),
    sanitize: sanitizerOf(child, options),
  };
  const known = new Set(['validator', 'sanitizer', ...IGNORED_CHILDREN]);
  const extra = extras(child, type, known);
  for (const inner of elements(child)) if (!known.has(inner.name)) refuseInner(inner, type);
  return { ...base, ...extra };
}

/** What only this type has. Adds to `known` the child elements that it read. */
function extras(child: XmlElement, type: SimpleType, known: Set<string>): Partial<LoadedParameter> {
  const { value } = child.attributes;
  switch (type) {
    case 'data':
    case 'hidden_data':
    case 'data_collection':
      return {
        formats: (child.attributes.format ?? 'data').split(',').map((format) => format.trim().toLowerCase()),
        multiple: type === 'data' && flag(child.attributes.multiple, false),
        ...numberAttributes(child),
      };
    case 'select':
      known.add('option');
      return { options: optionsOf(child), multiple: flag(child.attributes.multiple, false) };
    case 'data_column': {
      const reference = child.attributes.data_ref;
      if (!reference) throw malformed('a data_column needs a data_ref', child);
      return { multiple: flag(child.attributes.multiple, false), ...(value === undefined ? {} : { value }) };
    }
    case 'boolean':
      return { value: flag(child.attributes.checked ?? child.attributes.value, false) };
    case 'integer':
    case 'float': {
      const numbers = numberAttributes(child);
      if (value === undefined || value === '') return numbers;
      const number = Number(value);
      if (Number.isNaN(number) || (type === 'integer' && !Number.isInteger(number))) {
        throw malformed(`value="${value}" is not ${type === 'integer' ? 'a whole' : 'a'} number`, child);
      }
      return { ...numbers, value: number };
    }
    case 'text':
      known.add('option');
      return { value: value ?? '', options: optionsOf(child) };
    case 'color':
      return { value: value ?? '#000000' };
    default:
      return { value: value ?? '' };
  }
}

function refuseInner(inner: XmlElement, type: string): never {
  if (inner.name === 'options') {
    const source = Object.keys(inner.attributes).find((name) => name.startsWith('from_'));
    throw unsupported(
      source ? `<options ${source}="${inner.attributes[source]}">` : `<options> in a ${type} parameter`,
      inner,
    );
  }
  throw unsupported(`<${inner.name}> in a ${type} parameter`, inner);
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
  if (!/^[A-Za-z_][\w.-]*$/.test(name)) throw malformed(`"${name}" cannot be a parameter's name`, child);
  if (name === '__proto__') throw malformed(`"${name}" cannot be a parameter's name`, child);
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

function optionsOf(child: XmlElement): { value: string; label: string; selected: boolean }[] {
  return elements(child, 'option').map((option) => {
    const label = textOf(option).trim();
    const value = option.attributes.value ?? label;
    return { value, label: label || value, selected: flag(option.attributes.selected, false) };
  });
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
