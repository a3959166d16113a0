/**
 * What `<assert_contents>`, `<assert_stdout>` and their like may say of a file or a text. Each assertion is a function by
 * its name; its answer is undefined, or a sentence for the author. What needs a library that is not here (HDF5, images)
 * is named, and the test is not run.
 */
import { splitLines } from '../toolbox/cheetah/string-methods.js';
import type { Assertion } from '../toolbox/wrapper/test-case.js';
import { flag } from '../toolbox/wrapper/wrapper-xml.js';
import { archiveMembers } from './archive.js';
import { BoundsFault, checkBounds, negated } from './bounds.js';
import { escaped, Pattern, PatternFault } from './pattern.js';
import { ContentFault, linesOf, ProducedFile } from './produced.js';
import { findAll, parseOutputXml, type XmlNode, XmlTestFault, xmlText } from './xml-path.js';

export interface Asserted {
  problems: string[];
  /** Assertions that cannot be made here, and why. */
  notRun: string[];
}

type Attributes = Readonly<Record<string, string>>;
type Check = (file: ProducedFile, attributes: Attributes, children: readonly Assertion[]) => string[];

/** All of them on one file; `nested` ones on what their parent found. */
export function checkAssertions(file: ProducedFile, assertions: readonly Assertion[]): Asserted {
  const all: Asserted = { problems: [], notRun: [] };
  for (const { name, attributes, children } of assertions) {
    const needed = neededBy(name) ?? children.map((child) => neededBy(child.name)).find((one) => one !== undefined);
    if (needed !== undefined) {
      all.notRun.push(`${name} needs ${needed}`);
      continue;
    }
    try {
      const said = required(name, attributes) ?? run(name, file, attributes, children);
      all.problems.push(...[said].flat().map((one) => `${shown(name, attributes)}: ${one}`));
    } catch (error) {
      if (!isFault(error)) throw error;
      all.problems.push(`${shown(name, attributes)}: ${error.message}`);
    }
  }
  return all;
}

export function assertionNames(): string[] {
  return [...CHECKS.keys()];
}

function run(name: string, file: ProducedFile, attributes: Attributes, children: readonly Assertion[]) {
  const check = CHECKS.get(name);
  return check ? check(file, attributes, children) : [`the assertion is not known`];
}

function isFault(error: unknown): error is Error {
  return (
    error instanceof ContentFault ||
    error instanceof PatternFault ||
    error instanceof BoundsFault ||
    error instanceof XmlTestFault
  );
}

function neededBy(name: string): string | undefined {
  if (/^has_h5|^h5_/.test(name)) return 'HDF5';
  if (name.startsWith('has_image_')) return 'an image library';
  return undefined;
}

/** Attributes without which an assertion says nothing. */
const NEEDS: Record<string, string[]> = {
  has_text: ['text'],
  not_has_text: ['text'],
  has_text_matching: ['expression'],
  has_line: ['line'],
  has_line_matching: ['expression'],
  has_archive_member: ['path'],
  has_element_with_path: ['path'],
  has_n_elements_with_path: ['path'],
  element_text: ['path'],
  element_text_is: ['path', 'text'],
  element_text_matches: ['path', 'expression'],
  attribute_is: ['path', 'attribute', 'text'],
  attribute_matches: ['path', 'attribute', 'expression'],
  xml_element: ['path'],
  has_json_property_with_value: ['property', 'value'],
  has_json_property_with_text: ['property', 'text'],
  json_text: ['property', 'text'],
};

function required(name: string, attributes: Attributes): string | undefined {
  const missing = NEEDS[name]?.find((attribute) => attributes[attribute] === undefined);
  return missing === undefined ? undefined : `it has no ${missing}`;
}

/** How often something is there, and how often it should be; at least once when nothing is said. */
function presence(found: number, what: string, attributes: Attributes): string[] {
  const wrong = checkBounds(found, what, attributes, { least: 1 });
  return wrong === undefined ? [] : [wrong];
}

