#!/usr/bin/env node
/** `npm run demo`: a network of three nodes on this machine to play with; `--story` checks the whole story and exits 0 or 1. */
import '../protocol/runtime/polyfill.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { DemoNetwork } from './demo/network.js';
import { endAllPrograms } from './demo/processes.js';
import { Report } from './demo/report.js';
import { Story } from './demo/story.js';
import { runCommand } from './run.js';

interface Flags {
  story?: boolean;
  data?: string;
  keep?: boolean;
  json?: boolean;
  logLevel: string;
}

const program = new Command('demo')
  .description('A coordinator and three Galaxy nodes on this machine.')
  .option('--story', 'check the whole story and exit 0 or 1')
  .option('--data <folder>', 'where the data goes (a temporary folder, removed at the end)')
  .option('--keep', 'keep the temporary folder')
  .option('--json', 'print the result as one JSON object')
  .option('--log-level <level>', 'how much the processes log', 'warn')
  .addHelpText('after', '\nExample:\n  $ npm run demo\n  $ npm run demo -- --story\n')
  .action((flags: Flags) => runCommand(() => run(flags)));

async function run(flags: Flags): Promise<number> {
  const folder = flags.data ?? mkdtempSync(join(tmpdir(), 'galaxy-demo-'));
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const network = new DemoNetwork({ folder, logLevel: flags.logLevel, port: 0 });
  const report = new Report(say);
  const stop = interrupted();
  try {
    const story = new Story(network, report, folder);
    const ended = await Promise.race([
      (flags.story ? story.run() : story.play()).then(() => 'told' as const),
      stop.then(() => 'interrupted' as const),
    ]);
    if (ended === 'interrupted' && flags.story) report.notReached('interrupted');
    if (!flags.story) {
      say(`\nThe network is at ${network.networkUrl}; its nodes are listed at ${network.networkUrl}/peers`);
      for (const node of network.nodes.values()) say(`${node.place.name}: ${node.ready.url}  (data: ${node.folder})`);
      say(
        'Try it: open the network address, sign up, upload something; then `galaxy-node drain --data FOLDER`.\nStop everything with Ctrl+C.',
      );
      await stop;
      return 0;
    }
    if (flags.json) process.stdout.write(`${JSON.stringify({ failed: report.failed, lines: report.lines })}\n`);
    else process.stdout.write(`\n${report.table().join('\n')}\n`);
    const total = report.lines.length;
    const count = `${total - report.failed} passed, ${report.failed} failed`;
    if (flags.json) say(count);
    else process.stdout.write(`${count}\n`);
    return report.failed === 0 && total > 0 ? 0 : 1;
  } finally {
    await endAllPrograms();
    if (flags.data === undefined && !flags.keep) rmSync(folder, { recursive: true, force: true });
    else say(`The data is in ${folder}.`);
  }
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

await program.parseAsync();
