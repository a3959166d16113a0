/** The operators of templates, on what wrappers use them on. The numbers are how many real tools do. */
import { describe, expect, it } from 'vitest';
import { hda, line } from './construct.js';

const INPUTS = `<param name="s" type="select"><option value="yes">Y</option><option value="no">N</option></param>
<param name="m" type="select" multiple="true"><option value="p">P</option><option value="q">Q</option></param>
<param name="o" type="select" optional="true"><option value="p">P</option></param>
<param name="b" type="boolean" truevalue="--b" falsevalue=""/>
<param name="i" type="integer" value="3"/><param name="n" type="integer" optional="true"/>
<param name="f" type="float" value="1.5"/><param name="t" type="text" value="ab"/>`;
const holds = async (test: string, inputs = {}) =>
  (await line({ inputs: INPUTS, command: `x #if ${test}# holds #end if#` }, inputs)) === 'x holds';

describe('operators of templates', () => {
  it('operator == (1371 tools)', async () => {
    for (const test of [
      "$s == 'yes'",
      'str($s) == "yes"',
      '$i == 3',
      '$f == 1.5',
      "str($i) == '3'",
      "$t == 'ab'",
      '$b == False',
    ]) {
      expect([test, await holds(test)]).toEqual([test, true]);
    }
    for (const test of ["$s == 'no'", '$i == 4', "str($b) == '--b'", '$i == "x"']) {
      expect([test, await holds(test)]).toEqual([test, false]);
    }
  });

  it('operator == (1371 tools) of what was not chosen: a select is both None and empty, a number is empty', async () => {
    for (const test of [
      "$o == 'None'",
      "$o == ''",
      "$m == ''",
      "str($m) == 'None'",
      "str($n) == ''",
      "$n == ''",
      '$n == None',
    ]) {
      expect([test, await holds(test)]).toEqual([test, true]);
    }
    expect(await holds("$o == ''", { o: 'p' })).toBe(false);
    expect(await holds("$m == ''", { m: ['p'] })).toBe(false);
  });

  it('operator == (1371 tools) of a truth value knows its own two texts and the usual words', async () => {
    for (const test of ["$b == '--b'", "$b == 'true'", "$b == 'True'", "$b == 'yes'", '$b == True']) {
      expect([test, await holds(test, { b: true }), await holds(test, { b: false })]).toEqual([test, true, false]);
    }
    expect(await holds("$b == ''", { b: false })).toBe(true);
    expect(await holds("$b == 'false'", { b: false })).toBe(true);
  });

  it('operator != (393 tools)', async () => {
    for (const test of ["$s != 'no'", '$i != 4', "str($t) != ''", "$t != ''", "str($o) != ''"]) {
      expect([test, await holds(test)]).toEqual([test, true]);
    }
    expect(await holds("$o != ''")).toBe(false);
    expect(await holds("$n != ''")).toBe(false);
    expect(await holds("$b != '--b'", { b: true })).toBe(false);
  });

  it('operator in (270 tools)', async () => {
    const chosen = { m: ['p', 'q'] };
    for (const test of [
      "'p' in $m",
      "'p' in str($m).split(',')",
      "$s in ['yes', 'maybe']",
      "'a' in $t",
      "'p' in $m.value",
      "$s not in ['no']",
    ]) {
      expect([test, await holds(test, chosen)]).toEqual([test, true]);
    }
    expect(await holds("'p' in $m")).toBe(false);
    expect(await holds("$o in ['p']")).toBe(false);
  });

  it('operator + (254 tools)', async () => {
    const command = `#set $list = ['a'] + ['b']
#set $sum = $i + 1
x \${'-' + str($i)} $sum \${$t + '.txt'} \${'x' + $s} \${$f + $i} $list`;
    expect(await line({ inputs: INPUTS, command })).toBe("x -3 4 ab.txt xyes 4.5 ['a', 'b']");
  });

  it('operator and (193 tools)', async () => {
    expect(await holds("$s == 'yes' and $i > 2 and not $b")).toBe(true);
    expect(await holds('$t and $n')).toBe(false);
  });

  it('operator list (197 tools)', async () => {
    const command =
      "#set $all = [$i, '$t', [1, 2]]\nx $all[0] ${all[2][1]} #for $one in ['bam', 'sam']# .$one #end for# ${[] == []}";
    expect(await line({ inputs: INPUTS, command })).toBe('x 3 2 .bam .sam True');
  });

  it('operator comprehension (169 tools)', async () => {
    const inputs = '<param name="in" type="data" format="txt" multiple="true"/>';
    const command = `x \${" ".join(["-i '%s'" % $one for $one in $in if $one.ext == 'bed'])} \${{k: v for k, v in [('a', 1)]}} \${[a + b for a in 'xy' for b in '12']}`;
    const world = { data: ['', { extension: 'bed' }] };
    expect(await line({ inputs, command }, { in: [hda(1), hda(2)] }, world)).toBe(
      "x -i '/data/2.dat' {'a': 1} ['x1', 'x2', 'y1', 'y2']",
    );
  });

  it('operator "%s" % (161 tools)', async () => {
    const command =
      "x ${'%s' % $t} ${'%s_%d' % ($s, $i)} ${'%.3f' % $f} ${'%05d' % $i} ${'%(a)s' % {'a': $t}} ${'%s%%' % 5} ${'%s' % $b}";
    expect(await line({ inputs: INPUTS, command })).toBe('x ab yes_3 1.500 00003 ab 5%');
  });

  it('operator or (116 tools)', async () => {
    expect(await holds("$s == 'no' or $i == 3")).toBe(true);
    expect(await holds('$n or $b')).toBe(false);
    expect(await line({ inputs: INPUTS, command: "x ${str($n) or 'none'}" })).toBe('x none');
  });

  it('operator not (115 tools)', async () => {
    for (const test of ['not $b', 'not $n', 'not $m', 'not $o', "not $s == 'no'", '$s is not None', 'not ($i > 3)']) {
      expect([test, await holds(test)]).toEqual([test, true]);
    }
  });

  it('operator index (185 tools)', async () => {
    const inputs = `<param name="in" type="data" format="txt" multiple="true"/>
      <conditional name="c"><param name="k" type="select"><option value="a">A</option></param><when value="a"><param name="n" type="integer" value="2"/></when></conditional>
      <repeat name="r" title="R" min="1"><param name="n" type="integer" value="8"/></repeat>`;
    const command = "x $in[0] ${in[-1].ext} ${c['n']} $c['k'] ${r[0]['n']} $r[0].n ${'abc'[1]}";
    expect(await line({ inputs, command }, { in: [hda(1), hda(2)] }, { data: ['', { extension: 'bed' }] })).toBe(
      'x /data/1.dat bed 2 a 8 8 b',
    );
  });

  it('operator dict (61 tools)', async () => {
    const command =
      "#set $names = {'yes': '--one', 'no': '--two'}\n#set $names['z'] = 1\nx ${names[str($s)]} $names.no ${'z' in $names} ${len($names)}";
    expect(await line({ inputs: INPUTS, command })).toBe('x --one --two True 3');
  });

  it('operator slice (33 tools)', async () => {
    const command = "x ${'abcdef'[1:3]} ${'abcdef'[:-2]} ${'abc'[::-1]} ${[1, 2, 3][1:]} ${str($t)[:1]}";
    expect(await line({ inputs: INPUTS, command })).toBe('x bc abcd cba [2, 3] a');
  });

  it('operator if-else (26 tools)', async () => {
    const command = "x ${'--yes' if $s == 'yes' else '--no'} #echo $n if $n else 0# #set $v = 1 if $b else 2# $v";
    expect(await line({ inputs: INPUTS, command })).toBe('x --yes 0 2');
  });

  it('operator lambda (9 tools)', async () => {
    const command =
      "#set $twice = lambda a, b=2: a * b\nx ${twice(4)} ${sorted(['bb', 'a'], key=lambda one: len(one))}";
    expect(await line({ command })).toBe("x 8 ['a', 'bb']");
  });

  it('operator generator (8 tools)', async () => {
    expect(
      await line({
        command: "x ${','.join(str(n) for n in range(3))} ${sum(n * n for n in [1, 2])} ${any(n > 1 for n in [1, 2])}",
      }),
    ).toBe('x 0,1,2 5 True');
  });

  it('the other operators', async () => {
    for (const test of [
      '$i < 4',
      '$i <= 3',
      '$f > 1',
      '$f >= 1.5',
      '1 < $i < 4',
      '$i * 2 == 6',
      '$i - 1 == 2',
      '7 // 2 == 3',
      '7 / 2 == 3.5',
      '$i % 2 == 1',
      '2 ** 3 == 8',
      '-$i == -3',
    ]) {
      expect([
        test,
        await line({ attributes: 'profile="20.01"', inputs: INPUTS, command: `x #if ${test}# holds #end if#` }),
      ]).toEqual([test, 'x holds']);
    }
  });
});
