/**
 * `tests:` of a user tool, in the words of `<test>`: one reader and one runner for both formats. What has no such words
 * becomes a problem of that test, and the tool works.
 */
import { printable } from '../../../protocol/runtime/errors.js';
import type { LoadedParameter } from '../loaded.js';
import type { ToolTest } from '../wrapper/test-case.js';
import { parseTests } from '../wrapper/test-xml.js';
import type { XmlElement } from '../wrapper/wrapper-xml.js';
import { ElementWriter } from './elements.js';
import type { Path, YamlSource } from './yaml-source.js';

type Fields = Record<string, unknown>;

const KNOWN = new Set([
  'doc',
  'inputs',
  'outputs',
  'command',
  'stdout',
  'stderr',
  'expect_exit_code',
  'expect_failure',
  'expect_num_outputs',
  'expect_test_failure',
]);
const DEPTH_MAX = 20;

export function readTests(
  given: readonly Fields[],
  parameters: readonly LoadedParameter[],
  source: YamlSource,
): ToolTest[] {
  const problems: string[][] = [];
  const written = given.map((test, index) => {
    const writer = new TestWriter(source);
    const element = writer.test(test, parameters, ['tests', index]);
    problems.push(writer.problems);
    return element;
  });
  const parent = new ElementWriter(source).make('tests', ['tests'], {}, written);
  return parseTests([parent]).map((test, index) => ({
    ...test,
    problems: [...test.problems, ...(problems[index] ?? []).map((message) => ({ ...test.spot, message }))],
  }));
}

class TestWriter {
  readonly problems: string[] = [];
  private readonly writer: ElementWriter;

  constructor(source: YamlSource) {
    this.writer = new ElementWriter(source);
  }

  test(test: Fields, parameters: readonly LoadedParameter[], path: Path): XmlElement {
    for (const key of Object.keys(test)) if (!KNOWN.has(key)) this.wrong(`the field "${key}" is not known`);
    const { expect_exit_code, expect_failure, expect_num_outputs, expect_test_failure } = test;
    const attributes = { expect_exit_code, expect_failure, expect_num_outputs, expect_test_failure };
    return this.writer.make('test', path, scalars(attributes), [
      ...this.group(fieldsOf(test.inputs), parameters, [...path, 'inputs'], 0),
      ...named(test.outputs).map(([name, value], index) => this.output(name, value, [...path, 'outputs', index])),
      ...(['command', 'stdout', 'stderr'] as const).flatMap((name) =>
        test[name] === undefined ? [] : [this.asserted(`assert_${name}`, test[name], [...path, name])],
      ),
    ]);
  }

  private group(given: Fields, parameters: readonly LoadedParameter[], path: Path, depth: number): XmlElement[] {
    if (depth > DEPTH_MAX) {
      this.wrong('its inputs are nested too deeply');
      return [];
    }
    return Object.entries(given).flatMap(([name, value]) => {
      const parameter = parameters.find((one) => one.name === name);
      const at = [...path, name];
      if (!parameter) {
        this.wrong(`there is no input "${name}"`);
        return [];
      }
      switch (parameter.type) {
        case 'conditional': {
          const all = [
            ...(parameter.test ? [parameter.test] : []),
            ...(parameter.cases ?? []).flatMap(({ inputs }) => inputs),
          ];
          return [this.writer.make('conditional', at, { name }, this.group(fieldsOf(value), all, at, depth + 1))];
        }
        case 'section': {
          const inner = this.group(fieldsOf(value), parameter.inputs ?? [], at, depth + 1);
          return [this.writer.make('section', at, { name }, inner)];
        }
        case 'repeat':
          return (Array.isArray(value) ? value : []).map((one, index) => {
            const inner = this.group(fieldsOf(one), parameter.inputs ?? [], [...at, index], depth + 1);
            return this.writer.make('repeat', [...at, index], { name }, inner);
          });
        case 'data':
          return [this.data(name, value, at)];
        case 'data_collection':
          return [this.writer.make('param', at, { name }, [this.collection(fieldsOf(value), at, depth)])];
        default:
          return [this.plain(name, value, at)];
      }
    });
  }

  private plain(name: string, value: unknown, path: Path): XmlElement {
    const isList = Array.isArray(value) || value === null;
    const attributes = isList ? { value_json: JSON.stringify(value) } : { value: String(value) };
    return this.writer.make('param', path, { name, ...attributes });
  }

  /** A file's name, a list of them, or Galaxy's `{class: File, path}`. */
  private data(name: string, value: unknown, path: Path): XmlElement {
    if (Array.isArray(value)) {
      const files = value.map((one) => fileOf(one)?.value).filter((one) => one !== undefined);
      if (files.length < value.length) this.wrong(`a file of "${name}" is not named`);
      return this.writer.make('param', path, { name, value: files.join(',') });
    }
    const file = fileOf(value);
    if (!file && value !== null) this.wrong(`the file of "${name}" is not named`);
    const called = fieldsOf(value).name;
    const edits =
      typeof called === 'string' ? [this.writer.make('edit_attributes', path, { type: 'name', value: called })] : [];
    return this.writer.make('param', path, { ...file, name }, edits);
  }

