/** A coordinator and one, two, three nodes: joining, being listed, coming back, and who is kept out. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandFailed, commandJson, DemoNetwork, PLACES, type RunningNode } from '../../bin/demo/network.js';
import { systemClock as clock, deadline } from '../../protocol/runtime/clock.js';
import { callControl } from '../../protocol/runtime/control.js';
import { createLibp2pHost } from '../../protocol/runtime/libp2p-host.js';
import { silentLogger as log } from '../../protocol/runtime/logger.js';
import { openGate } from '../../protocol/trust/gater.js';
import { NodeKey } from '../../protocol/trust/identity.js';
import { issueInvitation, parseInvitation } from '../../protocol/trust/invitation.js';
import { joinCall } from '../../protocol/wire/calls/join.js';
import { call } from '../../protocol/wire/rpc.js';
import { endAllPrograms, scratchFolder } from '../support/processes.js';
import { eventually } from '../support/stand-alone.js';

const CALL_MS = 20_000;

interface Listed {
  name: string;
  peerId: string;
  state: string;
  presence: string;
  lastHeardMs: number | null;
}

const scratch = scratchFolder('galaxy-members-');
const network = new DemoNetwork({ folder: scratch.path, logLevel: 'warn', port: 0 });
/** Where members connect and where strangers are met. */
let addresses: { network: string[]; lobby: string[] };

/** What the commands `peers` and `status` ask, without a process for each look. */
async function listing(): Promise<Listed[]> {
  const { peers } = (await callControl(network.folderOf('coordinator'), 'peers', {})) as { peers: Listed[] };
  return peers;
}

async function listed(name: string): Promise<Listed> {
  const found = (await listing()).find((peer) => peer.name === name);
  if (found === undefined) throw new Error(`${name} is not listed`);
  return found;
}

const operate = (of: DemoNetwork, command: string) =>
  commandJson('galaxy-coordinator', [command, '--data', of.folderOf('coordinator')]);

const serving = (...names: string[]) =>
  eventually(`${names.join(', ')} serve`, async () => {
    const rows = await Promise.all(names.map(listed));
    return rows.every(({ state, presence }) => state === 'serving' && presence === 'alive');
  });

interface NodeReport {
  network: { name: string; registered: boolean; problem: string | null } | null;
  peers: { name: string; connected: boolean }[];
}

const report = async (id: string) => (await callControl(network.folderOf(id), 'status', {})) as NodeReport;

async function refusal(work: Promise<unknown>): Promise<CommandFailed> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CommandFailed);
  return error as CommandFailed;
}

beforeAll(async () => {
  const ready = await network.startCoordinator();
  addresses = { network: ready.addresses, lobby: ready.lobby as string[] };
});

afterAll(async () => {
  await endAllPrograms();
  scratch.remove();
});