const one = (problem: string | undefined): string[] => (problem === undefined ? [] : [problem]);

const CHECKS = new Map<string, Check>(
  Object.entries({
    has_text: ({ text }, attributes) => presence(occurrences(text, attributes.text ?? ''), 'occurrences', attributes),
    not_has_text: (file, { text = '' }) => one(file.text.includes(text) ? 'the text is there' : undefined),
    has_text_matching: ({ text }, attributes) =>
      presence(new Pattern(attributes.expression ?? '').count(text), 'matches', attributes),
    has_line: ({ text }, attributes) =>
      presence(
        new Pattern(`^${escaped(attributes.line ?? '')}$`, { multiline: true }).count(text),
        'lines',
        attributes,
      ),
    has_line_matching: ({ text }, attributes) =>
      presence(new Pattern(`^${attributes.expression ?? ''}$`, { multiline: true }).count(text), 'lines', attributes),
    has_n_lines: ({ text }, attributes) => one(checkBounds(splitLines(text).length, 'lines', attributes)),
    has_n_columns: ({ text }, attributes) => one(columns(text, attributes)),
    has_size: ({ size }, attributes) =>
      one(checkBounds(size, 'bytes', attributes, { exact: attributes.size === undefined ? 'value' : 'size' })),
    has_archive_member: archiveMember,
    is_valid_xml: ({ text }) => {
      parseOutputXml(text);
      return [];
    },
    has_element_with_path: ({ text }, attributes) =>
      presence(findAll(parseOutputXml(text), attributes.path ?? '').length, 'elements', attributes),
    has_n_elements_with_path: ({ text }, attributes) =>
      one(checkBounds(findAll(parseOutputXml(text), attributes.path ?? '').length, 'elements', attributes)),
    element_text: ({ text }, { path = '' }, children) =>
      inside(theElement(text, path).text, `the text of ${path}`, children),
    element_text_is: ({ text }, { path = '', text: wanted = '', negate }) =>
      is(theElement(text, path).text, wanted, { negate }),
    element_text_matches: ({ text }, { path = '', expression = '', negate }) =>
      matches(theElement(text, path).text, expression, { negate }),
    attribute_is: ({ text }, { path = '', attribute = '', text: wanted = '', negate }) =>
      is(theAttribute(text, path, attribute), wanted, { negate }),
    attribute_matches: ({ text }, { path = '', attribute = '', expression = '', negate }) =>
      matches(theAttribute(text, path, attribute), expression, { negate }),
    xml_element: xmlElement,
    has_json_property_with_value: ({ text }, { property = '', value = '' }) => jsonValue(text, property, value),
    has_json_property_with_text: ({ text }, { property = '', text: wanted = '' }) => jsonText(text, property, wanted),
    json_text: ({ text }, { property = '', text: wanted = '' }) => jsonText(text, property, wanted),
  } satisfies Record<string, Check>),
);

function occurrences(text: string, wanted: string): number {
  return wanted === '' ? 1 : text.split(wanted).length - 1;
}

/** Of the first line that is neither empty nor begins with one of the characters that comments begin with. */
function columns(text: string, attributes: Attributes): string | undefined {
  const { comment = '' } = attributes;
  const separator = (attributes.sep ?? '\t').replace(/\\t/g, '\t');
  const line = linesOf(text).find((candidate) => candidate !== '' && !comment.includes(candidate[0] ?? ''));
  return checkBounds((line ?? '').split(separator).length, 'columns', attributes);
}

