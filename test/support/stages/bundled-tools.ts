/**
 * The stage that runs the tests in the wrappers of the tools that this product brings, on a node of its own, by the command
 * that a wrapper's author uses. A tool whose program this machine lacks is skipped by name, whatever its tests say: a test
 * that expects a failure would pass for the wrong reason.
 *
 *   node dist/test/support/stages/bundled-tools.js --count=FILE
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { StageCount } from './stage-count.js';

/** Below the stage's own deadline: what a hang leaves is then said here. */
const RUN_MS = 110_000;
const ANSWER_BYTES_MAX = 256 * 2 ** 20;
const TOOLS = 'node/toolbox/tools';

const toolList = z.object({ tools: z.array(z.object({ id: z.string(), missing: z.array(z.string()) })) });
const results = z.object({
  tests: z.array(
    z.object({
      data: z.object({
        status: z.enum(['success', 'failure', 'error', 'skip']),
        tool_id: z.string(),
        test_index: z.number(),
        not_run: z.array(z.string()).optional(),
      }),
    }),
  ),
});

function main(): number {
  const countFile = process.argv.find((argument) => argument.startsWith('--count='))?.slice('--count='.length);
  const needs = new Map(answer(['list'], toolList).tools.map(({ id, missing }) => [id, missing]));
  const { tests } = answer(['test', TOOLS], results);
  const total: StageCount = { passed: 0, failed: 0, skipped: [] };
  for (const { data } of tests) {
    const name = `bundled tool ${data.tool_id}, test ${data.test_index + 1}`;
    const missing = needs.get(data.tool_id) ?? [];
    if (missing.length > 0) total.skipped.push(`${name} (needs ${missing.join(', ')})`);
    else if (data.status === 'success') total.passed += 1;
    else if (data.status === 'skip') total.skipped.push(`${name} (${(data.not_run ?? []).join('; ')})`);
    else total.failed += 1;
  }
  if (countFile !== undefined) writeFileSync(countFile, JSON.stringify(total));
  process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped.length} skipped\n`);
  return total.failed === 0 && total.passed + total.skipped.length > 0 ? 0 : 1;
}

/** What `galaxy-node tool … --json` printed; its progress is this stage's own. */
function answer<T>(words: readonly string[], schema: z.ZodType<T>): T {
  const command = ['dist/bin/galaxy-node.js', 'tool', ...words, '--json'];
  const ended = spawnSync(process.execPath, command, {
    cwd: new URL('../../../../', import.meta.url).pathname,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: ANSWER_BYTES_MAX,
    timeout: RUN_MS,
  });
  if (ended.error) throw ended.error;
  return schema.parse(JSON.parse(ended.stdout));
}

process.exitCode = main();
