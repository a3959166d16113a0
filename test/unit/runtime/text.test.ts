import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  hasControlCharacters,
  replaceControlCharacters,
  withoutControlCharacters,
} from '../../../protocol/runtime/text.js';

const CONTROLS = ['\0', '\t', '\n', '\r', '\x1b', '\x1f', '\x7f', '\x80', '\x85', '\x9f', '\u2028', '\u2029'];
const OTHERS = [' ', '~', '\xa0', 'é', '\u2027', '\u202a', '🧬', '"', '\\'];

describe('control characters', () => {
  it.each(CONTROLS)('%j is one', (text) => {
    expect(hasControlCharacters(`a${text}b`)).toBe(true);
    expect(withoutControlCharacters(`a${text}${text}b`)).toBe('a b');
  });

  it.each(OTHERS)('%j is none', (text) => {
    expect(hasControlCharacters(text)).toBe(false);
    expect(withoutControlCharacters(text)).toBe(text);
  });

  it('are replaced one by one, except those that are kept', () => {
    expect(replaceControlCharacters('a\tb\0\x1bc\nd', '?', '\t\n')).toBe('a\tb??c\nd');
  });

  it('are not there any more once they were removed, and nothing else is changed', () => {
    const text = fc.array(fc.constantFrom(...CONTROLS, ...OTHERS, 'x')).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (dirty) => {
        const clean = withoutControlCharacters(dirty);
        expect(hasControlCharacters(clean)).toBe(false);
        expect(withoutControlCharacters(clean)).toBe(clean);
        if (!hasControlCharacters(dirty)) expect(clean).toBe(dirty);
      }),
    );
  });
});
