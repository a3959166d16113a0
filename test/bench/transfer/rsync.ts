/** rsync to its own daemon over loopback: whole files, fsynced, each checked by rsync against its checksum. */
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../../../protocol/runtime/clock.js';
import type { Contender, Measured } from './contender.js';
import type { Material } from './material.js';
import { freePort, programPath, type Running, run, Scales, until } from './programs.js';

const START_MS = 10_000;
const STARTS_MAX = 3;

export class Rsync implements Contender {
  readonly name = 'rsync';

  async unavailable(): Promise<string | undefined> {
    return programPath('rsync') === undefined ? 'rsync is not installed' : undefined;
  }

  async run(material: Material, folder: string): Promise<Measured> {
    const received = join(folder, 'received');
    await mkdir(received, { recursive: true });
    const { daemon, port } = await this.startDaemon(folder, received);
    try {
      const begun = systemClock.monotonic();
      const client = run(programPath('rsync') as string, [
        '--recursive',
        '--whole-file',
        '--fsync',
        `${material.folder}/`,
        `rsync://127.0.0.1:${port}/received/`,
      ]);
      const scales = new Scales(daemon, client);
      try {
        await client.done();
        return { ms: systemClock.monotonic() - begun, peakBytes: scales.end(), received };
      } finally {
        scales.end();
        await client.stop();
      }
    } finally {
      await daemon.stop();
    }
  }

  private async startDaemon(folder: string, received: string): Promise<{ daemon: Running; port: number }> {
    for (let start = 1; ; start++) {
      const port = await freePort();
      const config = join(folder, 'rsyncd.conf');
      // As root the daemon would change to nobody, who may not write here.
      const user = process.getuid?.() === 0 ? 'uid = 0\ngid = 0\n' : '';
      await writeFile(config, `use chroot = no\n${user}[received]\npath = ${received}\nread only = no\n`);
      const args = ['--daemon', '--no-detach', `--config=${config}`, '--address=127.0.0.1', `--port=${port}`];
      const daemon = run(programPath('rsync') as string, args);
      try {
        await until('the start of the rsync daemon', async () => !daemon.isRunning || (await answers(port)), START_MS);
        if (daemon.isRunning) return { daemon, port };
        throw daemon.failure('did not start');
      } catch (error) {
        await daemon.stop();
        if (start === STARTS_MAX) throw error;
      }
    }
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
