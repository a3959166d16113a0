import { describe, expect, it } from 'vitest';
import { compileExpression, compileTemplate } from '../../../node/toolbox/cheetah/template.js';
import { Float, type Value } from '../../../node/toolbox/cheetah/values.js';
import { faultOf, fromJson, namesOf, place, render, tableNames } from './render.js';

describe('what is not supported is refused by name when the template is compiled', () => {
  it.each([
    ['#include "x"\n', 10, 1, '#include'],
    ['#extends x\n', 10, 1, '#extends'],
    ['a\n  #cache\n', 11, 3, '#cache'],
    ['#filter WebSafe\n', 10, 1, '#filter'],
    ['#call $f\n#end call', 10, 1, '#call'],
    ['#@staticmethod\n', 10, 1, '#@'],
    ['#block a\n#end block\n', 10, 1, '#block'],
    ['#closure a\n#end closure\n', 10, 1, '#closure'],
    ['#attr $a = 1\n', 10, 1, '#attr'],
    ['#compiler-settings\n', 10, 1, '#compiler-settings'],
    ['#errorCatcher Echo\n', 10, 1, '#errorCatcher'],
    ['a #yield 1\n', 10, 3, '#yield'],
    ['#indent on\n', 10, 1, '#indent'],
    ['#encoding latin-1\n', 10, 1, '#encoding latin-1'],
    ['#set module $x = 1\n', 10, 1, '#set module'],
    ['#set $a = $b = 1\n', 10, 14, 'several assignments'],
    ['<% x %>', 10, 1, '<%'],
    ['a $!x', 10, 3, '$!name'],
    ['$*x', 10, 1, '$*name'],
    ['\n${open("/etc/passwd")}', 11, 3, 'open()'],
    ['$open("/etc/passwd")', 10, 1, 'open()'],
    ['${eval("1")}', 10, 3, 'eval()'],
    ['${(exec("1"))}', 10, 4, 'exec()'],
    ['${__import__("os")}', 10, 3, '__import__()'],
    ['#silent setattr($x, "y", 1)', 10, 9, 'setattr()'],
    ['${globals()}', 10, 3, 'globals()'],
    ['${vars()}', 10, 3, 'vars()'],
    ['${"".__class__}', 10, 6, "'__class__'"],
    ['$x.__class__.__mro__', 10, 4, "'__class__'"],
    ['${$x.__init__}', 10, 6, "'__init__'"],
    ['${b"a"}', 10, 3, 'b-strings'],
    ['${1 <> 2}', 10, 5, '<>'],
    ['${0777}', 10, 3, '0777'],
    ['${1j}', 10, 3, 'complex'],
    ['#set $a = (b := 1)', 10, 14, ':='],
    ['#import random\n', 10, 1, 'the module random'],
    ['#import subprocess\n', 10, 1, 'the module subprocess'],
    ['a\n#from galaxy.util import x\n', 11, 1, 'the module galaxy.util'],
    ['#from os import system\n', 10, 1, 'os.system'],
    ['#from os import *\n', 10, 1, 'from os import *'],
    ['#import os\n${os.system("id")}', 11, 6, 'os.system'],
    ['#import os\n$os.environ', 11, 5, 'os.environ'],
    ['#import re\n${re.template("a")}', 11, 6, 're.template'],
    ['#import collections\n${collections.namedtuple("a", "b")}', 11, 15, 'collections.namedtuple'],
    ['${"\\N{DASH}"}', 10, 4, 'Unicode name'],
  ])('%j', (template, line, column, name) => {
    const fault = faultOf(() => compileTemplate(template, place));
    expect([fault.fault, fault.line, fault.column]).toEqual(['unsupported', line, column]);
    expect(fault.reason).toContain(name);
  });

  it('a function of that name that the template makes itself is its own', () => {
    expect(render('#def open($x)\n<$x>\n#end def\n$open(1)')).toBe('<1>\n');
  });

  it('a parameter of that name is a parameter', () => {
    expect(render('$input $file.name $compile', { input: 1, file: { name: 'a' }, compile: 'x' })).toBe('1 a x');
  });
});

