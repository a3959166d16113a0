/** A coordinator and nodes as processes of their own, each with its own folder and loopback address; for people and for the story. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { callControl } from '../../protocol/runtime/control.js';
import { type Program, type Ready, runProgram, runToEnd } from './processes.js';
import { within } from './waits.js';

export interface Place {
  name: string;
  at: string;
  /** Its own loopback address: cookies ignore ports. */
  address: string;
}

export const PLACES = {
  uppsala: { name: 'Uppsala University', at: '59.86,17.64', address: '127.0.1.11' },
  freiburg: { name: 'University of Freiburg', at: '47.99,7.85', address: '127.0.1.12' },
  melbourne: { name: 'University of Melbourne', at: '-37.81,144.96', address: '127.0.1.13' },
} as const satisfies Record<string, Place>;

const LOGS = 'logs';

export const COORDINATOR_ADDRESS = '127.0.1.1';
/** Visitors from here are near Stockholm, by the coordinator's own table. */
export const STOCKHOLM = { network: '127.0.2.0/24', address: '127.0.2.1', at: '59.33,18.07' };

export interface DemoOptions {
  folder: string;
  logLevel: string;
  /** 0 takes free ports; people get the usual ones. */
  port: number;
  /** Without URLs of their own the nodes are reached through the network's address alone. */
  publicUrls?: boolean;
  /** Further arguments of each node. */
  nodeArguments?: readonly string[];
}

/** Of `galaxy-node status`: what the story looks at. */
export interface NodeStatus {
  network: { registered: boolean; problem: string | null } | null;
  peers: { name: string; connected: boolean }[];
  copies: {
    accepted: { objects: number; bytes: number };
    atRisk: { objects: number; bytes: number };
    logEntriesAtRisk: number;
  };
  drain: { say: string | null } | null;
  addresses: string[];
  fetched: { dht: number };
}

/** Of `galaxy-coordinator peers`. */
export interface ListedPeer {
  name: string;
  peerId: string;
  state: string;
  presence: string;
  atRiskBytes: number;
}

export class RunningNode {
  constructor(
    readonly place: Place,
    readonly folder: string,
    readonly program: Program,
    readonly ready: Ready,
  ) {}

  command(...args: string[]): Promise<Record<string, unknown>> {
    return commandJson('galaxy-node', [...args, '--data', this.folder]);
  }

  /** What `galaxy-node status --json` prints, without a process for each look. */
  async status(): Promise<NodeStatus> {
    return (await callControl(this.folder, 'status', {})) as NodeStatus;
  }
}

export class CommandFailed extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Runs a command with --json and gives its object; a refusal is thrown with its code. */
export async function commandJson(
  program: 'galaxy-node' | 'galaxy-coordinator',
  args: string[],
): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runToEnd(program, [...args, '--json']);
  const last = stdout.trim().split('\n').at(-1) ?? '';
  const answer = last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {};
  const error = answer.error as { code: string; message: string } | undefined;
  if (error !== undefined) throw new CommandFailed(error.code, error.message);
  if (code !== 0 && last === '') throw new CommandFailed('exit', stderr.trim());
  return answer;
}

export class DemoNetwork {
  coordinator: Program | undefined;
  private announced: Ready | undefined;
  networkUrl = '';
  readonly nodes = new Map<string, RunningNode>();

  constructor(private readonly options: DemoOptions) {
    mkdirSync(join(options.folder, LOGS), { recursive: true });
  }

  /** What a process logs stays with the data. */
  private logOf(id: string): { logFile: string } {
    return { logFile: join(this.options.folder, LOGS, `${id}.log`) };
  }

  folderOf(name: string): string {
    return join(this.options.folder, name);
  }

