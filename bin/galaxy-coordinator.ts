#!/usr/bin/env node
/** The operator's command. Flags → options → coordinator/coordinator.ts; other commands go through its control socket. */
import '../protocol/runtime/polyfill.js';
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { z } from 'zod';
import type { Coordinator } from '../coordinator/coordinator.js';
import type { OpenInvitation } from '../coordinator/invitations.js';
import {
  COORDINATOR_ENVIRONMENT_PREFIX,
  COORDINATOR_OPTIONS,
  type CoordinatorOptions,
} from '../coordinator/options.js';
import { verifyReceipt } from '../coordinator/receipts.js';
import { counted, inBytes } from '../protocol/runtime/amounts.js';
import { type ControlHandler, ControlServer, callControl } from '../protocol/runtime/control.js';
import { DataFolder, folderErrors } from '../protocol/runtime/data-folder.js';
import { defineErrors } from '../protocol/runtime/errors.js';
import { createLogger } from '../protocol/runtime/logger.js';
import { packageVersion } from '../protocol/runtime/package.js';
import { check, sentenceOf } from '../protocol/runtime/schema-words.js';
import { refuseDamaged } from '../protocol/runtime/store.js';
import { loadNodeKey } from '../protocol/trust/identity.js';
import { initFolder, KEY_FILES } from '../protocol/trust/init-folder.js';
import { invitationTable } from './invitation-table.js';
import {
  type CommonFlags,
  commandName,
  dataFlags,
  oneLineErrors,
  printResult,
  readOptions,
  renderOptions,
} from './options.js';
import { peerTable } from './peer-table.js';
import { type Running, runCommand, runUntilStopped } from './run.js';

const SOURCES = {
  specs: COORDINATOR_OPTIONS,
  prefix: COORDINATOR_ENVIRONMENT_PREFIX,
  configName: 'galaxy-coordinator.yml',
} as const;

const commandErrors = defineErrors('coordinator-command', {
  'bad-arguments': { kind: 'bad-request', say: 'The command was called wrongly: {reason}.', mend: 'See --help.' },
  'bad-lifetime': {
    kind: 'bad-request',
    say: '"{text}" is not a length of time between a second and ten years.',
    mend: 'For example 7d, 12h or 30m.',
  },
  unreadable: { kind: 'bad-request', say: '{file} cannot be read: {reason}.', mend: 'Check the path.' },
});

function optionsOf(flags: CommonFlags): { options: CoordinatorOptions; folder: string } {
  return readOptions(SOURCES, flags);
}

const program = oneLineErrors(new Command('galaxy-coordinator'))
  .description('Holds a network of Galaxy nodes together: invitations, users’ way to their home, the main repository.')
  .version(packageVersion())
  .addHelpText(
    'after',
    `
Example:
  $ galaxy-coordinator init --network galaxy-eu
  $ galaxy-coordinator start
  $ galaxy-coordinator invite --name "Uppsala University" --at 59.86,17.64
`,
  );

dataFlags(program.command('init'))
  .description('Make a new coordinator: its data folder, its key and a configuration file with every option explained.')
  .option('--network <name>', "the network's name: lower-case letters, digits and hyphens")
  .option('--listen <host:port>', "where the network's web address listens")
  .addHelpText('after', '\nExample:\n  $ galaxy-coordinator init --network galaxy-eu --data /srv/coordinator\n')
  .action((flags: CommonFlags & { network?: string; listen?: string }) =>
    runCommand(async () => {
      const overrides = { networkName: flags.network, listen: flags.listen };
      const { folder } = optionsOf({ ...flags, overrides });
      const made = await init(folder, flags, overrides);
      printResult(flags, { folder, peerId: made.peerId, config: made.configFile }, () => [
        `A new coordinator is in ${folder}. Its options are in ${made.configFile}.`,
        `Next: ${commandName('galaxy-coordinator')} start --data ${folder}`,
      ]);
      return 0;
    }, flags),
  );

dataFlags(program.command('start'))
  .description('Run the coordinator until it is stopped.')
  .option('--init', 'make the coordinator first when there is none yet')
  .option('--network <name>', "the network's name, with --init")
  .option('--listen <host:port>', "where the network's web address listens")
  .addOption(
    new Option('--log-level <level>', 'how much is logged').choices(['silent', 'error', 'warn', 'info', 'debug']),
  )
  .addHelpText('after', '\nExample:\n  $ galaxy-coordinator start --data /srv/coordinator --listen 0.0.0.0:443\n')
  .action((flags: CommonFlags & { init?: boolean; network?: string; listen?: string; logLevel?: string }) =>
    runUntilStopped(async () => {
      const overrides = { networkName: flags.network, listen: flags.listen, logLevel: flags.logLevel };
      const { options, folder } = optionsOf({ ...flags, overrides });
      if (flags.init && !DataFolder.exists(folder)) await init(folder, flags, overrides);
      return start(options, DataFolder.open(folder, 'coordinator'), flags);
    }, flags),
  );

