#!/usr/bin/env node
/** The institution's command. Flags → options → node/node.ts; commands beside a running node go through its control socket. */
import '../protocol/runtime/polyfill.js';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { NODE_ENVIRONMENT_PREFIX, NODE_OPTIONS, type NodeOptions } from '../node/options.js';
import { counted } from '../protocol/runtime/amounts.js';
import { callControl } from '../protocol/runtime/control.js';
import { DataFolder } from '../protocol/runtime/data-folder.js';
import { packageVersion } from '../protocol/runtime/package.js';
import { initFolder } from '../protocol/trust/init-folder.js';
import { addDataCommands } from './data-commands.js';
import {
  type CommonFlags,
  commandName,
  dataFlags,
  oneLineErrors,
  printResult,
  readOptions,
  renderOptions,
  writeOption,
} from './options.js';
import { progressBar } from './progress.js';
import { askPassword } from './prompt.js';
import { runCommand, runUntilStopped } from './run.js';
import { addToolCommands } from './tool-commands.js';

const SOURCES = { specs: NODE_OPTIONS, prefix: NODE_ENVIRONMENT_PREFIX, configName: 'galaxy-node.yml' } as const;

function optionsOf(flags: CommonFlags): { options: NodeOptions; folder: string; configFile: string | undefined } {
  return readOptions(SOURCES, flags);
}

/** Loaded by the commands that need it: help and questions to a running node stay quick. */
function loadNode() {
  return import('../node/node.js');
}

function init(folder: string, flags: CommonFlags, overrides: Record<string, unknown>) {
  const config = { name: SOURCES.configName, text: renderOptions(SOURCES, flags, overrides) };
  return initFolder('node', folder, config, new Date());
}

const program = oneLineErrors(new Command('galaxy-node'))
  .description('A whole Galaxy on your own machine, alone or in a network of trusted institutions.')
  .version(packageVersion())
  .addHelpText(
    'after',
    `
Example:
  $ galaxy-node init --name "Uppsala University"
  $ galaxy-node start
  $ galaxy-node join 'galaxy-invite:…'      # the line that the network's coordinator gave you
`,
  );

dataFlags(program.command('init'))
  .description('Make a new node: its data folder, its key and a configuration file with every option explained.')
  .option('--name <name>', "the institution's name")
  .option('--listen <host:port>', 'where the web interface listens')
  .addHelpText('after', '\nExample:\n  $ galaxy-node init --name "Uppsala University" --data /srv/galaxy\n')
  .action((flags: CommonFlags & { name?: string; listen?: string }) =>
    runCommand(async () => {
      const { folder } = optionsOf({ ...flags, overrides: { name: flags.name, listen: flags.listen } });
      const made = await init(folder, flags, { name: flags.name, listen: flags.listen });
      printResult(flags, { folder, peerId: made.peerId, config: made.configFile }, () => [
        `A new node is in ${folder}. Its options are in ${made.configFile}.`,
        `Next: ${commandName('galaxy-node')} start --data ${folder}`,
      ]);
      return 0;
    }, flags),
  );

