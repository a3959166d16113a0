import { describe, expect, it } from 'vitest';
import { inputNames, parseExpressions } from '../../../node/toolbox/user-tool/expression.js';

const START = { file: 'tool.yml', line: 10 };

function parse(text: string): (string | { kind: string; code: string; line: number })[] {
  return parseExpressions(text, START, true).map((part) =>
    'text' in part
      ? part.text
      : { kind: part.expression.kind, code: part.expression.code, line: part.expression.spot.line },
  );
}

const codes = (text: string) => parse(text).flatMap((part) => (typeof part === 'string' ? [] : [part.code]));

describe('the expressions of a text', () => {
  it('are what stands in $(…) and ${…}, with the line they begin in', () => {
    expect(parse('cat $(inputs.a.path)\nsort ${ return 1; } x')).toEqual([
      'cat ',
      { kind: 'expression', code: 'inputs.a.path', line: 10 },
      '\nsort ',
      { kind: 'body', code: ' return 1; ', line: 11 },
      ' x',
    ]);
  });

  it.each([
    ['brackets', '$(f((1), [2, {a: 3}]))', 'f((1), [2, {a: 3}])'],
    ['a bracket in a text', `$(a + ")" + '(')`, `a + ")" + '('`],
    ['an escaped quote', `$("\\")" + 1)`, `"\\")" + 1`],
    [
      'a template text with values in it',
      '$(x.map((i) => `\'${i.path})\'`).join(" "))',
      'x.map((i) => `\'${i.path})\'`).join(" ")',
    ],
    ['a template in a template', '$(`a${`b${1})`})`)', '`a${`b${1})`})`'],
    ['a pattern', `$(a.replace(/[/)'"]+\\)/g, ""))`, `a.replace(/[/)'"]+\\)/g, "")`],
    ['a division', '$((a / b) / c)', '(a / b) / c'],
    ['comments', '$(1 /* ) */ + 2 // )\n)', '1 /* ) */ + 2 // )\n'],
  ])('end behind %s', (_, text, code) => {
    expect(codes(`a ${text} z`)).toEqual([code]);
    expect(parse(`a ${text} z`).at(-1)).toBe(' z');
  });

  it('are not where a backslash stands before them, and a backslash of its own stays one', () => {
    expect(parse('\\$(date) \\${HOME} \\\\$(inputs.a) $HOME \\n')).toEqual([
      '$(date) ${HOME} \\',
      { kind: 'expression', code: 'inputs.a', line: 10 },
      ' $HOME \\n',
    ]);
  });

  it.each([
    ['an expression that does not end', 'x\n$(inputs.a', 11],
    ['closes nothing', 'x\n\n$(inputs.a])', 12],
    ['a text in an expression that does not end', '$("a)', 10],
    ['a template text in an expression that does not end', '$(`a)', 10],
    ['a comment in an expression that does not end', '$(1 /* )', 10],
    ['a pattern in an expression that does not end', '$(a.split(/b)', 10],
    ['an expression that holds nothing', '$( )', 10],
  ])('are refused by line: %s', (reason, text, line) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({
        code: 'toolbox/wrapper',
        data: expect.objectContaining({ line, reason: expect.stringContaining(reason) }),
      }),
    );
  });

  it('are at most 200 in a text', () => {
    expect(codes('$(1)'.repeat(200))).toHaveLength(200);
    expect(() => parse('$(1)'.repeat(201))).toThrow('more than 200 expressions');
  });

  it('name the inputs that they use', () => {
    expect(inputNames('inputs.a.path + my.inputs.b + inputs.c_1[0]')).toEqual(['a', 'c_1']);
  });
});
