/**
 * `npm test`: every check in order, each stage with a deadline, and one closing line that counts. With CI=true nothing
 * is skipped for a missing program (that is a failure); without it, what is skipped is named.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Count {
  passed: number;
  failed: number;
  skipped: string[];
}

interface Stage {
  name: string;
  command: string[];
  deadlineMinutes: number;
  /** Reads the stage's own count; without it the stage counts as one check. */
  count?: (exitCode: number) => Count;
}

const root = new URL('../../', import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), 'galaxy-test-'));
const node = process.execPath;
const ci = process.env.CI === 'true';

function vitestStage(project: string, deadlineMinutes: number): Stage {
  const report = join(scratch, `${project}.json`);
  return {
    name: `${project} tests`,
    command: [
      node,
      'node_modules/vitest/vitest.mjs',
      'run',
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    deadlineMinutes,
    count: (exitCode) => {
      // A stage that was ended at its deadline leaves no report.
      if (!existsSync(report)) return { passed: 0, failed: 1, skipped: [] };
      const result = JSON.parse(readFileSync(report, 'utf8')) as {
        numPassedTests: number;
        numFailedTests: number;
        numTotalTests: number;
        testResults: { status: string; name: string; assertionResults: { status: string; fullName: string }[] }[];
      };
      const skipped = result.testResults.flatMap((file) =>
        file.assertionResults
          .filter((test) => test.status !== 'passed' && test.status !== 'failed')
          .map((test) => test.fullName),
      );
      const brokenFiles = result.testResults.filter(
        (file) => file.status === 'failed' && file.assertionResults.length === 0,
      ).length;
      const failed = result.numFailedTests + brokenFiles;
      return { passed: result.numPassedTests, failed: failed === 0 && exitCode !== 0 ? 1 : failed, skipped };
    },
  };
}

const conformanceReport = join(scratch, 'bioblend-count.json');
const stages: Stage[] = [
  {
    name: 'types',
    command: [node, 'node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--noEmit'],
    deadlineMinutes: 3,
  },
  {
    name: 'format and lint',
    command: [node, 'node_modules/@biomejs/biome/bin/biome', 'check', '.'],
    deadlineMinutes: 2,
  },
  vitestStage('unit', 6),
  vitestStage('e2e', 8),
  {
    name: 'BioBlend conformance',
    command: [node, 'dist/test/conformance/bioblend.js', `--count=${conformanceReport}`],
    deadlineMinutes: 6,
    count: () =>
      existsSync(conformanceReport)
        ? (JSON.parse(readFileSync(conformanceReport, 'utf8')) as Count)
        : { passed: 0, failed: 1, skipped: [] },
  },
];
if (ci) stages.push({ name: 'the story', command: [node, 'dist/bin/demo.js', '--story'], deadlineMinutes: 8 });

const only = process.argv.slice(2);
const total: Count = { passed: 0, failed: 0, skipped: [] };
const lines: string[] = [];
for (const stage of stages) {
  if (only.length > 0 && !only.some((word) => stage.name.includes(word))) continue;
  process.stdout.write(`\n== ${stage.name}\n`);
  const started = performance.now();
  const exitCode = await run(stage);
  const count = stage.count?.(exitCode) ?? {
    passed: exitCode === 0 ? 1 : 0,
    failed: exitCode === 0 ? 0 : 1,
    skipped: [],
  };
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped.push(...count.skipped);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  lines.push(
    `${stage.name}: ${count.passed} passed, ${count.failed} failed, ${count.skipped.length} skipped, ${seconds} s`,
  );
}
rmSync(scratch, { recursive: true, force: true });
process.stdout.write(`\n${lines.join('\n')}\n`);
for (const name of total.skipped) process.stdout.write(`skipped: ${name}\n`);
const failed = total.failed + (ci ? total.skipped.length : 0);
if (ci && total.skipped.length > 0)
  process.stdout.write('With CI=true a skipped test is a failed one: install what it needs.\n');
process.stdout.write(`${total.passed} passed, ${failed} failed, ${ci ? 0 : total.skipped.length} skipped\n`);
process.exitCode = failed === 0 && total.passed > 0 ? 0 : 1;

/** Runs a stage in a process group of its own, which is ended as a whole when the deadline passes. */
function run(stage: Stage): Promise<number> {
  return new Promise((resolve) => {
    const [program, ...args] = stage.command as [string, ...string[]];
    const child: ChildProcess = spawn(program, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    const endGroup = () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    };
    const timer = setTimeout(() => {
      process.stdout.write(`${stage.name}: not done after ${stage.deadlineMinutes} minutes, ended\n`);
      endGroup();
    }, stage.deadlineMinutes * 60_000);
    const onInterrupt = () => endGroup();
    process.once('SIGINT', onInterrupt);
    process.once('SIGTERM', onInterrupt);
    child.once('close', (code) => {
      clearTimeout(timer);
      process.off('SIGINT', onInterrupt);
      process.off('SIGTERM', onInterrupt);
      resolve(code ?? 1);
    });
  });
}