  async startCoordinator(more: string[] = []): Promise<Ready> {
    const port = this.networkUrl === '' ? this.options.port : Number(new URL(this.networkUrl).port);
    const listen = (option: string) =>
      `${option}=["/ip4/${COORDINATOR_ADDRESS}/tcp/${this.coordinatorPorts[option] ?? 0}"]`;
    this.coordinator = runProgram(
      'galaxy-coordinator',
      [
        'start',
        '--init',
        '--json',
        ...['--data', this.folderOf('coordinator')],
        ...['--network', 'demo'],
        ...['--listen', `${COORDINATOR_ADDRESS}:${port}`],
        ...['--log-level', this.options.logLevel],
        ...['--set', listen('lobby.listen'), '--set', listen('network.listen')],
        ...['--set', `locations=${JSON.stringify({ [STOCKHOLM.network]: STOCKHOLM.at })}`],
        ...more,
      ],
      this.logOf('coordinator'),
    );
    const ready = await this.coordinator.ready;
    this.announced = ready;
    this.networkUrl = String(ready.networkUrl);
    // Comes back where it was: nodes look for it there.
    this.coordinatorPorts['network.listen'] = portOf(ready.addresses[0]);
    this.coordinatorPorts['lobby.listen'] = portOf((ready.lobby as string[])[0]);
    return ready;
  }

  private readonly coordinatorPorts: Record<string, number> = {};
  private readonly peerPorts = new Map<string, number>();

  invite(name: string, at: string | undefined, expires?: string): Promise<string> {
    return commandJson('galaxy-coordinator', [
      'invite',
      ...['--data', this.folderOf('coordinator'), '--name', name],
      ...(at === undefined ? [] : [`--at=${at}`]),
      ...(expires === undefined ? [] : ['--expires', expires]),
    ]).then(({ line }) => String(line));
  }

  /** What `galaxy-coordinator peers --json` prints, without a process for each look. */
  async peers(): Promise<ListedPeer[]> {
    const listing = await callControl(this.folderOf('coordinator'), 'peers', {});
    return (listing as { peers: ListedPeer[] }).peers;
  }

  /** A stand-alone node; `join` makes it a member. */
  async startNode(id: string, place: Place, more: string[] = []): Promise<RunningNode> {
    const before = this.nodes.get(id);
    const port = before === undefined ? this.options.port : new URL(before.ready.url).port;
    const peerPort = this.peerPorts.get(id) ?? 0;
    const folder = this.folderOf(id);
    const program = runProgram(
      'galaxy-node',
      [
        'start',
        '--init',
        '--json',
        ...['--data', folder, '--name', place.name],
        ...['--listen', `${place.address}:${port}`],
        ...(this.options.publicUrls === false ? [] : ['--public-url', 'listen']),
        ...['--log-level', this.options.logLevel],
        ...['--set', `network.listen=["/ip4/${place.address}/tcp/${peerPort}"]`],
        ...(this.options.nodeArguments ?? []),
        ...more,
      ],
      this.logOf(id),
    );
    const ready = await program.ready;
    const node = new RunningNode(place, folder, program, ready);
    this.nodes.set(id, node);
    return node;
  }

  async join(id: string): Promise<Record<string, unknown>> {
    const node = this.node(id);
    const line = await this.invite(node.place.name, node.place.at);
    const joined = await node.command('join', line);
    // It comes back where it was: others look for it there.
    const { addresses } = await node.status();
    this.peerPorts.set(id, portOf(addresses[0]));
    return joined;
  }

  get coordinatorReady(): Ready {
    if (this.announced === undefined) throw new Error('the coordinator was never started');
    return this.announced;
  }

  /** It has left for good: its name may be given to another. */
  forget(id: string): void {
    this.nodes.delete(id);
    this.peerPorts.delete(id);
  }

  /** Stops it in order, and forgets it. */
  async stopNode(id: string): Promise<void> {
    const node = this.nodes.get(id);
    if (node === undefined) return;
    await node.program.stop();
    this.nodes.delete(id);
  }

  /** Everything in order: the nodes, then the coordinator. What does not end in time is for `endAllPrograms`. */
  async stop(withinMs: number): Promise<void> {
    const programs = [...this.nodes.values()].map(({ program }) => program);
    const orderly = Promise.all(programs.map((program) => program.stop())).then(() => this.coordinator?.stop());
    await within(orderly, withinMs, 'they did not stop').catch(() => {});
  }

  node(id: string): RunningNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  /** The node whose URL this is. */
  nodeAt(url: string): [string, RunningNode] {
    const { host } = new URL(url);
    for (const [id, node] of this.nodes) if (new URL(node.ready.url).host === host) return [id, node];
    throw new Error(`${url} is none of the nodes`);
  }
}

function portOf(address: string | undefined): number {
  return Number(/\/tcp\/(\d+)/.exec(address ?? '')?.[1] ?? 0);
}
