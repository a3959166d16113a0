/** Chapter 4: the node that she is on is killed while only it has something; it comes back. */
import { createHash } from 'node:crypto';
import { ACCOUNT, type Chapter, PATIENCE, PROMISES, type Scene } from '../scene.js';
import type { DatasetSummary } from '../visitor.js';
import { equal, eventually, pause } from '../waits.js';

const JOB_MS = 30_000;
const LATE = 'written while copying was paused\n';
/** A home tells the coordinator each second how far it wrote; what nobody was told of yet, nobody can tell her. */
const TOLD_AFTER_MS = 2000;

export const crash: Chapter = {
  step: '4 crash',
  title: 'Her node dies',
  telling: (scene) =>
    `Copying is paused at the node she is on now (${scene.home()[1].place.name}), she makes one small dataset more, and then that node is killed with SIGKILL, as if its power were cut. Promised: within 15 s she works on at the third node with everything that was safe, and is told what waits. Then the dead node starts again and brings what only it had.`,
  look: ({ network }) => [
    `the page that you signed in with as ${ACCOUNT.email}: it comes back by itself`,
    `${network.networkUrl}/peers  who is alive`,
  ],

  async play(scene: Scene): Promise<void> {
    const { network, visitor, hashes } = scene;
    const [id, home] = scene.home();
    const other = scene.other();
    let late: DatasetSummary | undefined;
    let meanwhile: DatasetSummary | undefined;
    let died = 0;
    await scene.check(crash, `copying is paused on ${home.place.name}; one more dataset is at risk there`, async () => {
      await scene.untilSafe(id);
      await home.command('config', 'set', 'replication.paused', 'true');
      late = await visitor.paste(scene.history, LATE, { name: 'late' });
      const done = await visitor.waitForDataset(late.id, JOB_MS);
      equal(done.state, 'ok', done.misc_info);
      if ((await home.status()).copies.atRisk.objects < 1) throw new Error('nothing is shown as at risk');
      await pause(TOLD_AFTER_MS);
    });
    await scene.check(crash, `it is killed; she works on at ${other.place.name} with all that was safe`, async () => {
      died = performance.now();
      await home.program.killGroup();
      await scene.followed(() => visitor.currentHistory(), PROMISES.followAfterCrashMs * PATIENCE);
      equal(network.nodeAt(visitor.base)[1], other, 'where she is');
      equal((await visitor.currentHistory()).id, scene.history, 'another history');
      const seen = new Set((await visitor.contents(scene.history)).map((item) => item.id));
      for (const dataset of hashes.keys()) if (!seen.has(dataset)) throw new Error(`${dataset} is missing`);
      const seconds = ((performance.now() - died) / 1000).toFixed(1);
      scene.narrator.note(`back at work ${seconds} s after the kill (promised: 15 s)`);
    });
    await scene.check(crash, 'she is told what waits at the dead node', async () => {
      const status = await visitor.api<{ waitingElsewhere: { name: string; changes: number }[] }>('/api/node/status');
      const waiting = status.waitingElsewhere.find(({ name }) => name === home.place.name);
      if (waiting === undefined || waiting.changes < 1)
        throw new Error(`told: ${JSON.stringify(status.waitingElsewhere)}`);
    });
    await scene.check(crash, 'she goes on there', async () => {
      meanwhile = await visitor.paste(scene.history, 'written on the third node\n', { name: 'meanwhile' });
      const done = await visitor.waitForDataset(meanwhile.id, JOB_MS);
      equal(done.state, 'ok', done.misc_info);
      hashes.set(done.id, (await visitor.download(done.id)).sha256);
    });
    await scene.check(crash, 'the killed node starts again and brings what only it had', async () => {
      await network.startNode(id, home.place, ['--set', 'replication.paused=false']);
      await eventually('the late dataset arrives', 60_000, async () => {
        const items = await visitor.contents(scene.history);
        return items.some((item) => item.id === late?.id && item.state === 'ok');
      });
      const { sha256 } = await visitor.download(late?.id ?? '');
      equal(sha256, createHash('sha256').update(LATE).digest('hex'), 'its bytes');
      hashes.set(late?.id ?? '', sha256);
    });
    await scene.check(crash, 'nothing is duplicated and no two items share a number', async () => {
      await eventually('the numbers are settled', 20_000, async () => {
        const items = await visitor.contents(scene.history);
        return new Set(items.map(({ hid }) => hid)).size === items.length;
      });
      const items = await visitor.contents(scene.history);
      equal(new Set(items.map((item) => item.id)).size, items.length, 'ids');
      equal(items.filter(({ name }) => name === 'late').length, 1, 'datasets named "late"');
    });
  },
};