dataFlags(program.command('start'))
  .description('Run the node until it is stopped.')
  .option('--init', 'make the node first when there is none yet')
  .option('--name <name>', "the institution's name")
  .option('--listen <host:port>', 'where the web interface listens')
  .option('--public-url <url>', 'the URL under which browsers reach this node')
  .addOption(
    new Option('--log-level <level>', 'how much is logged').choices(['silent', 'error', 'warn', 'info', 'debug']),
  )
  .addHelpText(
    'after',
    `
Ctrl+C stops the node; its data stays and it goes on where it was at the next start. SIGTERM drains it first when it is in
a network (\`galaxy-node drain\` does the same).

Example:
  $ galaxy-node start --data /srv/galaxy --listen 0.0.0.0:8080
`,
  )
  .action(
    (flags: CommonFlags & { init?: boolean; name?: string; listen?: string; publicUrl?: string; logLevel?: string }) =>
      runUntilStopped(async () => {
        const overrides = {
          name: flags.name,
          listen: flags.listen,
          publicUrl: flags.publicUrl,
          logLevel: flags.logLevel,
        };
        let first = false;
        if (flags.init) {
          const { folder } = optionsOf({ ...flags, overrides });
          if (!DataFolder.exists(folder)) {
            await init(folder, flags, overrides);
            first = true;
          }
        }
        const { options, folder } = optionsOf({ ...flags, overrides });
        const { createNode } = await loadNode();
        const node = await createNode(options, DataFolder.open(folder, 'node'));
        await node.start();
        if (flags.json)
          process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, ...node.describe() })}\n`);
        else {
          const about = node.describe();
          const lines = [`Galaxy is at ${about.url}`];
          if (about.network) lines.push(`It belongs to the network "${about.network}" as ${about.name}.`);
          if (first) {
            lines.push(
              `Back up this folder: ${folder}`,
              `Become admin:        ${commandName('galaxy-node')} user create --admin --email YOU@EXAMPLE.ORG --data ${folder}`,
              'Stop it:             Ctrl+C',
            );
          }
          if (about.toolProblems > 0)
            lines.push(
              `${counted(about.toolProblems, 'tool wrapper')} ${about.toolProblems === 1 ? 'was' : 'were'} not loaded; galaxy-node status says why.`,
            );
          process.stdout.write(`${lines.join('\n')}\n`);
        }
        return node;
      }, flags),
  );

dataFlags(program.command('join'))
  .description(
    'Join a network with the line that its coordinator gave you. Works while the node runs, and before its first start.',
  )
  .argument('<line>', 'the invitation, galaxy-invite:…')
  .addHelpText('after', "\nExample:\n  $ galaxy-node join 'galaxy-invite:eyJhbGciOi…'\n")
  .action((line: string, flags: CommonFlags) =>
    runCommand(async () => {
      const { options, folder } = optionsOf(flags);
      const bar = progressBar('joining', 'steps');
      let steps = 0;
      const onProgress = (progress: Record<string, unknown>) => {
        steps = Number(progress.steps ?? 0);
        // A step is named when it begins.
        bar.update(Number(progress.step ?? 1) - 1, steps, String(progress.doing ?? 'joining'));
      };
      try {
        const joined = DataFolder.running(folder)
          ? ((await callControl(folder, 'join', { line }, onProgress)) as Joined)
          : await joinStopped(options, folder, line, onProgress);
        bar.update(steps, steps, 'joined');
        bar.end();
        printResult(flags, joined, () => [
          `Joined the network "${joined.network}" as ${joined.name} (node ${joined.nodeNumber}).`,
          `Other nodes reach this one: ${joined.reachable.peer}. Browsers: ${joined.reachable.web}.`,
          joined.running ? 'The node is serving.' : `Next: ${commandName('galaxy-node')} start --data ${folder}`,
        ]);
      } finally {
        bar.end();
      }
      return 0;
    }, flags),
  );

interface Joined {
  network: string;
  name: string;
  nodeNumber: number;
  running: boolean;
  reachable: { peer: string; web: string };
}

async function joinStopped(
  options: NodeOptions,
  folder: string,
  line: string,
  onProgress: (progress: Record<string, unknown>) => void,
): Promise<Joined> {
  const { openCore } = await loadNode();
  const core = await openCore(options, DataFolder.open(folder, 'node'));
  try {
    return { ...(await core.join(line, onProgress)), running: false };
  } finally {
    await core.close();
  }
}

dataFlags(program.command('status'))
  .description('What the node does: users, jobs, what is safe and what is at risk, and a drain under way.')
  .addHelpText('after', '\nExample:\n  $ galaxy-node status --json\n')
  .action((flags: CommonFlags) =>
    runCommand(async () => {
      const { folder } = optionsOf(flags);
      const status = (await callControl(folder, 'status', {})) as Record<string, unknown> & NodeStatusText;
      printResult(flags, status, () => status.text);
      return 0;
    }, flags),
  );

interface NodeStatusText {
  text: string[];
}

dataFlags(program.command('drain'))
  .description('Hand everything over to the other nodes, then exit 0 with a receipt.')
  .option('--dry-run', 'only say what would be handed over, and whether it can be')
  .option('--accept-copies <n>', 'be content with fewer verified holders than the network wants', parsePositive)
  .option('--cancel', 'call a drain off that is under way; the node serves again')
  .option('--abandon', 'exit at the deadline even when something is not safe (exit code 1)')
  .addHelpText('after', '\nExample:\n  $ galaxy-node drain --dry-run\n  $ galaxy-node drain\n')
  .action((flags: CommonFlags & { dryRun?: boolean; acceptCopies?: number; cancel?: boolean; abandon?: boolean }) =>
    runCommand(async () => {
      const { folder } = optionsOf(flags);
      const bar = progressBar('draining');
      let step = '';
      const answer = (await callControl(
        folder,
        'drain',
        {
          dryRun: flags.dryRun ?? false,
          acceptCopies: flags.acceptCopies ?? null,
          abandon: flags.abandon,
          cancel: flags.cancel ?? false,
        },
        (progress) => {
          if (progress.step !== step && !flags.json) process.stderr.write(`${String(progress.say ?? progress.step)}\n`);
          step = String(progress.step);
          if (typeof progress.bytesTotal === 'number')
            bar.update(Number(progress.bytesDone ?? 0), progress.bytesTotal, String(progress.bar ?? 'draining'));
        },
      )) as { text: string[]; safe: boolean };
      bar.end();
      printResult(flags, answer, () => answer.text);
      return answer.safe ? 0 : 1;
    }, flags),
  );

dataFlags(program.command('stop'))
  .description('Stop the node without draining: its data stays here and it goes on at the next start.')
  .addHelpText('after', '\nExample:\n  $ galaxy-node stop\n')
  .action((flags: CommonFlags) =>
    runCommand(async () => {
      const { folder } = optionsOf(flags);
      await callControl(folder, 'stop', {});
      printResult(flags, { stopped: true }, () => ['The node is stopping.']);
      return 0;
    }, flags),
  );

const user = program
  .command('user')
  .description("Manage this node's users.")
  .addHelpText('after', '\nExample:\n  $ galaxy-node user create --admin --email ada@example.org\n');

dataFlags(user.command('create'))
  .description('Create a user; with --admin one who administers this node.')
  .requiredOption('--email <email>', 'e-mail address')
  .option('--username <name>', 'public name; by default made from the address')
  .option('--admin', 'give admin rights on this node (also to a user who exists already)')
  .option('--password-stdin', 'read the password from standard input instead of asking')
  .addHelpText('after', '\nExample:\n  $ galaxy-node user create --admin --email ada@example.org\n')
  .action((flags: CommonFlags & { email: string; username?: string; admin?: boolean; passwordStdin?: boolean }) =>
    runCommand(async () => {
      const password = await askPassword({ fromStdin: flags.passwordStdin ?? false, confirm: true });
      const args = { email: flags.email, username: flags.username ?? null, admin: flags.admin ?? false, password };
      const made = (await beside(flags, 'user-create', args)) as CreatedUser;
      printResult(flags, made, () => createdText(made, flags.email, flags.admin ?? false));
      return 0;
    }, flags),
  );

interface CreatedUser {
  id: string;
  username: string;
  created: boolean;
  wasAdmin: boolean;
}

function createdText({ username, created, wasAdmin }: CreatedUser, email: string, admin: boolean): string[] {
  if (created) return [`Created ${username} (${email}).`, ...(admin ? ['They administer this node.'] : [])];
  return [
    `${username} (${email}) existed already; the password was not changed (\`galaxy-node user passwd ${email}\` does that).`,
    wasAdmin ? 'They administered this node before.' : 'They administer this node from now on.',
  ];
}

