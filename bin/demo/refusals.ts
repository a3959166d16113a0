/** Step 6 of the story: those who must be refused, each with its reason, and nothing of theirs stored. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandFailed, type DemoNetwork, type Place } from './network.js';
import { runToEnd } from './processes.js';
import type { Report } from './report.js';
import { equal, eventually } from './story.js';

const STRANGER: Place = { name: 'Nobody University', at: '0,0', address: '127.0.1.21' };

export async function refusals(network: DemoNetwork, report: Report, folder: string): Promise<void> {
  const step = '6 refused';
  await report.check(step, 'an invitation works once: a second node with the same line is refused', async () => {
    const line = await network.invite('Guest Institute', '50,10');
    await network.startNode('guest', { name: 'Guest Institute', at: '50,10', address: '127.0.1.14' });
    await network.node('guest').command('join', line);
    await network.startNode('stranger', STRANGER);
    await refused(network.node('stranger').command('join', line), 'join/used-invitation');
  });
  await report.check(step, 'an expired invitation is refused', async () => {
    const line = await network.invite('Late Institute', undefined, '1s');
    await eventually('it expires', 10_000, async () => {
      const error = await failure(network.node('stranger').command('join', line));
      return /expired/.test(error.code);
    });
  });
  await report.check(step, 'a stranger with a line that somebody changed is refused', async () => {
    const line = await network.invite('Changed Institute', undefined);
    await refused(
      network.node('stranger').command('join', `${line.slice(0, -8)}AAAAAAAA`),
      'trust/invitation-malformed',
    );
  });
  await report.check(step, 'a cloned data folder is refused while the original runs', async () => {
    const clone = join(folder, 'guest-clone');
    await cp(network.folderOf('guest'), clone, {
      recursive: true,
      filter: (path) => !/process\.lock|control\.sock|\/LOCK$/.test(path),
    });
    const { code, stderr } = await runToEnd('galaxy-node', [
      ...['start', '--json', '--data', clone, '--listen', '127.0.1.22:0', '--log-level', 'warn'],
      ...['--set', 'network.listen=["/ip4/127.0.1.22/tcp/0"]'],
    ]);
    equal(code === 0, false, 'a clone was admitted');
    if (!/clone|restored/i.test(stderr)) throw new Error(`refused for another reason: ${stderr.slice(-300)}`);
  });
  await report.check(step, 'a revoked node is shut out', async () => {
    const guest = network.node('guest');
    const { code } = await runToEnd('galaxy-coordinator', [
      ...['revoke', guest.ready.peerId, '--reason', 'the story', '--data', network.folderOf('coordinator')],
    ]);
    equal(code, 0, 'revoke');
    await eventually('it is listed as revoked and no longer connected', 20_000, async () => {
      const listed = (await network.peers()).find(({ peerId }) => peerId === guest.ready.peerId);
      const status = await guest.command('status');
      const belongs = status.network as { registered: boolean } | null;
      return listed?.state === 'revoked' && belongs?.registered === false;
    });
  });
}

async function failure(work: Promise<unknown>): Promise<CommandFailed> {
  try {
    await work;
  } catch (error) {
    if (error instanceof CommandFailed) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

async function refused(work: Promise<unknown>, code: string): Promise<void> {
  equal((await failure(work)).code, code, 'refused with');
}