dataFlags(program.command('invite'))
  .description('Print one line with which one institution can join.')
  .requiredOption('--name <name>', "the institution's name")
  .option('--at <lat,lon>', 'where it is, for sending users to the nearest node')
  .option('--expires <time>', 'how long the line is valid: 7d, 12h, 30m')
  .addHelpText('after', '\nExample:\n  $ galaxy-coordinator invite --name "Uppsala University" --at 59.86,17.64\n')
  .action((flags: CommonFlags & { name: string; at?: string; expires?: string }) =>
    runCommand(async () => {
      const days = flags.expires === undefined ? null : daysOf(flags.expires);
      const args = { name: flags.name, at: flags.at ?? null, days };
      const made = (await ask(flags, 'invite', args)) as { line: string; expiresAt: number };
      printResult(flags, made, () => [made.line]);
      if (!flags.json && process.stdout.isTTY) {
        process.stderr.write(
          `Give this line to ${flags.name}. It works once, until ${new Date(made.expiresAt).toISOString()}:\n  galaxy-node join 'LINE'\n`,
        );
      }
      return 0;
    }, flags),
  );

dataFlags(program.command('invitations'))
  .description('The invitations that were made: for whom, until when, and which were used.')
  .addHelpText('after', '\nExample:\n  $ galaxy-coordinator invitations\n')
  .action((flags: CommonFlags) =>
    runCommand(async () => {
      const { invitations } = (await ask(flags, 'invitations', {})) as { invitations: OpenInvitation[] };
      printResult(flags, { invitations }, () => invitationTable(invitations, Date.now()));
      return 0;
    }, flags),
  );

dataFlags(program.command('withdraw'))
  .description('Take an invitation back that nobody has used yet.')
  .argument('<id>', 'as `galaxy-coordinator invitations` prints it')
  .addHelpText('after', '\nExample:\n  $ galaxy-coordinator withdraw 3fa91c02\n')
  .action((id: string, flags: CommonFlags) =>
    runCommand(async () => {
      const gone = (await ask(flags, 'withdraw', { id })) as OpenInvitation;
      printResult(flags, gone, () => [`The invitation for ${gone.name} is void.`]);
      return 0;
    }, flags),
  );