function archiveMember(file: ProducedFile, attributes: Attributes, children: readonly Assertion[]): string[] {
  const members = archiveMembers(file.bytes, file.name);
  if (members === undefined) return ['it is neither a zip nor a tar archive'];
  const pattern = new Pattern(attributes.path ?? '');
  const found = members.filter(({ name }) => pattern.matches(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const wrong = presence(found.length, 'members', attributes);
  if (wrong.length > 0 || children.length === 0 || negated(attributes)) return wrong;
  const chosen = flag(attributes.all, false) ? found : found.slice(0, 1);
  return chosen.flatMap(({ name, bytes }) => within(new ProducedFile(bytes(), name), children));
}

function inside(text: string, name: string, children: readonly Assertion[]): string[] {
  return within(new ProducedFile(Buffer.from(text), name), children);
}

function within(file: ProducedFile, children: readonly Assertion[]): string[] {
  return checkAssertions(file, children).problems.map((problem) => `${file.name}: ${problem}`);
}

function theElement(text: string, path: string): XmlNode {
  const [first] = findAll(parseOutputXml(text), path);
  if (first === undefined) throw new XmlTestFault(`there is no element ${path}`);
  return first;
}

function theAttribute(text: string, path: string, attribute: string): string {
  const value = theElement(text, path).attributes[attribute];
  if (value === undefined) throw new XmlTestFault(`${path} has no attribute ${attribute}`);
  return value;
}

function is(found: string, wanted: string, how: { negate: string | undefined }): string[] {
  if ((found === wanted) !== negated({ negate: how.negate ?? '' })) return [];
  return [`it is "${found.slice(0, 200)}"`];
}

function matches(found: string, expression: string, how: { negate: string | undefined }): string[] {
  if (new Pattern(expression).matches(found) !== negated({ negate: how.negate ?? '' })) return [];
  return [`it is "${found.slice(0, 200)}"`];
}

function xmlElement({ text }: ProducedFile, attributes: Attributes, children: readonly Assertion[]): string[] {
  const found = findAll(parseOutputXml(text), attributes.path ?? '');
  const wrong = presence(found.length, 'elements', attributes);
  if (wrong.length > 0 || children.length === 0 || negated(attributes)) return wrong;
  const { attribute } = attributes;
  const chosen = flag(attributes.all, false) ? found : found.slice(0, 1);
  return chosen.flatMap((node) => {
    const held = attribute === undefined || attribute === '' ? xmlText(node) : node.attributes[attribute];
    return held === undefined ? [`there is no attribute ${attribute}`] : inside(held, attributes.path ?? '', children);
  });
}

function properties(text: string, property: string): unknown[] {
  let root: unknown;
  try {
    root = JSON.parse(text) as unknown;
  } catch (error) {
    throw new ContentFault(`it is not JSON: ${(error as Error).message}`);
  }
  const found: unknown[] = [];
  const open = [root];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== 'object' || next === null) continue;
    if (!Array.isArray(next) && Object.hasOwn(next, property)) {
      found.push((next as Record<string, unknown>)[property]);
    }
    open.push(...Object.values(next));
  }
  return found;
}

function jsonValue(text: string, property: string, value: string): string[] {
  let wanted: unknown;
  try {
    wanted = JSON.parse(value) as unknown;
  } catch {
    return [`the value ${value} is not JSON`];
  }
  const found = properties(text, property);
  if (found.some((held) => sorted(held) === sorted(wanted))) return [];
  return [found.length === 0 ? 'there is no such property' : `it is ${JSON.stringify(found[0])?.slice(0, 200)}`];
}

function jsonText(text: string, property: string, wanted: string): string[] {
  const found = properties(text, property);
  if (found.includes(wanted)) return [];
  return [found.length === 0 ? 'there is no such property' : `it is ${JSON.stringify(found[0])?.slice(0, 200)}`];
}

/** The order of an object's keys says nothing. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_key, held: unknown) =>
    typeof held === 'object' && held !== null && !Array.isArray(held)
      ? Object.fromEntries(Object.entries(held).sort(([a], [b]) => (a < b ? -1 : 1)))
      : held,
  );
}

function shown(name: string, attributes: Attributes): string {
  const pairs = Object.entries(attributes).map(([key, value]) => ` ${key}="${value.slice(0, 80)}"`);
  return `${name}${pairs.join('')}`;
}
