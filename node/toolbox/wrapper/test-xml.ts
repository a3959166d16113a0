/**
 * `<tests>` → test cases. A test that cannot be understood is kept with its problem: the tool works, that test does
 * not. Inputs may be nested in `<conditional>`, `<repeat>` and `<section>` or named by path; both become paths.
 */
import type { JsonValue } from '../../../protocol/log/entry.js';
import type { Spot } from '../errors.js';
import {
  type Assertion,
  COMPARES,
  type TestCollection,
  type TestElement,
  type TestExpectation,
  type TestExtraFile,
  type TestInput,
  type TestOutput,
  type TestOutputCollection,
  type TestProblem,
  type ToolTest,
} from './test-case.js';
import { element, elements, flag, type XmlElement } from './wrapper-xml.js';

const DEPTH_MAX = 20;
/** Galaxy's. */
const DELTA = 10_000;
const EPS = 0.01;
const METRIC = 'mae';

export function parseTests(parents: readonly XmlElement[]): ToolTest[] {
  return parents
    .flatMap((parent) => elements(parent, 'test'))
    .map((given, index) => new TestReader(given, index + 1).read());
}

class TestReader {
  private readonly problems: TestProblem[] = [];

  constructor(
    private readonly given: XmlElement,
    private readonly number: number,
  ) {}

  read(): ToolTest {
    const { given } = this;
    return {
      number: this.number,
      spot: spotOf(given),
      problems: this.problems,
      inputs: this.inputs(given, '', 0),
      outputs: elements(given, 'output').flatMap((one) => this.output(one)),
      collections: elements(given, 'output_collection').flatMap((one) => this.outputCollection(one)),
      expectFailure: flag(given.attributes.expect_failure, false),
      expectTestFailure: flag(given.attributes.expect_test_failure, false),
      expectExitCode: this.numeric(given, 'expect_exit_code', true),
      expectNumOutputs: this.numeric(given, 'expect_num_outputs', true),
      maxSeconds: this.numeric(given, 'maxseconds', true),
      command: assertions(element(given, 'assert_command')),
      commandVersion: assertions(element(given, 'assert_command_version')),
      stdout: assertions(element(given, 'assert_stdout')),
      stderr: assertions(element(given, 'assert_stderr')),
    };
  }

  private inputs(parent: XmlElement, prefix: string, depth: number): TestInput[] {
    if (depth > DEPTH_MAX) {
      this.wrong(parent, `inputs are nested more than ${DEPTH_MAX} deep`);
      return [];
    }
    const repeats = new Map<string, number>();
    return elements(parent).flatMap((child): TestInput[] => {
      const { name } = child.attributes;
      switch (child.name) {
        case 'param':
          return this.named(child, name, (known) => [this.input(child, prefix + known)]);
        case 'conditional':
        case 'section':
          return this.named(child, name, (known) => this.inputs(child, `${prefix}${known}|`, depth + 1));
        case 'repeat':
          return this.named(child, name, (known) => {
            const index = repeats.get(known) ?? 0;
            repeats.set(known, index + 1);
            return this.inputs(child, `${prefix}${known}_${index}|`, depth + 1);
          });
        case 'credentials':
          this.wrong(child, 'it needs <credentials>, which this node does not support');
          return [];
        default:
          return [];
      }
    });
  }

  private named<T>(child: XmlElement, name: string | undefined, read: (name: string) => T[]): T[] {
    if (name) return read(name);
    this.wrong(child, `a <${child.name}> without a name`);
    return [];
  }

  private input(given: XmlElement, path: string): TestInput {
    const { name: _, value, values, value_json: json, ftype, dbkey, location, ...attributes } = given.attributes;
    const collection = element(given, 'collection');
    return {
      spot: spotOf(given),
      path,
      value,
      values: values?.split(','),
      json: this.json(given, json),
      ftype,
      dbkey,
      location,
      attributes: { ...attributes },
      metadata: pairs(given, 'metadata', 'name'),
      compositeData: elements(given, 'composite_data').flatMap((one) => one.attributes.value ?? []),
      edits: elements(given, 'edit_attributes').map((one) => ({
        type: one.attributes.type ?? '',
        value: one.attributes.value ?? '',
      })),
      collection: collection && this.collection(collection, 0),
    };
  }

  private collection(given: XmlElement, depth: number): TestCollection {
    const { type = '', name = 'Unnamed Collection' } = given.attributes;
    if (type === '') this.wrong(given, 'a <collection> without a type');
    if (depth > DEPTH_MAX) {
      this.wrong(given, `collections are nested more than ${DEPTH_MAX} deep`);
      return { type, name, elements: [] };
    }
    return {
      type,
      name,
      elements: elements(given, 'element').map((one) => {
        const identifier = one.attributes.name ?? '';
        if (identifier === '') this.wrong(one, 'an <element> without a name');
        const inner = element(one, 'collection');
        if (inner) return { identifier, collection: this.collection(inner, depth + 1) };
        return { identifier, input: this.input(one, identifier) };
      }),
    };
  }

