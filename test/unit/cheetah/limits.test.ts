import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileTemplate, TemplateError } from '../../../node/toolbox/cheetah/template.js';
import { faultOf, namesOf, place, render, tableNames } from './render.js';

const limits = { stepsMax: 20_000, outputCharsMax: 1000, valueUnitsMax: 1000, callDepthMax: 30 };

describe('a template that would not end, or grow without end, is stopped', () => {
  it.each([
    ['#while 1\n#end while', 'steps'],
    ['#while 1\n#try\n#while 1\n#end while\n#except\n#end try\n#end while', 'steps'],
    ['#set $l = [1]\n#for $i in $l\n#silent $l.append(1)\n#end for', 'characters or items'],
    ['#for $a in range(900)\n#for $b in range(900)\n#silent $a\n#end for\n#end for', 'steps'],
    ['#repeat 10 ** 9\n#end repeat', 'steps'],
    ['#for $i in range(10 ** 12)\n#end for', 'steps'],
    ['#import itertools\n#for $i in itertools.count()\n#end for', 'steps'],
    ['#import itertools\n${len(list(itertools.cycle([1])))}', 'characters or items'],
    ['#import itertools\n${list(itertools.permutations(range(12)))}', 'characters or items'],
    ['#import itertools\n${sum(1 for x in itertools.product(range(99), repeat=9))}', 'characters or items'],
    ['${sum(x for x in iter(range(10 ** 12)))}', 'steps'],
    ['${(10 ** 12 in (x for x in range(10 ** 13)))}', 'steps'],
    ['#set $l = []\n#for $i in range(40)\n#set $l = [$l, $l]\n#end for\n${(l == l + [1])} $l', 'characters'],
    [
      '#set $a = []\n#set $b = []\n#for $i in range(40)\n#set $a = [$a, $a]\n#set $b = [$b, $b]\n#end for\n${(a == b)}',
      'steps',
    ],
    ['#set $t = ()\n#for $i in range(60)\n#set $t = ($t, $t)\n#end for\n${{t: 1}}', 'key'],
    [
      '#import json\n#set $l = []\n#for $i in range(40)\n#set $l = [$l, $l]\n#end for\n${json.dumps($l)}',
      'characters or items',
    ],
    ['#for $a in range(900)\nlong enough\n#end for', 'characters of output'],
    ['#def f\n#for $a in range(900)\nlong enough\n#end for\n#end def\n#silent $f()', 'characters of output'],
    ['${"a" * 2000}', 'characters or items'],
    ['${"a" * 10 ** 9}', 'characters or items'],
    ['${[0] * 10 ** 15}', 'characters or items'],
    ['${(0,) * 2000}', 'characters or items'],
    ['${list(range(10 ** 12))}', 'characters or items'],
    ['${[x for x in range(5000)]}', 'characters or items'],
    ['${{x: x for x in range(5000)}}', 'characters or items'],
    ['#set $s = "ab"\n#for $i in range(60)\n#set $s = $s + $s\n#end for', 'characters or items'],
    ['#set $s = "ab"\n#for $i in range(60)\n#set $s += $s\n#end for', 'characters or items'],
    ['#set $s = "ab"\n#for $i in range(60)\n#set $s = $s.replace("a", "aa")\n#end for', 'characters or items'],
    ['#set $s = "ab"\n#for $i in range(60)\n#set $s = $s.replace("", "xx")\n#end for', 'characters or items'],
    ['#set $s = "ab"\n#for $i in range(60)\n#set $s = $s.join(["a"] * 10)\n#end for', 'characters or items'],
    ['#set $s = "ab"\n#for $i in range(60)\n#set $s = "%s%s" % ($s, $s)\n#end for', 'characters or items'],
    ['#set $s = "ab"\n#for $i in range(60)\n#set $s = "{0}{0}".format($s)\n#end for', 'characters or items'],
    ['#set $s = "ab"\n#for $i in range(60)\n#set $s = f"{s}{s}"\n#end for', 'characters or items'],
    [
      '#import re\n#set $s = "ab"\n#for $i in range(60)\n#set $s = $re.sub("a", "aa", $s)\n#end for',
      'characters or items',
    ],
    ['#set $l = [1]\n#for $i in range(60)\n#silent $l.extend($l)\n#end for', 'characters or items'],
    ['#set $l = [1]\n#for $i in range(60)\n#set $l += $l\n#end for', 'characters or items'],
    ['#set $l = [1]\n#for $i in range(60)\n#set $l = $l + $l\n#end for', 'characters or items'],
    ['${"%9000000d" % 1}', 'format width'],
    ['${"{:9000000}".format(1)}', 'format width'],
    ['${"%.9000000f" % 1}', 'format width'],
    ['${"a".ljust(10 ** 9)}', 'characters or items'],
    ['${"a".zfill(10 ** 9)}', 'characters or items'],
    ['${"\\t".expandtabs(10 ** 9)}', 'characters or items'],
    ['${9 ** 9 ** 9}', 'digits'],
    ['${1 << 10 ** 9}', 'digits'],
    ['#set $i = 9\n#for $x in range(60)\n#set $i *= $i\n#end for', 'digits'],
    ['#import math\n${math.factorial(10 ** 6)}', 'digits'],
    ['${int("9" * 900 + "9" * 900)}', 'characters or items'],
    ['#def f\n$f()\n#end def\n$f()', 'calls within each other'],
    ['#set $f = lambda g: g(g)\n${f(f)}', 'calls within each other'],
    ['#def f\n#try\n$f()\n#except\n$f()\n#end try\n#end def\n$f()', 'calls within each other'],
    ['#import json\n${json.loads("[" * 900)}', 'nested'],
    ['#import json\n#set $l = []\n#silent $l.append($l)\n${json.dumps($l)}', 'within itself'],
  ])('%j', (template, name) => {
    const fault = faultOf(() => render(template, tableNames, limits));
    expect([fault.fault, fault.reason]).toEqual(['limit', expect.stringContaining(name)]);
    expect(fault.line).toBeGreaterThanOrEqual(10);
  });

  it('a list that holds itself prints as Python prints it', () => {
    expect(render('#set $l = [1]\n#silent $l.append($l)\n$l')).toBe('[1, [...]]');
  });

  it('a template cannot catch a limit', () => {
    const template = '#try\n#while 1\n#end while\n#except\ncaught\n#finally\nlast\n#end try';
    expect(faultOf(() => render(template, {}, limits)).fault).toBe('limit');
  });
});

