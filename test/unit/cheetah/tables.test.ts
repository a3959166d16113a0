import { describe, expect, it } from 'vitest';
import { outcome, readTable, tableNames, tables } from './render.js';

describe.each(tables)('templates of %s render as Cheetah renders them', (file) => {
  it.each(readTable(file))('$name', ({ template, output, error }) => {
    expect(outcome(template, tableNames)).toEqual(output === undefined ? { type: error } : { output });
  });
});
