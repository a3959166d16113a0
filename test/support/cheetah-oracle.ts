/**
 * Cheetah itself, where Debian's python3-cheetah is installed: one warm process that renders templates for comparison. A
 * test's tool, never run by a node. With CI=true its absence fails; otherwise the tests that need it are skipped by name.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { it } from 'vitest';

const PYTHON = '/usr/bin/python3';
const SCRIPT = fileURLToPath(new URL('./cheetah-oracle.py', import.meta.url));

export type Answer = { output: string } | { type: string; message: string };

function isInstalled(): boolean {
  return spawnSync(PYTHON, ['-c', 'import Cheetah.Template'], { stdio: 'ignore' }).status === 0;
}

export const itWithCheetah = it.skipIf(process.env.CI !== 'true' && !isInstalled());

export class CheetahOracle {
  private readonly waiting: ((answer: Answer) => void)[] = [];
  private readonly process: ChildProcessWithoutNullStreams;

  constructor() {
    this.process = spawn(PYTHON, [SCRIPT]);
    this.process.stderr.resume();
    createInterface({ input: this.process.stdout }).on('line', (line) => {
      this.waiting.shift()?.(JSON.parse(line) as Answer);
    });
    this.process.on('exit', () => {
      for (const answer of this.waiting.splice(0)) answer({ type: 'Gone', message: 'the oracle has ended' });
    });
  }

  render(template: string, names: unknown): Promise<Answer> {
    if (this.process.exitCode !== null) return Promise.resolve({ type: 'Gone', message: 'the oracle has ended' });
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.process.stdin.write(`${JSON.stringify({ template, names })}\n`);
    });
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.stdin.end();
    await ended;
  }
}
