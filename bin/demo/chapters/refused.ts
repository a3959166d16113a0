/** Chapter 6: those who must be refused, each with its reason, and nothing of theirs stored. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock as clock } from '../../../protocol/runtime/clock.js';
import { isDomainError } from '../../../protocol/runtime/errors.js';
import { parseInvitation } from '../../../protocol/trust/invitation.js';
import { changesBetween, footprintOf, quietFootprint } from '../footprint.js';
import { CommandFailed, commandJson, type Place } from '../network.js';
import { runToEnd } from '../processes.js';
import type { Chapter, Scene } from '../scene.js';
import { Stranger } from '../stranger.js';
import { equal, eventually, pause } from '../waits.js';

const GUEST: Place = { name: 'Guest Institute', at: '50,10', address: '127.0.1.14' };
const STRANGER: Place = { name: 'Nobody University', at: '0,0', address: '127.0.1.21' };
const CLONE_ADDRESS = '127.0.1.22';
const PEER_ADDRESS = '127.0.1.23';
const QUIET_MS = 20_000;
/** What is written behind an answer is on the disk by then. */
const AFTERWARDS_MS = 400;
const REASON = 'the story';

export const refused: Chapter = {
  step: '6 refused',
  title: 'Those who must stay out',
  telling: () =>
    'A peer that nobody invited dials a member directly. A second node comes with an invitation that was used, another with one that has expired, another with a line that somebody changed. A data folder is copied and the copy started. A node is revoked, and starts again. Each must be refused with its reason, and nothing of it may be left on any disk: the folders of the coordinator and of all members are compared before and after, file by file.',
  look: ({ network }) => [`${network.networkUrl}/peers  who belongs to the network`],

  async play(scene: Scene): Promise<void> {
    const { network } = scene;
    const coordinatorFolder = network.folderOf('coordinator');
    const members = () => [...network.nodes.keys()].filter((id) => id !== 'stranger');

    /** Does what must be refused, between two looks at all disks. */
    async function leavesNothing(act: () => Promise<void>): Promise<void> {
      const folders = [coordinatorFolder, ...members().map((id) => network.folderOf(id))];
      const before = await quietFootprint(folders, scene.folder, QUIET_MS);
      await act();
      await pause(AFTERWARDS_MS);
      const changes = changesBetween(before, await footprintOf(folders, scene.folder));
      if (changes.length > 0) throw new Error(`something was stored: ${changes.join('; ')}`);
    }

    await scene.check(refused, 'a stranger who dials the coordinator and a member is cut off unheard', async () => {
      const stranger = await Stranger.at(PEER_ADDRESS);
      const doors = [network.coordinatorReady, scene.home()[1].ready];
      try {
        await leavesNothing(async () => {
          for (const { peerId, addresses } of doors) await mustFail(stranger.dial(peerId, addresses), 'it was let in');
        });
      } finally {
        await stranger.stop();
      }
    });
    await scene.check(refused, 'an invitation works once: a second node with the same line is refused', async () => {
      const line = await network.invite(GUEST.name, GUEST.at);
      await Promise.all([network.startNode('guest', GUEST), network.startNode('stranger', STRANGER)]);
      await network.node('guest').command('join', line);
      await leavesNothing(() => refusedWith(network.node('stranger').command('join', line), 'join/used-invitation'));
    });
    await scene.check(refused, 'an expired invitation is refused, by the node and by the coordinator', async () => {
      const line = await network.invite('Late Institute', undefined, '1s');
      const { coordinator, lobby, secret, network: name, expiresAt } = parseInvitation(line);
      await eventually('it expires', 10_000, async () => clock.now() > expiresAt);
      const stranger = await Stranger.at(PEER_ADDRESS);
      try {
        await leavesNothing(async () => {
          await refusedWith(network.node('stranger').command('join', line), 'trust/invitation-expired');
          await refusedWith(stranger.present(coordinator, lobby, name, secret), 'join/expired-invitation');
        });
      } finally {
        await stranger.stop();
      }
    });
    await scene.check(refused, 'a line that somebody changed is refused', async () => {
      const line = await network.invite('Changed Institute', undefined);
      const changed = `${line.slice(0, -8)}${line.at(-8) === 'A' ? 'B' : 'A'}${line.slice(-7)}`;
      await leavesNothing(() =>
        refusedWith(network.node('stranger').command('join', changed), 'trust/invitation-malformed'),
      );
      equal((await network.node('stranger').status()).network, null, 'what the stranger belongs to');
    });
    await scene.check(refused, 'a cloned data folder is refused while the original runs', async () => {
      const clone = join(scene.folder, 'guest-clone');
      await cp(network.folderOf('guest'), clone, {
        recursive: true,
        filter: (path) => !/process\.lock|control\.sock|\/LOCK$/.test(path),
      });
      await leavesNothing(async () => {
        const { code, stderr } = await runToEnd('galaxy-node', [
          ...['start', '--json', '--data', clone, '--listen', `${CLONE_ADDRESS}:0`, '--log-level', 'warn'],
          ...['--set', `network.listen=["/ip4/${CLONE_ADDRESS}/tcp/0"]`],
        ]);
        equal(code === 0, false, 'a clone was admitted');
        if (!/clone|restored/i.test(stderr)) throw new Error(`refused for another reason: ${stderr.slice(-300)}`);
      });
    });
    await scene.check(refused, 'a revoked node is shut out, and told why', async () => {
      const guest = network.node('guest');
      await commandJson('galaxy-coordinator', [
        ...['revoke', guest.ready.peerId, '--reason', REASON, '--data', coordinatorFolder],
      ]);
      const listed = (await network.peers()).find(({ peerId }) => peerId === guest.ready.peerId);
      equal(listed?.state, 'revoked', 'its state');
      await eventually('it knows that it was revoked', 20_000, isToldWhy);
    });
    await scene.check(refused, 'started again it is shut out still, and knows why', async () => {
      await network.stopNode('guest');
      await leavesNothing(async () => {
        // Not one of the folders that are compared: its own start is written down there.
        await network.startNode('guest', GUEST);
        await eventually('it knows that it was revoked', 30_000, isToldWhy);
      });
    });
    await Promise.all(['guest', 'stranger'].map((id) => network.stopNode(id)));

    async function isToldWhy(): Promise<boolean> {
      const { network: mine, peers } = await network.node('guest').status();
      const isAlone = mine?.registered === false && peers.every(({ connected }) => !connected);
      return isAlone && /revoked/.test(mine.problem ?? '');
    }
  },
};

async function mustFail(work: Promise<unknown>, otherwise: string): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error(otherwise);
}

async function refusedWith(work: Promise<unknown>, code: string): Promise<void> {
  const error = await mustFail(work, 'it was accepted');
  if (!(error instanceof CommandFailed) && !isDomainError(error)) throw error;
  equal(error.code, code, 'refused with');
}
