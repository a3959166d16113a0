import { describe, expect, it } from 'vitest';
import { defineErrors } from '../../../protocol/runtime/errors.js';
import { errorForLog } from '../../../protocol/runtime/logger.js';

const errors = defineErrors('logger-test', {
  refused: { kind: 'forbidden', say: 'The invitation was used before.', mend: 'Ask for a new one.' },
});

describe('an error in the log', () => {
  const refused = errors('refused', {}, { cause: new Error('the stream was closed') });

  it('is a sentence with what to do, and its cause, when the world failed', () => {
    const line = errorForLog(refused, 'info');
    expect(line).toEqual({
      code: 'logger-test/refused',
      message: 'The invitation was used before. Ask for a new one.',
      cause: 'the stream was closed',
    });
    expect(JSON.stringify(line)).not.toMatch(/stack|\.ts:\d/);
  });

  it('has its stack at the level debug, and in any case when it is our own', () => {
    expect(errorForLog(refused, 'debug')).toMatchObject({ stack: expect.stringContaining('logger.test.ts') });
    expect(errorForLog(new Error('a bug'), 'info')).toMatchObject({ stack: expect.stringContaining('logger.test.ts') });
    expect(errorForLog('a word', 'info')).toBe('a word');
  });
});
