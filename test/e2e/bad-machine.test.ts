/** What a node does when its machine is not well, the disk full or the clock wrong, and when a message is over its limit. */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { CommandFailed, commandJson, DemoNetwork } from '../../bin/demo/network.js';
import { systemClock as clock, deadline } from '../../protocol/runtime/clock.js';
import { callControl } from '../../protocol/runtime/control.js';
import { createLibp2pHost } from '../../protocol/runtime/libp2p-host.js';
import { silentLogger as log } from '../../protocol/runtime/logger.js';
import { openGate } from '../../protocol/trust/gater.js';
import { NodeKey } from '../../protocol/trust/identity.js';
import { parseInvitation } from '../../protocol/trust/invitation.js';
import { FrameReader, writeFrame } from '../../protocol/wire/bulk.js';
import { joinCall } from '../../protocol/wire/calls/join.js';
import { LIMITS, PROTOCOLS } from '../../protocol/wire/limits.js';
import { call } from '../../protocol/wire/rpc.js';
import { endAllPrograms, runProgram, scratchFolder } from '../support/processes.js';
import { eventually, newVisitor, startArguments, startStandAlone } from '../support/stand-alone.js';
import { fetchUpload, tusCreate, tusOffset, tusSend } from '../support/tus.js';

const ADDRESS = '127.0.3.4';
const MiB = 2 ** 20;
const CALL_MS = 20_000;

const scratch = scratchFolder();
const mounted = new Set<string>();

afterEach(() => endAllPrograms());
afterAll(() => {
  for (const folder of mounted) spawnSync('umount', [folder]);
  scratch.remove();
});

/** A small disk of its own; false where this user may not mount one. */
function mountSmallDisk(folder: string, megabytes: number): boolean {
  mkdirSync(folder, { recursive: true });
  const made = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
  if (made.status === 0) mounted.add(folder);
  return made.status === 0;
}

function unmount(folder: string): void {
  spawnSync('umount', [folder]);
  mounted.delete(folder);
}

function canMount(): boolean {
  const folder = join(scratch.path, 'trial');
  const able = mountSmallDisk(folder, 1);
  if (able) unmount(folder);
  return able;
}

describe('a full disk', () => {
  const itWithDisk = it.skipIf(process.env.CI !== 'true' && !canMount());

  itWithDisk('refuses what does not fit, serves nothing half-written, and goes on when there is room', async () => {
    const folder = join(scratch.path, 'disk');
    expect(mountSmallDisk(folder, 96)).toBe(true);
    const { program, url } = await startStandAlone({
      folder,
      listen: ADDRESS,
      more: ['--set', `storage.minFreeBytes=${MiB}`],
    });
    const { visitor, history } = await newVisitor(url, 'ada');
    const kept = await visitor.paste(history, 'from before\n');
    await visitor.waitForDataset(kept.id);
    const bytes = randomBytes(4 * MiB);
    const begun = await tusCreate(visitor, bytes.length);
    expect(await tusSend(visitor, begun, 0, bytes.subarray(0, MiB))).toMatchObject({ status: 204 });

    const filler = join(folder, 'filler');
    const fillTo = (freeBytes: number) => {
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - freeBytes)), { flag: 'a' });
    };
    fillTo(2 * MiB);
    // Said before a byte of it is sent.
    const refused = await visitor.fetch('/api/upload/resumable_upload/', {
      method: 'POST',
      headers: { 'tus-resumable': '1.0.0', 'upload-length': String(20 * MiB), origin: url },
    });
    expect([refused.status, refused.body.toString()]).toEqual([507, expect.stringMatching(/space|disk/i)]);
    // Said in the middle: there was room for some of it.
    const cut = await tusSend(visitor, begun, MiB, bytes.subarray(MiB));
    expect([cut.status, cut.body.toString()]).toEqual([507, expect.stringMatching(/space|disk/i)]);
    fillTo(0);
    const before = await visitor.contents(history);
    const pasted = await visitor.paste(history, 'does not fit\n').then(
      () => 'accepted',
      (error: Error) => error.message,
    );
    expect(pasted).toMatch(/507 \{"err_msg":"[^"]*(full|space)/i);
    const early = await fetchUpload(visitor, history, begun).then(
      () => 'accepted',
      (error: Error) => error.message,
    );
    expect(early).toMatch(/: (4\d\d|507) \{"err_msg":"/);
    expect(await visitor.contents(history)).toEqual(before);
    expect((await visitor.download(kept.id)).sha256).toBe(sha256('from before\n'));

    rmSync(filler);
    const offset = await tusOffset(visitor, begun);
    expect(offset).toBeGreaterThanOrEqual(MiB);
    expect(await tusSend(visitor, begun, offset, bytes.subarray(offset))).toMatchObject({ status: 204 });
    const id = await fetchUpload(visitor, history, begun);
    expect((await visitor.waitForDataset(id)).state).toBe('ok');
    expect((await visitor.download(id)).sha256).toBe(sha256(bytes));
    const later = await visitor.paste(history, 'fits again\n');
    expect((await visitor.waitForDataset(later.id)).state).toBe('ok');
    expect((await visitor.contents(history)).map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
    expect((await program.stop()).code).toBe(0);
    unmount(folder);
  });
});

