/** Chapter 2: a user signs up, uploads, runs tools; what she has becomes safe. */
import { join } from 'node:path';
import { packageRoot } from '../../../protocol/runtime/package.js';
import { hashesInFolder, sha256OfFile, writeRandomFile } from '../hashes.js';
import { ACCOUNT, type Chapter, RANDOM_BYTES, type Scene } from '../scene.js';
import type { DatasetSummary } from '../visitor.js';
import { equal } from '../waits.js';

const UPLOAD_MS = 120_000;
const TOOL_MS = 60_000;

export const work: Chapter = {
  step: '2 work',
  title: 'A biologist works',
  telling: () =>
    `A user near Stockholm opens the network's address. She is taken to the nearest node, Uppsala, signs up there as ${ACCOUNT.email}, and uploads the genome of the phage lambda, sequencing reads and 200 MB of random bytes. She runs two tools, one on the output of the other. In the background every byte is copied to the main repository and to another institution; then it is safe.`,
  look: ({ network }) => [`${network.networkUrl}/peers  the nodes, live`],

  async play(scene: Scene): Promise<void> {
    const { network, visitor, hashes } = scene;
    await scene.check(work, 'a visitor near Stockholm lands on Uppsala and signs up there', async () => {
      visitor.base = network.networkUrl;
      await visitor.open('/');
      equal(scene.home()[0], 'uppsala', 'where she is');
      await visitor.signUp(ACCOUNT.email, ACCOUNT.username, ACCOUNT.password);
      equal(scene.home()[0], 'uppsala', 'where she is');
      scene.account = (await visitor.whoAmI()).id;
      scene.history = (await visitor.currentHistory()).id;
      await visitor.rename(scene.history, 'Phage lambda');
    });
    const uploads: DatasetSummary[] = [];
    await scene.check(work, 'she uploads a genome, reads and 200 MB of random bytes', async (count) => {
      const data = join(packageRoot(), 'test', 'data');
      await writeRandomFile(scene.randomFile, RANDOM_BYTES);
      for (const [file, name, ext] of [
        [join(data, 'lambda_virus.fa.gz'), 'lambda genome', 'fasta.gz'],
        [join(data, 'reads_1.fq.gz'), 'reads', 'fastqsanger.gz'],
        [scene.randomFile, 'random bytes', 'data'],
      ] as const) {
        const bar = scene.narrator.progress(`uploading ${name}`);
        const progress = (sent: number, total: number) => bar.update(sent, total);
        const dataset = await visitor.uploadFile(scene.history, file, name, { ext, progress });
        bar.end();
        uploads.push(dataset);
        const done = await visitor.waitForDataset(dataset.id, UPLOAD_MS);
        equal(done.state, 'ok', `${name}: ${done.misc_info}`);
        const { sha256, bytes } = await visitor.download(dataset.id);
        equal(sha256, await sha256OfFile(file), `${name} came back changed`);
        hashes.set(dataset.id, sha256);
        count(bytes);
      }
    });
    await scene.check(work, 'she runs two tools, one on the output of the other', async () => {
      const genome = uploads[0] as DatasetSummary;
      const first = await visitor.runTool(scene.history, 'cat1', { input1: { src: 'hda', id: genome.id } });
      const joined = first.outputs[0] as DatasetSummary;
      const second = await visitor.runTool(scene.history, 'Show beginning1', {
        input: { src: 'hda', id: joined.id },
        lineNum: 5,
      });
      for (const { id } of [...first.outputs, ...second.outputs]) {
        const done = await visitor.waitForDataset(id, TOOL_MS);
        equal(done.state, 'ok', `${done.name}: ${done.misc_info}`);
        hashes.set(id, (await visitor.download(id)).sha256);
      }
    });
    await scene.check(work, 'all of it becomes safe', () => scene.untilSafe('uppsala'));
    await scene.check(work, 'the bytes lie in the repository and at a peer, by their hashes', async () => {
      const repository = await hashesInFolder(network.folderOf('coordinator'));
      const peers = new Set<string>();
      for (const id of ['freiburg', 'melbourne'])
        for (const hash of await hashesInFolder(network.folderOf(id))) peers.add(hash);
      for (const hash of new Set(hashes.values())) {
        if (!repository.has(hash)) throw new Error(`${hash} is not in the repository`);
        if (!peers.has(hash)) throw new Error(`${hash} is at no peer`);
      }
    });
  },
};
