/** Chapter 3: the node that she is on leaves the network for good, under her open page and while a job runs. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandJson } from '../network.js';
import { runProgram, runToEnd } from '../processes.js';
import { ACCOUNT, type Chapter, type Scene } from '../scene.js';
import type { DatasetSummary } from '../visitor.js';
import { equal, eventually, pause, within } from '../waits.js';

const JOB_SECONDS = 20;
const EXIT_MS = 120_000;

export const drain: Chapter = {
  step: '3 drain',
  title: 'Her node leaves',
  telling: () =>
    `A job of ${JOB_SECONDS} s is running, and Uppsala is taken out of service with one command, \`galaxy-node drain\`. It hands over its users, finishes the job, sees to it that every byte has enough verified holders elsewhere, gets a signed receipt, and ends. She is at another node by then, and has done nothing. Afterwards its data folder is moved away: nothing may be missing.`,
  look: ({ network }) => [
    `${network.networkUrl}/  sign in as ${ACCOUNT.email} with the password ${ACCOUNT.password}`,
    '  and leave the page open, in this chapter and the next: it moves along by itself',
    `${network.networkUrl}/peers  Uppsala drains`,
  ],

  async play(scene: Scene): Promise<void> {
    const { network, visitor, hashes } = scene;
    const uppsala = network.node('uppsala');
    const contents = async () => (await visitor.contents(scene.history)).map(({ id, hid }) => `${hid}:${id}`);
    let slow: DatasetSummary | undefined;
    await scene.check(drain, `a ${JOB_SECONDS} s job runs`, async () => {
      const input = [...hashes.keys()][0] as string;
      const made = await visitor.runTool(scene.history, 'cat_data_and_sleep', {
        input1: { src: 'hda', id: input },
        sleep_time: JOB_SECONDS,
      });
      slow = made.outputs[0];
      await eventually('the job runs', 30_000, async () => (await visitor.dataset(slow?.id ?? '')).state === 'running');
    });
    const before = await contents().catch(() => []);
    await scene.check(drain, 'Uppsala drains under her open page; page and API go on', async () => {
      const command = runProgram('galaxy-node', ['drain', '--json', '--data', uppsala.folder]);
      let isUnderWay = true;
      void command.exited.then(() => {
        isUnderWay = false;
      });
      let said = '';
      while (isUnderWay) {
        await scene.followed(() => visitor.currentHistory());
        const doing = await uppsala
          .status()
          .then(({ drain: now }) => now?.say ?? '')
          .catch(() => '');
        if (doing !== '' && doing !== said) scene.narrator.note(`Uppsala: ${doing}`);
        said = doing || said;
        await pause(500);
      }
      const { code } = await command.exited;
      equal(code, 0, `galaxy-node drain: ${command.errors.slice(-3).join(' ')} ${command.output.slice(-1).join(' ')}`);
    });
    await scene.check(drain, 'she is on another node with the same account, history and ids', async () => {
      await scene.followed(() => visitor.currentHistory());
      if (new URL(visitor.base).host === new URL(uppsala.ready.url).host) throw new Error('she is still on Uppsala');
      equal((await visitor.whoAmI()).id, scene.account, 'another account');
      equal((await visitor.currentHistory()).id, scene.history, 'another history');
      equal((await contents()).join(), before.join(), 'the history changed');
    });
    await scene.check(drain, 'the job ended exactly once, and its output is right', async () => {
      const done = await visitor.waitForDataset(slow?.id ?? '', 60_000);
      equal(done.state, 'ok', done.misc_info);
      const jobs = await visitor.api<{ id: string; state: string; tool_id: string }[]>(
        `/api/jobs?history_id=${scene.history}`,
      );
      const ours = jobs.filter(({ tool_id }) => tool_id === 'cat_data_and_sleep');
      equal(ours.map(({ state }) => state).join(), 'ok', 'jobs of that tool');
      const { sha256 } = await visitor.download(done.id);
      equal(sha256, [...hashes.values()][0], 'the output differs from the input');
      hashes.set(done.id, sha256);
    });
    await scene.check(drain, 'Uppsala exits 0', async () => {
      const { code } = await within(uppsala.program.exited, EXIT_MS, 'the node did not exit');
      equal(code, 0, uppsala.program.errors.slice(-2).join(' '));
    });
    await scene.check(drain, 'its receipt verifies, and with one byte changed does not', async () => {
      const receipt = join(uppsala.folder, 'receipt.txt');
      const verified = await commandJson('galaxy-coordinator', ['receipt', 'verify', receipt]);
      if (!verified.receipt) throw new Error('no receipt in the answer');
      const text = await readFile(receipt, 'utf8');
      const at = Math.floor(text.length / 2);
      const forged = join(scene.folder, 'forged.txt');
      await writeFile(forged, text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1));
      const { code } = await runToEnd('galaxy-coordinator', ['receipt', 'verify', forged]);
      if (code === 0) throw new Error('a changed receipt was accepted');
    });
    await scene.check(drain, 'without its data folder every dataset still downloads byte-identical', async (count) => {
      await rename(uppsala.folder, join(scene.folder, 'uppsala-moved-away'));
      network.forget('uppsala');
      await scene.allDownload(count);
    });
  },
};
