import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clip, fitOutcome, fromRun, jsonBytes, type RunFacts } from '../../../node/jobs/outcome.js';
import type { RunResult } from '../../../node/jobs/run-spec.js';
import { entrySchemas, type JobOutcome } from '../../../protocol/account/entries.js';
import { ENTRY_PAYLOAD_BYTES_MAX } from '../../../protocol/wire/limits.js';

const base = { id: '00000000000000c1', epoch: 1, attempt: 1, executor: 'node-a', endedAt: 5 };

const facts = (outputs: number, names: string): RunFacts => ({
  commandLine: names.repeat(100),
  cores: 1,
  memoryMb: 1000,
  inputBlobs: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`00000000000001${10 + i}`, 'b'.repeat(60)])),
  adopted: new Map(Array.from({ length: outputs }, (_, i) => [`output${i}`, { blob: 'b'.repeat(60), size: i }])),
  stdoutBlob: undefined,
  stderrBlob: undefined,
  createdFrom: new Map(Array.from({ length: outputs }, (_, i) => [`output${i}`, names])),
});

const result = (outputs: number, text: string): RunResult => ({
  state: 'ok',
  exitCode: 0,
  message: text,
  stdout: { head: text },
  stderr: { head: text },
  startedAt: 1,
  endedAt: 2,
  outputs: Array.from({ length: outputs }, (_, i) => ({
    name: `output${i}`,
    state: 'ok',
    extension: 'tabular',
    peek: text,
    blurb: text,
    metadata: { columns: 3, column_types: [text] },
    info: text,
  })),
});

describe('an outcome', () => {
  it('always fits into an entry and its schema, and never loses what the outputs are', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 9000, unit: 'binary' }),
      fc.constant('\u0001'.repeat(8192)),
      fc.constant('😀'.repeat(5000)),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), text, (count, words) => {
        const outcome = fromRun(base, result(count, words), facts(count, words));
        expect(jsonBytes(outcome)).toBeLessThanOrEqual(ENTRY_PAYLOAD_BYTES_MAX);
        expect(entrySchemas['job.outcome'].safeParse(outcome).error).toBeUndefined();
        for (let index = 0; index < count; index++) {
          expect(outcome.outputs[`output${index}`]).toMatchObject({
            state: 'ok',
            extension: 'tabular',
            size: index,
            files: [{ role: 'primary', blob: 'b'.repeat(60), size: index }],
          });
        }
      }),
      { numRuns: 40 },
    );
  });

  it('that fits is left as it is', () => {
    const outcome = fromRun(base, result(2, 'short'), facts(2, 'name')) satisfies JobOutcome;
    expect(outcome).toMatchObject({ stdout: 'short', inputBlobs: expect.anything() });
    expect(fitOutcome(outcome)).toBe(outcome);
  });

  it('of a failed run has its outputs in error, with the reason and what they hold', () => {
    const outcome = fromRun(base, { ...result(1, 'words'), state: 'error', exitCode: 2 }, facts(1, 'name'));
    expect(outcome).toMatchObject({ state: 'error', exitCode: 2 });
    expect(outcome.outputs.output0).toMatchObject({ state: 'error', info: 'words\nwords', files: [{ size: 0 }] });
  });

  it('is never cut within a character', () => {
    expect(clip('a😀', 2)).toBe('a');
    expect(clip('a😀', 3)).toBe('a😀');
  });
});
