/**
 * What a handler process does: takes runs from its node over a channel, carries them out, says how they ended.
 *
 * It lives as long as its channel. When that closes (the node stopped or died) every process of its runs is killed and
 * nothing is reported: the node, or whoever is home next, starts them again as another attempt.
 * The heartbeat is the lease: a handler that is not heard in time is given nothing, and is ended.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import type { Cancel, Clock } from '../../protocol/runtime/clock.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Datatypes } from '../datasets/datatypes.js';
import { collectOutputs, explain } from './collect.js';
import { fetchItem } from './fetch.js';
import { sweep } from './process-sweep.js';
import {
  type FromHandler,
  RUN_MARKER,
  type RunLog,
  type RunResult,
  type RunSpec,
  runPaths,
  type ToHandler,
} from './run-spec.js';
import { type LocalEnd, type LocalRun, runLocal } from './runners/local.js';
import { judge } from './verdict.js';

/** What of a log travels with the outcome; the rest is a blob. */
export const LOG_HEAD_BYTES = 8 * 1024;
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin';

export interface HandlerChannel {
  send(message: FromHandler): void;
  onMessage(listener: (message: ToHandler) => void): void;
  onClose(listener: () => void): void;
}

export interface HandlerDeps {
  channel: HandlerChannel;
  clock: Clock;
  datatypes: Datatypes;
  log: Logger;
}

interface Running {
  folder: string;
  stop(): void;
  kill(): void;
}

export class Handler {
  private readonly running = new Map<string, Running>();
  private stopBeat: Cancel = () => {};
  private closed = false;

  constructor(
    private readonly deps: HandlerDeps,
    private readonly options: { heartbeatMs: number; path: string | undefined },
  ) {}

  start(): void {
    const { channel, clock } = this.deps;
    channel.onMessage((message) => {
      if (message.type === 'run') void this.take(message.spec);
      else this.running.get(runKey(message))?.stop();
    });
    channel.onClose(() => this.close());
    this.stopBeat = clock.every(this.options.heartbeatMs, () => this.send({ type: 'beat' }));
    this.send({ type: 'ready' });
  }

  private close(): void {
    if (this.closed) return;
    this.closed = true;
    this.stopBeat();
    for (const { kill } of this.running.values()) kill();
    for (const { folder } of this.running.values()) sweep(folder);
    this.running.clear();
  }

  private async take(spec: RunSpec): Promise<void> {
    const { clock, log } = this.deps;
    const startedAt = clock.now();
    let result: RunResult;
    try {
      result = spec.work.kind === 'command' ? await this.runCommand(spec) : await this.runFetch(spec);
    } catch (error) {
      log.warn({ job: spec.job, err: error }, 'a run could not be carried out');
      result = emptyResult(startedAt, clock.now(), `The job could not be run: ${explain(error)}`);
    }
    this.running.delete(runKey(spec));
    this.send({ type: 'finished', job: spec.job, attempt: spec.attempt, result });
  }

  private async runCommand(spec: RunSpec): Promise<RunResult> {
    if (spec.work.kind !== 'command') throw new Error('not a command');
    const { clock } = this.deps;
    const { command, outputs } = spec.work;
    const paths = runPaths(spec.folder);
    makeRunFolder(spec);
    writeFileSync(paths.script, command.script, { mode: 0o600 });
    for (const file of command.configFiles) {
      writeFileSync(insideFolder(spec.folder, resolve(paths.working, file.path)), file.text, { mode: 0o600 });
    }
    const startedAt = clock.now();
    const run = runLocal(
      { clock },
      {
        script: paths.script,
        cwd: paths.working,
        environment: this.environment(spec, command.environment),
        stdoutFile: paths.stdout,
        stderrFile: paths.stderr,
        logBytesMax: spec.limits.logBytesMax,
        walltimeMs: spec.limits.walltimeMs,
        killGraceMs: spec.limits.killGraceMs,
      },
    );
    this.running.set(runKey(spec), { folder: spec.folder, stop: run.stop, kill: run.kill });
    this.sendStarted(spec, run, startedAt);
    const end = await run.ended;
    const endedAt = clock.now();
    // What left its process group may still hold an output open, and would write into a blob later.
    sweep(spec.folder);
    const stdout = await readLog(paths.stdout, end.stdoutBytes);
    const stderr = await readLog(paths.stderr, end.stderrBytes);
    const base = { exitCode: end.exitCode, stdout, stderr, startedAt, endedAt };
    if (end.stopped?.by === 'cancel') return { ...base, state: 'stopped', message: end.stopped.message, outputs: [] };
    const verdict = await this.verdict(spec, end);
    const results = await collectOutputs(this.deps, spec.folder, outputs);
    return { ...base, ...verdict, outputs: results };
  }

