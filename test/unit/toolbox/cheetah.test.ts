// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Cheetah's placeholders, not JavaScript's
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileExpression, compileTemplate, TemplateError } from '../../../node/toolbox/cheetah/template.js';
import { Float, TemplateObject, type Value } from '../../../node/toolbox/cheetah/values.js';
import { jsonValue } from '../../../node/toolbox/template-values.js';
import type { JsonObject } from '../../../protocol/log/entry.js';

interface Table {
  names: JsonObject;
  cases: [template: string, output: string][];
}

/** Every output in it is what Cheetah 3.3 itself gives. */
const table = JSON.parse(readFileSync(new URL('./cheetah-table.json', import.meta.url), 'utf8')) as Table;
const names = new Map(Object.entries(table.names).map(([name, value]) => [name, jsonValue(value)]));
const place = { file: 'tool.xml', line: 10 };

function faultOf(work: () => unknown): TemplateError {
  try {
    work();
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a template renders what Cheetah renders', () => {
  it.each(table.cases)('%j', (template, output) => {
    expect(compileTemplate(template, place).render(names)).toBe(output);
  });
});

describe('a construct that is not supported is refused by name when the template is compiled', () => {
  it.each([
    ['a\n#import re\n', 11, '#import'],
    ['#from os import path\n', 10, '#from'],
    ['#def f\n#end def\n', 10, '#def'],
    ['a\nb\n  #try\n#end try', 12, '#try'],
    ['#include "x"\n', 10, '#include'],
    ['#extends x\n', 10, '#extends'],
    ['#assert $x\n', 10, '#assert'],
    ['#raise Exception\n', 10, '#raise'],
    ['#@staticmethod\n', 10, '#@'],
    ['<% x %>', 10, '<%'],
    ['$!x', 10, '$!name'],
    ['\n${open("/etc/passwd")}', 11, 'open()'],
    ['${eval("1")}', 10, 'eval()'],
    ['${__import__("os")}', 10, '__import__()'],
    ['${getattr($x, "y")}', 10, 'getattr()'],
    ['${(lambda: 1)()}', 10, 'lambda'],
    ['${{i: 1 for i in $letters}}', 10, 'dictionary comprehension'],
    ['${f"a"}', 10, 'f-strings'],
    ['${b"a"}', 10, 'b-strings'],
    ['${1 <> 2}', 10, '<>'],
    ['${1 | 2}', 10, "'|'"],
    ['${f(*$letters)}', 10, '*arguments'],
    ['${0777}', 10, '0777'],
    ['#set global $x = 1\n', 10, '#set global'],
  ])('%j', (template, line, name) => {
    const fault = faultOf(() => compileTemplate(template, place));
    expect([fault.fault, fault.line, fault.file]).toEqual(['unsupported', line, 'tool.xml']);
    expect(fault.reason).toContain(name);
  });
});

describe('a malformed template is refused with the line of the mistake', () => {
  it.each([
    ['#if $x\na\n', 10, "'#if' without '#end if'"],
    ['a\n#end if\n', 11, "'#end' without its beginning"],
    ['#for $i in $letters\n#end if\n', 11, "expected '#end for'"],
    ['a\n${x', 11, "expected '}'"],
    ['#if $x ==\n#end if', 10, 'expected a value'],
    ['#set $x\n', 10, "expected '='"],
    ['${"open}', 10, 'does not end'],
    ['#for $i of $letters\n#end for', 10, "expected 'in'"],
    ['#* never closed', 10, '*#'],
    ['#if $x\n#else\n#else\n#end if', 12, "after '#else'"],
  ])('%j', (template, line, reason) => {
    const fault = faultOf(() => compileTemplate(template, place));
    expect([fault.fault, fault.line]).toEqual(['syntax', line]);
    expect(fault.reason).toContain(reason);
  });
});

