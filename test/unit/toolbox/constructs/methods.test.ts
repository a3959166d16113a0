/** The methods that templates call on texts, lists and datasets. The numbers are how many real tools do. */
import { describe, expect, it } from 'vitest';
import { hda, line } from './construct.js';

const DATA = '<param name="in" type="data" format="data"/>';
const MANY = '<param name="in" type="data" format="data" multiple="true"/>';
const text = (value: string) => `<param name="t" type="text" value="${value}"/>`;

describe('methods in templates', () => {
  it('method join (303 tools)', async () => {
    const command = `x '\${",".join([str($one) for $one in $in])}' #echo " ".join($one.ext for $one in $in)#`;
    const world = { data: ['', { extension: 'bed' }] };
    expect(await line({ inputs: MANY, command }, { in: [hda(1), hda(2)] }, world)).toBe(
      "x '/data/1.dat,/data/2.dat' txt bed",
    );
  });

  it('method is_of_type (229 tools)', async () => {
    const command = `x #if $in.is_of_type('fastqsanger.gz', 'fastq.gz')# zcat #elif $in.is_of_type("tabular")# table #else# cat #end if#
      \${in.is_of_type('txt')}`;
    const of = (extension: string) => line({ inputs: DATA, command }, { in: hda(1) }, { data: [{ extension }] });
    expect(await of('fastqsanger.gz')).toBe('x zcat False');
    // A BED is a table, and a table is a text.
    expect(await of('bed')).toBe('x table True');
    expect(await of('bam')).toBe('x cat False');
  });

  it('method split (222 tools)', async () => {
    const command =
      "x #for $one in str($t).split(',')# -p '${one.strip()}' #end for# ${$t.split()[0]} ${str($t).split(',', 1)[1]}";
    expect(await line({ inputs: text('a, b,c'), command })).toBe("x -p 'a' -p 'b' -p 'c' a, b,c");
  });

  it('method split (222 tools) of a text finds what the shell must not see, and gives what it may', async () => {
    const inputs = `<param name="t" type="text" area="true"/>`;
    const command = "x #for $one in $t.split('\\n')# '$one' #end for# ${len($t.split(';'))}";
    expect(await line({ inputs, command }, { t: "one\ntwo's;\n$(three)" })).toBe("x 'one' 'two__sq__sX' 'X(three)' 2");
  });

  it('method strip (127 tools)', async () => {
    const command = "x '$t.strip()' '${str($t).strip()}' ${'--a--'.strip('-')} #if $t.strip() == ''# empty #end if#";
    expect(await line({ inputs: text('  in  '), command })).toBe("x 'in' 'in' a");
    expect(await line({ inputs: text('   '), command })).toBe("x '' '' a empty");
    // Line ends at the end are gone before they could become words.
    expect(await line({ inputs: text(''), command: "x '$t.strip()'" }, { t: 'in\n\t' })).toBe("x 'in'");
  });

  it('method replace (117 tools)', async () => {
    const command =
      "x '$in.name.replace(' ', '_')' '${str($in.element_identifier).replace('.txt', '')}' ${'aaa'.replace('a', 'b', 1)}";
    const world = { data: [{ name: 'my data.txt' }] };
    expect(await line({ inputs: DATA, command }, { in: hda(1) }, world)).toBe("x 'my_data.txt' 'my data' baa");
  });

  it('method append (98 tools)', async () => {
    const command = '#set $all = []\n#for $i in range(3)\n$all.append(str($i))#slurp\n#end for\nx ${" ".join($all)}';
    // A call alone in a text leaves what it gives, which is None; wrappers use #silent for that.
    expect(await line({ command })).toBe('NoneNoneNonex 0 1 2'.replace('NoneNoneNone', ''));
    expect(await line({ command: '#set $all = []\n#silent $all.append("a")\n#silent all.append("b")\nx $all' })).toBe(
      "x ['a', 'b']",
    );
  });

  it('method endswith (93 tools)', async () => {
    const command =
      "x #if $in.ext.endswith('.gz')# gzip #end if# #if str($in.name).endswith(('.fa', '.fasta'))# fa #end if#";
    const world = { data: [{ name: 'a.fasta', extension: 'fastqsanger.gz' }] };
    expect(await line({ inputs: DATA, command }, { in: hda(1) }, world)).toBe('x gzip fa');
  });

  it('method startswith (82 tools)', async () => {
    const command =
      "x #if $in.ext.startswith('fastq')# fq #end if# #if $t.startswith('#')# note #end if# ${$in.ext.startswith('q', 4)}";
    const world = { data: [{ extension: 'fastqsanger' }] };
    expect(await line({ inputs: DATA + text('# x'), command }, { in: hda(1) }, world)).toBe('x fq note True');
  });

  it('the other methods that wrappers call', async () => {
    const command = `#set $d = {'a': 1}
#set $l = [3, 1, 2]
#silent $l.sort()
#silent $d.update({'b': 2})
#silent $l.extend([9])
x $l \${d.get('z', 0)} #for $k, $v in sorted($d.items())# $k=$v #end for# \${'%s' % list($d.keys())} \${'a.b'.rsplit('.', 1)} \${'AbC'.lower()} \${'x'.upper()}
\${'{} {n}'.format(1, n=2)} \${'ab'.find('b')} \${'7'.zfill(3)} \${'1'.isdigit()} \${'a b'.title()} \${'aXb'.partition('X')} \${l.index(2)} \${'aa'.count('a')} \${l.pop()} \${'a\\nb'.splitlines()} \${' a'.lstrip()}\${'a '.rstrip()}`;
    expect(await line({ command })).toBe(
      "x [1, 2, 3, 9] 0 a=1 b=2 ['a', 'b'] ['a', 'b'] abc X 1 2 1 007 True A B ('a', 'X', 'b') 1 2 9 ['a', 'b'] aa",
    );
  });
});
