import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalOptions, runLocal } from '../../../node/jobs/runners/local.js';
import { sleep, systemClock } from '../../../protocol/runtime/clock.js';
import { gone } from './processes.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'galaxy-local-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(script: string, options: Partial<LocalOptions> = {}) {
  const file = join(folder, 'script.sh');
  writeFileSync(file, script);
  return runLocal(
    { clock: systemClock },
    {
      argv: ['/bin/sh', file],
      cwd: folder,
      environment: { PATH: process.env.PATH ?? '' },
      stdoutFile: join(folder, 'stdout'),
      stderrFile: join(folder, 'stderr'),
      logBytesMax: 10_000,
      walltimeMs: null,
      killGraceMs: 200,
      ...options,
    },
  );
}

describe('a local run', () => {
  it('gives its exit code and keeps its two logs apart', async () => {
    const end = await run('echo out; echo err >&2; exit 7').ended;
    expect(end).toEqual({ exitCode: 7, signal: null, stdoutBytes: 4, stderrBytes: 4 });
    expect(readFileSync(join(folder, 'stdout'), 'utf8')).toBe('out\n');
    expect(readFileSync(join(folder, 'stderr'), 'utf8')).toBe('err\n');
  });

  it('is stopped when it floods its standard error, and keeps only as much as allowed', async () => {
    const end = await run('yes flood >&2').ended;
    expect(end.stopped).toEqual({
      by: 'limit',
      message: 'The tool wrote more than 10000 bytes to its standard error and was stopped.',
    });
    expect(statSync(join(folder, 'stderr')).size).toBe(10_000);
  });

  it('is stopped when it takes too long', async () => {
    const end = await run('sleep 1000', { walltimeMs: 100 }).ended;
    expect(end.stopped).toEqual({ by: 'limit', message: 'The job ran longer than the 0.1 seconds it may take.' });
    expect(end.signal).toBe('SIGTERM');
  });

  it('that ignores SIGTERM is killed after the grace', async () => {
    const started = run("trap '' TERM; echo ready; while :; do sleep 1000; done");
    while (!existsSync(join(folder, 'stdout'))) await sleep(systemClock, 10);
    started.stop();
    const end = await started.ended;
    expect(end.signal).toBe('SIGKILL');
    expect(end.stopped?.by).toBe('cancel');
  });

  it('takes what it left in the background with it', async () => {
    const end = await run('sleep 1000 & echo $!').ended;
    expect(end.exitCode).toBe(0);
    const pid = Number(readFileSync(join(folder, 'stdout'), 'utf8'));
    expect(pid).toBeGreaterThan(1);
    await gone(pid);
  });

  it('that cannot start says why', async () => {
    const end = await run('true', { cwd: join(folder, 'missing') }).ended;
    expect(end.stopped?.message).toContain('could not be started');
  });
});
