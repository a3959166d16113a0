/**
 * `npm test`: every check in order, each stage with a deadline, and one closing line that counts. With CI=true nothing
 * is skipped for a missing program (that is a failure); without it, what is skipped is named.
 *
 * The full output of each stage goes into a file as well (GALAXY_TEST_LOGS=FOLDER keeps them all; after a failure they are
 * kept anyway). Everything that a stage starts carries a mark in its environment: what is left of it afterwards is ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createWriteStream, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inTime } from '../protocol/runtime/amounts.js';
import type { StageCount } from './support/stages/stage-count.js';
import { type Stage, stagesOf, TOTAL_MINUTES } from './support/stages/stages.js';

const LAST_LINES = 80;
/** Between being asked to end and being ended. */
const GRACE_MS = 8000;

const root = new URL('../../', import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), 'galaxy-test-'));
const ci = process.env.CI === 'true';
const keptLogs = process.env.GALAXY_TEST_LOGS;
const logs = keptLogs ?? mkdtempSync(join(tmpdir(), 'galaxy-test-logs-'));
mkdirSync(logs, { recursive: true });
const mark = `GALAXY_TEST_RUN=${randomUUID()}`;
/** For a machine that is slower than two cores: all deadlines times this. */
const patience = Math.max(1, Number(process.env.GALAXY_TEST_PATIENCE ?? 1) || 1);
const endsAt = performance.now() + (ci ? TOTAL_MINUTES.ci : TOTAL_MINUTES.usual) * patience * 60_000;

const only = process.argv.slice(2);
const total: StageCount = { passed: 0, failed: 0, skipped: [] };
const summary: string[] = [];
const failedStages: Stage[] = [];
let interrupted = false;
for (const stage of stagesOf(scratch)) {
  const isNamed = only.some((word) => stage.name.includes(word));
  if (interrupted || (only.length > 0 && !isNamed)) continue;
  if (stage.ciOnly && !ci && !isNamed) {
    total.skipped.push(`${stage.name} (runs with CI=true, or by \`npm test -- '${stage.name}'\`)`);
    continue;
  }
  process.stdout.write(`\n== ${stage.name}\n`);
  const started = performance.now();
  const exitCode = await run(stage);
  const count = stage.count?.(exitCode) ?? {
    passed: exitCode === 0 ? 1 : 0,
    failed: exitCode === 0 ? 0 : 1,
    skipped: [],
  };
  if (exitCode !== 0 && count.failed === 0) count.failed = 1;
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped.push(...count.skipped);
  if (count.failed > 0) failedStages.push(stage);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  summary.push(
    `${stage.name}: ${count.passed} passed, ${count.failed} failed, ${count.skipped.length} skipped, ${seconds} s`,
  );
}
rmSync(scratch, { recursive: true, force: true });
for (const stage of failedStages) {
  process.stdout.write(`\n== ${stage.name} failed; the last ${LAST_LINES} lines of ${logOf(stage)}:\n`);
  process.stdout.write(`${readFileSync(logOf(stage), 'utf8').trimEnd().split('\n').slice(-LAST_LINES).join('\n')}\n`);
}
process.stdout.write(`\n${summary.join('\n')}\n`);
if (failedStages.length > 0 || keptLogs !== undefined)
  process.stdout.write(`The full output of each stage is in ${logs}\n`);
else rmSync(logs, { recursive: true, force: true });
for (const name of total.skipped) process.stdout.write(`skipped: ${name}\n`);
if (ci && total.skipped.length > 0)
  process.stdout.write('With CI=true a skipped test is a failed one: install what it needs.\n');
const failed = total.failed + (ci ? total.skipped.length : 0) + (interrupted ? 1 : 0);
process.stdout.write(`${total.passed} passed, ${failed} failed, ${ci ? 0 : total.skipped.length} skipped\n`);
process.exitCode = failed === 0 && total.passed > 0 ? 0 : 1;

function logOf(stage: Stage): string {
  return join(logs, `${stage.name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.log`);
}

/** Runs a stage in a process group of its own, which is ended as a whole when the deadline passes. */
function run(stage: Stage): Promise<number> {
  const left = endsAt - performance.now();
  const limitMs = Math.max(1000, Math.min(stage.deadlineMinutes * patience * 60_000, left));
  return new Promise((resolve) => {
    const [program, ...args] = stage.command as [string, ...string[]];
    const [name, value] = mark.split('=') as [string, string];
    const child: ChildProcess = spawn(program, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, [name]: value, ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}) },
      detached: true,
    });
    const file = createWriteStream(logOf(stage));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        process.stdout.write(chunk);
        file.write(chunk);
      });
    }
    const say = (text: string) => {
      process.stdout.write(`${text}\n`);
      file.write(`${text}\n`);
    };
    let hard: NodeJS.Timeout | undefined;
    const end = () => {
      signal(child, 'SIGTERM');
      hard ??= setTimeout(() => {
        signal(child, 'SIGKILL');
        // Whoever left the group keeps the pipes open.
        endLeftovers();
      }, GRACE_MS);
    };
    const timer = setTimeout(() => {
      say(
        `${stage.name}: not done after ${inTime(limitMs)}${limitMs === left ? ', when all stages together have to be' : ''}: ended`,
      );
      end();
    }, limitMs);
    const onInterrupt = () => {
      interrupted = true;
      end();
    };
    process.on('SIGINT', onInterrupt);
    process.on('SIGTERM', onInterrupt);
    child.once('error', (error) => say(`${stage.name}: ${error.message}`));
    child.once('close', (code) => {
      clearTimeout(timer);
      clearTimeout(hard);
      process.off('SIGINT', onInterrupt);
      process.off('SIGTERM', onInterrupt);
      const ended = endLeftovers();
      if (ended > 0) say(`${stage.name}: left ${ended} processes behind, which were ended`);
      file.end(() => resolve(code ?? 1));
    });
  });
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name);
  } catch {
    // The group is gone.
  }
}

/** Processes with this run's mark, wherever they went; found on Linux only. How many there were. */
function endLeftovers(): number {
  let ended = 0;
  for (const pid of pids()) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark)) continue;
      process.kill(pid, 'SIGKILL');
      ended += 1;
    } catch {
      // Gone, or another user's.
    }
  }
  return ended;
}

function pids(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .map(Number);
  } catch {
    return [];
  }
}