dataFlags(program.command('peers'))
  .description('The nodes: state, place, load, when last heard, accounts, what is at risk.')
  .option('--watch', 'show them again each second until Ctrl+C')
  .option('--all', 'also those that left over a month ago')
  .addHelpText('after', '\nExample:\n  $ galaxy-coordinator peers --watch\n')
  .action((flags: CommonFlags & { watch?: boolean; all?: boolean }) =>
    runCommand(async () => {
      for (;;) {
        const listing = (await ask(flags, 'peers', { all: flags.all ?? false })) as Parameters<typeof peerTable>[0];
        if (flags.watch && process.stdout.isTTY) process.stdout.write('\u001b[2J\u001b[H');
        printResult(flags, listing, () => peerTable(listing));
        if (!flags.watch) return 0;
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }, flags),
  );

dataFlags(program.command('stop'))
  .description('Stop the coordinator; nodes go on serving and find it again when it starts.')
  .addHelpText('after', '\nExample:\n  $ galaxy-coordinator stop\n')
  .action((flags: CommonFlags) =>
    runCommand(async () => {
      await ask(flags, 'stop', {});
      printResult(flags, { stopped: true }, () => ['The coordinator is stopping.']);
      return 0;
    }, flags),
  );

dataFlags(program.command('revoke'))
  .description('Shut a node out of the network, at once and for ever.')
  .argument('<peer>', 'its PeerId or its name')
  .requiredOption('--reason <text>', 'why; every member sees it')
  .addHelpText('after', '\nExample:\n  $ galaxy-coordinator revoke 12D3KooW… --reason "key was stolen"\n')
  .action((who: string, flags: CommonFlags & { reason: string }) =>
    runCommand(async () => {
      const gone = (await ask(flags, 'revoke', { who, reason: flags.reason })) as { peerId: string; name: string };
      printResult(flags, gone, () => [`${gone.name} (${gone.peerId}) no longer belongs to the network.`]);
      return 0;
    }, flags),
  );

const receipt = program
  .command('receipt')
  .description('Receipts of drained nodes.')
  .addHelpText('after', '\nExample:\n  $ galaxy-coordinator receipt verify uppsala.receipt\n');
receipt
  .command('verify')
  .description('Check a receipt: who signed it, and what it says.')
  .argument('<file>', 'the receipt')
  .option('--coordinator <peer-id>', 'the coordinator that must have signed it')
  .option('--json', 'print one JSON object for scripts')
  .addHelpText('after', '\nExample:\n  $ galaxy-coordinator receipt verify uppsala.receipt\n')
  .action((file: string, flags: { coordinator?: string; json?: boolean }) =>
    runCommand(async () => {
      const text = await readFile(file, 'utf8').catch((cause: Error) => {
        throw commandErrors('unreadable', { file, reason: cause.message }, { cause });
      });
      const verified = verifyReceipt(text, flags.coordinator);
      printResult(flags, verified, () => receiptText(verified));
      return 0;
    }, flags),
  );

const config = program
  .command('config')
  .description('The configuration.')
  .addHelpText('after', '\nExample:\n  $ galaxy-coordinator config show\n');
dataFlags(config.command('show'))
  .description('Every option with its value and documentation, as YAML.')
  .addHelpText('after', '\nExample:\n  $ galaxy-coordinator config show\n')
  .action((flags: CommonFlags) =>
    runCommand(async () => {
      const { options } = optionsOf(flags);
      printResult(flags, options, () => [renderOptions(SOURCES, flags, {}, options)]);
      return 0;
    }, flags),
  );

function receiptText({ receipt, signer }: ReturnType<typeof verifyReceipt>): string[] {
  return [
    `Valid. Signed by ${signer}, the coordinator of "${receipt.network}", at ${new Date(receipt.issuedAt).toISOString()}.`,
    `${receipt.name} (${receipt.node}) was drained: ${counted(receipt.blobs, 'blob')}, ${inBytes(receipt.bytes)}, ${counted(receipt.accounts, 'account')}.`,
  ];
}

async function start(options: CoordinatorOptions, folder: DataFolder, flags: CommonFlags): Promise<Running> {
  const log = createLogger({ level: options.logLevel, name: 'galaxy-coordinator' });
  const key = await loadNodeKey(folder.file(KEY_FILES.coordinator));
  if (key.peerId !== folder.info.peerId) {
    throw folderErrors('other-owner', { folder: folder.path, found: folder.info.peerId, peer: key.peerId });
  }
  folder.lock(new Date().toISOString());
  try {
    refuseDamaged(folder.file('store'), { mustExist: folder.info.boot > 0, tables: false });
    const { createCoordinator } = await import('../coordinator/coordinator.js');
    const coordinator = await createCoordinator(options, { folder, key, log });
    folder.countStart();
    let finish: () => void = () => {};
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const control = new ControlServer(
      { folder, log },
      handlers(coordinator, () => {
        setTimeout(finish, 50);
      }),
    );
    await coordinator.start();
    await control.start();
    const { http, networkUrl, lobby, network } = coordinator.addresses();
    const ready = {
      ready: true,
      pid: process.pid,
      url: http,
      networkUrl,
      peerId: key.peerId,
      addresses: network,
      lobby,
    };
    if (flags.json) process.stdout.write(`${JSON.stringify(ready)}\n`);
    else {
      process.stdout.write(
        `The network "${options.networkName}" is at ${networkUrl}; its nodes are listed at ${networkUrl}/peers\nInvite a node: galaxy-coordinator invite --name "…" --data ${folder.path}\n`,
      );
    }
    const stop = async () => {
      await control.stop();
      await coordinator.stop();
      folder.unlock();
    };
    return { stop, done };
  } catch (error) {
    folder.unlock();
    throw error;
  }
}

const inviteArgs = z.object({
  name: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .regex(/^\P{Cc}*$/u, 'must not hold control characters'),
  at: z.string().nullable(),
  days: z.number().positive().nullable(),
});
const revokeArgs = z.object({
  who: z.string().min(1).max(200),
  reason: z.string().trim().min(1).max(500),
});
const withdrawArgs = z.object({ id: z.string().max(64) });

function handlers(coordinator: Coordinator, finish: () => void): Record<string, ControlHandler> {
  return {
    invite: async (args) => {
      const { name, at, days } = parse(inviteArgs, args);
      return coordinator.invite({ name, ...(at === null ? {} : { at }), ...(days === null ? {} : { days }) });
    },
    invitations: async () => ({ invitations: await coordinator.invitations() }),
    withdraw: async (args) => ({ ...(await coordinator.withdraw(parse(withdrawArgs, args).id)) }),
    peers: async ({ all }) => coordinator.peers(all === true),
    revoke: async (args) => {
      const { who, reason } = parse(revokeArgs, args);
      return coordinator.revoke(who, reason);
    },
    stop: async () => {
      finish();
      return {};
    },
  };
}

function parse<S extends z.ZodType>(schema: S, args: unknown): z.output<S> {
  const { data, problem } = check(schema, args);
  if (problem === undefined) return data;
  throw commandErrors('bad-arguments', { reason: sentenceOf(problem) });
}

function ask(flags: CommonFlags, command: string, args: Record<string, unknown>): Promise<unknown> {
  const { folder } = optionsOf(flags);
  return callControl(folder, command, args);
}

function init(folder: string, flags: CommonFlags, overrides: Record<string, unknown>) {
  const config = { name: SOURCES.configName, text: renderOptions(SOURCES, flags, overrides) };
  return initFolder('coordinator', folder, config, new Date());
}

const PER_DAY = { d: 1, h: 24, m: 1440, s: 86_400 } as const;
const LIFETIME_DAYS_MAX = 3650;

/** `7d`, `12h`, `30m` or `90s` in days. Error: `coordinator-command/bad-lifetime`. */
function daysOf(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([dhms])$/.exec(text.trim());
  const days = match === null ? 0 : Number(match[1]) / PER_DAY[match[2] as keyof typeof PER_DAY];
  if (days * 86_400 < 1 || days > LIFETIME_DAYS_MAX) throw commandErrors('bad-lifetime', { text });
  return days;
}

await program.parseAsync();