  private output(given: XmlElement): TestOutput[] {
    const { name } = given.attributes;
    return this.named(given, name, (known) => {
      const discovered = elements(given, 'discovered_dataset').map((one) => {
        const { designation = '' } = one.attributes;
        if (designation === '') this.wrong(one, 'a <discovered_dataset> without a designation');
        return { ...this.expectation(one), designation };
      });
      const expected = { ...this.expectation(given), name: known, discovered };
      if (discovered.length === 0) this.checksSomething(given, expected);
      return [expected];
    });
  }

  private outputCollection(given: XmlElement): TestOutputCollection[] {
    const { name, type, ...attributes } = given.attributes;
    return this.named(given, name, (known) => [
      {
        spot: spotOf(given),
        name: known,
        type,
        count: this.numeric(given, 'count', true),
        attributes: { ...attributes },
        elements: this.elements(given, 0),
      },
    ]);
  }

  private elements(given: XmlElement, depth: number): TestElement[] {
    if (depth > DEPTH_MAX) {
      this.wrong(given, `elements are nested more than ${DEPTH_MAX} deep`);
      return [];
    }
    return elements(given, 'element').map((one) => {
      const identifier = one.attributes.name ?? '';
      if (identifier === '') this.wrong(one, 'an <element> without a name');
      const expected = { ...this.expectation(one), identifier, elements: this.elements(one, depth + 1) };
      if (expected.elements.length === 0) this.checksSomething(one, expected);
      return expected;
    });
  }

  private expectation(given: XmlElement): TestExpectation {
    const { attributes } = given;
    const compare = (attributes.compare ?? 'diff').toLowerCase();
    const known = COMPARES.find((one) => one === compare);
    if (!known) this.wrong(given, `compare="${compare}" is not known`);
    const location = attributes.location;
    const file = attributes.file ?? attributes.value ?? location?.split('/').at(-1);
    return {
      spot: spotOf(given),
      file,
      location,
      json: this.json(given, attributes.value_json),
      ftype: attributes.ftype,
      compare: known ?? 'diff',
      linesDiff: this.numeric(given, 'lines_diff', true) ?? 0,
      delta: this.numeric(given, 'delta', true) ?? DELTA,
      deltaFrac: this.numeric(given, 'delta_frac', false),
      sort: flag(attributes.sort, false),
      decompress: flag(attributes.decompress, false),
      md5: attributes.md5,
      checksum: attributes.checksum,
      metric: attributes.metric ?? METRIC,
      eps: this.numeric(given, 'eps', false) ?? EPS,
      pinLabels: attributes.pin_labels,
      count: this.numeric(given, 'count', true),
      metadata: pairs(given, 'metadata', 'name'),
      assertions: assertions(element(given, 'assert_contents')),
      extraFiles: elements(given, 'extra_files').map((one) => this.extraFile(one)),
    };
  }

  private extraFile(given: XmlElement): TestExtraFile {
    const { type = 'file', name } = given.attributes;
    const kind = type === 'directory' ? 'directory' : 'file';
    if (kind === 'file' && name === undefined) this.wrong(given, 'an <extra_files> without a name');
    return { ...this.expectation(given), kind, name };
  }

  /** Galaxy says so too: an output that nothing is expected of is a mistake. */
  private checksSomething(given: XmlElement, expected: TestExpectation): void {
    const { file, md5, checksum, json, assertions: asserted, extraFiles, metadata, ftype, count } = expected;
    const said = file ?? md5 ?? checksum ?? json ?? asserted ?? ftype ?? count;
    // Of a job that is to fail nothing is looked at.
    if (flag(this.given.attributes.expect_failure, false)) return;
    if (said !== undefined || extraFiles.length > 0 || Object.keys(metadata).length > 0) return;
    this.wrong(given, `nothing is expected of <${given.name} name="${given.attributes.name ?? ''}">`);
  }

  private json(given: XmlElement, text: string | undefined): JsonValue | undefined {
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as JsonValue;
    } catch {
      this.wrong(given, 'value_json is not JSON');
      return undefined;
    }
  }

  private numeric(given: XmlElement, name: string, whole: boolean): number | undefined {
    const text = given.attributes[name];
    if (text === undefined) return undefined;
    const number = Number(text);
    if (text.trim() !== '' && (whole ? Number.isInteger(number) : Number.isFinite(number))) return number;
    this.wrong(given, `${name}="${text}" is not a ${whole ? 'whole ' : ''}number`);
    return undefined;
  }

  private wrong(at: XmlElement, message: string): void {
    this.problems.push({ ...spotOf(at), message });
  }
}

function assertions(parent: XmlElement | undefined): Assertion[] | undefined {
  return parent && elements(parent).map(assertion);
}

function assertion(given: XmlElement): Assertion {
  return {
    spot: spotOf(given),
    name: given.name,
    attributes: { ...given.attributes },
    children: elements(given).map(assertion),
  };
}

function pairs(parent: XmlElement, child: string, key: string): Record<string, string> {
  return Object.fromEntries(
    elements(parent, child).map((one) => [one.attributes[key] ?? '', one.attributes.value ?? '']),
  );
}

function spotOf({ file, line }: Spot): Spot {
  return { file, line };
}
