#!/usr/bin/env node
/**
 * `npm run demo` plays the whole story for a person and stays up; `--story` checks it and exits 0 or 1. The same chapters,
 * told by another narrator.
 */
import '../protocol/runtime/polyfill.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { comeBack } from './demo/chapters/return.js';
import { lastScreen } from './demo/last-screen.js';
import { Checker, Guide, type Narrator, wrap } from './demo/narrator.js';
import { DemoNetwork } from './demo/network.js';
import { checkMachine } from './demo/preflight.js';
import { endAllPrograms } from './demo/processes.js';
import { Report } from './demo/report.js';
import { type Chapter, Scene } from './demo/scene.js';
import { CHAPTERS, tell } from './demo/story.js';
import { oneLineErrors } from './options.js';
import { runCommand } from './run.js';

interface Flags {
  story?: boolean;
  fast?: boolean;
  /** Milliseconds. */
  pause?: number;
  port?: number;
  data?: string;
  keep?: boolean;
  json?: boolean;
  logLevel: string;
}

const PEOPLES_PORT = 8080;
/** Between chapters, where nobody can press Enter. */
const PAUSE_SECONDS = 3;
const STOP_MS = 20_000;
const COLUMNS_MAX = 100;
const WELCOME =
  'You will see a whole network of Galaxy nodes on this machine: how institutions join, how a user works, and what happens to her when a node leaves, when one dies, when the coordinator is away, and when somebody comes who does not belong. Every process, byte and signature is real. Ctrl+C stops everything at any time.';

const program = oneLineErrors(new Command('demo'))
  .description(
    'Plays the whole story on this machine: a coordinator and three Galaxy nodes, a user, a drain, a crash. Then it stays up, for you to play with.',
  )
  .option('--fast', 'do not wait between the chapters')
  .option('--pause <seconds>', 'wait so long between the chapters (by default for Enter)', seconds)
  .option('--port <port>', `where the network and each node listen (${PEOPLES_PORT}; 0: free ones)`, port)
  .option('--data <folder>', 'where the data goes: a new folder (by default a temporary one)')
  .option('--story', 'check the whole story and exit 0 or 1; the temporary folder is removed')
  .option('--keep', 'with --story: keep the temporary folder')
  .option('--json', 'with --story: print the result as one JSON object')
  .option('--log-level <level>', 'how much the processes log, into the folder logs/ of the data', 'warn')
  .addHelpText(
    'after',
    `
It takes about 2 minutes and 1.5 GB of disk.

Examples:
  $ npm run demo
  $ npm run demo -- --fast --data /tmp/my-demo
  $ npm run demo -- --story --json
`,
  )
  .action((flags: Flags) => runCommand(() => (flags.story ? check(flags) : show(flags)), flags));

/** For scripts: the table, and 0 or 1. */
async function check(flags: Flags): Promise<number> {
  await checkMachine({ folder: flags.data, port: flags.port ?? 0 });
  const narrator = new Checker(process.stderr);
  return perform(flags, { port: flags.port ?? 0, chapters: CHAPTERS, narrator }, async (scene, played) => {
    const { report } = scene;
    if (played === 'interrupted') report.notReached('interrupted');
    const total = report.lines.length;
    const count = `${total - report.failed} passed, ${report.failed} failed`;
    if (flags.json) process.stdout.write(`${JSON.stringify({ failed: report.failed, lines: report.lines })}\n`);
    else process.stdout.write(`\n${report.table().join('\n')}\n`);
    (flags.json ? process.stderr : process.stdout).write(`${count}\n`);
    return report.failed === 0 && total > 0 ? 0 : 1;
  });
}

/** For a person: chapter by chapter, and then it stays up until she stops it. */
async function show(flags: Flags): Promise<number> {
  await checkMachine({ folder: flags.data, port: flags.port ?? PEOPLES_PORT });
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const columns = Math.min(process.stdout.columns || COLUMNS_MAX, COLUMNS_MAX);
  const narrator = new Guide(process.stdout, {
    pauseMs: flags.fast ? 0 : (flags.pause ?? (process.stdin.isTTY ? null : PAUSE_SECONDS * 1000)),
    columns,
    isTerminal: process.stdout.isTTY && process.stderr.isTTY,
  });
  say(wrap(WELCOME, columns).join('\n'));
  const chapters = [...CHAPTERS, comeBack];
  return perform(flags, { port: flags.port ?? PEOPLES_PORT, chapters, narrator }, async (scene, played, stop) => {
    if (played === 'interrupted') return 1;
    const { report, network } = scene;
    if (report.failed > 0) {
      say('\nThis did not go as it should, and the story ends here. What runs stays up, to be looked at.');
      for (const { place, folder } of network.nodes.values()) say(`  ${place.name}: ${folder}`);
    } else say(`\n${lastScreen(scene).join('\n')}`);
    await stop;
    return report.failed === 0 ? 0 : 1;
  });
}

interface Performance {
  port: number;
  chapters: readonly Chapter[];
  narrator: Narrator;
}

/** Plays the chapters; whatever comes of them, everything that was started here is stopped. */
async function perform(
  flags: Flags,
  { port, chapters, narrator }: Performance,
  afterwards: (scene: Scene, played: 'told' | 'interrupted', stop: Promise<void>) => Promise<number>,
): Promise<number> {
  const folder = flags.data === undefined ? mkdtempSync(join(tmpdir(), 'galaxy-demo-')) : resolve(flags.data);
  const isToBeRemoved = flags.story === true && flags.data === undefined && !flags.keep;
  const network = new DemoNetwork({ folder, logLevel: flags.logLevel, port });
  const scene = new Scene(network, new Report(narrator), narrator, folder);
  const stop = interrupted();
  try {
    const played = await Promise.race([
      tell(scene, chapters).then(() => 'told' as const),
      stop.then(() => 'interrupted' as const),
    ]);
    if (played === 'interrupted') narrator.hush();
    return await afterwards(scene, played, stop);
  } finally {
    process.stderr.write('\nStopping the processes …\n');
    await network.stop(STOP_MS);
    await endAllPrograms();
    if (isToBeRemoved) rmSync(folder, { recursive: true, force: true });
    else process.stderr.write(`All are stopped. The data is in ${folder}; remove it when you have seen enough.\n`);
  }
}

/** The first signal; a second one ends everything at once. */
function interrupted(): Promise<void> {
  return new Promise((resolveOnce) => {
    let asked = false;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (asked) void endAllPrograms().then(() => process.kill(process.pid, 'SIGKILL'));
        asked = true;
        resolveOnce();
      });
    }
  });
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= 3600)) throw new InvalidArgumentError('It is a number of seconds, 0 to 3600.');
  return value * 1000;
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('It is a port, 0 to 65535.');
  return value;
}

await program.parseAsync();