describe('a message over its limit', () => {
  it('on the control socket, in a header and on a member’s stream ends that conversation and nothing else', async () => {
    const folder = join(scratch.path, 'limits');
    const { url, program } = await startStandAlone({ folder, listen: ADDRESS });
    const socket = connect(join(folder, 'control.sock'));
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    socket.write('x'.repeat(200_000));
    await closed;
    expect(await callControl(folder, 'status', {})).toMatchObject({ network: null });

    const { hostname, port } = new URL(url);
    const http = connect(Number(port), hostname);
    http.write(`GET /api/version HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`);
    let answer = '';
    for await (const chunk of http) answer += chunk;
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toMatch(/\{"err_msg":"[^"]+","err_code":\d+\}$/);
    expect((await fetch(`${url}/api/version`)).status).toBe(200);
    await program.stop();

    const network = new DemoNetwork({ folder: join(scratch.path, 'limits-net'), logLevel: 'warn', port: 0 });
    const ready = await network.startCoordinator();
    const { coordinator } = parseInvitation(await network.invite('Anybody', undefined));
    const host = await createLibp2pHost(
      { key: await NodeKey.generate(), gate: openGate, log, clock },
      { listen: ['/ip4/127.0.1.23/tcp/0'], announce: [], gossip: false, dht: false },
    );
    await host.start();
    try {
      await host.connect(coordinator, ready.lobby as string[], deadline(CALL_MS));
      const stream = await host.openStream(coordinator, PROTOCOLS.join, deadline(CALL_MS));
      const reader = new FrameReader(stream);
      await writeFrame(stream, new Uint8Array(LIMITS.join.messageBytesMax + 1)).catch(() => {});
      const said = Buffer.from((await reader.readFrame(LIMITS.join.messageBytesMax)) ?? []).toString('utf8');
      expect(said).toContain('"wire/too-large"');
      stream.abort(new Error('seen'));
      const request = {
        network: 'demo',
        secret: randomBytes(32).toString('hex'),
        version: '0.1.0',
        addresses: [],
        publicUrl: null,
      };
      await expect(call(host, coordinator, joinCall, request, deadline(CALL_MS))).rejects.toMatchObject({
        code: 'join/unknown-invitation',
      });
    } finally {
      await host.stop();
    }
    expect((await network.coordinator?.stop())?.code).toBe(0);
  });
});

describe('a clock that is off by more than 60 s', () => {
  /** For Node: a clock that is ahead, before anything of the program is loaded. */
  const ahead = (seconds: number) => [
    '--import',
    `data:text/javascript,const now = Date.now; Date.now = () => now() + ${seconds * 1000};`,
  ];

  it('keeps a node out, at its join and at a later start, and says so; put right, it is let in', async () => {
    const network = new DemoNetwork({ folder: join(scratch.path, 'clock'), logLevel: 'warn', port: 0 });
    await network.startCoordinator();
    const folder = network.folderOf('late');
    const start = async (seconds: number) => {
      const more = ['--set', 'network.listen=["/ip4/127.0.3.4/tcp/0"]', '--name', 'Late Institute'];
      const args = startArguments({ folder, listen: ADDRESS, more });
      const program = runProgram('galaxy-node', args, { nodeFlags: seconds === 0 ? [] : ahead(seconds) });
      await program.ready;
      return program;
    };
    const line = await network.invite('Late Institute', undefined);
    const present = () => commandJson('galaxy-node', ['join', line, '--data', folder]);
    const state = async () =>
      ((await callControl(folder, 'status', {})) as { network: { registered: boolean; problem: string } | null })
        .network;

    const wrong = await start(120);
    const error = await present().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CommandFailed);
    expect((error as CommandFailed).message).toMatch(/clock.* (119|120|121) s/i);
    expect(await state()).toBeNull();
    await wrong.stop();

    const right = await start(0);
    expect(await present()).toMatchObject({ name: 'Late Institute', running: true });
    await right.stop();

    const wrongAgain = await start(-90);
    await eventually('it is refused and says why', async () =>
      /clock.* (89|90|91) s/i.test((await state())?.problem ?? ''),
    );
    expect(await state()).toMatchObject({ registered: false });
    expect((await network.peers()).find(({ name }) => name === 'Late Institute')?.presence).not.toBe('alive');
    await wrongAgain.stop();

    await start(30);
    await eventually('it is let in', async () => (await state())?.registered === true);
  });
});

function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
