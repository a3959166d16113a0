/** No request can hold the node: what checking its values and planning its jobs takes is counted, and so are the values. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { givenOf, inside, repeatsIn } from '../../../node/toolbox/parameters/parameters.js';
import type { Toolbox } from '../../../node/toolbox/tool.js';
import type { JsonObject } from '../../../protocol/log/entry.js';
import { fakeContext, id } from './fake-context.js';
import { temporaryFolder, testToolbox, toolboxOf } from './run-tool.js';

let toolbox: Toolbox;
let bundled: Toolbox;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const context = fakeContext([{ id: id(1), hid: 1 }]);
const one: JsonObject = { src: 'hda', id: id(1) };
const evil = `${'a'.repeat(30)}!`;

const tool = (name: string, inputs: string, outputs = '') =>
  `<tool id="${name}" name="T" version="1"><command>x</command><inputs>${inputs}</inputs><outputs>${outputs}</outputs></tool>`;
const text = (validator: string) => `<param name="w" type="text" value="a">${validator}</param>`;
const LOOP = 'len([1 for x in range(1000) for y in range(1000)])';

beforeAll(async () => {
  bundled = await testToolbox([], true);
  folder = await temporaryFolder();
  toolbox = await toolboxOf(folder.path, {
    'word.xml': tool('word', text('<validator type="regex">^(\\w+,?)+$</validator>')),
    'negated.xml': tool('negated', text('<validator type="regex" negate="true">^(\\w+,?)+$</validator>')),
    'flags.xml': tool('flags', text('<validator type="regex">(?i)(?P&lt;q&gt;["x])[a-c]+(?P=q)\\Z</validator>')),
    'loop.xml': tool('loop', text(`<validator type="expression">${LOOP} == 0</validator>`)),
    'near.xml': tool(
      'near',
      `<repeat name="r" title="R">${text('<validator type="expression">len([1 for x in range(9000)]) == 9000</validator>')}</repeat>`,
    ),
    'label.xml': tool('label', '', `<data name="o" format="txt" label="\${${LOOP}}"/>`),
    'filter.xml': tool('filter', '', `<data name="o" format="txt"><filter>${LOOP} == 0</filter></data>`),
    'action.xml': tool(
      'action',
      '',
      `<data name="o" format="txt"><actions><action type="format" default="\${${LOOP}}"/></actions></data>`,
    ),
    'fine.xml': tool('fine', '', '<data name="o" format="txt" label="${len([1 for x in range(5000)])}"/>'),
  });
});
afterAll(() => folder.remove());

const expand = (name: string, inputs: JsonObject, box = toolbox) => {
  const found = box.tool(name);
  if (!found) throw new Error(JSON.stringify(box.problems()));
  return box.expand(found, inputs, context);
};

describe('a pattern or expression of a validator', () => {
  const sentence =
    'The value could not be checked: its <validator> takes too many steps for it. A shorter value may do.';

  it.each(['word', 'negated', 'loop'])('that would run for years refuses the value: %s', (name) => {
    expect(expand(name, { w: evil }).errors).toEqual({ w: sentence });
  });

  it('is used as before where it ends', () => {
    expect(expand('word', { w: 'a,b' }).errors).toEqual({});
    expect(expand('negated', { w: 'a,b' }).errors).toEqual({ w: 'The value must match ^(\\w+,?)+$.' });
    expect(expand('flags', { w: '"ABC"' }).errors).toEqual({});
    expect(Object.keys(expand('flags', { w: '"ABC"\n' }).errors)).toEqual(['w']);
    expect(Object.keys(expand('flags', { w: 'y"abc"' }).errors)).toEqual(['w']);
  });

  it('takes of what the whole request may take', () => {
    const r = Array.from({ length: 1000 }, () => ({ w: 'a' }));
    expect(expand('near', { r: r.slice(0, 20) }).errors).toEqual({});
    const refused = Object.values(expand('near', { r }).errors);
    expect(refused.length).toBeGreaterThan(500);
    expect(new Set(refused)).toEqual(new Set([sentence]));
  });
});

describe('what is decided of the outputs before a job runs', () => {
  it.each(['label', 'filter', 'action'])('a %s that goes on and on refuses the request', (name) => {
    const { jobs } = expand(name, {});
    expect(() => toolbox.plan(toolbox.tool(name)!, jobs[0]!, context)).toThrow(/more than 100000 steps/);
  });

  it('one that ends is rendered', () => {
    const { jobs } = expand('fine', {});
    expect(toolbox.plan(toolbox.tool('fine')!, jobs[0]!, context)[0]?.label).toBe('5000');
  });
});

describe('the values of one request', () => {
  const repeats = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`queries_${index}|input2`, one]));
  const batch = (count: number) => ({ batch: true, values: Array.from({ length: count }, () => one) });

  it('may be many in one job, or few in many jobs', () => {
    expect(expand('cat1', { input1: one, ...repeats(1000) }, bundled).jobs).toHaveLength(1);
    expect(expand('cat1', { input1: batch(1000), ...repeats(20) }, bundled).jobs).toHaveLength(1000);
  });

  it('are not multiplied without a bound, and a sentence says what to do', () => {
    const { jobs, errors } = expand('cat1', { input1: batch(1000), ...repeats(1000) }, bundled);
    expect(jobs).toEqual([]);
    expect(errors).toEqual({
      input1: expect.stringMatching(
        /^One request may hold at most 250000 values in all its jobs; this one asks for 1000 jobs of \d+ values each\. Run it in several smaller requests\.$/,
      ),
    });
  });

  it('of a list of datasets count one by one', () => {
    const { jobs, errors } = expand('cat1', { input1: batch(300_000) }, bundled);
    expect([jobs.length, Object.keys(errors)]).toEqual([0, ['input1']]);
  });

  it('are found by an index: keys that nobody asks for cost nothing for each repeat', () => {
    const stray = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`stray_${index}|x`, 1]));
    const inputs: JsonObject = { ...repeats(500), ...stray };
    let looked = 0;
    const counted = new Proxy(inputs, {
      ownKeys: (target) => {
        looked += 1;
        return Reflect.ownKeys(target);
      },
    });
    const given = givenOf(counted);
    expect(repeatsIn(given, 'queries')).toHaveLength(500);
    for (const instance of repeatsIn(given, 'queries') ?? []) expect(repeatsIn(instance, 'inner')).toBeUndefined();
    expect(looked).toBe(1);
    expect(
      repeatsIn(inside(givenOf({ 's|r_0|a|b': 1, 's|r_1|a': 1, 's|r_3|a': 1 }), 's', undefined), 'r'),
    ).toHaveLength(2);
  });
});
