import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, expect, it } from 'vitest';
import { compileEntry } from '../jobs/compile.js';

const compiled = compileEntry('test/unit/bin/long-answer.ts');
afterAll(() => compiled.remove());

it('a long answer comes whole to a reader that is in no hurry, and then the exit code', async () => {
  const child = spawn(process.execPath, [compiled.entry], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  // Nobody reads until all of it was handed over.
  await once(child.stderr, 'data');
  let bytes = 0;
  for await (const chunk of child.stdout) bytes += (chunk as Buffer).length;
  expect(bytes).toBe(4 * 2 ** 20);
  expect((await exited)[0]).toBe(3);
});
