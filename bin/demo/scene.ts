/**
 * What the chapters of the story share: the network, the visitor and what she has, and how a chapter checks, follows her
 * and waits. A chapter is one noun, one file; it stands on what the chapters before it left.
 */
import { join } from 'node:path';
import { sha256OfFile } from './hashes.js';
import type { Narrator } from './narrator.js';
import { type DemoNetwork, type RunningNode, STOCKHOLM } from './network.js';
import type { Report } from './report.js';
import { Visitor } from './visitor.js';
import { eventually, pause } from './waits.js';

export interface Chapter {
  /** In the table: "3 drain". */
  step: string;
  title: string;
  /** For a person, before it happens: what will happen and why it matters. */
  telling(scene: Scene): string;
  /** What she can watch meanwhile. */
  look?(scene: Scene): string[];
  play(scene: Scene): Promise<void>;
}

/** Promised times are printed; a check fails only past four times the promise, because machines are shared. */
export const PROMISES = { followAfterCrashMs: 15_000, waitForSafeMs: 60_000 };
export const PATIENCE = 4;
export const ACCOUNT = { email: 'ada@example.org', username: 'ada', password: 'phage-lambda-48502' };
export const RANDOM_BYTES = 200 * 2 ** 20;
const FOLLOW_MS = 60_000;

export class Scene {
  readonly visitor = new Visitor('http://127.0.0.1', { from: STOCKHOLM.address });
  /** What she has and what it must stay: her account, her history, and dataset → SHA-256 of its bytes. */
  account = '';
  history = '';
  readonly hashes = new Map<string, string>();

  constructor(
    readonly network: DemoNetwork,
    readonly report: Report,
    readonly narrator: Narrator,
    readonly folder: string,
  ) {}

  check(chapter: Chapter, checked: string, work: (count: (bytes: number) => void) => Promise<unknown>): Promise<void> {
    return this.report.check(chapter.step, checked, work);
  }

  /** The random bytes that she uploads; made by the chapter that needs them first. */
  get randomFile(): string {
    return join(this.folder, 'random.bin');
  }

  /** Her dataset of random bytes, and their hash. */
  async largest(): Promise<[dataset: string, sha256: string]> {
    const sha256 = await sha256OfFile(this.randomFile);
    const found = [...this.hashes].find(([, hash]) => hash === sha256);
    if (found === undefined) throw new Error('the large dataset is not known');
    return found;
  }

  /** The node that she is on. */
  home(): [id: string, node: RunningNode] {
    return this.network.nodeAt(this.visitor.base);
  }

  /** The node that she is not on, of the two that the story has after the drain. */
  other(): RunningNode {
    return this.network.node(this.home()[0] === 'freiburg' ? 'melbourne' : 'freiburg');
  }

  async allDownload(count: (bytes: number) => void): Promise<void> {
    const bar = this.narrator.progress('downloading');
    let done = 0;
    for (const [dataset, sha256] of this.hashes) {
      const progress = (bytes: number) => bar.update(done + bytes, Math.max(done + bytes, RANDOM_BYTES));
      const got = await this.followed(() => this.visitor.download(dataset, progress));
      if (got.sha256 !== sha256) throw new Error(`dataset ${dataset} changed`);
      count(got.bytes);
      done += got.bytes;
    }
    bar.end();
  }

  async untilSafe(id: string): Promise<void> {
    const node = this.network.node(id);
    const bar = this.narrator.progress('copying to other holders');
    let wasAtRisk = false;
    await eventually('everything is safe', PROMISES.waitForSafeMs * PATIENCE, async () => {
      const { accepted, atRisk, logEntriesAtRisk } = (await node.status()).copies;
      wasAtRisk ||= atRisk.bytes > 0;
      if (wasAtRisk) bar.update(accepted.bytes - atRisk.bytes, accepted.bytes);
      return accepted.objects > 0 && atRisk.objects === 0 && logEntriesAtRisk === 0;
    });
    bar.end();
  }

  /** Until exactly so many nodes take users and answer. */
  serving(count: number, withinMs: number): Promise<void> {
    return eventually(`${count} nodes serve`, withinMs, async () => {
      const peers = await this.network.peers();
      return peers.filter((peer) => peer.state === 'serving' && peer.presence === 'alive').length === count;
    });
  }

  /** As the page's own script does it: on a dead or moved node ask the network where home is, and go there. */
  async followed<T>(work: () => Promise<T>, withinMs = FOLLOW_MS): Promise<T> {
    const until = performance.now() + withinMs;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (performance.now() > until) throw error;
        await pause(200);
        // The network may not have found her a home yet: asked again.
        await this.visitor.followHome(this.network.networkUrl, this.account).catch(() => {});
      }
    }
  }
}