describe('what goes wrong while rendering names the line and the reason', () => {
  it.each([
    ['a\n$nothing', 11, 'missing', "there is no 'nothing'"],
    ['\n\n$d.zz', 12, 'missing', "no attribute 'zz'"],
    ['$letters[7]', 10, 'missing', 'out of range'],
    ['${$d["zz"]}', 10, 'missing', "no key 'zz'"],
    ['${1 / 0}', 10, 'type', 'division by zero'],
    ['${"a" + 1}', 10, 'type', "'+' does not work on 'str' and 'int'"],
    ['${1 < "a"}', 10, 'type', 'cannot be ordered'],
    ['${len(5)}', 10, 'type', 'no len()'],
    ['${int("x")}', 10, 'type', "invalid literal for int() with base 10: 'x'"],
    ['#for $i in 5\n#end for', 10, 'type', 'not iterable'],
    ['#set $a, $b = [1]\n', 10, 'type', '1 values for 2 names'],
    ['${{[]: 1}}', 10, 'type', 'unhashable'],
    ['${"-".join([1])}', 10, 'type', 'write str(…)'],
    ['${2 ** 60}', 10, 'limit', '2**53'],
  ])('%j', (template, line, kind, reason) => {
    const fault = faultOf(() => compileTemplate(template, place).render(names));
    expect([fault.fault, fault.line]).toEqual([kind, line]);
    expect(fault.reason).toContain(reason);
  });
});

describe('limits', () => {
  const limits = { stepsMax: 10_000, outputCharsMax: 1000, valueUnitsMax: 1000 };
  it.each([
    ['#while 1\n#end while', 'steps'],
    ['#for $a in range(900)\n#for $b in range(900)\n#silent $a\n#end for\n#end for', 'steps'],
    ['#for $a in range(900)\nlong enough\n#end for', 'characters of output'],
    ['${"a" * 2000}', 'characters or items'],
    ['${[0] * 2000}', 'characters or items'],
    ['${list(range(10 ** 12))}', 'characters or items'],
    ['#set $s = "ab"\n#for $i in range(60)\n#set $s = $s + $s\n#end for', 'characters or items'],
    ['#set $s = "ab"\n#for $i in range(60)\n#set $s = $s.replace("a", "aa")\n#end for', 'characters or items'],
    ['${"%9000000d" % 1}', 'format width'],
    ['${"a".ljust(10 ** 9)}', 'characters or items'],
    ['#set $l = []\n#silent $l.append($l)\n$l', 'nested'],
  ])('%j ends with a named limit', (template, name) => {
    const fault = faultOf(() => compileTemplate(template, place).render(names, limits));
    expect(fault.fault).toBe('limit');
    expect(fault.reason).toContain(name);
  });

  it.each(['('.repeat(5000), `\${${'['.repeat(5000)}`, '#if 1\n'.repeat(5000), `\${${'not '.repeat(5000)}1}`])(
    'deep nesting is refused and not a crash (%#)',
    (template) => {
      const source = template.startsWith('(') ? `\${${template}` : template;
      expect(['limit', 'syntax']).toContain(faultOf(() => compileTemplate(source, place)).fault);
    },
  );
});

describe('nothing but the given names can be reached', () => {
  class Secretive extends TemplateObject {
    readonly typeName = 'Secretive';
    readonly password = 'hunter2';
    text(): string {
      return 'secretive';
    }
    attribute(name: string): Value | undefined {
      return name === 'shown' ? 'yes' : undefined;
    }
  }
  const object = new Map<string, Value>([['o', new Secretive()], ...names]);

  it.each([
    '$o.password',
    '$o.constructor',
    '$o.__proto__',
    '$o.__class__',
    '${$o["password"]}',
    '$name.constructor',
    '$name.length',
    '$letters.constructor',
    '$letters.length',
    '$letters.__proto__',
    '$d.constructor',
    '$d.__proto__',
    '$d.toString',
    '$d.entries',
    '${"".__class__}',
    '${len.__globals__}',
    '${len.call}',
    '$constructor',
    '$__proto__',
    '$toString',
    '$hasOwnProperty',
    '${process}',
    '${globalThis}',
    '${require("fs")}',
  ])('%s is not there', (template) => {
    // A function after a `$` is called first, which fails by itself.
    expect(faultOf(() => compileTemplate(template, place).render(object)).fault).toMatch(/^(?:missing|type)$/);
  });

  it('what an object shows is there', () => {
    expect(compileTemplate('$o.shown $o', place).render(object)).toBe('yes secretive');
  });

  it('a key named __proto__ is a key like any other', () => {
    const template = '#set $m = {"__proto__": 1}\n$m["__proto__"] ${{}.get("polluted")}';
    expect(compileTemplate(template, place).render(names)).toBe('1 ');
  });
});