  private collection(given: Fields, path: Path, depth: number): XmlElement {
    if (depth > DEPTH_MAX) this.wrong('its collections are nested too deeply');
    const { collection_type: type, name, elements } = given;
    const inner = (depth > DEPTH_MAX ? [] : named(elements, 'identifier')).map(([identifier, value], index) => {
      const at = [...path, 'elements', index];
      const fields = fieldsOf(value);
      if (fields.class === 'Collection' || fields.elements !== undefined) {
        return this.writer.make('element', at, { name: identifier }, [this.collection(fields, at, depth + 1)]);
      }
      return this.writer.make('element', at, { ...fileOf(value), name: identifier });
    });
    return this.writer.make('collection', path, scalars({ type, name }), inner);
  }

  private output(name: string, value: unknown, path: Path): XmlElement {
    if (typeof value === 'string') return this.writer.make('output', path, { name, file: value });
    const { asserts, elements, metadata, class: kind, path: file, element_count: count, ...fields } = fieldsOf(value);
    const children = [
      ...(asserts === undefined ? [] : [this.asserted('assert_contents', asserts, [...path, 'asserts'])]),
      ...named(metadata).map(([key, one]) => this.writer.make('metadata', path, { name: key, value: String(one) })),
    ];
    const isCollection = kind === 'Collection' || elements !== undefined || count !== undefined;
    const attributes = { ...scalars(fields), ...scalars({ file: fields.file ?? file, count: fields.count ?? count }) };
    if (!isCollection) return this.writer.make('output', path, { ...attributes, name }, children);
    const inner = named(elements, 'identifier').map(([identifier, one], index) =>
      this.element(identifier, one, [...path, 'elements', index], 0),
    );
    const { collection_type: type, ...rest } = attributes;
    return this.writer.make('output_collection', path, { ...rest, type, name }, inner);
  }

  private element(identifier: string, value: unknown, path: Path, depth: number): XmlElement {
    const { elements, ...fields } = fieldsOf(value);
    const own = this.output(identifier, fields, path);
    const inner = (depth > DEPTH_MAX ? [] : named(elements, 'identifier')).map(([name, one], index) =>
      this.element(name, one, [...path, 'elements', index], depth + 1),
    );
    return { ...own, name: 'element', children: [...own.children, ...inner] };
  }

  /** `[{that: has_line, line: x}]`, `[{has_line: {line: x}}]` and `{has_line: {line: x}}`. */
  private asserted(name: string, given: unknown, path: Path): XmlElement {
    return this.writer.make(name, path, {}, this.assertions(given, path, 0));
  }

  private assertions(given: unknown, path: Path, depth: number): XmlElement[] {
    if (depth > DEPTH_MAX) return [];
    const list = Array.isArray(given) ? given.map((one, index) => ({ one, at: [...path, index] })) : [];
    if (!Array.isArray(given))
      for (const [key, one] of named(given)) list.push({ one: { [key]: one }, at: [...path, key] });
    return list.flatMap(({ one, at }) => {
      const fields = fieldsOf(one);
      const pairs: [string, Fields][] =
        typeof fields.that === 'string'
          ? [[fields.that, fields]]
          : Object.entries(fields).map(([key, value]) => [key, fieldsOf(value)]);
      return pairs.map(([that, { that: _, asserts, children, ...attributes }]) =>
        this.writer.make(that, at, scalars(attributes), this.assertions(asserts ?? children ?? [], at, depth + 1)),
      );
    });
  }

  private wrong(message: string): void {
    this.problems.push(printable(message));
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** `{a: …}` or `[{name: a, …}]`. */
function named(value: unknown, key = 'name'): [string, unknown][] {
  if (!Array.isArray(value)) return Object.entries(fieldsOf(value));
  return value.map((one) => {
    const { [key]: name, ...rest } = fieldsOf(one);
    return [String(name ?? ''), rest];
  });
}

function scalars(fields: Fields): Record<string, string | number | boolean> {
  const kept: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') kept[key] = value;
  }
  return kept;
}

function fileOf(value: unknown): Record<string, string | undefined> | undefined {
  if (typeof value === 'string') return { value };
  const { path, location, filetype, dbkey } = scalars(fieldsOf(value));
  if (path === undefined && location === undefined) return undefined;
  const text = (one: unknown) => (one === undefined ? undefined : String(one));
  return {
    value: text(path),
    location: text(location),
    ftype: text(filetype),
    dbkey: text(dbkey),
  };
}