dataFlags(user.command('passwd'))
  .description("Set a user's password.")
  .argument('<email>', 'e-mail address or public name')
  .option('--password-stdin', 'read the password from standard input instead of asking')
  .addHelpText('after', '\nExample:\n  $ galaxy-node user passwd ada@example.org\n')
  .action((login: string, flags: CommonFlags & { passwordStdin?: boolean }) =>
    runCommand(async () => {
      const password = await askPassword({ fromStdin: flags.passwordStdin ?? false, confirm: true });
      await beside(flags, 'user-passwd', { login, password });
      printResult(flags, { changed: true }, () => [
        `The password of ${login} was changed; whoever was signed in with the old one is signed out.`,
      ]);
      return 0;
    }, flags),
  );

const config = program
  .command('config')
  .description('The configuration.')
  .addHelpText('after', '\nExample:\n  $ galaxy-node config set replication.paused true\n');
dataFlags(config.command('show'))
  .description('Every option with its value and documentation, as YAML.')
  .addHelpText('after', '\nExample:\n  $ galaxy-node config show > galaxy-node.yml\n')
  .action((flags: CommonFlags) =>
    runCommand(async () => {
      const { options } = optionsOf(flags);
      printResult(flags, withoutSecrets(options), () => [renderOptions(SOURCES, flags, {}, options)]);
      return 0;
    }, flags),
  );

dataFlags(config.command('set'))
  .description('Set one option in the configuration file; a running node takes it at once where it can.')
  .argument('<option>', 'its name, as `config show` prints it')
  .argument('<value>', 'its value, as YAML')
  .addHelpText('after', '\nExample:\n  $ galaxy-node config set replication.paused true\n')
  .action((name: string, text: string, flags: CommonFlags) =>
    runCommand(async () => {
      const { folder, configFile } = optionsOf(flags);
      const file = configFile ?? join(folder, SOURCES.configName);
      const value = writeOption(SOURCES, file, name, text);
      const taken = DataFolder.running(folder)
        ? ((await callControl(folder, 'option', { name, value })) as { taken: boolean }).taken
        : false;
      printResult(flags, { option: name, value, file, taken }, () => [
        `${name} is now ${JSON.stringify(value)} in ${file}.`,
        taken ? 'The running node has taken it.' : 'It takes effect at the next start.',
      ]);
      return 0;
    }, flags),
  );

/** The same command on a running node and on a stopped one. */
async function beside(
  flags: CommonFlags,
  command: 'user-create' | 'user-passwd',
  args: Record<string, unknown>,
): Promise<unknown> {
  const { options, folder } = optionsOf(flags);
  if (DataFolder.running(folder)) return callControl(folder, command, args);
  const { openCore } = await loadNode();
  const core = await openCore(options, DataFolder.open(folder, 'node'));
  try {
    return await core.commands[command](args);
  } finally {
    await core.close();
  }
}

function withoutSecrets(options: NodeOptions): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(NODE_OPTIONS)) {
    if (!('secret' in spec && spec.secret)) shown[name] = options[name as keyof NodeOptions];
  }
  return shown;
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number above 0.');
  return value;
}

addToolCommands(program, optionsOf);
addDataCommands(program, optionsOf);

await program.parseAsync();
