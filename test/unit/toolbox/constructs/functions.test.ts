/** The functions that templates call. The numbers are how many real tools do. */
import { describe, expect, it } from 'vitest';
import { hda, line, out } from './construct.js';

const DATA = '<param name="in" type="data" format="txt"/>';
const TEXT = '<param name="t" type="text" value="a-1 b-2"/>';
const NUMBERS = '<param name="i" type="integer" value="7"/><param name="f" type="float" value="0.5"/>';
const show = (expression: string) => `x \${${expression}}`;

describe('functions of templates', () => {
  it('function str (973 tools)', async () => {
    const inputs = `${NUMBERS}<param name="b" type="boolean" truevalue="-y" falsevalue="-n"/>
      <param name="s" type="select" optional="true"><option value="q">Q</option></param>`;
    const command = "x '${str($i) + str($f)}' ${str($b)} ${str($s)} ${str(None)} ${str(True)} ${str([1, 'a'])}";
    expect(await line({ inputs, command })).toBe("x '70.5' -n None None True [1, 'a']");
  });

  it('function re.sub (203 tools)', async () => {
    const inputs = '<param name="in" type="data" format="txt"/>';
    const command = `#import re
#set $name = re.sub(r'[^\\w\\-.]', '_', str($in.element_identifier))
ln -s '$in' '$name' && cat '$name' > '$out' && echo '\${re.sub("(a)(b)?", r"<\\g<1>>", "ab a", count=1)}' >> '$out'`;
    const world = { data: [{ text: 'held\n', name: 'my reads (1).fq' }] };
    expect(await out({ inputs, command }, { in: hda(1) }, world)).toBe('held\n<a> a\n');
  });

  it('function enumerate (196 tools)', async () => {
    const inputs = '<repeat name="r" title="R"><param name="n" type="integer" value="0"/></repeat>';
    const command = 'x #for $index, $one in enumerate($r, 1)# --set$index $one.n #end for#';
    expect(await line({ inputs, command }, { r: [{ n: 5 }, { n: 6 }] })).toBe('x --set1 5 --set2 6');
  });

  it('function len (85 tools)', async () => {
    const inputs = `${TEXT}<param name="m" type="select" multiple="true"><option value="p" selected="true">P</option><option value="q" selected="true">Q</option></param>
      <param name="many" type="data" format="txt" multiple="true"/>`;
    const command =
      'x ${len($many)} ${len($t)} ${len(str($m).split(","))} ${len($m.value)} #if len(str($t)) > 0# full #end if#';
    expect(await line({ inputs, command }, { many: [hda(1), hda(2)] }, { data: ['', ''] })).toBe('x 2 7 2 2 full');
  });

  it('function int (78 tools)', async () => {
    const command = 'x ${int($i) + 1} ${int($f)} ${int("12")} ${int($f * 10) // 2} #if int($i) > 6# more #end if#';
    expect(await line({ inputs: NUMBERS, command })).toBe('x 8 0 12 2 more');
  });

  it('function os.path.splitext (47 tools)', async () => {
    const command = "#import os\nx '${os.path.splitext($in.name)[0]}' '${os.path.splitext(str($in.name))[1]}'";
    const world = { data: [{ name: 'reads.fastq.gz' }] };
    expect(await line({ inputs: DATA, command }, { in: hda(1) }, world)).toBe("x 'reads.fastq' '.gz'");
  });

  it('function float (36 tools)', async () => {
    const command = 'x ${float($i)} ${float("1e-5")} ${float($f) / 2} #if float($f) < 1.0# less #end if#';
    expect(await line({ inputs: NUMBERS, command })).toBe('x 7.0 1e-05 0.25 less');
  });

  it('function os.path.basename (31 tools)', async () => {
    const command = "#import os\nx '${os.path.basename(str($in))}' '${os.path.basename($out.files_path)}'";
    expect(await line({ inputs: DATA, command }, { in: hda(1) }, { data: [''] })).toBe("x '1.dat' 'out.dat_files'");
  });

  it('function varExists (24 tools)', async () => {
    const inputs = `<conditional name="c"><param name="mode" type="select"><option value="a">A</option><option value="b">B</option></param>
      <when value="a"><param name="n" type="integer" value="1"/></when><when value="b"/></conditional>`;
    const command = "x #if $varExists('c.n')# --n $c.n #end if# #if $varExists('nothing')# never #end if#";
    expect(await line({ inputs, command }, { c: { mode: 'a' } })).toBe('x --n 1');
    expect(await line({ inputs, command }, { c: { mode: 'b' } })).toBe('x');
  });

  it('function json.dumps (19 tools)', async () => {
    const before = `<configfiles><configfile name="conf">#import json
\${json.dumps({'text': str($t), 'n': int($i), 'list': [1.5, None, True]}, sort_keys=True, indent=2)}</configfile></configfiles>`;
    const given = await out({ before, inputs: TEXT + NUMBERS, command: "cat '$conf' > '$out'" });
    expect(JSON.parse(given)).toEqual({ list: [1.5, null, true], n: 7, text: 'a-1 b-2' });
    expect(given.startsWith('{\n  "list": [\n    1.5,')).toBe(true);
  });

  it('function getVar (18 tools)', async () => {
    const inputs = '<section name="s" title="S"><param name="deep" type="integer" value="4"/></section>';
    const command = "x ${getVar('s.deep')} ${getVar('s.none', 'otherwise')} $getVar('s').deep";
    expect(await line({ inputs, command })).toBe('x 4 otherwise 4');
  });

  it('function hasattr (16 tools)', async () => {
    const inputs = `${DATA}<param name="n" type="integer" value="1"/>`;
    const command = "x #if hasattr($in, 'metadata')# data #end if# #if hasattr($n, 'metadata')# never #end if#";
    expect(await line({ inputs, command }, { in: hda(1) }, { data: [''] })).toBe('x data');
  });

  it('function range (15 tools)', async () => {
    const command = 'x #for $k in range(1, $i, 2)# $k #end for# ${list(range(3))} ${len(range(int($i)))}';
    expect(await line({ inputs: NUMBERS, command })).toBe('x 1 3 5 [0, 1, 2] 7');
  });

  it('function map (11 tools)', async () => {
    const inputs = '<param name="in" type="data" format="txt" multiple="true"/>';
    const command = `x \${",".join(map(str, $in))} \${" ".join(map(lambda one: one.ext, $in))} \${list(map(int, "1 2".split()))}`;
    expect(await line({ inputs, command }, { in: [hda(1), hda(2)] }, { data: ['', { extension: 'bed' }] })).toBe(
      'x /data/1.dat,/data/2.dat txt bed [1, 2]',
    );
  });

  it('function re.search (9 tools)', async () => {
    const command = `#import re
#set $found = re.search(r'(\\w)-(\\d)', str($t))
x #if $found# \${found.group(2)} #end if# #if not re.search('z', str($t))# none #end if# \${re.match("a", str($t)) is not None}`;
    expect(await line({ inputs: TEXT, command })).toBe('x 1 none True');
  });

  it('the other functions that wrappers reach for', async () => {
    const command = `x \${max(1, 2)} \${min([3, 1])} \${sum([1, 2])} \${abs(-1)} \${round(2.567, 1)} \${any([0, 1])} \${all([])}
      \${sorted(['b', 'a'])} \${list(zip([1], ['a']))} \${isinstance('a', str)} \${type(1) == int} \${dict(a=1)['a']} \${chr(65)} \${list(reversed([1, 2]))} \${'%.2f' % 0.5} \${list(filter(None, [0, 1]))}`;
    expect(await line({ command })).toBe("x 2 1 3 1 2.6 True True ['a', 'b'] [(1, 'a')] True True 1 A [2, 1] 0.50 [1]");
    expect(await line({ command: show("'a' if 1 else 'b'") })).toBe('x a');
  });
});