describe('a regular expression that would run for years is stopped', () => {
  const text = `${'a'.repeat(40)}!`;
  it.each([
    ['(a+)+$'],
    ['(a|a)*$'],
    ['(a|aa)+$'],
    ['^(([a-z])+.)+[A-Z]([a-z])+$'],
    ['(.*)*x'],
    ['(a?){40}a{40}$'],
    ['(?:a*)*b'],
    ['(\\w+\\s?)*$'],
    ['(?=(a+)+$)a'],
  ])('%s', (pattern) => {
    const names = { p: pattern, t: text };
    const fault = faultOf(() => render('#import re\n${re.match($p, $t)}', names, { stepsMax: 200_000 }));
    expect([fault.fault, fault.line]).toEqual(['limit', 11]);
    expect(fault.reason).toMatch(/steps|remembers/);
  });

  it.each([
    ['a{1000000000}', 'too large'],
    ['(?:(?:a{999}){999}){999}', 'too large'],
    ['('.repeat(500), 'nested'],
    ['(a)'.repeat(500), 'groups'],
  ])('%.30s is refused for its size', (pattern, reason) => {
    const fault = faultOf(() => render('#import re\n${re.match($p, "a")}', { p: pattern }));
    expect([fault.fault, fault.reason]).toEqual(['limit', expect.stringContaining(reason)]);
  });

  it('a long text is no trouble for a plain pattern', () => {
    const names = { t: 'ab-'.repeat(20_000) };
    expect(render('#import re\n${len(re.sub("[^a-z]", "", $t))} ${len(re.findall("(?:a|b)+", $t))}', names)).toBe(
      '40000 20000',
    );
  });
});

