import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type Answer, CheetahOracle, itWithCheetah } from '../../support/cheetah-oracle.js';
import { outcome, readTable, tableNames, tables } from './render.js';
import { names, templates } from './templates.js';

let oracle: CheetahOracle;
beforeAll(() => {
  oracle = new CheetahOracle();
});
afterAll(() => oracle.stop());

const short = (answer: Answer) => ('output' in answer ? answer : { type: answer.type });

describe('compared with Cheetah itself', () => {
  itWithCheetah.each(tables)('the table %s says what Cheetah says', async (file) => {
    for (const { name, template, output, error } of readTable(file)) {
      const answer = short(await oracle.render(template, tableNames));
      expect({ name, ...answer }).toEqual({ name, ...(output === undefined ? { type: error } : { output }) });
    }
  });

  itWithCheetah('templates from a grammar render the same, errors included', async () => {
    await fc.assert(
      fc.asyncProperty(templates, names, async (template, given) => {
        expect(outcome(template, given)).toEqual(short(await oracle.render(template, given)));
      }),
      { numRuns: 600, seed: 20190501 },
    );
  });
});
