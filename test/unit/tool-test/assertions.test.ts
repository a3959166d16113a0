import { describe, expect, it } from 'vitest';
import { assertionNames, checkAssertions } from '../../../node/tool-test/assertions.js';
import { ProducedFile } from '../../../node/tool-test/produced.js';
import type { Assertion } from '../../../node/toolbox/wrapper/test-case.js';
import { tarOf, zipOf } from './archives.js';

const spot = { file: 't.xml', line: 1 };

function assertion(name: string, attributes: Record<string, string> = {}, children: Assertion[] = []): Assertion {
  return { spot, name, attributes, children };
}

function holds(content: string | Buffer, ...assertions: Assertion[]): boolean {
  const { problems, notRun } = checkAssertions(new ProducedFile(Buffer.from(content), 'out'), assertions);
  expect(notRun).toEqual([]);
  return problems.length === 0;
}

const TEXT = 'chr1\t10\nchr2\t20\nchr2\t30\n';

describe('of texts', () => {
  it.each<[string, Record<string, string>, boolean]>([
    ['has_text', { text: 'chr2' }, true],
    ['has_text', { text: 'chr3' }, false],
    ['has_text', { text: 'chr2', n: '2' }, true],
    ['has_text', { text: 'chr2', n: '3' }, false],
    ['has_text', { text: 'chr2', n: '3', delta: '1' }, true],
    ['has_text', { text: 'chr2', min: '1', max: '2' }, true],
    ['has_text', { text: 'chr2', max: '1' }, false],
    ['has_text', { text: 'chr3', negate: 'true' }, true],
    ['has_text', { text: 'chr2', n: '2', negate: 'true' }, false],
    ['not_has_text', { text: 'chr3' }, true],
    ['not_has_text', { text: 'chr2' }, false],
    ['has_text_matching', { expression: 'chr\\d\\t3' }, true],
    ['has_text_matching', { expression: '^chr2' }, false],
    ['has_text_matching', { expression: 'chr\\d', n: '3' }, true],
    ['has_line', { line: 'chr2\t20' }, true],
    ['has_line', { line: 'chr2' }, false],
    ['has_line_matching', { expression: 'chr2\\t\\d+', n: '2' }, true],
    ['has_line_matching', { expression: 'chr2' }, false],
    ['has_n_lines', { n: '3' }, true],
    ['has_n_lines', { n: '1', delta: '1' }, false],
    ['has_n_lines', { min: '2' }, true],
    ['has_n_columns', { n: '2' }, true],
    ['has_n_columns', { n: '1', sep: ',' }, true],
    ['has_size', { value: '24' }, true],
    ['has_size', { size: '20', delta: '4' }, true],
    ['has_size', { min: '1k' }, false],
    ['has_size', { max: '1Ki' }, true],
  ])('%s %o is %s', (name, attributes, expected) => {
    expect(holds(TEXT, assertion(name, attributes))).toBe(expected);
  });

  it('lines are those of Python: a form feed ends one as well, and nothing has none', () => {
    expect(holds('a\fb\nc', assertion('has_n_lines', { n: '3' }))).toBe(true);
    expect(holds('a\r\nb\r\n', assertion('has_n_lines', { n: '2' }))).toBe(true);
    expect(holds('', assertion('has_n_lines', { n: '0' }))).toBe(true);
  });

  it('columns are counted in the first line that is neither empty nor a comment', () => {
    const table = '# one\n! two\n\na\tb\tc\n';
    expect(holds(table, assertion('has_n_columns', { n: '3', comment: '#!' }))).toBe(true);
    expect(holds(table, assertion('has_n_columns', { n: '1' }))).toBe(true);
    expect(holds('', assertion('has_n_columns', { n: '1' }))).toBe(true);
  });
});

describe('of archives', () => {
  const members = [
    ['b/two.txt', 'second'],
    ['a/one.txt', 'first'],
  ] as const;
  it.each([
    ['zip', zipOf(members)],
    ['tar', tarOf(members)],
  ])('a %s is asked for members, and the first by name for what it holds', (_, archive) => {
    const first = assertion('has_text', { text: 'first' });
    const second = assertion('has_text', { text: 'second' });
    expect(holds(archive, assertion('has_archive_member', { path: 'a/one.txt' }))).toBe(true);
    expect(holds(archive, assertion('has_archive_member', { path: 'one.txt' }))).toBe(false);
    expect(holds(archive, assertion('has_archive_member', { path: '.*txt', n: '2' }))).toBe(true);
    expect(holds(archive, assertion('has_archive_member', { path: '.*txt' }, [first]))).toBe(true);
    expect(holds(archive, assertion('has_archive_member', { path: '.*txt' }, [second]))).toBe(false);
    expect(holds(archive, assertion('has_archive_member', { path: '.*txt', all: 'true' }, [first]))).toBe(false);
    expect(holds(archive, assertion('has_archive_member', { path: 'c', negate: 'true' }))).toBe(true);
  });

  it('a text is none', () => {
    expect(holds('x', assertion('has_archive_member', { path: '.*' }))).toBe(false);
  });
});