describe('deep nesting is refused and not a crash', () => {
  const many = 100_000;
  it.each<[string, string]>([
    ['round brackets', `\${${'('.repeat(many)}`],
    ['square brackets', `\${${'['.repeat(many)}`],
    ['braces', `\${${'{'.repeat(many)}`],
    ['calls', `$x${'.f('.repeat(many)}`],
    ['indexes', `$x${'[0'.repeat(many)}`],
    ['not', `\${(${'not '.repeat(many)}1)}`],
    ['minus', `\${(${'-'.repeat(many)}1)}`],
    ['powers', `\${(${'2 ** '.repeat(many)}1)}`],
    ['conditionals', `\${(${'1 if 1 else '.repeat(many)}1)}`],
    ['lambdas', `\${(${'lambda: '.repeat(many)}1)}`],
    ['#if', '#if 1\n'.repeat(many)],
    ['#if on one line', '#if 1: '.repeat(many)],
    ['#def', '#def f\n'.repeat(many)],
    ['targets', `#set ${'('.repeat(many)}`],
    ['attributes', `$x${'.a'.repeat(many)}`],
    ['indexes in a row', `$x${'[0]'.repeat(many)}`],
    ['f-strings', `\${(f"${'{1:'.repeat(many)}")}`],
  ])('%s', (_, template) => {
    expect(['limit', 'syntax']).toContain(faultOf(() => compileTemplate(template, place)).fault);
  });

  it.each<[string, string, string]>([
    ['a long sum', `\${(${'1 + '.repeat(20_000)}1)}`, '20001'],
    ['a long condition', `#if ${'0 or '.repeat(20_000)}1\nyes\n#end if`, 'yes\n'],
    ['a long list', `\${len([${'1, '.repeat(20_000)}])}`, '20000'],
    ['many comparisons', `\${(${'1 < '.repeat(100)}2)}`, 'False'],
    ['many directives', '#if 1\na\n#end if\n'.repeat(5000), 'a\n'.repeat(5000)],
    ['many branches', `#if 0\n${'#elif 0\n'.repeat(5000)}#else\nb\n#end if`, 'b\n'],
  ])('%s is none', (_, template, output) => {
    expect(render(template)).toBe(output);
  });
});

describe('whatever the text', () => {
  const chunk = fc.constantFrom(
    ...[
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
    ],
    ...[
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
    ],
    ...[
      '=',
      '#def f',
      '#end def',
      '$f()',
      '#try',
      '#except',
      '#end try',
      'lambda v: v',
      '#return ',
      '#import re\n',
      're.sub(',
    ],
    ...[
      '#while ',
      '#break',
      '#raw',
      '#*',
      '*#',
      '\r\n',
      'f"{',
      '"""',
      '.format(',
      '$d',
      '.k',
      '+=',
      '#elif ',
      'é😀',
      '\u0000',
    ],
  );
  it('a template renders or fails with a place, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 30 }), (parts) => {
        const template = parts.join('');
        try {
          expect(typeof render(template, tableNames, { ...limits, outputCharsMax: 10_000 })).toBe('string');
        } catch (error) {
          if (!(error instanceof TemplateError)) throw error;
          const lines = template.split(/\r\n|\r|\n/);
          expect(error.line).toBeGreaterThanOrEqual(10);
          expect(lines[error.line - 10]).toBe(error.sourceLine);
          expect(error.column).toBeLessThanOrEqual((lines[error.line - 10] ?? '').length + 1);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('text without $, #, \\ and < is its own rendering', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!/[$#\\<]/.test(text));
        expect(compileTemplate(text, place).render(namesOf(tableNames))).toBe(text);
      }),
    );
  });
});