describe('Python keywords may be names after a $ or a dot', () => {
  it.each([
    ['$in', 'keyword'],
    ['$k.from $k.in $k.class', '1 2 3'],
    ['#if $in == "keyword" and $k.from == 1\nok\n#end if\n', 'ok\n'],
  ])('%j', (template, output) => {
    const given = new Map<string, Value>([...names, ['k', jsonValue({ from: 1, in: 2, class: 3 })]]);
    expect(compileTemplate(template, place).render(given)).toBe(output);
  });
});

describe('an expression over bare names', () => {
  const given = new Map<string, Value>([
    ['mode', 'full'],
    ['type', 'x'],
    ['cond', jsonValue({ sel: 'yes', inner: { n: 3 } })],
    ['options', ['a', 'b']],
    ['flag', true],
    ['none', null],
    ['ratio', new Float(0.5)],
  ]);
  it.each([
    ['mode == "full"', true],
    ['cond["sel"] == "yes" and cond["inner"]["n"] > 2', true],
    ['"a" in options or flag is False', true],
    ['not flag', false],
    ['flag is True', true],
    ['none is None', true],
    ['ratio < 1', true],
    ['type == "x"', true],
    ['\n  mode != "full"\n  or "b" in options\n', true],
    ["'c' not in options and len(options) == 2", true],
  ])('%j', (source, value) => {
    expect(compileExpression(source, place).evaluate(given)).toBe(value);
  });

  it('refuses what follows it', () => {
    expect(faultOf(() => compileExpression('a b', place)).reason).toContain("unexpected 'b'");
  });
});

describe('whatever the text', () => {
  const chunk = fc.constantFrom(
    '$x',
    '${',
    '}',
    '#if ',
    '#end if',
    '#for $i in ',
    '$letters',
    '#',
    '##',
    '\n',
    ' ',
    '(',
    ')',
    '[',
    ']',
    '"',
    "'",
    ':',
    'a',
    '.',
    ',',
    '1',
    '==',
    ' in ',
    '#else',
    '#set $a = ',
    '\\$',
    '#end for',
    '%',
    '*',
    '-',
    '$',
    '\\',
    '{',
    'not ',
    '=',
  );
  it('a template renders or fails with a place, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 25 }), (parts) => {
        try {
          const limits = { stepsMax: 5000, outputCharsMax: 10_000, valueUnitsMax: 10_000 };
          expect(typeof compileTemplate(parts.join(''), place).render(names, limits)).toBe('string');
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateError);
          expect((error as TemplateError).line).toBeGreaterThanOrEqual(10);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('text without $, #, \\ and < is its own rendering', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!/[$#\\<]/.test(text));
        expect(compileTemplate(text, place).render(names)).toBe(text);
      }),
    );
  });
});

it('the interpreter imports nothing of the rest of the node', () => {
  const folder = new URL('../../../node/toolbox/cheetah/', import.meta.url);
  const sources = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  const imports = sources.flatMap((name) => {
    const text = readFileSync(new URL(name, folder), 'utf8');
    return [...text.matchAll(/from '([^']+)'/g)].map((found) => found[1] ?? '');
  });
  expect(imports.length).toBeGreaterThan(10);
  expect(imports.filter((path) => !/^\.\/[a-z]+\.js$/.test(path))).toEqual([]);
});
