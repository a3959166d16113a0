/**
 * `npm run conformance:bioblend [-- --update] [-- --only=TestGalaxyJobs]`: starts a node of its own and runs BioBlend's
 * tests against it. Fails when a test that passed according to bioblend.json no longer does. `--update` writes the file,
 * and finds out which tests pass against a server that does nothing.
 *
 * With `--count=FILE` the count goes to a file, for `npm test`.
 */
import '../../protocol/runtime/polyfill.js';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { callControl } from '../../protocol/runtime/control.js';
import { packageRoot } from '../../protocol/runtime/package.js';
import { endAllPrograms, runProgram, scratchFolder } from '../support/processes.js';
import {
  compareVerdicts,
  countByModule,
  type KnownVerdicts,
  parseReport,
  renderKnown,
  type Verdicts,
} from './verdicts.js';

const PYTHON = '/usr/bin/python3';
const KNOWN_FILE = join(packageRoot(), 'test/conformance/bioblend.json');
const TEST_SECONDS_MAX = 30;
const JOB_SECONDS_MAX = 10;
const STUB_TEST_SECONDS_MAX = 5;
const PACKAGES = 'python3-bioblend python3-pytest python3-pytest-timeout';

interface Flags {
  update: boolean;
  only: string | undefined;
  count: string | undefined;
}

interface BioBlend {
  version: string;
  tests: string;
}

process.exitCode = await main(readFlags(process.argv.slice(2)));

async function main(flags: Flags): Promise<number> {
  const bioblend = await findBioBlend();
  if (bioblend === undefined) {
    say(
      `BioBlend's tests were not run: Debian's packages ${PACKAGES} are not installed (apt-get install ${PACKAGES}).`,
    );
    writeCount(flags, 0, 0, [`BioBlend conformance (needs ${PACKAGES})`]);
    return flags.count === undefined ? 1 : 0;
  }
  const known = readKnown();
  if (known.bioblend !== '' && known.bioblend !== bioblend.version && !flags.update) {
    say(`Note: ${KNOWN_FILE} is about BioBlend ${known.bioblend}; this is ${bioblend.version}.`);
  }
  const scratch = scratchFolder('galaxy-bioblend-');
  try {
    const target = await startNode(scratch.path);
    const verdicts = await runTests(bioblend, target, scratch.path, {
      secondsMax: TEST_SECONDS_MAX,
      only: flags.only,
      quiet: false,
    });
    if (Object.keys(verdicts).length === 0) {
      say('pytest reported no test at all.');
      writeCount(flags, 0, 1, []);
      return 1;
    }
    const vacuous = flags.update ? await vacuousTests(bioblend, scratch.path, flags.only) : known.vacuous;
    report(verdicts, vacuous);
    if (flags.update) {
      const steady = Object.fromEntries(Object.entries(verdicts).filter(([id]) => known.unsteady[id] === undefined));
      const kept = Object.entries(known.tests).filter(([id]) => flags.only !== undefined || known.unsteady[id]);
      const tests = { ...Object.fromEntries(kept), ...steady };
      const all = flags.only === undefined ? vacuous : [...new Set([...known.vacuous, ...vacuous])];
      writeFileSync(KNOWN_FILE, renderKnown({ ...known, bioblend: bioblend.version, tests, vacuous: all }));
      say(`${KNOWN_FILE} was written.`);
      return 0;
    }
    return judge(flags, known, verdicts, vacuous);
  } finally {
    await endAllPrograms();
    scratch.remove();
  }
}

function judge(flags: Flags, known: KnownVerdicts, verdicts: Verdicts, vacuous: readonly string[]): number {
  const expected =
    flags.only === undefined
      ? known.tests
      : Object.fromEntries(Object.entries(known.tests).filter(([id]) => id.startsWith(flags.only ?? '')));
  const { lost, gained, kept } = compareVerdicts(expected, verdicts, Object.keys(known.unsteady));
  for (const id of gained) say(`new: ${id} passes now (run with --update to keep it)`);
  for (const id of lost) say(`LOST: ${id} passed before and is ${verdicts[id] ?? 'not there'} now`);
  writeCount(flags, kept.length, lost.length, []);
  const real = kept.filter((id) => !vacuous.includes(id)).length;
  say(`BioBlend: ${kept.length} passed as before (${real} of them prove something), ${lost.length} lost`);
  return lost.length === 0 ? 0 : 1;
}

function readFlags(args: readonly string[]): Flags {
  const value = (name: string) => args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  return { update: args.includes('--update'), only: value('only'), count: value('count') };
}

