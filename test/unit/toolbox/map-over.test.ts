import { describe, expect, it } from 'vitest';
import type { LoadedParameter } from '../../../node/toolbox/loaded.js';
import { type Axis, axisOf, combine, JOBS_MAX } from '../../../node/toolbox/parameters/map-over.js';
import type { ToolCollection, ToolContext, ToolElement } from '../../../node/toolbox/tool.js';
import { fakeContext, fakeDataset, id } from './fake-context.js';

const parameter = (more: Partial<LoadedParameter>) => ({ type: 'data', ...more }) as LoadedParameter;
const dataset = (number: number) => fakeDataset({ id: id(number), hid: number });
const leaf = (identifier: string, number: number): ToolElement => ({ identifier, dataset: dataset(number) });
const inner = (identifier: string, name: string, collectionType: string, elements: ToolElement[]): ToolElement => ({
  identifier,
  id: name,
  collectionType,
  elements,
});

/** Two pairs in a list. */
const TREE = [
  inner('s1', 'p1', 'paired', [leaf('forward', 1), leaf('reverse', 2)]),
  inner('s2', 'p2', 'paired', [leaf('forward', 3), leaf('reverse', 4)]),
];
const collection = (name: string, collectionType: string, tree: ToolElement[]): ToolCollection => ({
  id: name,
  name,
  hid: 9,
  collectionType,
  elements: [],
  tree,
});
const held = new Map([
  ['lp', collection('lp', 'list:paired', TREE)],
  ['flat', collection('flat', 'list', [leaf('a', 1), leaf('b', 2)])],
  ['none', collection('none', 'list', [])],
]);
const context: ToolContext = { ...fakeContext([]), collection: (wanted) => held.get(wanted) };
const hdca = (name: string, more: object = {}) => ({ src: 'hdca', id: name, ...more });
const axis = (more: Partial<LoadedParameter>, raw: unknown) => axisOf('in', parameter(more), raw as never, context);

describe('what makes several jobs of one request', () => {
  it('a list where one dataset is taken: a job for each, which knows its element by name', () => {
    const found = axis({}, hdca('flat'));
    expect(found?.values).toEqual([
      { src: 'hda', id: id(1), element_identifier: 'a' },
      { src: 'hda', id: id(2), element_identifier: 'b' },
    ]);
    expect(found?.shape).toEqual({ id: 'flat', collectionType: 'list', identifiers: [['a'], ['b']] });
  });

  it('a list of pairs: where a pair is taken a job for each pair, where a dataset is taken one for each', () => {
    const pairs = axis({ type: 'data_collection', collectionTypes: ['paired'] }, hdca('lp'));
    expect(pairs?.values).toEqual([
      { src: 'dce', id: 'p1', element_identifier: 's1' },
      { src: 'dce', id: 'p2', element_identifier: 's2' },
    ]);
    expect(pairs?.shape).toMatchObject({ collectionType: 'list', identifiers: [['s1'], ['s2']] });
    expect(axis({}, hdca('lp'))?.shape).toMatchObject({
      collectionType: 'list:paired',
      identifiers: [
        ['s1', 'forward'],
        ['s1', 'reverse'],
        ['s2', 'forward'],
        ['s2', 'reverse'],
      ],
    });
  });

  it('what one job takes whole is no axis: the collection as it is, many datasets, any kind', () => {
    expect(axis({ type: 'data_collection', collectionTypes: ['list:paired'] }, hdca('lp'))).toBeUndefined();
    expect(axis({ type: 'data_collection' }, hdca('lp'))).toBeUndefined();
    expect(axis({ multiple: true }, hdca('flat'))).toBeUndefined();
    expect(axis({}, { src: 'hda', id: id(1) })).toBeUndefined();
    expect(axis({ type: 'data_collection', collectionTypes: ['paired'] }, hdca('flat'))).toBeUndefined();
  });

  it('map_over_type says which part a job gets', () => {
    const found = axis({ multiple: true }, { batch: true, values: [hdca('lp', { map_over_type: 'paired' })] });
    expect(found?.values).toHaveLength(2);
  });

  it('a batch of plain values is an axis as well', () => {
    expect(axis({ type: 'integer' }, { __class__: 'Batch', values: [1, 2], linked: false })).toMatchObject({
      values: [1, 2],
      linked: false,
    });
    expect(axis({ type: 'integer' }, 3)).toBeUndefined();
  });
});

describe('axes together', () => {
  const plain = (path: string, count: number, linked = true): Axis => ({
    path,
    values: Array.from({ length: count }, (_, index) => `${path}${index}`),
    linked,
  });
  const chosen = (...axes: Axis[]) => {
    const combined = combine(axes);
    return 'wrong' in combined ? combined : combined.chosen.map((map) => [...map.values()].join(' '));
  };

  it('linked ones advance together, the others multiply', () => {
    expect(chosen(plain('a', 2), plain('b', 2))).toEqual(['a0 b0', 'a1 b1']);
    expect(chosen(plain('a', 2), plain('c', 2, false))).toEqual(['a0 c0', 'a0 c1', 'a1 c0', 'a1 c1']);
  });

  it('what does not fit is said with its place', () => {
    expect(chosen(plain('a', 2), plain('b', 3))).toMatchObject({
      path: 'b',
      wrong: expect.stringContaining('3 values'),
    });
    expect(chosen(plain('a', 0))).toMatchObject({ path: 'a', wrong: expect.stringContaining('Nothing') });
    expect(chosen(plain('a', 40, false), plain('b', 40, false))).toMatchObject({
      wrong: expect.stringContaining(String(JOBS_MAX)),
    });
    const [flat, deep] = [
      axis({}, hdca('flat')),
      axis({ type: 'data_collection', collectionTypes: ['paired'] }, hdca('lp')),
    ];
    expect(chosen({ ...flat!, path: 'a' }, { ...deep!, path: 'b' })).toHaveLength(2);
    const four = axis({}, hdca('lp'))!;
    const other = {
      ...four,
      path: 'o',
      shape: { id: 'x', collectionType: 'list', identifiers: [['1'], ['2'], ['3'], ['4']] },
    };
    expect(chosen(four, other)).toMatchObject({ path: 'o', wrong: expect.stringContaining('not nested') });
  });

  it('collections that multiply give a nesting of both', () => {
    const one = axis({}, hdca('flat'))!;
    const combined = combine([one, { ...one, path: 'other', linked: false }]);
    expect('mapOver' in combined && combined.mapOver).toMatchObject({
      collectionType: 'list:list',
      identifiers: [
        ['a', 'a'],
        ['a', 'b'],
        ['b', 'a'],
        ['b', 'b'],
      ],
    });
  });
});
