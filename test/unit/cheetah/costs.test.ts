/** What takes time or memory is counted by its size, so that the bounds on steps and on built values bound both. */
import { describe, expect, it } from 'vitest';
import { Effort } from '../../../node/toolbox/cheetah/pattern.js';
import { faultOf, type Names, render } from './render.js';

const text = (length: number, char = 'x') => char.repeat(length);
const items = (length: number) => Array.from({ length }, (_, index) => index);

/** Steps that a template takes. */
function steps(template: string, names: Names = {}): number {
  const effort = new Effort(10_000_000);
  render(template, names, { effort });
  return 10_000_000 - effort.left;
}

describe('what is done with a long text costs steps', () => {
  it.each<[work: string, names: (length: number) => Names]>([
    ['${($a == $b)}', (length) => ({ a: `${text(length)}a`, b: `${text(length)}b` })],
    ['${($a < $b)}', (length) => ({ a: `${text(length)}a`, b: `${text(length)}b` })],
    ['${($a < $b)}', (length) => ({ a: `${text(length / 2, '😀')}a`, b: `${text(length / 2, '😀')}b` })],
    ['${($a in [$b])}', (length) => ({ a: `${text(length)}a`, b: `${text(length)}b` })],
    ['${($a in $d)}', (length) => ({ a: text(length), d: {} })],
    ['${len($a)}', (length) => ({ a: text(length) })],
    ['${$a[0]}', (length) => ({ a: text(length) })],
    ['#silent $a.lower()', (length) => ({ a: text(length) })],
    ['#silent $a.upper()', (length) => ({ a: text(length) })],
    ['#silent $a.title()', (length) => ({ a: text(length) })],
    ['#silent $a.strip()', (length) => ({ a: text(length) })],
    ['${$a.startswith("y")}', (length) => ({ a: text(length) })],
    ['#silent sorted([$a, $b])', (length) => ({ a: `${text(length)}b`, b: `${text(length)}a` })],
    ['#silent max($a, $b)', (length) => ({ a: `${text(length)}b`, b: `${text(length)}a` })],
    ['#silent "".join([$a, $a])', (length) => ({ a: text(length) })],
    ['#silent str([$a])', (length) => ({ a: text(length) })],
    ['#silent repr($a)', (length) => ({ a: text(length) })],
    ['${($a == $b)}', (length) => ({ a: items(length), b: items(length) })],
    ['${($a < $b)}', (length) => ({ a: items(length), b: items(length) })],
    ['#set $l = $a\n#del $l[0]', (length) => ({ a: items(length) })],
    ['#silent $a.remove(0)', (length) => ({ a: items(length) })],
  ])('%s', (work, names) => {
    expect(steps(work, names(100_000)) - steps(work, names(1_000))).toBeGreaterThanOrEqual(900);
  });

  it('of a set and a dictionary each entry', () => {
    const set = (length: number) => ({ a: items(length), b: items(length) });
    for (const work of ['${($x == $y)}', '${($x <= $y)}', '${$x.issubset($y)}']) {
      const template = `#set $x = set($a)\n#set $y = set($b)\n${work}`;
      const made = '#set $x = set($a)\n#set $y = set($b)\n';
      const cost = (length: number) => steps(template, set(length)) - steps(made, set(length));
      expect([work, cost(100_000) - cost(1000) >= 900]).toEqual([work, true]);
    }
  });

  it('a comparison of short texts costs none of its own', () => {
    expect(steps('${($a == $b)}', { a: text(99), b: text(99) })).toBe(steps('${($a == $b)}', { a: 'a', b: 'a' }));
  });

  it('texts are ordered by code points, where JavaScript orders by units', () => {
    const order = '${($a < $b)} ${($b < $a)} ${($a <= $b)}';
    const cases: [string, string][] = [
      ['\uffff', '😀'],
      ['😀', '😁'],
      ['a😀', 'a😀b'],
      ['😀\uffff', '😀😀'],
      ['z', '\ue000'],
      ['\u{1F600}', '\u{2F600}'],
    ];
    for (const [a, b] of cases) expect([a, b, render(order, { a, b })]).toEqual([a, b, 'True False True']);
  });

  it('hours of comparing end at the bound', () => {
    const names = { a: `${text(250_000, '😀')}a`, b: `${text(250_000, '😀')}b` };
    const fault = faultOf(() => render('#while $a < $b\n#end while', names));
    expect([fault.fault, fault.reason]).toEqual(['limit', 'more than 2000000 steps']);
  });
});

describe('what one rendering builds is bounded as a whole', () => {
  it.each([
    ['lists', '#set $l = []\n#for $i in range(200)\n#silent $l.append([0] * 1000000)\n#end for'],
    ['copies', '#set $s = [0] * 1000000\n#set $l = []\n#for $i in range(200)\n#silent $l.append($s[:])\n#end for'],
    ['list()', '#set $s = [0] * 1000000\n#set $l = []\n#for $i in range(200)\n#silent $l.append(list($s))\n#end for'],
    ['sets', '#set $s = range(100000)\n#set $l = []\n#for $i in range(200)\n#silent $l.append(set($s))\n#end for'],
    ['pieces', '#set $s = "a " * 500000\n#set $l = []\n#for $i in range(99)\n#silent $l.append($s.split())\n#end for'],
    ['texts', '#set $l = []\n#for $i in range(900)\n#silent $l.append("a" * 1000000)\n#end for'],
  ])('%s', (_, template) => {
    const before = process.memoryUsage();
    const fault = faultOf(() => render(template, {}, { stepsMax: 1_000_000_000 }));
    expect([fault.fault, fault.reason]).toEqual(['limit', 'values that together have more than 20000000 items']);
    const { heapUsed, external } = process.memoryUsage();
    expect(heapUsed + external - before.heapUsed - before.external).toBeLessThan(1_000_000_000);
  });

  it('a long text put together of short ones is no trouble', () => {
    const template =
      '#set $s = ""\n#for $i in range(2000)\n#set $s = $s + "a line of some sixty characters, as a list of files has it\\n"\n#end for\n${len($s)}';
    expect(render(template)).toBe('118000');
  });
});

describe('steps that several renderings share', () => {
  it('end all of them', () => {
    const effort = new Effort(1000);
    render('#for $i in range(100)\n#silent $i\n#end for', {}, { effort });
    expect(effort.left).toBeLessThan(1000);
    const fault = faultOf(() => render('#while 1\n#end while', {}, { effort }));
    expect([fault.fault, fault.reason]).toEqual(['limit', 'more steps than one request may take']);
    expect(effort.left).toBe(0);
  });
});
