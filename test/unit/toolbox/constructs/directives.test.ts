/** Every directive that real wrappers use, in the way in which they use it. The numbers are how many tools do. */
import { describe, expect, it } from 'vitest';
import { hda, line, out, problemsOf } from './construct.js';

const MODE = `<param name="mode" type="select"><option value="a">A</option><option value="b">B</option><option value="c">C</option></param>`;
const FLAG = `<param name="flag" type="boolean" truevalue="--flag" falsevalue=""/>`;

describe('directives of commands', () => {
  it('directive #if (1932 tools)', async () => {
    const tool = { inputs: MODE, command: '#if str($mode) == "a"\n  echo one > \'$out\'\n#end if' };
    expect(await out(tool, { mode: 'a' })).toBe('one\n');
    expect(await line(tool, { mode: 'b' })).toBe('');
    const short = { inputs: MODE, command: "x #if $mode == 'a' then '--first' else '--other'#" };
    expect(await line(short, { mode: 'a' })).toBe('x --first');
    expect(await line(short, { mode: 'c' })).toBe('x --other');
    expect(await line({ inputs: FLAG, command: 'x\n#if $flag: --one-line\ny' }, { flag: true })).toBe('x --one-line y');
  });

  it('directive #else (1022 tools)', async () => {
    const tool = { inputs: FLAG, command: "echo\n#if $flag\n  yes\n#else\n  no\n#end if\n> '$out'" };
    expect(await out(tool, { flag: true })).toBe('yes\n');
    expect(await out(tool, { flag: false })).toBe('no\n');
  });

  it('directive #elif (628 tools)', async () => {
    const command =
      "echo\n#if $mode == 'a'\n 1\n#elif $mode == 'b'\n 2\n#else if $mode == 'z'\n 9\n#else\n 3\n#end if\n> '$out'";
    const tool = { inputs: MODE, command };
    const texts = await Promise.all(['a', 'b', 'c'].map((mode) => out(tool, { mode })));
    expect(texts).toEqual(['1\n', '2\n', '3\n']);
  });

  it('directive #set (821 tools)', async () => {
    const command = `#set $base = "x"
#set $names = [$base, $base + "y"]
#set global $far = len($names)
#set $names += ["z"]
echo '\${",".join($names)}' $far > '$out'`;
    expect(await out({ command })).toBe('x,xy,z 2\n');
  });

  it('directive #for (733 tools)', async () => {
    const inputs = '<param name="in" type="data" format="txt" multiple="true"/>';
    const command = "#for $i, $one in enumerate($in)\ncat '$one' > part_${i} &&\n#end for\ncat part_* > '$out'";
    const world = { data: ['first\n', 'second\n'] };
    expect(await out({ inputs, command }, { in: [hda(1), hda(2)] }, world)).toBe('first\nsecond\n');
    expect(await line({ command: "x #echo ' '.join([str($n) for $n in range(3)])#\n#for $a in 'ab': -$a" })).toBe(
      'x 0 1 2 -a -b',
    );
  });

  it('directive #import (414 tools)', async () => {
    const command = `#import re
#import os.path
#import json, math
echo '\${re.sub("[^a-z]", "_", "a b")}' '\${os.path.basename("/x/y.txt")}' \${math.sqrt(2.25)} > '$out'`;
    expect(await out({ command })).toBe('a_b y.txt 1.5\n');
    const [problem] = await problemsOf({ command: '\n#import subprocess\nx' });
    expect(problem).toMatchObject({ line: 4, message: expect.stringContaining('subprocess') });
  });

  it('directive #def (187 tools)', async () => {
    const command = `#def opt($name, $value='0')
--$name=$value #slurp
#end def
echo $opt('a', 1) \${opt('b')} > '$out'`;
    expect((await out({ command })).trim().split(/\s+/)).toEqual(['--a=1', '--b=0']);
  });

  it('directive #return (175 tools)', async () => {
    const command = `#def clean($text)
#set $short = $text.replace(' ', '_')
#return $short
#end def
echo '$clean("a b c")' > '$out'`;
    expect(await out({ command })).toBe('a_b_c\n');
  });

  it('directive #continue (153 tools)', async () => {
    const command = "echo\n#for $i in range(5)\n#if $i % 2\n#continue\n#end if\n$i\n#end for\n> '$out'";
    expect(await out({ command })).toBe('0 2 4\n');
  });

  it('directive #echo (89 tools)', async () => {
    expect(await line({ command: 'x #echo "-".join(["a", "b"])# y\n#echo 1 + 1' })).toBe('x a-b y 2');
  });

  it('directive #silent (49 tools)', async () => {
    expect(
      await line({
        command: '#set $all = []\n#silent $all.append("q")\n#silent $all.insert(0, "p")\nx ${" ".join($all)}',
      }),
    ).toBe('x p q');
  });

  it('directive #from (22 tools)', async () => {
    const command = '#from os.path import basename, splitext as cut\nx ${basename("/a/b.c")} ${cut("b.tar.gz")[0]}';
    expect(await line({ command })).toBe('x b.c b.tar');
  });

  it('directive #while (15 tools)', async () => {
    expect(await line({ command: '#set $n = 3\nx\n#while $n > 0\n$n\n#set $n -= 1\n#end while' })).toBe('x 3 2 1');
  });

  it('directive #slurp (12 tools)', async () => {
    const before =
      '<configfiles><configfile name="conf">a#slurp\nb\n#for $i in range(2)\n$i#slurp\n#end for\n</configfile></configfiles>';
    expect(await out({ before, command: "cat '$conf' > '$out'" })).toBe('ab\n01');
  });

  it('directive #break (4 tools)', async () => {
    expect(await line({ command: 'x\n#for $i in range(9)\n#if $i == 2\n#break\n#end if\n$i\n#end for' })).toBe('x 0 1');
  });

  it('directive #assert (4 tools)', async () => {
    const tool = { inputs: '<param name="n" type="integer" value="1"/>', command: '#assert $n > 0, "too few"\nx $n' };
    expect(await line(tool)).toBe('x 1');
    await expect(line(tool, { n: -1 })).rejects.toMatchObject({ code: 'toolbox/template' });
  });

  it('directive #include (2 tools) is refused by name and line, as a template reads no file', async () => {
    const [problem] = await problemsOf({ command: 'x\n#include "/etc/hostname"' });
    expect(problem).toMatchObject({ line: 4, message: expect.stringContaining('#include') });
  });

  it('directive #try (2 tools)', async () => {
    const command = 'x\n#try\n${int("no")}\n#except ValueError\n--none\n#end try';
    expect(await line({ command })).toBe('x --none');
  });

  it('directive #raw (1 tool)', async () => {
    expect(await out({ command: "#raw\necho 'costs $5 #here'\n#end raw\n> '$out'" })).toBe('costs $5 #here\n');
  });

  it('directive #unless (1 tool)', async () => {
    expect(await line({ inputs: FLAG, command: 'x\n#unless $flag\n--quiet\n#end unless' })).toBe('x --quiet');
  });

  it('comments, escapes and names that end where wrappers mean it', async () => {
    const command = `## not seen
echo \\$HOME '\\#1' '\${mode}_x' "$mode.lower()" #* nor this *# > '$out'`;
    expect(await out({ inputs: MODE, command }, { mode: 'b' }, { environment: { HOME: '/home/me' } })).toBe(
      '/home/me #1 b_x b\n',
    );
  });
});
