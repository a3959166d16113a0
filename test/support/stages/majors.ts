/**
 * Proves that what was built runs on another major of Node than the one at hand: the parts that stand on native modules
 * and on Node itself, and real nodes that join, serve and restart. Node comes as the npm package `node`, by npx.
 *
 *   node dist/test/support/stages/majors.js 22 --count=FILE
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countOf, type StageCount } from './stage-count.js';

const FETCH_MS = 60_000;
const RUN_MS = 150_000;

/** level, argon2, BLAKE3, libp2p over TCP, streams, child processes, the Web APIs of Node. */
const UNIT = [
  'test/unit/runtime',
  'test/unit/log',
  'test/unit/blobs',
  'test/unit/accounts',
  'test/unit/host',
  'test/unit/jobs/local.test.ts',
  'test/unit/web/client-asset.test.ts',
];
const E2E = ['test/e2e/members.test.ts', 'test/e2e/process.test.ts'];
/** Of the last one: an upload, jobs, passwords and keys over a restart and a crash. */
const E2E_NAMES = 'takes its node number|invitation that was used|keeps sessions, API keys';

function main(): number {
  const major = Number(process.argv[2]);
  const countFile = process.argv.find((argument) => argument.startsWith('--count='))?.slice('--count='.length);
  const total: StageCount = { passed: 0, failed: 0, skipped: [] };
  const scratch = mkdtempSync(join(tmpdir(), 'galaxy-majors-'));
  try {
    const program = programOf(major);
    if (program === undefined) total.failed += 1;
    else
      for (const [project, args] of [
        ['unit', UNIT],
        ['e2e', [...E2E, '-t', E2E_NAMES]],
      ] as const) {
        const report = join(scratch, `${project}.json`);
        const ended = spawnSync(
          program,
          [
            ...['node_modules/vitest/vitest.mjs', 'run', '--project', project, ...args],
            ...['--reporter=dot', '--reporter=json', `--outputFile.json=${report}`],
          ],
          {
            cwd: new URL('../../../../', import.meta.url).pathname,
            stdio: 'inherit',
            timeout: RUN_MS,
            killSignal: 'SIGTERM',
          },
        );
        const count = countOf(report, ended.status ?? 1);
        total.passed += count.passed;
        total.failed += count.failed;
        // What a name leaves out was not meant to run here.
        process.stdout.write(`Node ${major}, ${project}: ${count.passed} passed, ${count.failed} failed\n`);
      }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  if (countFile !== undefined) writeFileSync(countFile, JSON.stringify(total));
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

/** The path of that Node, fetched when it is not there yet. */
function programOf(major: number): string | undefined {
  const asked = spawnSync(
    'npx',
    ['-y', '-p', `node@${major}`, 'node', '-p', 'process.version + " " + process.execPath'],
    {
      encoding: 'utf8',
      timeout: FETCH_MS,
    },
  );
  const [version = '', path = ''] = (asked.stdout ?? '').trim().split('\n').at(-1)?.split(' ') ?? [];
  if (version.startsWith(`v${major}.`) && existsSync(path)) {
    process.stdout.write(`Node ${version}\n`);
    return path;
  }
  process.stdout.write(
    `Node ${major} could not be had from npm: ${(asked.stderr ?? '').trim().split('\n').at(-1) ?? ''}\n`,
  );
  return undefined;
}

process.exitCode = main();