  private async verdict(spec: RunSpec, end: LocalEnd): Promise<{ state: 'ok' | 'error'; message?: string }> {
    if (end.stopped !== undefined) return { state: 'error', message: end.stopped.message };
    const rules = spec.work.kind === 'command' ? spec.work.command.failureRules : [];
    const paths = runPaths(spec.folder);
    const needsText = end.exitCode !== 0 || rules.some((rule) => rule.when === 'output');
    const read = (file: string, bytes: number) => (needsText && bytes > 0 ? readFile(file, 'utf8') : '');
    const stdout = await read(paths.stdout, end.stdoutBytes);
    const stderr = await read(paths.stderr, end.stderrBytes);
    return judge({ exitCode: end.exitCode, signal: end.signal, stdout, stderr }, rules);
  }

  private async runFetch(spec: RunSpec): Promise<RunResult> {
    if (spec.work.kind !== 'fetch') throw new Error('not an upload');
    const { clock } = this.deps;
    const controller = new AbortController();
    const stop = () => controller.abort(new Error('The upload was cancelled.'));
    this.running.set(runKey(spec), { folder: spec.folder, stop, kill: stop });
    makeRunFolder(spec);
    const startedAt = clock.now();
    this.sendStarted(spec, undefined, startedAt);
    const outputs: RunResult['outputs'] = [];
    try {
      for (const item of spec.work.items) {
        outputs.push(
          await fetchItem(this.deps, item, { bytesMax: spec.limits.fetchBytesMax, signal: controller.signal }),
        );
      }
    } catch (error) {
      if (!controller.signal.aborted) throw error;
      return { ...emptyResult(startedAt, clock.now(), 'The upload was cancelled.'), state: 'stopped' };
    }
    const failed = outputs.filter((output) => output.state === 'error');
    const state = failed.length === outputs.length ? 'error' : 'ok';
    return {
      ...emptyResult(startedAt, clock.now(), failed.map((output) => output.info).join('\n')),
      state,
      exitCode: state === 'ok' ? 0 : 1,
      outputs,
    };
  }

  /** Nothing of the node's own environment goes to a tool but PATH and the time zone: it may hold secrets. */
  private environment(spec: RunSpec, own: Record<string, string>): Record<string, string> {
    const { folder } = spec;
    return {
      PATH: this.options.path ?? DEFAULT_PATH,
      LC_ALL: 'C',
      HOME: folder,
      TMPDIR: runPaths(folder).temporary,
      TMP: runPaths(folder).temporary,
      TEMP: runPaths(folder).temporary,
      GALAXY_SLOTS: String(spec.cores),
      GALAXY_MEMORY_MB: String(spec.memoryMb),
      GALAXY_MEMORY_MB_PER_SLOT: String(Math.floor(spec.memoryMb / spec.cores)),
      ...own,
      [RUN_MARKER]: folder,
    };
  }

  private sendStarted(spec: RunSpec, run: LocalRun | undefined, at: number): void {
    this.send({ type: 'started', job: spec.job, attempt: spec.attempt, pid: run?.pid ?? null, at });
  }

  private send(message: FromHandler): void {
    if (!this.closed) this.deps.channel.send(message);
  }
}

function runKey(run: { job: string; attempt: number }): string {
  return `${run.job}-${run.attempt}`;
}

/** Synchronous on purpose: four small calls on the way between submit and start, where each await would cost a turn. */
function makeRunFolder(spec: RunSpec): void {
  const paths = runPaths(spec.folder);
  rmSync(spec.folder, { recursive: true, force: true });
  mkdirSync(spec.folder, { recursive: true, mode: 0o700 });
  for (const folder of [paths.working, paths.outputs, paths.temporary]) mkdirSync(folder, { mode: 0o700 });
}

function insideFolder(folder: string, file: string): string {
  if (!file.startsWith(folder + sep)) throw new Error(`the wrapper's configuration file ${file} is outside its folder`);
  mkdirSync(join(file, '..'), { recursive: true });
  return file;
}

async function readLog(file: string, bytes: number): Promise<RunLog> {
  if (bytes === 0) return { head: '' };
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(Math.min(bytes, LOG_HEAD_BYTES));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    const head = new TextDecoder().decode(buffer.subarray(0, bytesRead), { stream: true });
    return bytes > LOG_HEAD_BYTES ? { head, file } : { head };
  } finally {
    await handle.close();
  }
}

function emptyResult(startedAt: number, endedAt: number, message: string): RunResult {
  return {
    state: 'error',
    exitCode: null,
    ...(message ? { message } : {}),
    stdout: { head: '' },
    stderr: { head: '' },
    startedAt,
    endedAt,
    outputs: [],
  };
}
