/** Chapter 5: the coordinator is away, and the node that she is on starts without a list of peers. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { removeBlob } from '../hashes.js';
import type { Chapter, Scene } from '../scene.js';
import type { DatasetSummary } from '../visitor.js';
import { equal, eventually } from '../waits.js';

const JOB_MS = 30_000;
const RECONCILED_MS = 40_000;

export const alone: Chapter = {
  step: '5 alone',
  title: 'The coordinator is away',
  telling: (scene) =>
    `The coordinator stops. ${scene.home()[1].place.name}, where she is, is stopped as well; its list of peers is deleted, its copy of the 200 MB is lost, and it starts again, alone. It must go on serving at its own URL, run jobs, find somebody who has the lost bytes without being told by anyone, and fetch them. Then the coordinator starts again, and nobody has to do anything.`,
  look: (scene) => [`${scene.home()[1].ready.url}/  her node's own address goes on working`],

  async play(scene: Scene): Promise<void> {
    const { network, visitor } = scene;
    const [id, home] = scene.home();
    const other = scene.other();
    await scene.check(
      alone,
      'the coordinator stops, the peer list of her node is deleted and it restarts',
      async () => {
        await scene.untilSafe(id);
        equal((await network.coordinator?.stop())?.code, 0, 'the coordinator did not stop cleanly');
        await home.command('stop');
        equal((await home.program.exited).code, 0, 'the node did not stop cleanly');
        await rename(join(home.folder, 'peers.json'), join(scene.folder, 'peers-deleted.json'));
        const [, sha256] = await scene.largest();
        await removeBlob(home.folder, sha256);
        await network.startNode(id, home.place);
      },
    );
    await scene.check(alone, 'the node goes on serving at its own URL and runs a job', async () => {
      equal((await visitor.whoAmI()).id, scene.account, 'she is signed out');
      const input = [...scene.hashes.keys()][0] as string;
      const made = await visitor.runTool(scene.history, 'wc_gnu', { input1: { src: 'hda', id: input } });
      const done = await visitor.waitForDataset((made.outputs[0] as DatasetSummary).id, JOB_MS);
      equal(done.state, 'ok', done.misc_info);
    });
    await scene.check(alone, "it finds a blob's holder by DHT and fetches it", async (count) => {
      const node = network.node(id);
      await eventually('the other node is connected', 30_000, async () =>
        (await node.status()).peers.some((peer) => peer.connected && peer.name === other.place.name),
      );
      const [large, sha256] = await scene.largest();
      const before = (await node.status()).fetched.dht;
      const got = await visitor.download(large);
      equal(got.sha256, sha256, 'the bytes');
      equal((await node.status()).fetched.dht, before + 1, 'blobs found by DHT');
      count(got.bytes);
    });
    await scene.check(alone, 'the coordinator starts again and all is reconciled without a hand', async () => {
      await network.startCoordinator();
      await scene.serving(2, RECONCILED_MS);
      await scene.untilSafe(id);
      await visitor.open(`${network.networkUrl}/`);
      equal((await visitor.whoAmI()).id, scene.account, 'another account');
    });
  },
};
