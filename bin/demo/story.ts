/**
 * The whole story on one machine, on real parts: three institutions and a coordinator, a user, real data, a drain, a
 * crash, the coordinator away, and those who must be refused. Each check looks for itself; a promised time is printed,
 * and fails only past four times the promise, because machines are shared.
 */
import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../protocol/runtime/package.js';
import { hashesInFolder, removeBlob, sha256OfFile, writeRandomFile } from './hashes.js';
import { Liar } from './liar.js';
import { commandJson, type DemoNetwork, PLACES, STOCKHOLM } from './network.js';
import { runProgram, runToEnd } from './processes.js';
import type { Report } from './report.js';
import { type DatasetSummary, pause, Visitor } from './visitor.js';

const PROMISES = { followAfterCrashMs: 15_000, waitForSafeMs: 60_000 };
const PATIENCE = 4;
const RANDOM_BYTES = 200 * 2 ** 20;
const PASSWORD = 'phage-lambda-48502';
const JOB_SECONDS = 20;

/** Of `galaxy-node status --json`. */
interface NodeCopies {
  accepted: { objects: number };
  atRisk: { objects: number };
  logEntriesAtRisk: number;
}

/** What she has and what it must stay. */
interface Belongings {
  account: string;
  history: string;
  /** dataset → SHA-256 of its bytes. */
  hashes: Map<string, string>;
}

export class Story {
  private readonly visitor: Visitor;
  private has: Belongings = { account: '', history: '', hashes: new Map() };

  constructor(
    private readonly network: DemoNetwork,
    private readonly report: Report,
    private readonly folder: string,
  ) {
    this.visitor = new Visitor('http://127.0.0.1', { from: STOCKHOLM.address });
  }

  async run(): Promise<void> {
    const chapters: [string, () => Promise<void>][] = [
      ['1 join', () => this.institutionsJoin()],
      ['2 work', () => this.sheWorks()],
      ['3 drain', () => this.uppsalaDrains()],
      ['4 crash', () => this.herNodeDies()],
      ['5 alone', () => this.coordinatorIsAway()],
      ['6 refused', () => this.strangersAreRefused()],
      ['7 lies', () => this.wrongBytesAreRefused()],
    ];
    for (const [name, chapter] of chapters) {
      this.report.note(`\n${name}`);
      // Each chapter stands on the one before: without it there is nothing to check.
      if (this.report.failed > 0) this.report.notReached(name);
      else await chapter();
    }
  }

  /** For a person to play with: everything up and joined. */
  play(): Promise<void> {
    return this.institutionsJoin();
  }

  private async institutionsJoin(): Promise<void> {
    const step = '1 join';
    await this.report.check(step, 'the coordinator starts', () => this.network.startCoordinator());
    await this.report.check(step, 'three institutions join with one line each and are listed as serving', async () => {
      for (const [id, place] of Object.entries(PLACES)) {
        await this.network.startNode(id, place);
        await this.network.join(id);
      }
      await eventually('three nodes serve', 20_000, async () => {
        const serving = (await this.network.peers()).filter(
          (peer) => peer.state === 'serving' && peer.presence === 'alive',
        );
        return serving.length === 3;
      });
    });
  }