describe('a network of one, two and three nodes', () => {
  const order = ['uppsala', 'freiburg', 'melbourne'] as const;

  it.each(order.map((id, index) => [index + 1, id] as const))(
    'takes its node number %i, %s, by one line',
    async (n, id) => {
      await network.startNode(id, PLACES[id]);
      const joined = await network.join(id);
      expect(joined).toMatchObject({ network: 'demo', name: PLACES[id].name, nodeNumber: n, running: true });
      expect(joined.reachable).toEqual({ peer: 'directly', web: 'directly' });
      await serving(...order.slice(0, n).map((member) => PLACES[member].name));
      const others = order.slice(0, n - 1).map((member) => PLACES[member].name);
      await eventually(`${id} is connected to every other`, async () => {
        const { network: mine, peers } = await report(id);
        const connected = peers.filter((peer) => peer.connected).map(({ name }) => name);
        return mine?.registered === true && others.every((name) => connected.includes(name));
      });
    },
  );

  it('hears each of them again and again', async () => {
    const names = order.map((id) => PLACES[id].name);
    const before = new Map(await Promise.all(names.map(async (name) => [name, await listed(name)] as const)));
    for (const name of names) {
      const last = before.get(name)?.lastHeardMs ?? Number.POSITIVE_INFINITY;
      await eventually(`${name} is heard again`, async () => ((await listed(name)).lastHeardMs ?? 0) > last, 20_000);
    }
    expect(new Set([...before.values()].map(({ peerId }) => peerId)).size).toBe(3);
  });

  it('takes them back by themselves when the coordinator was away, and they served meanwhile', async () => {
    const names = order.map((id) => PLACES[id].name);
    expect((await network.coordinator?.stop('SIGINT'))?.code).toBe(0);
    for (const id of order) {
      await eventually(`${id} notices`, async () => (await report(id)).network?.registered === false);
      expect((await fetch(`${network.node(id).ready.url}/api/version`)).status).toBe(200);
    }
    const ready = await network.startCoordinator();
    expect(ready.addresses).toEqual(addresses.network);
    await serving(...names);
    for (const id of order) {
      await eventually(`${id} knows it`, async () => (await report(id)).network?.registered === true);
      expect((await report(id)).network?.problem).toBeNull();
    }
  });

  it('notices a node that was killed and takes it back when it starts again', async () => {
    const before = await listed(PLACES.freiburg.name);
    await network.node('freiburg').program.killGroup();
    await eventually('it is not alive any more', async () => (await listed(PLACES.freiburg.name)).presence !== 'alive');
    await serving(PLACES.uppsala.name, PLACES.melbourne.name);
    const again = await network.startNode('freiburg', PLACES.freiburg);
    expect(again.ready.peerId).toBe(before.peerId);
    expect(again.ready.network).toBe('demo');
    await serving(PLACES.freiburg.name);
  });
});

