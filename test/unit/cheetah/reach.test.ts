import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compileTemplate } from '../../../node/toolbox/cheetah/template.js';
import { Callable, TemplateObject, type Value } from '../../../node/toolbox/cheetah/values.js';
import { faultOf, namesOf, place, render, tableNames } from './render.js';

class Secretive extends TemplateObject {
  readonly typeName = 'Secretive';
  readonly password = 'hunter2';
  text(): string {
    return 'secretive';
  }
  attribute(name: string): Value | undefined {
    if (name === 'shown') return 'yes';
    return name === 'is_of_type' ? new Callable('is_of_type', ({ positional: [type] }) => type === 'bam') : undefined;
  }
}
const names = new Map<string, Value>([['o', new Secretive()], ...namesOf(tableNames)]);

describe('nothing but the given names can be reached', () => {
  it.each([
    '$o.password',
    '$o.constructor',
    '$o.__proto__',
    '$o.__class__',
    '${$o["password"]}',
    '${getattr($o, "password")}',
    '${getattr($o, "constructor")}',
    '${getattr($o, "__proto__")}',
    '${getattr("", "__class__")}',
    '${"{0.__class__}".format(1)}',
    '${"{0.constructor}".format($o)}',
    '${"{0.password}".format($o)}',
    '$name.constructor',
    '$name.length',
    '$letters.constructor',
    '$letters.length',
    '$letters.__proto__',
    '${$letters["length"]}',
    '$d.constructor',
    '$d.__proto__',
    '$d.toString',
    '$d.entries',
    '$d.size',
    '${$d["__proto__"]}',
    '${$d["constructor"]}',
    '${"".__class__}',
    '${len.__globals__}',
    '${len.call}',
    '${(lambda: 1).constructor}',
    '$constructor',
    '$__proto__',
    '$toString',
    '$hasOwnProperty',
    '${process}',
    '${globalThis}',
    '${require("fs")}',
    '${Function("return 1")()}',
    '$self.machine',
    '$self.constructor',
    '#import os\n${getattr(os, "system")}',
    '#import os\n${os.path.os}',
    '#import re\n${re.compile("a").program}',
    '#import re\n${re.match("a", "a").input}',
    '#import operator\n${operator.attrgetter("__class__")(1)}',
    '#import operator\n${operator.attrgetter("password")($o)}',
    '#try\n$nothing\n#except NotFound as e\n${$e.__traceback__}\n#end try',
    '#try\n$nothing\n#except NotFound as e\n$e.stack\n#end try',
    '${type($o)()}',
    '${str.__subclasses__}',
  ])('%s', (template) => {
    const fault = faultOf(() => compileTemplate(template, place).render(names));
    // A function after a `$` is called first, which fails by itself.
    expect(fault.fault).toMatch(/^(?:missing|type|unsupported)$/);
  });

  it('what an object shows is there', () => {
    expect(compileTemplate('$o.shown $o $o.is_of_type("bam")', place).render(names)).toBe('yes secretive True');
    expect(compileTemplate('${hasattr($o, "shown")} ${hasattr($o, "password")}', place).render(names)).toBe(
      'True False',
    );
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length'])('%s is a key like any other', (key) => {
    const template = `#set $m = {'${key}': 1}\n$m['${key}'] \${{}.get('${key}')} \${('${key}' in {})} \${dict($m)}`;
    expect(render(template)).toBe(`1  False {'${key}': 1}`);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it.each(['__proto__', 'constructor', 'toString'])('%s is a variable like any other', (name) => {
    expect(render(`#set $${name} = 5\n$${name}`)).toBe('5');
    expect(render(`$${name}`, JSON.parse(`{"${name}": "given"}`))).toBe('given');
  });

  it('files are what the caller says', () => {
    const asked: string[] = [];
    const told = (path: string) => {
      asked.push(path);
      return path === '/a';
    };
    const files = { exists: told, isFile: told, isFolder: () => false };
    const template = '#import os\n${os.path.exists("/a")} ${os.path.isfile("/b")} ${os.path.isdir("/a")} $exists("/a")';
    expect(render(template, {}, { files })).toBe('True False False True');
    expect(asked).toEqual(['/a', '/b', '/a']);
    expect(render('#import os\n${os.path.exists("/")}')).toBe('False');
  });
});

describe('values of the node', () => {
  class Parameter extends TemplateObject {
    readonly typeName = 'InputValueWrapper';
    constructor(
      private readonly shown: string,
      private readonly held: Value,
    ) {
      super();
    }
    text(): string {
      return this.shown;
    }
    override plain(other?: Value): Value {
      return typeof other === 'string' ? this.shown : this.held;
    }
    override truth(): boolean {
      return this.held !== false;
    }
    override iterate(): Value[] | undefined {
      return Array.isArray(this.held) ? this.held : undefined;
    }
    override is(type: string): boolean {
      return type === 'list' && Array.isArray(this.held);
    }
    attribute(name: string): Value | undefined {
      return name === 'value' ? this.held : undefined;
    }
  }
  const given = new Map<string, Value>([
    ['n', new Parameter('5', 5)],
    ['b', new Parameter('--flag', false)],
    ['m', new Parameter('x,y', ['x', 'y'])],
    ['t', new Parameter('text', 'text')],
  ]);
  it.each([
    ['$n $b $m $t', '5 --flag x,y text'],
    [
      '${n + 1} ${1 + $n} ${n * 2.5} ${-$n} ${int($n) + 1} ${float($n)} ${abs($n)} ${round($n)}',
      '6 6 12.5 -5 6 5.0 5 5',
    ],
    ['${n == 5} ${n == "5"} ${n > 4} ${str($n) == "5"} ${(5 in [$n])} ${range(10)[$n]}', 'True True True True True 5'],
    ['#if $b\nyes\n#else\nno\n#end if', 'no\n'],
    ['${b == "--flag"} ${"%s" % $b} ${"{}".format($b)} ${str($b)}', 'True --flag --flag --flag'],
    ['#for $i in $m\n[$i]#slurp\n#end for', '[x][y]'],
    [
      '${len($m)} ${"x" in $m} ${",".join($m)} ${m[0]} ${m[1:]} ${isinstance($m, list)} ${list($m)}',
      "2 True x,y x ['y'] True ['x', 'y']",
    ],
    [
      '$t.upper() ${t.replace("t", "T")} ${t + "!"} ${"a" + $t} ${t[1]} ${len($t)} ${"ex" in $t}',
      'TEXT TexT text! atext e 4 True',
    ],
    ['${"%d-%s-%5.1f" % ($n, $t, $n)}', '5-text-  5.0'],
    ['#set $d = {"text": 1}\n${d[$t]} ${{$t: 2}}', "1 {'text': 2}"],
    ['$n.value ${m.value}', "5 ['x', 'y']"],
    ['#import json\n${json.dumps([$n, $t, $m])}', '[5, "text", ["x", "y"]]'],
    ['#import re\n${re.sub("e", "E", $t)}', 'tExt'],
    ['#import os\n${os.path.join($t, "a")}', 'text/a'],
    ["${sorted([$t, 'a'])} ${max(1, $n)}", "['a', 'text'] 5"],
  ])('%s', (template, output) => {
    expect(compileTemplate(template, place).render(given)).toBe(output);
  });
});

it('the interpreter imports nothing of the rest of the node', () => {
  const folder = new URL('../../../node/toolbox/cheetah/', import.meta.url);
  const sources = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  const texts = sources.map((name) => readFileSync(new URL(name, folder), 'utf8'));
  const imports = texts.flatMap((text) => [...text.matchAll(/from '([^']+)'/g)].map((found) => found[1] ?? ''));
  expect(imports.length).toBeGreaterThan(50);
  expect(imports.filter((path) => !/^\.\/[a-z-]+\.js$/.test(path))).toEqual([]);
  // No way to run text as JavaScript.
  expect(texts.filter((text) => /\beval\(|new Function|\bimport\(|node:vm/.test(text))).toEqual([]);
});
