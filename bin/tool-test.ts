/**
 * A throw-away node in this process, for `tool test`: a data folder under the system's temporary one, on loopback, gone at
 * the end however it ends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import { createNode, type GalaxyNode } from '../node/node.js';
import { NODE_ENVIRONMENT_PREFIX, NODE_OPTIONS, type NodeOptions } from '../node/options.js';
import { exitCodeOf, resultLines, type TestResult } from '../node/tool-test/result.js';
import { type Candidate, ToolTestRunner } from '../node/tool-test/runner.js';
import { loaded } from '../node/tool-test/shown.js';
import { placeTestTables } from '../node/tool-test/test-tables.js';
import { DataFolder } from '../protocol/runtime/data-folder.js';
import { initFolder } from '../protocol/trust/init-folder.js';
import { readOptions } from './options.js';

export interface ToolTestWish {
  set: string[];
  /** Only the tests of this number. */
  only: number | undefined;
  parallel: number;
  timeoutMs: number | undefined;
  print(line: string): void;
}

export interface ToolTestEnd {
  results: TestResult[];
  exitCode: 0 | 1 | 2;
  seconds: number;
}

const SOURCES = { specs: NODE_OPTIONS, prefix: NODE_ENVIRONMENT_PREFIX, configName: 'galaxy-node.yml' } as const;
const CHEAP_PASSWORDS = { memoryKiB: 64, iterations: 1, parallelism: 1 };

/** `paths`: absolute; wrappers or folders. Rejects with the signal's reason. */
export async function runToolTests(
  paths: readonly string[],
  wish: ToolTestWish,
  signal: AbortSignal,
): Promise<ToolTestEnd> {
  const folder = mkdtempSync(join(tmpdir(), 'galaxy-tool-test-'));
  let node: GalaxyNode | undefined;
  try {
    const options = optionsFor(folder, paths, wish);
    await initFolder('node', folder, { name: SOURCES.configName, text: '' }, new Date());
    placeTestTables(paths, join(folder, 'tool-data'));
    signal.throwIfAborted();
    node = await createNode(options, DataFolder.open(folder, 'node'));
    await node.start();
    signal.throwIfAborted();
    return await testOn(node, folder, paths, wish, signal);
  } finally {
    await node?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function testOn(
  { parts }: GalaxyNode,
  folder: string,
  paths: readonly string[],
  wish: ToolTestWish,
  signal: AbortSignal,
): Promise<ToolTestEnd> {
  const { accounts, histories, toolbox, clock } = parts;
  const { account } = await accounts.signUp({
    email: 'tests@example.org',
    username: 'tests',
    password: 'only for this one run',
  });
  const history = await histories.create(account, { name: 'Tool tests' });
  const rootOf = (file: string) => paths.find((path) => file === path || file.startsWith(path + sep));
  const candidates = toolbox.tools().flatMap((one): Candidate[] => {
    const root = rootOf(resolve(one.file));
    if (root === undefined) return [];
    const tool = loaded(one);
    const tests = tool.tests.filter(({ number }) => wish.only === undefined || number === wish.only);
    return [{ tool, root, tests }];
  });
  const total = candidates.reduce((sum, { tests }) => sum + tests.length, 0);
  const results: TestResult[] = [];
  let done = 0;
  const startedAt = clock.monotonic();
  const tell = (result: TestResult, progress: string) => {
    results.push(result);
    for (const line of resultLines(result, progress)) wish.print(line);
  };
  for (const problem of toolbox.problems()) {
    if (rootOf(resolve(problem.file)) === undefined && !paths.includes(problem.file)) continue;
    const base = { tool: problem.file, version: '', file: problem.file, number: 0, seconds: 0, notRun: [] };
    tell({ ...base, status: 'error', problems: [problem.message] }, '[not loaded]');
  }
  for (const { tool } of candidates.filter(({ tests }) => tests.length === 0)) {
    const why =
      tool.action === 'internal' ? ': the node itself carries it out, and no wrapper can say how to test it' : '';
    wish.print(`[no tests] ${tool.id} (${tool.file})${why}`);
  }
  const runner = new ToolTestRunner(parts, {
    account,
    history: history.id,
    folder,
    parallel: wish.parallel,
    timeoutMs: wish.timeoutMs,
  });
  await runner.run(candidates, (result) => tell(result, `[${++done}/${total}]`), signal);
  results.sort((a, b) => (a.file === b.file ? a.number - b.number : a.file < b.file ? -1 : 1));
  return { results, exitCode: exitCodeOf(results), seconds: (clock.monotonic() - startedAt) / 1000 };
}

function optionsFor(folder: string, paths: readonly string[], wish: ToolTestWish): NodeOptions {
  const { options } = readOptions(SOURCES, {
    data: folder,
    set: wish.set,
    overrides: {
      name: 'Tool tests',
      listen: '127.0.0.1:0',
      logLevel: 'silent',
      passwordHashing: CHEAP_PASSWORDS,
      'jobs.slots': wish.parallel,
      'tools.folders': [...paths],
    },
  });
  return options;
}