  private async sheWorks(): Promise<void> {
    const step = '2 work';
    const visitor = this.visitor;
    await this.report.check(step, 'a visitor near Stockholm lands on Uppsala and signs up there', async () => {
      visitor.base = this.network.networkUrl;
      await visitor.open('/');
      this.expectAt('uppsala');
      await visitor.signUp('ada@example.org', 'ada', PASSWORD);
      this.expectAt('uppsala');
      this.has.account = (await visitor.whoAmI()).id;
      this.has.history = (await visitor.currentHistory()).id;
    });
    const data = join(packageRoot(), 'test', 'data');
    const random = join(this.folder, 'random.bin');
    const uploads: DatasetSummary[] = [];
    await this.report.check(step, 'she uploads a genome, reads and 200 MB of random bytes', async (count) => {
      await writeRandomFile(random, RANDOM_BYTES);
      for (const [file, name, ext] of [
        [join(data, 'lambda_virus.fa.gz'), 'lambda genome', 'fasta.gz'],
        [join(data, 'reads_1.fq.gz'), 'reads', 'fastqsanger.gz'],
        [random, 'random bytes', 'data'],
      ] as const) {
        const dataset = await visitor.uploadFile(this.has.history, file, name, { ext });
        uploads.push(dataset);
        const done = await visitor.waitForDataset(dataset.id, 120_000);
        equal(done.state, 'ok', `${name}: ${done.misc_info}`);
        const { sha256, bytes } = await visitor.download(dataset.id);
        equal(sha256, await sha256OfFile(file), `${name} came back changed`);
        this.has.hashes.set(dataset.id, sha256);
        count(bytes);
      }
    });
    await this.report.check(step, 'she runs two tools, one on the output of the other', async () => {
      const genome = uploads[0] as DatasetSummary;
      const first = await visitor.runTool(this.has.history, 'cat1', { input1: { src: 'hda', id: genome.id } });
      const joined = first.outputs[0] as DatasetSummary;
      const second = await visitor.runTool(this.has.history, 'Show beginning1', {
        input: { src: 'hda', id: joined.id },
        lineNum: 5,
      });
      for (const { id } of [...first.outputs, ...second.outputs]) {
        const done = await visitor.waitForDataset(id, 60_000);
        equal(done.state, 'ok', `${done.name}: ${done.misc_info}`);
        this.has.hashes.set(id, (await visitor.download(id)).sha256);
      }
    });
    await this.report.check(step, 'all of it becomes safe', () => this.untilSafe('uppsala'));
    await this.report.check(step, 'the bytes lie in the repository and at a peer, by their hashes', async () => {
      const wanted = new Set(this.has.hashes.values());
      const repository = await hashesInFolder(this.network.folderOf('coordinator'));
      const peers = new Set<string>();
      for (const id of ['freiburg', 'melbourne'])
        for (const hash of await hashesInFolder(this.network.folderOf(id))) peers.add(hash);
      for (const hash of wanted) {
        if (!repository.has(hash)) throw new Error(`${hash} is not in the repository`);
        if (!peers.has(hash)) throw new Error(`${hash} is at no peer`);
      }
    });
  }

