import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheetahOracle, itWithCheetah } from '../../support/cheetah-oracle.js';
import { type Names, outcome } from './render.js';

/** The rows of docs/CHEETAH.md, "Where it differs". */
const differences: { what: string; template: string; names?: Names; ours: object; cheetah: object }[] = [
  {
    what: 'a body without a statement',
    template: '#if 1\n#end if\na',
    ours: { output: 'a' },
    cheetah: { type: 'ParseError' },
  },
  {
    what: 'a variable of the function in a comprehension',
    template: '#set $a = 2\n${[v * $a for v in [1]]}',
    ours: { output: '[2]' },
    cheetah: { type: 'NotFound' },
  },
  {
    what: 'a parameter with the name of a method of dictionaries',
    template: '$values',
    names: { values: 'mine' },
    ours: { output: 'mine' },
    cheetah: { output: expect.stringContaining('dict_values') },
  },
  {
    what: 'text right after a bracket',
    template: '$l[0]s',
    names: { l: ['a'] },
    ours: { output: 'as' },
    cheetah: { type: 'NotFound' },
  },
  { what: 'not, first in braces', template: '${not 1}', ours: { output: 'False' }, cheetah: { type: 'ParseError' } },
  {
    what: '//= in #set',
    template: '#set $a = 7\n#set $a //= 2\n$a',
    ours: { output: '3' },
    cheetah: { type: 'ParseError' },
  },
  { what: 'bytes', template: "${'a'.encode()}", ours: { output: 'a' }, cheetah: { output: "b'a'" } },
  {
    what: 'line ends within brackets',
    template: '#set $a = 1\n#set $b = (a\nand 5)\n$b',
    ours: { output: '5' },
    cheetah: { type: 'ParseError' },
  },
  {
    what: 'an integer of more digits than Python prints',
    template: '${(10 ** 5000 > 1)}',
    ours: { type: 'limit' },
    cheetah: { output: 'True' },
  },
];

let oracle: CheetahOracle;
beforeAll(() => {
  oracle = new CheetahOracle();
});
afterAll(() => oracle.stop());

describe('where it differs from Cheetah, it does so as documented', () => {
  it.each(differences)('here: $what', ({ template, names = {}, ours }) => {
    expect(outcome(template, names)).toEqual(ours);
  });
  itWithCheetah.each(differences)('Cheetah: $what', async ({ template, names = {}, cheetah }) => {
    expect(await oracle.render(template, names)).toMatchObject(cheetah);
  });
});