async function findBioBlend(): Promise<BioBlend | undefined> {
  const script =
    'import bioblend, pytest, pytest_timeout, os; print(bioblend.get_version()); ' +
    'print(os.path.join(os.path.dirname(bioblend.__file__), "_tests"))';
  const found = await run(PYTHON, ['-c', script], { environment: {} });
  const [version, tests] = found.stdout.trim().split('\n');
  return found.code === 0 && version && tests ? { version, tests } : undefined;
}

interface Target {
  url: string;
  key: string;
}

/** A node with an administrator, whose key the tests use. */
async function startNode(scratch: string): Promise<Target> {
  const folder = join(scratch, 'node');
  const masterKey = 'conformance-master-key';
  const node = runProgram(
    'galaxy-node',
    ['start', '--init', '--json', '--data', folder, '--listen', '127.0.0.1:0', '--log-level', 'error'],
    {
      environment: {
        GALAXY_NODE_MASTER_API_KEY: masterKey,
        GALAXY_NODE_PASSWORD_HASHING: '{memoryKiB: 8, iterations: 1, parallelism: 1}',
      },
    },
  );
  const { url } = await node.ready;
  const admin = { email: 'admin@example.org', username: 'admin', admin: true, password: 'conformance' };
  const { id } = (await callControl(folder, 'user-create', admin)) as { id: string };
  const answer = await fetch(`${url}/api/users/${id}/api_key`, {
    method: 'POST',
    headers: { 'x-api-key': masterKey },
  });
  const key: unknown = await answer.json();
  if (typeof key !== 'string') throw new Error(`the node gave no API key: ${JSON.stringify(key)}`);
  return { url, key };
}

async function runTests(
  bioblend: BioBlend,
  target: Target,
  scratch: string,
  options: { secondsMax: number; only: string | undefined; quiet: boolean },
): Promise<Verdicts> {
  const report = join(scratch, 'report.xml');
  const args = ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-o', 'python_files=Test*.py', '-o', 'addopts='];
  args.push(`--timeout=${options.secondsMax}`, '--tb=no', '--no-header', `--junitxml=${report}`);
  args.push(options.only === undefined ? bioblend.tests : join(bioblend.tests, `${options.only}.py`));
  const { stderr } = await run(PYTHON, args, {
    cwd: scratch,
    echo: !options.quiet,
    environment: {
      BIOBLEND_GALAXY_URL: target.url,
      BIOBLEND_GALAXY_API_KEY: target.key,
      BIOBLEND_TEST_JOB_TIMEOUT: String(JOB_SECONDS_MAX),
      PYTHONDONTWRITEBYTECODE: '1',
    },
  });
  let xml: string;
  try {
    xml = readFileSync(report, 'utf8');
  } catch {
    throw new Error(`pytest wrote no report:\n${stderr.slice(-2000)}`);
  }
  return parseReport(xml);
}

/** Which tests pass against a server that answers every request with an empty object. */
async function vacuousTests(bioblend: BioBlend, scratch: string, only: string | undefined): Promise<string[]> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(request.url?.startsWith('/api/version') ? '{"version_major": "25.1"}' : '{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const target = { url: `http://127.0.0.1:${port}`, key: 'nothing' };
    const verdicts = await runTests(bioblend, target, scratch, {
      secondsMax: STUB_TEST_SECONDS_MAX,
      only,
      quiet: true,
    });
    return Object.keys(verdicts).filter((id) => verdicts[id] === 'passed');
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function report(verdicts: Verdicts, vacuous: readonly string[]): void {
  const rows = countByModule(verdicts, vacuous);
  const cell = (value: string | number) => String(value).padStart(8);
  say(`\n${'module'.padEnd(32)}${['passed', 'vacuous', 'failed', 'skipped'].map(cell).join('')}`);
  for (const row of rows) {
    say(row.module.padEnd(32) + [row.passed, row.vacuous, row.failed, row.skipped].map(cell).join(''));
  }
  const sum = (pick: 'passed' | 'vacuous' | 'failed' | 'skipped') => rows.reduce((total, row) => total + row[pick], 0);
  say('all'.padEnd(32) + [sum('passed'), sum('vacuous'), sum('failed'), sum('skipped')].map(cell).join(''));
}

function readKnown(): KnownVerdicts {
  return JSON.parse(readFileSync(KNOWN_FILE, 'utf8')) as KnownVerdicts;
}

function writeCount(flags: Flags, passed: number, failed: number, skipped: string[]): void {
  if (flags.count !== undefined) writeFileSync(flags.count, JSON.stringify({ passed, failed, skipped }));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; environment: Record<string, string>; echo?: boolean },
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      ...(options.cwd ? { cwd: options.cwd } : {}),
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: process.env.HOME ?? '/', ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk;
      if (options.echo) process.stdout.write(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk;
    });
    child.once('error', () => resolve({ code: 1, stdout, stderr }));
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