  private async uppsalaDrains(): Promise<void> {
    const step = '3 drain';
    const visitor = this.visitor;
    const uppsala = this.network.node('uppsala');
    let slow: DatasetSummary | undefined;
    await this.report.check(step, `a ${JOB_SECONDS} s job runs`, async () => {
      const input = [...this.has.hashes.keys()][0] as string;
      const made = await visitor.runTool(this.has.history, 'cat_data_and_sleep', {
        input1: { src: 'hda', id: input },
        sleep_time: JOB_SECONDS,
      });
      slow = made.outputs[0];
      await eventually('the job runs', 30_000, async () => (await visitor.dataset(slow?.id ?? '')).state === 'running');
    });
    const before = (await visitor.contents(this.has.history).catch(() => [])).map(({ id, hid }) => `${hid}:${id}`);
    await this.report.check(step, 'Uppsala drains under her open page; page and API go on', async () => {
      const drain = runProgram('galaxy-node', ['drain', '--json', '--data', uppsala.folder]);
      let ended = false;
      void drain.exited.then(() => {
        ended = true;
      });
      while (!ended) {
        await this.followed(() => visitor.currentHistory());
        await pause(500);
      }
      const { code } = await drain.exited;
      equal(code, 0, `galaxy-node drain: ${drain.errors.slice(-3).join(' ')} ${drain.output.slice(-1).join(' ')}`);
    });
    await this.report.check(step, 'she is on another node with the same account, history and ids', async () => {
      await this.followed(() => visitor.currentHistory());
      if (new URL(visitor.base).host === new URL(uppsala.ready.url).host) throw new Error('she is still on Uppsala');
      equal((await visitor.whoAmI()).id, this.has.account, 'another account');
      equal((await visitor.currentHistory()).id, this.has.history, 'another history');
      const now = (await visitor.contents(this.has.history)).map(({ id, hid }) => `${hid}:${id}`);
      equal(now.join(), before.join(), 'the history changed');
    });
    await this.report.check(step, 'the job ended exactly once, and its output is right', async () => {
      const done = await visitor.waitForDataset(slow?.id ?? '', 60_000);
      equal(done.state, 'ok', done.misc_info);
      const jobs = await visitor.api<{ id: string; state: string; tool_id: string }[]>(
        `/api/jobs?history_id=${this.has.history}`,
      );
      const ours = jobs.filter(({ tool_id }) => tool_id === 'cat_data_and_sleep');
      equal(ours.map(({ state }) => state).join(), 'ok', 'jobs of that tool');
      const { sha256 } = await visitor.download(done.id);
      equal(sha256, [...this.has.hashes.values()][0], 'the output differs from the input');
      this.has.hashes.set(done.id, sha256);
    });
    await this.report.check(step, 'Uppsala exits 0', async () => {
      const { code } = await within(uppsala.program.exited, 120_000, 'the node did not exit');
      equal(code, 0, uppsala.program.errors.slice(-2).join(' '));
    });
    await this.report.check(step, 'its receipt verifies, and with one byte changed does not', async () => {
      const receipt = join(uppsala.folder, 'receipt.txt');
      const verified = await commandJson('galaxy-coordinator', ['receipt', 'verify', receipt]);
      if (!verified.receipt) throw new Error('no receipt in the answer');
      const text = await readFile(receipt, 'utf8');
      const at = Math.floor(text.length / 2);
      const flipped = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
      const forged = join(this.folder, 'forged.txt');
      await writeFile(forged, flipped);
      const { code } = await runToEnd('galaxy-coordinator', ['receipt', 'verify', forged]);
      if (code === 0) throw new Error('a changed receipt was accepted');
    });
    await this.report.check(
      step,
      'without its data folder every dataset still downloads byte-identical',
      async (count) => {
        await rename(uppsala.folder, join(this.folder, 'uppsala-moved-away'));
        await this.allDownload(count);
      },
    );
  }

  private async herNodeDies(): Promise<void> {
    const step = '4 crash';
    const visitor = this.visitor;
    const [id, home] = this.network.nodeAt(visitor.base);
    const other = id === 'freiburg' ? 'melbourne' : 'freiburg';
    let late: DatasetSummary | undefined;
    let died = 0;
    await this.report.check(
      step,
      `copying is paused on ${home.place.name}; one more dataset is at risk there`,
      async () => {
        await this.untilSafe(id);
        await home.command('config', 'set', 'replication.paused', 'true');
        late = await visitor.paste(this.has.history, 'written while copying was paused\n', { name: 'late' });
        const done = await visitor.waitForDataset(late.id, 30_000);
        equal(done.state, 'ok', done.misc_info);
        const { copies } = (await home.command('status')) as { copies: NodeCopies };
        if (copies.atRisk.objects < 1) throw new Error('nothing is shown as at risk');
        // A home tells the coordinator each second how far it wrote; what nobody was told of yet, nobody can tell her.
        await pause(2000);
      },
    );
    await this.report.check(
      step,
      `it is killed; she works on at ${this.network.node(other).place.name} with all that was safe`,
      async () => {
        died = performance.now();
        await home.program.killGroup();
        await this.followed(() => visitor.currentHistory(), PROMISES.followAfterCrashMs * PATIENCE);
        equal(this.network.nodeAt(visitor.base)[0], other, 'where she is');
        equal((await visitor.currentHistory()).id, this.has.history, 'another history');
        const seen = new Set((await visitor.contents(this.has.history)).map((item) => item.id));
        for (const dataset of this.has.hashes.keys()) if (!seen.has(dataset)) throw new Error(`${dataset} is missing`);
      },
    );
    this.report.note(
      `      back at work ${((performance.now() - died) / 1000).toFixed(1)} s after the kill (promised: 15 s)`,
    );
    await this.report.check(step, 'she is told what waits at the dead node', async () => {
      const status = await visitor.api<{ waitingElsewhere: { name: string; changes: number }[] }>('/api/node/status');
      const waiting = status.waitingElsewhere.find(({ name }) => name === home.place.name);
      if (waiting === undefined || waiting.changes < 1)
        throw new Error(`told: ${JSON.stringify(status.waitingElsewhere)}`);
    });
    let meanwhile: DatasetSummary | undefined;
    await this.report.check(step, 'she goes on there', async () => {
      meanwhile = await visitor.paste(this.has.history, 'written on the third node\n', { name: 'meanwhile' });
      const done = await visitor.waitForDataset(meanwhile.id, 30_000);
      equal(done.state, 'ok', done.misc_info);
      this.has.hashes.set(done.id, (await visitor.download(done.id)).sha256);
    });
    await this.report.check(step, 'the killed node starts again and brings what only it had', async () => {
      await this.network.startNode(id, home.place, ['--set', 'replication.paused=false']);
      await eventually('the late dataset arrives', 60_000, async () => {
        const items = await visitor.contents(this.has.history);
        return items.some((item) => item.id === late?.id && item.state === 'ok');
      });
      const { sha256 } = await visitor.download(late?.id ?? '');
      equal(sha256, createHash('sha256').update('written while copying was paused\n').digest('hex'), 'its bytes');
      this.has.hashes.set(late?.id ?? '', sha256);
    });
    await this.report.check(step, 'nothing is duplicated and no two items share a number', async () => {
      await eventually('the numbers are settled', 20_000, async () => {
        const items = await visitor.contents(this.has.history);
        return new Set(items.map(({ hid }) => hid)).size === items.length;
      });
      const items = await visitor.contents(this.has.history);
      equal(new Set(items.map((item) => item.id)).size, items.length, 'ids');
      equal(items.filter(({ name }) => name === 'late').length, 1, 'datasets named "late"');
    });
  }

