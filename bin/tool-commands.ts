/** `galaxy-node tool …`: what is in the toolbox, installing, testing and linting wrappers. Works without a running node. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { NodeOptions } from '../node/options.js';
import { callControl } from '../protocol/runtime/control.js';
import { DataFolder } from '../protocol/runtime/data-folder.js';
import { defineErrors } from '../protocol/runtime/errors.js';
import { silentLogger } from '../protocol/runtime/logger.js';
import { type CommonFlags, dataFlags, type OptionsOf, printResult } from './options.js';
import { runCommand, runInterruptible } from './run.js';

const toolCommandErrors = defineErrors('tool-command', {
  'no-tool': {
    kind: 'not-found',
    say: 'There is no tool "{id}" here.',
    mend: 'See `galaxy-node tool list`.',
  },
  'no-file': { kind: 'not-found', say: 'There is no file or folder {path}.', mend: 'Check the name.' },
});

/** Where `tool install` puts wrappers, in a data folder. */
const INSTALLED = 'tools';

export function addToolCommands(program: Command, optionsOf: OptionsOf<NodeOptions>): void {
  const tool = program
    .command('tool')
    .description('The tools of this node: list, show, install, test and lint wrappers.')
    .addHelpText('after', '\nExample:\n  $ galaxy-node tool test tools/seqtk\n');

  dataFlags(tool.command('list'))
    .description('Every tool: the bundled ones, those of tools.folders and those installed.')
    .addHelpText('after', '\nExample:\n  $ galaxy-node tool list\n')
    .action((flags: CommonFlags) =>
      runCommand(async () => {
        const { options, folder } = optionsOf(flags);
        const { openToolbox } = await import('../node/tool-test/offline.js');
        const { listTools, listText } = await import('../node/tool-test/shown.js');
        const offline = await openToolbox(options, folder, silentLogger);
        const list = listTools(offline);
        printResult(flags, list, () => listText(list));
        return 0;
      }, flags),
    );

  dataFlags(tool.command('show'))
    .description('One tool: its parameters, outputs, packages and where they come from.')
    .argument('<id>', 'the id of the tool, as `tool list` prints it')
    .option('--tool-version <version>', 'another version than the newest')
    .addHelpText('after', '\nExample:\n  $ galaxy-node tool show samtools_sort\n')
    .action((id: string, flags: CommonFlags & { toolVersion?: string }) =>
      runCommand(async () => {
        const { options, folder } = optionsOf(flags);
        const { openToolbox } = await import('../node/tool-test/offline.js');
        const { describeShown, shownText } = await import('../node/tool-test/shown.js');
        const offline = await openToolbox(options, folder, silentLogger);
        const shown = describeShown(offline, id, flags.toolVersion);
        if (shown === undefined) throw toolCommandErrors('no-tool', { id });
        printResult(flags, shown, () => shownText(shown));
        return 0;
      }, flags),
    );

  dataFlags(tool.command('install'))
    .description('Copy a wrapper, or a folder of them, into the node, with macros, scripts and test data.')
    .argument('<path>', 'a wrapper (XML), or a folder of wrappers')
    .option('--section <name>', 'the section of the tool panel in which it stands')
    .addHelpText('after', '\nExample:\n  $ galaxy-node tool install tools/seqtk --section "FASTA/FASTQ"\n')
    .action((path: string, flags: CommonFlags & { section?: string }) =>
      runCommand(async () => {
        const { folder } = optionsOf(flags);
        DataFolder.open(folder, 'node');
        const { installOffline } = await import('../node/tool-test/offline.js');
        const tools = join(folder, INSTALLED);
        const installed = await installOffline(path, tools, flags.section, silentLogger);
        const reloaded = DataFolder.running(folder) !== undefined;
        if (reloaded) await callControl(folder, 'reload-tools', {});
        printResult(flags, { ...installed, reloaded }, () => [
          ...installed.tools.map(
            ({ id, version, section }) => `${id} ${version} stands in the section "${section}" of the tool panel.`,
          ),
          installed.replaced ? `It replaced what was in ${installed.folder}.` : `It is in ${installed.folder}.`,
          reloaded ? 'The running node has it now.' : 'It is there at the next start.',
        ]);
        return 0;
      }, flags),
    );

  tool
    .command('test')
    .description("Run wrappers' own tests on a throw-away node, and compare what comes out.")
    .argument('<path...>', 'wrappers (XML), or folders of them')
    .option('--json', 'print one JSON object for scripts')
    .option('--test <n>', 'only the test of this number', positive)
    .option('--timeout <seconds>', "for each test (by default the test's own maxseconds, else 300)", positive)
    .option('--parallel <n>', 'wrappers tested at the same time (by default one a core)', positive)
    .option(
      '--set <option=value>',
      'set an option of the throw-away node; may be repeated',
      (text: string, all: string[]) => [...all, text],
      [],
    )
    .addHelpText(
      'after',
      `
Exit codes: 0 all that could be run passed, 1 one did not, 2 nothing was run.

Example:
  $ galaxy-node tool test tools/seqtk
  $ galaxy-node tool test tools --json > results.json
`,
    )
    .action((paths: string[], flags: TestFlags) =>
      runInterruptible(async (signal) => {
        for (const path of paths) {
          if (!existsSync(path)) throw toolCommandErrors('no-file', { path });
        }
        const { runToolTests } = await import('./tool-test.js');
        const { results, exitCode, seconds } = await runToolTests(
          paths.map((path) => resolve(path)),
          {
            set: flags.set ?? [],
            only: flags.test,
            parallel: flags.parallel ?? availableParallelism(),
            timeoutMs: flags.timeout === undefined ? undefined : flags.timeout * 1000,
            // Whoever reads the object sees progress on the other channel.
            print: (line) => (flags.json ? process.stderr : process.stdout).write(`${line}\n`),
          },
          signal,
        );
        const { resultsJson, totalsLine } = await import('../node/tool-test/result.js');
        if (flags.json) process.stdout.write(`${JSON.stringify(resultsJson(results))}\n`);
        else process.stdout.write(`${totalsLine(results, seconds)}\n`);
        return exitCode;
      }, flags),
    );

  tool
    .command('lint')
    .description('Say everything that is wrong with wrappers, with the place and the mend.')
    .argument('<path...>', 'wrappers (XML), or folders of them')
    .option('--json', 'print one JSON object for scripts')
    .addHelpText(
      'after',
      '\nExit code 1 when there is an error.\n\nExample:\n  $ galaxy-node tool lint tools/seqtk/seqtk_seq.xml\n',
    )
    .action((paths: string[], flags: { json?: boolean }) =>
      runCommand(async () => {
        for (const path of paths) {
          if (!existsSync(path)) throw toolCommandErrors('no-file', { path });
        }
        const { lintPaths, lintText } = await import('../node/tool-test/lint-report.js');
        const report = await lintPaths(paths);
        printResult(flags, { ...report.counts, findings: report.findings }, () => lintText(report, process.cwd()));
        return report.counts.errors > 0 ? 1 : 0;
      }, flags),
    );
}

interface TestFlags {
  json?: boolean;
  test?: number;
  timeout?: number;
  parallel?: number;
  set?: string[];
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}
