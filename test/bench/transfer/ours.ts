/** Our own lane, `/galaxy/blob/1`, between two processes. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Contender, Measured } from './contender.js';
import type { EndAnswer, EndCall, EndCalls } from './end.js';
import type { Material } from './material.js';
import { Running } from './programs.js';

const END_MS = 5000;
const SCRIPT = fileURLToPath(new URL('./end.js', import.meta.url));

export class Ours implements Contender {
  readonly name = 'ours';
  private readonly stores = new Map<string, string>();

  async unavailable(): Promise<undefined> {
    return undefined;
  }

  async prepare(material: Material, folder: string): Promise<void> {
    await using end = new EndProcess('the sender');
    await end.call('open', folder);
    await end.call('take', material.folder);
    this.stores.set(material.name, folder);
  }

  async run(material: Material, folder: string): Promise<Measured> {
    await using sender = new EndProcess('the sender');
    await using receiver = new EndProcess('the receiver');
    const { peer, addresses } = await receiver.call('open', folder);
    await sender.call('open', this.stores.get(material.name) as string);
    await sender.call('connect', peer, addresses);
    const { ms } = await sender.call('push', peer);
    const peaks = [await sender.call('peakBytes'), await receiver.call('peakBytes')];
    return { ms, peakBytes: Math.max(...peaks), received: join(folder, 'blobs') };
  }
}

class EndProcess implements AsyncDisposable {
  private readonly running: Running;

  constructor(name: string) {
    const child = fork(SCRIPT, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: execArgvOf(name) });
    this.running = new Running(name, child);
  }

  call<Name extends keyof EndCalls>(method: Name, ...args: Parameters<EndCalls[Name]>): ReturnType<EndCalls[Name]> {
    const { child, exited } = this.running;
    const answered = new Promise<unknown>((resolve, reject) => {
      child.once('message', (answer: EndAnswer) => {
        if ('error' in answer) reject(new Error(`${this.running.name}: ${answer.error}`));
        else resolve(answer.result);
      });
      void exited.then(() => reject(this.running.failure('ended too early')));
      child.send({ method, args } as EndCall);
    });
    return answered as ReturnType<EndCalls[Name]>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running.isRunning) await this.call('close').catch(() => {});
    if (this.running.child.connected) this.running.child.disconnect();
    await this.running.stop(END_MS);
  }
}

/** A profile of each end, for whoever looks for the time: BENCH_PROFILE=folder. */
function execArgvOf(name: string): string[] {
  const folder = process.env.BENCH_PROFILE;
  if (folder === undefined) return [];
  return ['--cpu-prof', `--cpu-prof-dir=${join(folder, name.replaceAll(' ', '-'))}`];
}