  private async coordinatorIsAway(): Promise<void> {
    const step = '5 alone';
    const visitor = this.visitor;
    const [id, home] = this.network.nodeAt(visitor.base);
    const other = id === 'freiburg' ? 'melbourne' : 'freiburg';
    await this.report.check(
      step,
      'the coordinator stops, the peer list of her node is deleted and it restarts',
      async () => {
        await this.untilSafe(id);
        equal((await this.network.coordinator?.stop())?.code, 0, 'the coordinator did not stop cleanly');
        await home.command('stop');
        equal((await home.program.exited).code, 0, 'the node did not stop cleanly');
        await rename(join(home.folder, 'peers.json'), join(this.folder, 'peers-deleted.json'));
        // Its own copy of the large file is lost as well, so that it must find another one.
        const [, sha256] = await this.largest();
        await removeBlob(home.folder, sha256);
        await this.network.startNode(id, home.place);
      },
    );
    await this.report.check(step, 'the node goes on serving at its own URL and runs a job', async () => {
      equal((await visitor.whoAmI()).id, this.has.account, 'she is signed out');
      const input = [...this.has.hashes.keys()][0] as string;
      const made = await visitor.runTool(this.has.history, 'wc_gnu', { input1: { src: 'hda', id: input } });
      const done = await visitor.waitForDataset((made.outputs[0] as DatasetSummary).id, 30_000);
      equal(done.state, 'ok', done.misc_info);
    });
    await this.report.check(step, "it finds a blob's holder by DHT and fetches it", async (count) => {
      const node = this.network.node(id);
      await eventually('the other node is connected', 30_000, async () => {
        const status = await node.command('status');
        return (status.peers as { connected: boolean; name: string }[]).some(
          (peer) => peer.connected && peer.name === this.network.node(other).place.name,
        );
      });
      const [large, sha256] = await this.largest();
      const byDht = async () => ((await node.command('status')).fetched as { dht: number }).dht;
      const before = await byDht();
      const got = await visitor.download(large);
      equal(got.sha256, sha256, 'the bytes');
      equal(await byDht(), before + 1, 'blobs found by DHT');
      count(got.bytes);
    });
    await this.report.check(step, 'the coordinator starts again and all is reconciled without a hand', async () => {
      await this.network.startCoordinator();
      await eventually('both nodes serve again', 40_000, async () => {
        const serving = (await this.network.peers()).filter(
          (peer) => peer.state === 'serving' && peer.presence === 'alive',
        );
        return serving.length === 2;
      });
      await this.untilSafe(id);
      await visitor.open(`${this.network.networkUrl}/`);
      equal((await visitor.whoAmI()).id, this.has.account, 'another account');
    });
  }