describe('those who are kept out', () => {
  let stranger: RunningNode;

  beforeAll(async () => {
    stranger = await network.startNode('stranger', { name: 'Nobody', at: '0,0', address: '127.0.1.21' });
  });

  const count = async () => (await listing()).length;

  it('an invitation that was used by another node', async () => {
    const before = await count();
    const line = await network.invite('Guest Institute', '50,10');
    await network.startNode('guest', { name: 'Guest Institute', at: '50,10', address: '127.0.1.14' });
    await network.node('guest').command('join', line);
    expect((await refusal(stranger.command('join', line))).code).toBe('join/used-invitation');
    // The same node may repeat it: its answer may have been lost.
    expect(await network.node('guest').command('join', line)).toMatchObject({ name: 'Guest Institute' });
    expect(await count()).toBe(before + 1);
  });

  it('a member that presents the invitation of another institution, which stays good', async () => {
    const line = await network.invite('Second Institute', '51,11');
    const refused = await refusal(network.node('guest').command('join', line));
    expect([refused.code, refused.message]).toEqual([
      'join/already-member',
      'This node belongs to the network already, as Guest Institute.',
    ]);
    const { invitations } = (await operate(network, 'invitations')) as {
      invitations: { name: string; usedBy?: string }[];
    };
    expect(invitations.find(({ name }) => name === 'Second Institute')).not.toHaveProperty('usedBy');
  });

  it('a member that presents the invitation of another network of the same name', async () => {
    const other = new DemoNetwork({
      folder: join(scratch.path, 'other'),
      logLevel: 'silent',
      port: 0,
    });
    await other.startCoordinator();
    const line = await other.invite('Guest Institute', '50,10');
    expect(parseInvitation(line).network).toBe('demo');
    const refused = await refusal(network.node('guest').command('join', line));
    expect(refused.code).toBe('join/other-network');
    expect((await report('guest')).network).toMatchObject({ registered: true });
    expect(await operate(other, 'stop')).toEqual({ stopped: true });
    expect((await other.coordinator?.exited)?.code).toBe(0);
  });

  it('an invitation that has expired', async () => {
    const line = await network.invite('Late Institute', undefined, '1s');
    const { expiresAt } = parseInvitation(line);
    await eventually('its time is over', () => Date.now() > expiresAt);
    expect((await refusal(stranger.command('join', line))).code).toBe('trust/invitation-expired');
  });

  it('a line with a changed character, and one that another key signed', async () => {
    const line = await network.invite('Changed Institute', undefined);
    const changed = `${line.slice(0, -8)}${line.at(-8) === 'A' ? 'B' : 'A'}${line.slice(-7)}`;
    expect((await refusal(stranger.command('join', changed))).code).toBe('trust/invitation-malformed');
    const forger = await NodeKey.generate();
    const forged = issueInvitation(forger, { ...parseInvitation(line), lobby: addresses.lobby });
    // It names the forger as the coordinator, and at the address of the lobby there is another one.
    await refusal(stranger.command('join', forged));
    expect((await report('stranger')).network).toBeNull();
  });

  it('a stranger who invents a secret, and one who knocks at the door of members', async () => {
    const before = await count();
    const coordinator = parseInvitation(await network.invite('Real Institute', undefined)).coordinator;
    const key = await NodeKey.generate();
    const host = await createLibp2pHost(
      { key, gate: openGate, log, clock },
      { listen: ['/ip4/127.0.1.22/tcp/0'], announce: [], gossip: false, dht: false },
    );
    await host.start();
    try {
      await host.connect(coordinator, addresses.lobby, deadline(CALL_MS));
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
      await host.disconnect(coordinator);
      await expect(host.connect(coordinator, addresses.network, deadline(CALL_MS))).rejects.toThrow();
      // This one started as a member, so it said where it listens.
      const { peerId, addresses: doors } = network.node('freiburg').ready;
      expect(doors.length).toBeGreaterThan(0);
      await expect(host.connect(peerId, doors, deadline(CALL_MS))).rejects.toThrow();
    } finally {
      await host.stop();
    }
    expect(await count()).toBe(before);
  });

  it('a node that was revoked, at once and after its own restart, and it is told why', async () => {
    const guest = network.node('guest');
    const { peerId } = guest.ready;
    await commandJson('galaxy-coordinator', [
      ...['revoke', peerId, '--reason', 'key was stolen', '--data', network.folderOf('coordinator')],
    ]);
    expect((await listed('Guest Institute')).state).toBe('revoked');
    const cutOff = (why: RegExp) =>
      eventually('the guest is cut off and knows why', async () => {
        const { network: mine, peers } = await report('guest');
        return mine?.registered === false && why.test(mine.problem ?? '') && peers.every(({ connected }) => !connected);
      });
    await cutOff(/was revoked from the network: key was stolen/);
    await eventually('no member is connected to it', async () => {
      const { peers } = await report('uppsala');
      return !peers.some(({ name, connected }) => name === 'Guest Institute' && connected);
    });
    await guest.program.stop();
    await network.startNode('guest', { name: 'Guest Institute', at: '50,10', address: '127.0.1.14' });
    // Nobody lets it say a word any more; it has it in writing.
    await cutOff(/was revoked from the network: key was stolen/);
    await serving(PLACES.uppsala.name, PLACES.freiburg.name, PLACES.melbourne.name);
  });

  it('a node that was revoked while it was off learns it, and why, when it starts', async () => {
    const place = { name: 'Sleeping Institute', at: '50,10', address: '127.0.1.15' };
    const sleeper = await network.startNode('sleeper', place);
    await network.join('sleeper');
    await sleeper.program.stop();
    await commandJson('galaxy-coordinator', [
      ...['revoke', sleeper.ready.peerId, '--reason', 'closed', '--data', network.folderOf('coordinator')],
    ]);
    await network.startNode('sleeper', place);
    await eventually('it knows why', async () =>
      /was revoked from the network: closed/.test((await report('sleeper')).network?.problem ?? ''),
    );
  });
});
