/** Chapter 7: a member that sends wrong bytes for a blob. */
import { join } from 'node:path';
import { blobFiles, hashesInFolder, removeBlob } from '../hashes.js';
import { Liar } from '../liar.js';
import { commandJson } from '../network.js';
import type { Chapter, Scene } from '../scene.js';
import { equal, eventually } from '../waits.js';

const LIAR = { name: 'Liar Institute', address: '127.0.1.31' };

export const lies: Chapter = {
  step: '7 lies',
  title: 'A member sends wrong bytes',
  telling: (scene) =>
    `A fourth member joins with a real invitation and offers her 200 MB, but turns a bit in everything that it sends. ${scene.home()[1].place.name} has lost its copy again and asks whoever has one. It must notice, store nothing of it, and get the right bytes elsewhere.`,

  async play(scene: Scene): Promise<void> {
    const { network, visitor } = scene;
    const [id, home] = scene.home();
    const [large, sha256] = await scene.largest();
    let liarId = '';
    await scene.check(
      lies,
      'a member that sends wrong bytes for a blob is found out, nothing of them is stored',
      async (count) => {
        await scene.untilSafe(id);
        await home.command('stop');
        await home.program.exited;
        const before = await hashesInFolder(home.folder);
        await removeBlob(home.folder, sha256);
        const node = await network.startNode(id, home.place, ['--log-level', 'info']);
        const invitation = await network.invite(LIAR.name, undefined);
        const liar = await Liar.join(join(scene.folder, 'liar'), LIAR.address, invitation, scene.randomFile);
        liarId = liar.peerId;
        try {
          await liar.connect(node.ready.peerId, node.ready.addresses);
          const got = await scene.followed(() => visitor.download(large));
          equal(got.sha256, sha256, 'the bytes');
          count(got.bytes);
          if (liar.lies === 0) throw new Error('it was never asked');
          if (!node.program.errors.some((line) => /wrong bytes/.test(line))) throw new Error('nobody was told of it');
          const after = await hashesInFolder(node.folder);
          if (!after.has(sha256)) throw new Error('the right bytes are not stored');
          for (const hash of after) if (!before.has(hash)) throw new Error(`${hash} was stored, which nobody had`);
          await eventually('no part of a file is left', 10_000, async () => {
            const all = await blobFiles(node.folder, { unfinished: true });
            return all.length === after.size;
          });
        } finally {
          await liar.stop();
        }
      },
    );
    await scene.check(lies, 'its operator revokes that member, and everything is safe without it', async () => {
      await commandJson('galaxy-coordinator', [
        ...['revoke', liarId, '--reason', 'sends wrong bytes', '--data', network.folderOf('coordinator')],
      ]);
      await scene.untilSafe(id);
    });
  },
};
