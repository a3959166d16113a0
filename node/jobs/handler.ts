/**
 * What a handler process does: takes runs from its node over a channel, carries them out, says how they ended.
 *
 * It lives as long as its channel. When that closes (the node stopped or died) every process of its runs is killed and
 * nothing is reported: the node, or whoever is home next, starts them again as another attempt.
 * The heartbeat is the lease: a handler that is not heard in time is given nothing, and is ended.
 */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import type { Cancel, Clock } from '../../protocol/runtime/clock.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Datatypes } from '../datasets/datatypes.js';
import { collectOutputs, explain, filesFolder, isUndecided } from './collect.js';
import { type Discovered, discover } from './discover.js';
import { fetchItem } from './fetch.js';
import { withIndex } from './index-files.js';
import { sweep } from './process-sweep.js';
import { type Provided, readProvided } from './provided-metadata.js';
import {
  type FromHandler,
  RUN_MARKER,
  type RunLog,
  type RunOutput,
  type RunOutputResult,
  type RunResult,
  type RunSpec,
  runPaths,
  type ToHandler,
} from './run-spec.js';
import { type LocalEnd, type LocalRun, runLocal } from './runners/local.js';
import { type CommandWork, notStarted, startOf } from './runners/start.js';
import { ToolVersions } from './tool-versions.js';
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
  private readonly versions: ToolVersions;
  private stopBeat: Cancel = () => {};
  private closed = false;

  constructor(
    private readonly deps: HandlerDeps,
    private readonly options: { heartbeatMs: number; path: string | undefined },
  ) {
    this.versions = new ToolVersions(deps);
  }

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
    const { command, outputs, links = [] } = spec.work;
    const paths = runPaths(spec.folder);
    makeRunFolder(spec);
    for (const { path, target } of links) symlinkSync(target, insideFolder(spec.folder, path));
    for (const { file, precreateFolder } of outputs) if (precreateFolder) mkdirSync(filesFolder(file), { mode: 0o700 });
    writeFileSync(paths.script, command.script, { mode: 0o600 });
    for (const file of command.configFiles) {
      writeFileSync(insideFolder(spec.folder, resolve(paths.working, file.path)), file.text, { mode: 0o600 });
    }
    const startedAt = clock.now();
    const run = runLocal(
      { clock },
      {
        ...startOf(spec, spec.work, {
          script: paths.script,
          cwd: paths.working,
          environment: this.environment(spec, command.environment),
          purpose: 'tool',
        }),
        cwd: paths.working,
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
    const toolVersion = await this.versionOf(spec, end);
    const base = {
      exitCode: end.exitCode,
      stdout,
      stderr,
      startedAt,
      endedAt,
      ...(toolVersion ? { toolVersion } : {}),
    };
    if (end.stopped?.by === 'cancel') return { ...base, state: 'stopped', message: end.stopped.message, outputs: [] };
    const verdict = await this.verdict(spec, end);
    return { ...base, ...verdict, ...(await this.collect(spec, verdict)) };
  }

  /** What the tool made: its outputs, and if it succeeded what is to be found beside them. */
  private async collect(
    spec: RunSpec,
    verdict: { state: 'ok' | 'error'; message?: string },
  ): Promise<Pick<RunResult, 'outputs' | 'found' | 'elements' | 'message'>> {
    if (spec.work.kind !== 'command') throw new Error('not a command');
    const { outputs, collections = [], command } = spec.work;
    const byPath = (named: string) =>
      outputs.find(
        ({ file, name }) =>
          file === named || name === named || [named, `dataset_${named}.dat`].includes(basename(file)),
      )?.name;
    const { providedMetadataFile = 'galaxy.json' } = command;
    const provided: Provided = await readProvided(spec.folder, providedMetadataFile, byPath);
    const hasRules = collections.length > 0 || outputs.some((output) => output.discover !== undefined);
    let found: Discovered | undefined;
    if (verdict.state === 'ok' && hasRules) {
      found = await discover(this.deps, spec.folder, { outputs, collections }, provided);
    }
    const decided = outputs.map((output) => decidedBy(output, provided, found));
    const results: RunOutputResult[] = [];
    for (const result of await collectOutputs(this.deps, spec.folder, decided, found?.taken)) {
      results.push(await this.indexed(spec, describedBy(result, provided, found)));
    }
    const files: NonNullable<RunResult['found']> = [];
    for (const file of found?.files ?? []) files.push(await this.indexed(spec, file));
    const message = [verdict.message, ...(found?.notes ?? [])].filter(Boolean).join('\n');
    return {
      outputs: results,
      ...(files.length > 0 ? { found: files } : {}),
      ...(found && collections.length > 0 ? { elements: found.elements } : {}),
      ...(message ? { message } : {}),
    };
  }

  private indexed<T extends RunOutputResult>(spec: RunSpec, result: T): Promise<T> {
    return withIndex(this.deps, result, {
      folder: spec.folder,
      environment: this.environment(spec, {}),
      killGraceMs: spec.limits.killGraceMs,
      start: (script, environment) => {
        const { work, folder } = spec;
        if (work.kind !== 'command' || !isConfined(spec)) return { argv: ['/bin/sh', script], environment };
        return startOf(spec, work, { script, cwd: folder, environment, purpose: 'index' });
      },
      running: ({ stop, kill }) => this.running.set(runKey(spec), { folder: spec.folder, stop, kill }),
    });
  }

  private async versionOf(spec: RunSpec, end: LocalEnd): Promise<string | undefined> {
    const { work, folder } = spec;
    const script = work.kind === 'command' ? work.command.versionScript : undefined;
    if (work.kind !== 'command' || script === undefined || end.stopped !== undefined) return undefined;
    return this.versions.of(script, {
      folder,
      where: JSON.stringify([work.setUp, work.place?.kind === 'container' ? work.place.image : work.place?.kind]),
      start: (file) =>
        startOf(spec, work, { script: file, cwd: folder, environment: this.environment(spec, {}), purpose: 'version' }),
    });
  }

  private async verdict(spec: RunSpec, end: LocalEnd): Promise<{ state: 'ok' | 'error'; message?: string }> {
    if (end.stopped !== undefined) return { state: 'error', message: end.stopped.message };
    const rules = spec.work.kind === 'command' ? spec.work.command.failureRules : [];
    const paths = runPaths(spec.folder);
    const prevented = spec.work.kind === 'command' ? await this.prevented(spec, spec.work, end) : undefined;
    if (prevented !== undefined) return { state: 'error', message: prevented };
    const needsText = end.exitCode !== 0 || rules.some((rule) => rule.when === 'output');
    const read = (file: string, bytes: number) => (needsText && bytes > 0 ? readFile(file, 'utf8') : '');
    const stdout = await read(paths.stdout, end.stdoutBytes);
    const stderr = await read(paths.stderr, end.stderrBytes);
    return judge({ exitCode: end.exitCode, signal: end.signal, stdout, stderr }, rules);
  }

  /** A word about where it was to run is no word of the tool's, whose rules do not count for it. */
  private async prevented(spec: RunSpec, work: CommandWork, end: LocalEnd): Promise<string | undefined> {
    if (work.place === undefined && work.setUp === undefined) return undefined;
    const { stderr } = runPaths(spec.folder);
    const { head } = await readLog(stderr, end.stderrBytes);
    return notStarted(spec, work, { exitCode: end.exitCode, stderr: head });
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
        const limits = { bytesMax: spec.limits.fetchBytesMax, signal: controller.signal };
        outputs.push(await this.indexed(spec, await fetchItem(this.deps, item, limits)));
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
    const home = sharedHomeOf(spec) ?? runPaths(folder).home;
    return {
      PATH: this.options.path ?? DEFAULT_PATH,
      LC_ALL: 'C',
      HOME: home,
      _GALAXY_JOB_HOME_DIR: runPaths(folder).home,
      _GALAXY_JOB_TMP_DIR: runPaths(folder).temporary,
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

/** None for what is confined: jobs of others use it. */
function sharedHomeOf(spec: RunSpec): string | undefined {
  const { work } = spec;
  if (work.kind !== 'command' || work.command.home !== 'shared') return undefined;
  return isConfined(spec) ? undefined : work.sharedHome;
}

/** What its tool leaves is not trusted either: a program that reads it may be made to do anything. */
function isConfined({ work }: RunSpec): boolean {
  if (work.kind !== 'command' || work.place === undefined) return false;
  return work.place.kind === 'sandbox' || work.place.confined;
}

function runKey(run: { job: string; attempt: number }): string {
  return `${run.job}-${run.attempt}`;
}

/** Synchronous on purpose: four small calls on the way between submit and start, where each await would cost a turn. */
function makeRunFolder(spec: RunSpec): void {
  const paths = runPaths(spec.folder);
  rmSync(spec.folder, { recursive: true, force: true });
  mkdirSync(spec.folder, { recursive: true, mode: 0o700 });
  for (const folder of [paths.working, paths.outputs, paths.temporary, paths.home]) mkdirSync(folder, { mode: 0o700 });
}

/** An output as it is looked at, when the tool or what was found has the last word on its datatype. */
function decidedBy(output: RunOutput, provided: Provided, found: Discovered | undefined): RunOutput {
  const primary = found?.primaries.get(output.name);
  const extension = provided.get(output.name)?.extension ?? primary?.extension;
  if (primary === undefined) return extension === undefined ? output : { ...output, extension };
  const { fromWorkDir: _, ...rest } = output;
  return { ...rest, extension: extension || (isUndecided(output.extension) ? 'auto' : output.extension) };
}

/** The words that the tool gave it. */
function describedBy(result: RunOutputResult, provided: Provided, found: Discovered | undefined): RunOutputResult {
  const said = provided.get(result.name);
  const primary = found?.primaries.get(result.name);
  const label = said?.name ?? primary?.name;
  const genomeBuild = said?.genomeBuild ?? primary?.genomeBuild;
  const info = said?.info ?? primary?.said?.info;
  const createdFrom = said?.createdFrom ?? primary?.said?.createdFrom;
  return {
    ...result,
    ...(info && result.info === '' ? { info } : {}),
    metadata: { ...result.metadata, ...primary?.said?.metadata, ...said?.metadata },
    ...(createdFrom === undefined ? {} : { createdFrom }),
    ...(label === undefined ? {} : { label }),
    ...(genomeBuild === undefined ? {} : { genomeBuild }),
  };
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
