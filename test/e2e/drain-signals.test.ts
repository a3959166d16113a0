/** A drain that is stopped, killed and begun again at the worst moment: nothing is lost, and it ends all the same. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DemoNetwork, type RunningNode } from '../../bin/demo/network.js';
import { Visitor } from '../../bin/demo/visitor.js';
import { callControl } from '../../protocol/runtime/control.js';
import { endAllPrograms, runToEnd, scratchFolder } from '../support/processes.js';
import { CHEAP_PASSWORDS, eventually, newVisitor, passwordOf } from '../support/stand-alone.js';

const FILES = 8;
const FILE_BYTES = 2 ** 20;
const LEAVER = { name: 'Leaver', at: '59,17', address: '127.0.1.41' };
const HEIR = { name: 'Heir', at: '48,7', address: '127.0.1.42' };
/** Room for some of the files: a drain stands still in the middle of its data until this is taken away. */
const LITTLE_ROOM = ['--set', `storage.capacityBytes=${3 * FILE_BYTES}`];

const ROOM = ['--set', 'storage.capacityBytes=null'];

const scratch = scratchFolder('galaxy-drain-signals-');
const network = new DemoNetwork({
  folder: scratch.path,
  logLevel: 'warn',
  port: 0,
  nodeArguments: ['--set', CHEAP_PASSWORDS],
});
const datasets = new Map<string, string>();

interface DrainReport {
  drain: { step: string | null; left: { objects: number } | null; state: string } | null;
}
interface Outcome {
  safe: boolean;
  text: string[];
}

const report = async () => (await callControl(network.folderOf('leaver'), 'status', {})) as DrainReport;

/** Begins a drain as `galaxy-node drain` does, and tells when it is in the middle of the data. */
function beginDrain(node: RunningNode): { midway: Promise<void>; outcome: Promise<Outcome> } {
  let tell: () => void = () => {};
  const midway = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const outcome = callControl(node.folder, 'drain', {}, (progress) => {
    const left = Number(progress.objectsLeft ?? 0);
    if (String(progress.step).startsWith('data') && left > 0 && left < FILES) tell();
  }) as Promise<unknown> as Promise<Outcome>;
  outcome.catch(() => {});
  return { midway, outcome };
}

const startLeaver = () => network.startNode('leaver', LEAVER);

/** Started again, a drain goes on by itself; it is in the middle of the data once more. */
async function startMidway(): Promise<RunningNode> {
  const node = await startLeaver();
  await eventually('the drain goes on', async () => {
    const { drain } = await report();
    return drain?.state === 'draining' && drain.step === 'data' && (drain.left?.objects ?? 0) > 0;
  });
  return node;
}

beforeAll(async () => {
  await network.startCoordinator();
  for (const [id, place, more] of [
    ['leaver', LEAVER, []],
    ['heir', HEIR, LITTLE_ROOM],
  ] as const) {
    await network.startNode(id, place, [...more]);
    await network.join(id);
  }
  const { visitor, history } = await newVisitor(network.node('leaver').ready.url, 'ada');
  const file = join(scratch.path, 'upload.bin');
  for (let n = 0; n < FILES; n++) {
    writeFileSync(file, randomBytes(FILE_BYTES));
    const { id } = await visitor.uploadFile(history, file, `file ${n}`, { ext: 'data' });
    expect((await visitor.waitForDataset(id)).state).toBe('ok');
    datasets.set(id, (await visitor.download(id)).sha256);
  }
}, 180_000);

afterAll(async () => {
  await endAllPrograms();
  scratch.remove();
});

describe('a drain in the middle of its data', () => {
  it('goes on at SIGTERM, and ends at SIGINT with a failure that says what to do; who waits is told', async () => {
    const node = network.node('leaver');
    const { midway, outcome } = beginDrain(node);
    await midway;
    node.program.child.kill('SIGTERM');
    // SIGTERM means: drain. It is under way already, and the node is still there to say so.
    expect((await report()).drain?.state).toBe('draining');
    const { code } = await node.program.stop('SIGINT');
    expect(code).toBe(1);
    expect(await outcome).toEqual({
      safe: false,
      text: ['The node was stopped. The drain goes on at its next start.'],
    });
    const said = node.program.errors.join('\n');
    expect(said).toContain('The node was stopped before its drain had ended: there is no receipt');
    expect(said).toContain('Starting the node again goes on with the drain.');
    expect(existsSync(join(node.folder, 'receipt.txt'))).toBe(false);
  });

  it('ends in the same way at SIGINT alone, at `stop`, and at a second SIGTERM with code 130', async () => {
    const interrupted = await startMidway();
    expect((await interrupted.program.stop('SIGINT')).code).toBe(1);
    const stopped = await startMidway();
    await callControl(stopped.folder, 'stop', {});
    expect((await stopped.program.exited).code).toBe(1);
    expect(stopped.program.output.at(-1)).toContain('"drain/interrupted"');
    const twice = await startMidway();
    twice.program.child.kill('SIGTERM');
    expect((await report()).drain?.state).toBe('draining');
    expect((await twice.program.stop('SIGTERM')).code).toBe(130);
  });

  it('is killed, goes on at the next start, and completes: nothing is lost, and the receipt verifies', async () => {
    const killed = await startMidway();
    await killed.program.killGroup();
    const node = await startMidway();
    // Whoever asks for it again joins in.
    const { outcome } = beginDrain(node);
    await network.node('heir').program.stop();
    await network.startNode('heir', HEIR, ROOM);
    const { safe, text } = await outcome;
    expect([safe, text[0]]).toEqual([true, 'Everything is handed over and verified.']);
    expect((await node.program.exited).code).toBe(0);
    const file = join(node.folder, 'receipt.txt');
    const verified = await runToEnd('galaxy-coordinator', [...['receipt', 'verify', file]]);
    expect([verified.code, readFileSync(file, 'utf8').length > 100]).toEqual([0, true]);

    const visitor = new Visitor(network.node('heir').ready.url);
    await visitor.signIn('ada@example.org', passwordOf('ada'));
    for (const [id, sha256] of datasets) expect((await visitor.download(id)).sha256).toBe(sha256);
    const [row] = (await network.peers()).filter(({ name }) => name === LEAVER.name);
    expect(row).toMatchObject({ state: 'drained', presence: 'left' });
  });
});
