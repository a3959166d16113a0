/**
 * What a tool says its version is: its wrapper's `<version_command>`, run after a job of it and remembered for a while,
 * because for small jobs it would take longer than they do.
 */
import { readFile, writeFile } from 'node:fs/promises';
import type { Clock } from '../../protocol/runtime/clock.js';
import { runLocal } from './runners/local.js';
import type { Start } from './runners/start.js';

const REMEMBERED_MS = 10 * 60 * 1000;
const REMEMBERED_MAX = 500;
const COMMAND_MS_MAX = 30_000;
const BYTES_MAX = 64 * 1024;
/** What an entry has room for. */
const CHARS_MAX = 1024;

export interface VersionRun {
  folder: string;
  /** Programs of one name may be others elsewhere. */
  where: string;
  /** The script is started where the tool ran. */
  start(script: string): Start;
}

export class ToolVersions {
  private readonly known = new Map<string, { text: string; at: number }>();

  constructor(private readonly deps: { clock: Clock }) {}

  /** Undefined when the command cannot be run or says nothing. Never rejects: no job fails for it. */
  async of(script: string, run: VersionRun): Promise<string | undefined> {
    const now = this.deps.clock.monotonic();
    const key = JSON.stringify([run.where, script]);
    const held = this.known.get(key);
    if (held && now - held.at < REMEMBERED_MS) return held.text || undefined;
    const text = await this.ask(script, run).catch(() => '');
    this.known.delete(key);
    this.known.set(key, { text, at: now });
    for (const oldest of this.known.keys()) {
      if (this.known.size <= REMEMBERED_MAX) break;
      this.known.delete(oldest);
    }
    return text || undefined;
  }

  private async ask(script: string, { folder, start }: VersionRun): Promise<string> {
    const file = `${folder}/version.sh`;
    const output = `${folder}/version.txt`;
    await writeFile(file, script, { mode: 0o600 });
    const run = runLocal(this.deps, {
      ...start(file),
      cwd: folder,
      stdoutFile: output,
      stderrFile: `${folder}/version.err`,
      logBytesMax: BYTES_MAX,
      walltimeMs: COMMAND_MS_MAX,
      killGraceMs: 1000,
    });
    const { stdoutBytes, stderrBytes } = await run.ended;
    // Many programs say it on the other side.
    const said = stdoutBytes > 0 ? output : stderrBytes > 0 ? `${folder}/version.err` : undefined;
    const text = said === undefined ? '' : await readFile(said, 'utf8');
    return [...text.trim()].slice(0, CHARS_MAX).join('').slice(0, CHARS_MAX);
  }
}