describe('of XML', () => {
  const xml = '<r><a k="1">one</a><a k="2">two</a></r>';
  it.each<[string, Record<string, string>, boolean]>([
    ['is_valid_xml', {}, true],
    ['has_element_with_path', { path: 'a' }, true],
    ['has_element_with_path', { path: 'b' }, false],
    ['has_n_elements_with_path', { path: 'a', n: '2' }, true],
    ['has_n_elements_with_path', { path: 'a', n: '1' }, false],
    ['element_text_is', { path: 'a', text: 'one' }, true],
    ['element_text_is', { path: 'a', text: 'two' }, false],
    ['element_text_matches', { path: 'a[2]', expression: 't.o' }, true],
    ['attribute_is', { path: 'a', attribute: 'k', text: '1' }, true],
    ['attribute_matches', { path: 'a', attribute: 'k', expression: '[2-9]' }, false],
    ['attribute_is', { path: 'a', attribute: 'none', text: '' }, false],
  ])('%s %o is %s', (name, attributes, expected) => {
    expect(holds(xml, assertion(name, attributes))).toBe(expected);
  });

  it('what is within an assertion is asked of the text or the attribute', () => {
    const one = assertion('has_text', { text: 'one' });
    expect(holds(xml, assertion('element_text', { path: 'a' }, [one]))).toBe(true);
    expect(holds(xml, assertion('element_text', { path: 'a[2]' }, [one]))).toBe(false);
    expect(holds(xml, assertion('xml_element', { path: 'a', n: '2' }, [one]))).toBe(true);
    expect(holds(xml, assertion('xml_element', { path: 'a', all: 'true' }, [one]))).toBe(false);
    const two = assertion('has_text', { text: '2' });
    expect(holds(xml, assertion('xml_element', { path: 'a[2]', attribute: 'k' }, [two]))).toBe(true);
  });

  it('what is no XML fails', () => {
    expect(holds('<r>', assertion('is_valid_xml'))).toBe(false);
  });
});

describe('of JSON', () => {
  const json = '{"a": {"n": [1, {"k": 2, "j": 1}]}, "t": "text"}';
  it.each<[string, Record<string, string>, boolean]>([
    ['has_json_property_with_value', { property: 'k', value: '2' }, true],
    ['has_json_property_with_value', { property: 'n', value: '[1, {"j": 1, "k": 2}]' }, true],
    ['has_json_property_with_value', { property: 'k', value: '"2"' }, false],
    ['has_json_property_with_text', { property: 't', text: 'text' }, true],
    ['has_json_property_with_text', { property: 't', text: 'other' }, false],
  ])('%s %o is %s', (name, attributes, expected) => {
    expect(holds(json, assertion(name, attributes))).toBe(expected);
  });
});

describe('what cannot be asked', () => {
  const check = (one: Assertion) => checkAssertions(new ProducedFile(Buffer.from('x'), 'out'), [one]);

  it('because a library is missing: the test is not run, and says so', () => {
    expect(check(assertion('has_h5_keys', { keys: 'a' }))).toEqual({
      problems: [],
      notRun: ['has_h5_keys needs HDF5'],
    });
    expect(check(assertion('has_image_width', { width: '1' })).notRun).toEqual([
      'has_image_width needs an image library',
    ]);
  });

  it('because it is not known, or lacks its attribute: the test fails', () => {
    expect(check(assertion('has_txt')).problems).toEqual(['has_txt: the assertion is not known']);
    expect(check(assertion('has_line')).problems).toEqual(['has_line: it has no line']);
    expect(check(assertion('has_n_lines', { n: 'x' })).problems).toEqual(['has_n_lines n="x": n="x" is not a number']);
    expect(check(assertion('has_text_matching', { expression: '(' })).problems[0]).toContain(
      'not a regular expression',
    );
  });

  it('is not in the list of those that are known', () => {
    expect(assertionNames()).toContain('has_archive_member');
    expect(assertionNames()).not.toContain('has_h5_keys');
  });
});
