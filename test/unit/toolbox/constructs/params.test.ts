/** Every type of parameter, what it takes, what it refuses, and what the command gets. The numbers are how many real tools use it. */
import { describe, expect, it } from 'vitest';
import { id } from '../fake-context.js';
import type { Table } from './construct.js';
import { errorsOf, hda, hdca, line, problemsOf, tables, withTool } from './construct.js';

const command = (what: string) => `x ${what}`;
const refused = async (inputs: string, given = {}, world = {}) =>
  Object.values(await errorsOf({ inputs, command: 'x' }, given, world)).join(' ');

const GENOMES: Table = {
  columns: ['value', 'dbkey', 'name', 'path'],
  rows: [
    ['hg', 'hg38', 'Human', '/ref/hg.fa'],
    ['mm', 'mm10', 'Mouse', '/ref/mm.fa'],
    ['dm', 'dm6', 'A fly', '/ref/dm.fa'],
  ],
};

describe('params', () => {
  it('param data (2847 tools)', async () => {
    const inputs = '<param name="in" type="data" format="fastqsanger,fastqsanger.gz" label="Reads"/>';
    expect(await line({ inputs, command: command("'$in'") }, { in: hda(1) }, { data: [''] })).toBe("x '/data/1.dat'");
    expect(await refused(inputs)).toContain('Choose a dataset for “Reads”');
    expect(await refused(inputs, { in: hda(9) })).toContain('There is no dataset');
    expect(await refused(inputs, { in: hda(1) }, { data: [{ state: 'error' }] })).toContain('in error');
    expect(await refused(inputs, { in: hda(1) }, { data: [{ deleted: true }] })).toContain('deleted');
  });

  it('param data (2847 tools): optional, and several', async () => {
    const inputs =
      '<param name="o" type="data" format="txt" optional="true"/><param name="in" type="data" format="txt" multiple="true" min="2" max="3"/>';
    const both = "#if $o# -o $o #end if# #for $one in $in# -i '$one' #end for# $in";
    const world = { data: ['', '', '', ''] };
    expect(await line({ inputs, command: command(both) }, { in: [hda(2), hda(1)] }, world)).toBe(
      "x -i '/data/2.dat' -i '/data/1.dat' /data/2.dat,/data/1.dat",
    );
    expect(await refused(inputs, { in: [hda(1)] }, world)).toContain('At least 2');
    expect(await refused(inputs, { in: [1, 2, 3, 4].map(hda) }, world)).toContain('At most 3');
  });

  it('param select (2164 tools)', async () => {
    const inputs = `<param name="s" type="select"><option value="a">First</option><option value="b" selected="true">Second</option></param>
      <param name="d" type="select"><option value="1">One</option><option value="2">Two</option></param>
      <param name="o" type="select" optional="true"><option value="z">Z</option></param>`;
    expect(await line({ inputs, command: command('$s $d $o $s.value_label') })).toBe('x b 1 None Second');
    expect(await line({ inputs, command: command('$s $o') }, { s: 'a', o: 'z' })).toBe('x a z');
    expect(await refused(inputs, { s: 'c' })).toContain('“c” is not among the choices: a, b.');
    expect(await refused(inputs, { s: null })).toContain('Choose one');
  });

  it('param boolean (1575 tools)', async () => {
    const inputs = `<param name="a" type="boolean" truevalue="--a" falsevalue="" checked="true"/><param name="b" type="boolean" truevalue="--b" falsevalue="--no-b"/><param name="c" type="boolean"/>`;
    expect(await line({ inputs, command: command('$a $b $c') })).toBe('x --a --no-b false');
    expect(await line({ inputs, command: command('$a $b $c') }, { a: false, b: 'true', c: true })).toBe('x --b true');
    expect(await line({ inputs, command: command('$b') }, { b: '--b' })).toBe('x --b');
    expect(await refused(inputs, { a: 'perhaps' })).toContain('“perhaps” is neither');
  });

  it('param integer (1465 tools)', async () => {
    const inputs =
      '<param name="n" type="integer" value="10" min="1" max="100"/><param name="o" type="integer" optional="true"/>';
    expect(await line({ inputs, command: command("$n '$o' #if $o# never #end if# #if str($o)# never #end if#") })).toBe(
      "x 10 ''",
    );
    expect(await line({ inputs, command: command('$n $o ${int($n) + 1}') }, { n: '7', o: 0 })).toBe('x 7 0 8');
    for (const n of ['1.5', 'ten', '', '0', '101', '1e3', '0x10', '1;ls', null])
      expect([n, await refused(inputs, { n })]).not.toEqual([n, '']);
  });

  it('param float (995 tools)', async () => {
    const inputs =
      '<param name="f" type="float" value="0.05" min="0" max="1"/><param name="w" type="float" value="1"/><param name="e" type="float" value="1e-10"/>';
    expect(await line({ inputs, command: command('$f $w $e') })).toBe('x 0.05 1.0 1e-10');
    expect(await line({ inputs, command: command('$f $w') }, { f: '.5', w: 3 })).toBe('x 0.5 3.0');
    for (const f of ['1.1', 'nan', 'inf', 'a', '1 2']) expect([f, await refused(inputs, { f })]).not.toEqual([f, '']);
  });

  it('param conditional (1403 tools)', async () => {
    const inputs = `<conditional name="c"><param name="k" type="select"><option value="x">X</option><option value="y">Y</option></param>
      <when value="x"><param name="v" type="integer" value="1"/></when>
      <when value="y"><conditional name="d"><param name="b" type="boolean" truevalue="yes" falsevalue="no" checked="true"/>
        <when value="yes"><param name="v" type="text" value="deep"/></when><when value="no"/></conditional></when></conditional>`;
    const what = "$c.k #if str($c.k) == 'x'# $c.v #elif $c.d.b# $c.d.v $c['d']['v'] #else# none #end if#";
    expect(await line({ inputs, command: command(what) })).toBe('x x 1');
    expect(await line({ inputs, command: command(what) }, { 'c|k': 'y' })).toBe('x y deep deep');
    expect(await line({ inputs, command: command(what) }, { c: { k: 'y', d: { b: true, v: 'mine' } } })).toBe(
      'x y mine mine',
    );
    expect(await line({ inputs, command: command(what) }, { c: { k: 'y', d: { b: 'no' } } })).toBe('x y none');
    // What stands in a case that was not chosen is not asked for.
    expect(await refused(inputs, { c: { k: 'y', v: 'no number' } })).toBe('');
  });

  it('param conditional (1403 tools) by a truth value: <when> says true or what it prints', async () => {
    const inputs = `<conditional name="c"><param name="b" type="boolean" truevalue="--on" falsevalue=""/><when value="true"><param name="n" type="integer" value="3"/></when><when value="false"/></conditional>`;
    const what = command('$c.b #if $c.b# $c.n #end if#');
    expect(await line({ inputs, command: what }, { c: { b: true } })).toBe('x --on 3');
    expect(await line({ inputs, command: what }, { c: { b: false } })).toBe('x');
  });

  it('param text (1070 tools)', async () => {
    const inputs = '<param name="t" type="text" value="a b"/><param name="e" type="text"/>';
    expect(
      await line({ inputs, command: command("'$t' '$e' #if $e# never #end if# #if str($e) == ''# empty #end if#") }),
    ).toBe("x 'a b' '' empty");
    // An empty text is None for newer wrappers, and prints nothing all the same.
    const newer = { attributes: 'profile="23.0"', inputs, command: command("'$e' #if $e# never #end if#") };
    expect(await line(newer, { e: '' })).toBe("x ''");
    expect(await refused(inputs, { t: 'x'.repeat(40_000) })).toContain('longer than');
    expect(await refused(inputs, { t: 'a\u0000b' })).toContain('NUL');
  });

  it('param section (542 tools)', async () => {
    const inputs =
      '<section name="adv" title="Advanced"><param name="n" type="integer" value="1"/><section name="deep" title="D"><param name="t" type="text" value="q"/></section></section>';
    expect(await line({ inputs, command: command('$adv.n ${adv.deep.t}') })).toBe('x 1 q');
    expect(await line({ inputs, command: command('$adv.n $adv.deep.t') }, { adv: { n: 2 }, 'adv|deep|t': 'r' })).toBe(
      'x 2 r',
    );
    expect(await errorsOf({ inputs, command: 'x' }, { adv: { n: 'no' } })).toHaveProperty(['adv|n']);
  });

  it('param repeat (305 tools)', async () => {
    const inputs =
      '<repeat name="r" title="R" min="1" max="3" default="2"><param name="n" type="integer" value="5"/></repeat>';
    const what = command("#for $i, $one in enumerate($r)# $i:$one.n:${one['n']} #end for# ${len($r)}");
    expect(await line({ inputs, command: what })).toBe('x 0:5:5 1:5:5 2');
    expect(await line({ inputs, command: what }, { r_0: {}, 'r_0|n': '7' })).toBe('x 0:7:7 1');
    expect(await line({ inputs, command: what }, { r: [{ n: 1 }, { n: 2 }, { n: 3 }] })).toBe('x 0:1:1 1:2:2 2:3:3 3');
    expect(await refused(inputs, { r: [] })).toContain('At least 1');
    expect(await refused(inputs, { r: [{}, {}, {}, {}] })).toContain('At most 3');
    expect(await errorsOf({ inputs, command: 'x' }, { r: [{ n: 1 }, { n: 'q' }] })).toHaveProperty(['r_1|n']);
  });

  it('param hidden (232 tools)', async () => {
    expect(await line({ inputs: '<param name="h" type="hidden" value="fixed"/>', command: command("'$h'") })).toBe(
      "x 'fixed'",
    );
  });

  it('param data_column (185 tools)', async () => {
    const inputs = `<param name="in" type="data" format="tabular"/><param name="c" type="data_column" data_ref="in" value="2"/>
      <param name="m" type="data_column" data_ref="in" multiple="true" optional="true"/>`;
    const world = { data: [{ extension: 'tabular', metadata: { columns: 3 } }] };
    const what = command("-f $c -m '$m' #for $k in $m# c$k #end for# ${int($c) - 1} #if $m# several #end if#");
    expect(await line({ inputs, command: what }, { in: hda(1) }, world)).toBe("x -f 2 -m 'None' 1");
    expect(await line({ inputs, command: what }, { in: hda(1), c: 'c3', m: ['1', '3'] }, world)).toBe(
      "x -f 3 -m '1,3' c1 c3 2 several",
    );
    expect(await refused(inputs, { in: hda(1), c: '4' }, world)).toContain('There is no column 4: dataset 1 has 3.');
    expect(await refused(inputs, { in: hda(1), c: '1;ls' }, world)).toContain('is not a column number');
  });

  it('param data_collection (127 tools)', async () => {
    const inputs =
      '<param name="in" type="data_collection" collection_type="paired" format="fastq"/><param name="o" type="data_collection" collection_type="list" optional="true"/>';
    const pair = {
      name: 'sample',
      hid: 3,
      type: 'paired',
      elements: [
        ['forward', id(1)],
        ['reverse', id(2)],
      ] as [string, string][],
    };
    const collections = { p: pair, l: { ...pair, type: 'list' } };
    const what = command(
      "-1 '$in.forward' -2 '${in['reverse']}' $in.forward.ext '$in.name' ${','.join($in.keys())} #if $o# never #end if# ${in.is_collection} #for $one in $in# $one.element_identifier #end for# $in[0]",
    );
    expect(await line({ inputs, command: what }, { in: hdca('p') }, { data: ['', ''], collections })).toBe(
      "x -1 '/data/1.dat' -2 '/data/2.dat' txt 'sample' forward,reverse True forward reverse /data/1.dat",
    );
    expect(await refused(inputs, { in: hdca('l') }, { data: ['', ''], collections })).toContain('paired');
    expect(await refused(inputs)).toContain('Choose a dataset collection');
  });

  it('param color (20 tools)', async () => {
    const inputs =
      '<param name="c" type="color" value="#aa00Bb"><sanitizer><valid initial="string.letters,string.digits"><add value="#"/></valid></sanitizer></param>';
    expect(await line({ inputs, command: command("'$c' '${str($c)[1:]}'") })).toBe("x '#aa00Bb' 'aa00Bb'");
    for (const c of ['red', '#abc', '#12345g', "#aabbcc' x"])
      expect(await refused(inputs, { c })).toContain('not a colour');
  });

  it('param multiple="true" (770 tools)', async () => {
    const inputs = `<param name="m" type="select" multiple="true"><option value="a">A</option><option value="b">B</option><option value="c&gt;1">C</option></param>
      <param name="n" type="select" multiple="true" optional="false"><option value="a" selected="true">A</option></param>
      <param name="s" type="select" multiple="true" separator=" "><option value="p" selected="true">P</option><option value="q" selected="true">Q</option></param>`;
    const what = command(
      "'$m' #for $one in $m# -o '$one' #end for# ${str($m).split(',')[0]} $s #if 'b' in $m# b #end if# #if $m# some #end if#",
    );
    expect(await line({ inputs, command: what })).toBe("x 'None' None p q");
    expect(await line({ inputs, command: what }, { m: ['a', 'b'] })).toBe("x 'a,b' -o 'a' -o 'b' a p q b some");
    expect(await line({ inputs, command: what }, { m: 'b,a' })).toBe("x 'b,a' -o 'b' -o 'a' b p q b some");
    // One by one they are as the wrapper wrote them; together they are sanitized, as in Galaxy.
    expect(await line({ inputs, command: what }, { m: ['c>1'] })).toBe("x 'c__gt__1' -o 'c>1' c__gt__1 p q some");
    expect(await refused(inputs, { n: [] })).toContain('at least one');
    expect(await refused(inputs, { m: ['a', 'z'] })).toContain('“z” is not among');
  });

  it('param <validator> (553 tools)', async () => {
    const of = async (type: string, validator: string, value: unknown, more = '') =>
      (await refused(`<param name="v" type="${type}" ${more}>${validator}</param>`, { v: value })) === ''
        ? 'taken'
        : 'refused';
    const cases: [string, string, unknown, string, string?][] = [
      ['text', '<validator type="regex" message="m">^[a-z]+$</validator>', 'abc', 'taken'],
      ['text', '<validator type="regex">^[a-z]+$</validator>', 'a b', 'refused'],
      ['text', '<validator type="regex" negate="true">^\\s</validator>', ' a', 'refused'],
      ['text', '<validator type="empty_field"/>', '', 'refused'],
      ['text', '<validator type="empty_field"/>', 'a', 'taken'],
      ['text', '<validator type="length" min="2" max="3"/>', 'abcd', 'refused'],
      ['text', '<validator type="length" min="2" max="3"/>', 'abc', 'taken'],
      ['text', '<validator type="expression"><![CDATA[value and value.count(",") == 1]]></validator>', 'a,b', 'taken'],
      ['text', '<validator type="expression"><![CDATA[value and value.count(",") == 1]]></validator>', 'a', 'refused'],
      ['integer', '<validator type="in_range" min="1" max="5" exclude_max="true"/>', 5, 'refused'],
      ['integer', '<validator type="in_range" min="1" max="5"/>', '5', 'taken'],
      ['integer', '<validator type="expression">value % 2 == 0</validator>', 3, 'refused'],
      ['float', '<validator type="in_range" min="0.5"/>', 0.4, 'refused'],
      [
        'select',
        '<option value="a">A</option><validator type="no_options" message="none"/>',
        null,
        'refused',
        'optional="true"',
      ],
      ['hidden', '<validator type="regex">x</validator>', 'y', 'refused'],
    ];
    for (const [type, validator, value, wanted, more] of cases) {
      expect([type, validator, value, await of(type, validator, value, more)]).toEqual([
        type,
        validator,
        value,
        wanted,
      ]);
    }
    expect(
      await refused(
        '<param name="v" type="text"><validator type="regex" message="Letters only">^[a-z]+$</validator></param>',
        { v: '1' },
      ),
    ).toBe('Letters only');
    expect(
      await problemsOf({ inputs: '<param name="v" type="text"><validator type="odd"/></param>', command: 'x' }),
    ).toHaveLength(1);
  });

  it('param <validator> (553 tools) of datasets', async () => {
    const of = (validator: string, data: object) =>
      refused(
        `<param name="in" type="data" format="data">${validator}</param>`,
        { in: hda(1) },
        { data: [data], ...tables({ genomes: GENOMES }) },
      );
    expect(await of('<validator type="unspecified_build"/>', {})).toContain('genome build');
    expect(await of('<validator type="unspecified_build"/>', { metadata: { dbkey: 'hg38' } })).toBe('');
    expect(
      await of('<validator type="dataset_metadata_in_range" metadata_name="columns" min="3"/>', {
        metadata: { columns: 2 },
      }),
    ).not.toBe('');
    expect(
      await of('<validator type="dataset_metadata_in_range" metadata_name="columns" min="3"/>', {
        metadata: { columns: 3 },
      }),
    ).toBe('');
    expect(await of('<validator type="metadata" check="dbkey" message="Say the genome"/>', {})).toContain(
      'Say the genome',
    );
    expect(await of('<validator type="dataset_ok_validator"/>', { state: 'empty' })).toBe('');
    expect(
      await of('<validator type="dataset_metadata_equal" metadata_name="columns" value_json="3"/>', {
        metadata: { columns: 3 },
      }),
    ).toBe('');
    const inTable =
      '<validator type="dataset_metadata_in_data_table" table_name="genomes" metadata_name="dbkey" metadata_column="1"/>';
    expect(await of(inTable, { metadata: { dbkey: 'mm10' } })).toBe('');
    expect(await of(inTable, { metadata: { dbkey: 'ce11' } })).not.toBe('');
  });

  it('param <sanitizer> (478 tools)', async () => {
    const text = (inside: string, value: string, more = '') =>
      line(
        {
          inputs: `<param name="t" type="text"><sanitizer ${more}>${inside}</sanitizer></param>`,
          command: command("'$t'"),
        },
        { t: value },
      );
    expect(await text('<valid initial="string.digits"><add value=","/></valid>', '1,a2', 'invalid_char=""')).toBe(
      "x '1,2'",
    );
    expect(await text('<valid initial="string.printable"><remove value="&apos;"/></valid>', "a|b'c")).toBe(
      "x 'a|b__sq__c'",
    );
    expect(
      await text(
        `<valid initial="string.printable"><remove value="'"/></valid><mapping initial="none"><add source="'" target="'&quot;'&quot;'"/></mapping>`,
        "it's",
      ),
    ).toBe(`x 'it'"'"'s'`);
    expect(
      await text(
        '<valid initial="none"><add preset="string.ascii_lowercase"/></valid><mapping initial="default"><remove source="@"/></mapping>',
        'aB@\n',
      ),
    ).toBe("x 'aXX__cn__'");
    expect(
      await line(
        { inputs: `<param name="t" type="text"><sanitizer sanitize="false"/></param>`, command: command('$t') },
        { t: 'a&b' },
      ),
    ).toBe('x a&b');
  });

  it('param from_data_table (314 tools)', async () => {
    const inputs = (inside: string) =>
      `<param name="in" type="data" format="data" optional="true"/><param name="s" type="select"><options from_data_table="genomes">${inside}</options></param>`;
    const world = { data: [{ metadata: { dbkey: 'mm10' } }, {}], ...tables({ genomes: GENOMES }) };
    const choices = async (inside: string, given = {}) =>
      withTool({ inputs: inputs(inside), command: 'x $s $s.fields.path' }, async ({ expand }) => {
        const { errors, jobs } = expand({ s: '?', ...given }, world);
        return jobs.length > 0 ? [] : (/choices: (.*)\./.exec(Object.values(errors).join())?.[1] ?? '').split(', ');
      });
    expect(
      await line({ inputs: inputs(''), command: command('$s $s.fields.path $s.value_label') }, { s: 'dm' }, world),
    ).toBe('x dm /ref/dm.fa A fly');
    expect(await choices('')).toEqual(['hg', 'mm', 'dm']);
    expect(await choices('<filter type="sort_by" column="name"/>')).toEqual(['dm', 'hg', 'mm']);
    expect(await choices('<column name="value" index="1"/><column name="name" index="2"/>')).toEqual([
      'hg38',
      'mm10',
      'dm6',
    ]);
    expect(await choices('<filter type="static_value" column="dbkey" value="hg38"/>')).toEqual(['hg']);
    expect(await choices('<filter type="regexp" column="name" value="H|M" keep="false"/>')).toEqual(['dm']);
    const byData = '<filter type="data_meta" ref="in" key="dbkey" column="dbkey"/>';
    expect(await choices(byData, { in: hda(1) })).toEqual(['mm']);
    // A genome that nobody has said chooses none, and none is left out.
    expect(await choices(byData, { in: hda(2) })).toEqual(['hg', 'mm', 'dm']);
    expect(await refused(inputs(''), { s: 'hg' }, { data: [] })).toContain('There is no data table genomes');
    expect(
      await refused(
        inputs('<validator type="no_options" message="No genome"/>'),
        {},
        { ...tables({ genomes: { ...GENOMES, rows: [] } }) },
      ),
    ).not.toBe('');
  });

  it('param <code> (80 tools) is refused by name: it would be Python inside the server', async () => {
    const problems = await problemsOf({ before: '<code file="x.py"/>', command: 'x' });
    expect(problems).toMatchObject([{ message: expect.stringContaining('<code>') }]);
    const dynamic = '<param name="s" type="select" dynamic_options="f()"/>';
    expect(await problemsOf({ inputs: dynamic, command: 'x' })).toMatchObject([
      { message: expect.stringContaining('dynamic_options') },
    ]);
  });

  it('param drill_down, genomebuild and group_tag', async () => {
    const tree = `<options><option name="A" value="a"><option name="A1" value="a1"/><option name="A2" value="a2"/></option><option name="B" value="b"/></options>`;
    const inputs = `<param name="r" type="drill_down" multiple="true" hierarchy="recurse">${tree}</param><param name="e" type="drill_down" multiple="true" hierarchy="exact">${tree}</param>
      <param name="g" type="genomebuild" value="hg38"/>`;
    expect(await line({ inputs, command: command('$r $e $g') }, { r: ['a', 'b'], e: ['a'] })).toBe('x a1,a2,b a hg38');
    expect(await refused(inputs, { r: ['c'], e: ['a'] })).toContain('“c” is not among');
    expect(await refused(inputs, { r: ['a'], e: ['a'], g: 'hg38; ls' })).toContain('not a genome build');
    const group =
      '<param name="in" type="data" format="txt" multiple="true"/><param name="g" type="group_tag" data_ref="in"/>';
    expect(await refused(group, { in: [hda(1)], g: 'none' }, { data: [''] })).toContain('not among');
  });
});