describe('a malformed template is refused with line, column and reason', () => {
  it.each([
    ['#if $x\na\n', 10, 1, "'#if' without '#end if'"],
    ['a\n#end if\n', 11, 1, "'#end if' without its beginning"],
    ['#for $i in $l\n#end if\n', 11, 1, "expected '#end for'"],
    ['#end\n', 10, 1, 'ends nothing'],
    ['a\n${x', 11, 4, "expected '}'"],
    ['#if $x ==\n#end if', 10, 10, 'expected a value'],
    ['#set $x\n', 10, 8, "expected '='"],
    ['${("open}', 10, 4, 'does not end'],
    ["${('open\n')}", 10, 4, 'does not end on its line'],
    ['#for $i of $l\n#end for', 10, 9, "expected 'in'"],
    ['#if $x\n#else\n#else\n#end if', 12, 1, "'#else' without its beginning"],
    ['#else\n', 10, 1, "'#else' without its beginning"],
    ['#if $x\n#except\n#end if', 11, 1, "'#except' without its beginning"],
    ['#try\na\n#end try', 10, 1, "'#try' without '#except'"],
    ['#break\n', 10, 1, "'#break' outside a loop"],
    ['#raw\n', 10, 1, "'#raw' without '#end raw'"],
    ['$f(1, $x', 10, 3, "'(' without its ')'"],
    ['${(1, 2]}', 10, 8, "expected ')'"],
    ['$x[0', 10, 3, "'[' without its ']'"],
    ['${f(a=1, 2)}', 10, 10, 'positional argument follows keyword argument'],
    ['#def f($a, $a)\n#end def', 10, 12, 'duplicate argument'],
    ['#def f($a=1, $b)\n#end def', 10, 14, 'non-default argument'],
    ['#if ${x}\n#end if', 10, 5, "'${' within an expression"],
    ['#if $x $y\n#end if', 10, 8, 'unexpected'],
    ['${1 +}', 10, 6, 'expected a value'],
    ['${(f"{")}', 10, 6, 'f-string'],
    ['#set *$a = 1', 10, 6, 'starred assignment'],
  ])('%j', (template, line, column, reason) => {
    const fault = faultOf(() => compileTemplate(template, place));
    expect([fault.fault, fault.line, fault.column]).toEqual(['syntax', line, column]);
    expect(fault.reason).toContain(reason);
    expect(fault.message).toContain(`tool.xml:${line}:${column}`);
  });
});

describe('what goes wrong while rendering names the place, the exception and the line', () => {
  it.each([
    ['a\n$nothing', 11, 1, 'missing', "NotFound: cannot find 'nothing'"],
    ['\n\n $d.zz', 12, 5, 'missing', "NotFound: cannot find 'zz'"],
    ['$letters[7]', 10, 9, 'missing', 'IndexError: list index out of range'],
    ['${$d["zz"]}', 10, 5, 'missing', "KeyError: 'zz'"],
    ['${1 + name}', 10, 7, 'missing', "NameError: name 'name' is not defined"],
    ['${(1 + 1 / 0)}', 10, 10, 'type', 'ZeroDivisionError: division by zero'],
    ['${"a" + 1}', 10, 7, 'type', 'TypeError: can only concatenate str (not "int") to str'],
    ['${1 + "a"}', 10, 5, 'type', "TypeError: unsupported operand type(s) for +: 'int' and 'str'"],
    ['${(1 < "a")}', 10, 4, 'type', "'<' not supported between instances of 'int' and 'str'"],
    ['${len(5)}', 10, 6, 'type', "object of type 'int' has no len()"],
    ['${int("x")}', 10, 6, 'type', "ValueError: invalid literal for int() with base 10: 'x'"],
    ['a\n#for $i in 5\n#end for', 11, 1, 'type', "'int' object is not iterable"],
    ['#set $a, $b = [1]\n', 10, 6, 'type', 'not enough values to unpack (expected 2, got 1)'],
    ['${"-".join([1])}', 10, 11, 'type', 'sequence item 0: expected str instance, int found'],
    ['#raise ValueError("no good")', 10, 1, 'raised', 'ValueError: no good'],
    ['#assert 1 == 2, "never"', 10, 1, 'raised', 'AssertionError: never'],
    ['#def f\n$nothing\n#end def\n$f()', 11, 1, 'missing', "cannot find 'nothing'"],
    ['#return 5', 10, 1, 'type', '__str__ returned non-string (type int)'],
  ])('%j', (template, line, column, kind, reason) => {
    const fault = faultOf(() => render(template, tableNames));
    expect([fault.fault, fault.line, fault.column]).toEqual([kind, line, column]);
    expect(fault.reason).toContain(reason);
    expect(fault.sourceLine).toBe(template.split('\n')[line - 10]);
  });
});

describe('an expression over bare names', () => {
  const given = new Map<string, Value>([
    ['mode', 'full'],
    ['type', 'x'],
    ['cond', fromJson({ sel: 'yes', inner: { n: 3 } })],
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
    ['any(o == "b" for o in options)', true],
    ['mode.startswith("f") and (lambda v: v)(flag)', true],
  ])('%j', (source, value) => {
    expect(compileExpression(source, place).evaluate(given)).toBe(value);
  });

  it('refuses what follows it', () => {
    expect(faultOf(() => compileExpression('a b', place)).reason).toContain("unexpected 'b'");
  });

  it('a name that is not there is missing', () => {
    expect(faultOf(() => compileExpression('nope', place).evaluate(given)).fault).toBe('missing');
  });
});

it('a template is compiled once and rendered often, each time from the beginning', () => {
  const template = compileTemplate(
    '#set global $n = $x\n#def f($l=[])\n#silent $l.append(1)\n#return $len($l)\n#end def\n$f()$f()$n',
    place,
  );
  const outputs = [1, 2].map((x) => template.render(namesOf({ x })));
  expect(outputs).toEqual(['121', '122']);
});
