import { describe, expect, it } from 'vitest';
import { isBam } from '../../../node/tool-test/sam.js';

describe('which datatypes are compared as SAM', () => {
  it.each([
    ['bam', true],
    ['unsorted.bam', true],
    ['qname_sorted.bam', true],
    ['qname_input_sorted.bam', true],
    ['cram', true],
    ['sam', false],
    ['bambam', false],
    [undefined, false],
  ])('%s: %s', (extension, expected) => {
    expect(isBam(extension)).toBe(expected);
  });
});