  private async strangersAreRefused(): Promise<void> {
    const { refusals } = await import('./refusals.js');
    await refusals(this.network, this.report, this.folder);
  }

  private async wrongBytesAreRefused(): Promise<void> {
    const step = '7 lies';
    const visitor = this.visitor;
    const [id, home] = this.network.nodeAt(visitor.base);
    const [large, sha256] = await this.largest();
    await this.report.check(
      step,
      'a member that sends wrong bytes for a blob is found out, nothing of them is stored',
      async (count) => {
        await home.command('stop');
        await home.program.exited;
        await removeBlob(home.folder, sha256);
        const node = await this.network.startNode(id, home.place, ['--log-level', 'info']);
        const file = join(this.folder, 'random.bin');
        const invitation = await this.network.invite('Liar Institute', undefined);
        const liar = await Liar.join(join(this.folder, 'liar'), '127.0.1.31', invitation, file);
        try {
          await liar.connect(node.ready.peerId, node.ready.addresses);
          const got = await this.followed(() => visitor.download(large));
          equal(got.sha256, sha256, 'the bytes');
          count(got.bytes);
          if (liar.lies === 0) throw new Error('it was never asked');
          if (!node.program.errors.some((line) => /wrong bytes/.test(line))) throw new Error('nobody was told of it');
          if (!(await hashesInFolder(node.folder)).has(sha256)) throw new Error('the right bytes are not stored');
        } finally {
          await liar.stop();
        }
      },
    );
  }

  private async largest(): Promise<[string, string]> {
    const sha256 = await sha256OfFile(join(this.folder, 'random.bin'));
    const found = [...this.has.hashes].find(([, hash]) => hash === sha256);
    if (found === undefined) throw new Error('the large dataset is not known');
    return found;
  }

  private async allDownload(count: (bytes: number) => void): Promise<void> {
    for (const [dataset, sha256] of this.has.hashes) {
      const got = await this.followed(() => this.visitor.download(dataset));
      equal(got.sha256, sha256, `dataset ${dataset} changed`);
      count(got.bytes);
    }
  }

  private async untilSafe(id: string): Promise<void> {
    const node = this.network.node(id);
    await eventually('everything is safe', PROMISES.waitForSafeMs * PATIENCE, async () => {
      const { copies } = (await node.command('status')) as { copies: NodeCopies };
      return copies.accepted.objects > 0 && copies.atRisk.objects === 0 && copies.logEntriesAtRisk === 0;
    });
  }

  private expectAt(id: string): void {
    const [at] = this.network.nodeAt(this.visitor.base);
    equal(at, id, 'where she is');
  }

  /** As the page's own script does it: on a dead or moved node ask the network where home is, and go there. */
  private async followed<T>(work: () => Promise<T>, withinMs = 60_000): Promise<T> {
    const until = performance.now() + withinMs;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (performance.now() > until) throw error;
        await pause(200);
        await this.visitor
          .followHome(this.network.networkUrl, this.has.account)
          .catch((reason: unknown) => this.report.note(`      … ${reason instanceof Error ? reason.message : reason}`));
      }
    }
  }
}

export async function eventually(what: string, withinMs: number, look: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + withinMs;
  let last: unknown;
  while (performance.now() < until) {
    try {
      if (await look()) return;
    } catch (error) {
      last = error;
    }
    await pause(250);
  }
  throw new Error(`${what}: not within ${withinMs / 1000} s${last instanceof Error ? ` (${last.message})` : ''}`);
}

export function equal(found: unknown, wanted: unknown, what: string): void {
  if (found !== wanted) throw new Error(`${what}: found ${String(found)}, wanted ${String(wanted)}`);
}

function within<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  return Promise.race([work, pause(ms).then(() => Promise.reject(new Error(`${what} within ${ms / 1000} s`)))]);
}
