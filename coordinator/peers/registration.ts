/**
 * `/galaxy/register/1`: each node's open line to the coordinator, and what the coordinator makes of its end.
 *
 * A stream that ends is followed by one redial: when it is refused the process is gone, and the node gets no more users
 * within a second. When it is answered, only the stream broke, and the node comes back by itself.
 */
import { type Cancel, type Clock, deadline } from '../../protocol/runtime/clock.js';
import { isDomainError } from '../../protocol/runtime/errors.js';
import type { Host } from '../../protocol/runtime/host.js';
import { Background } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { CREDENTIAL_GRACE_MS, issueCredential } from '../../protocol/trust/credential.js';
import type { Signer } from '../../protocol/trust/identity.js';
import type { MemberList } from '../../protocol/trust/members.js';
import {
  type Command,
  type HelloMessage,
  type PeerStatus,
  type RegisterDown,
  registerChannel,
} from '../../protocol/wire/calls/register.js';
import { registerErrors } from '../../protocol/wire/calls/register-errors.js';
import { type MessageChannel, serveChannel } from '../../protocol/wire/channel.js';
import { LIMITS } from '../../protocol/wire/limits.js';
import { type Admission, admit } from '../admission.js';
import type { Directory } from '../directory.js';
import type { Heads } from '../heads.js';
import { Locks } from '../locks.js';
import type { Peer } from '../peer.js';
import type { Registry } from '../registry.js';
import { type Audience, Commands, commandProblem } from './commands.js';
import type { ReachabilityCheck } from './reachability.js';

type Channel = MessageChannel<typeof registerChannel.down, typeof registerChannel.up>;

interface Line {
  peer: string;
  channel: Channel;
  bootNonce: string;
  boot: number;
  /** PeerIds whose status this node has not been told. */
  dirty: Set<string>;
  /** Called at the next digest: proof that the process is alive. */
  onDigest: Set<() => void>;
}

export interface RegistrationsDeps {
  host: Pick<Host, 'handle' | 'connect' | 'disconnect' | 'isConnected' | 'onPeer' | 'peerId'>;
  registry: Registry;
  members: MemberList;
  directory: Directory;
  reachability: ReachabilityCheck;
  heads: Pick<Heads, 'observe'>;
  signer: Signer;
  clock: Clock;
  log: Logger;
}

export interface RegistrationsOptions {
  network: string;
  versionMin: string;
  requireReachableUrl: boolean;
  redialMs: number;
  networkUrl: () => string;
}

const TICK_MS = 1000;
const DIGEST_INTERVAL_MS = 1000;
/** A second registration under one key waits this long for a sign of life of the first before it replaces it. */
const RIVAL_MS = 2500;
/** A node that says nothing for this long loses its line. */
const SILENT_LINE_MS = 60_000;
/** Public URLs are fetched again this often; a failed one sooner. */
const URL_AGAIN_MS = 5 * 60_000;
const URL_RETRY_MS = 30_000;
const NODES_PER_TICK = 25;
const TOKENS_PER_MESSAGE = 200;
const STATUSES_PER_MESSAGE = 500;

export class Registrations {
  private readonly lines = new Map<string, Line>();
  private readonly background: Background;
  private readonly checking = new Set<string>();
  private readonly locks = new Locks();
  /** PeerId → what was last told at once: state and whether it answers. */
  private readonly told = new Map<string, string>();
  private ticks = 0;
  private readonly undo: Cancel[] = [];
  private readonly commands: Commands;

  constructor(
    private readonly deps: RegistrationsDeps,
    private readonly options: RegistrationsOptions,
  ) {
    this.background = new Background({ log: deps.log });
    const { clock, log, directory } = deps;
    this.commands = new Commands({
      send: (peer, id, command) => this.sendCommand(peer, id, command),
      isMeant: (peer, { what, account }) => (directory.homeOf(account) === peer) === (what === 'adopt'),
      clock,
      log,
    });
  }

  async start(): Promise<void> {
    const { deps } = this;
    this.undo.push(
      deps.members.onChange(({ tokens, peers }) => this.membersChanged(tokens, peers)),
      deps.registry.onChange((peer) => this.peerChanged(peer)),
      deps.directory.onRehomed(({ account, from, to, epoch }) => {
        this.commands.give(from, { what: 'seal', account, to, epoch });
        this.background.run('telling the new home', async () => {
          const moved = await deps.directory.byId(account);
          if (moved?.home === to)
            this.commands.give(to, { what: 'adopt', account, from, lease: deps.directory.lease(moved) });
        });
      }),
      deps.host.onPeer(({ peer, connected }) => {
        if (!connected && !this.lines.has(peer)) this.redial(peer);
      }),
      deps.clock.every(TICK_MS, () => this.tick()),
    );
    await serveChannel(deps, registerChannel, (channel) => this.converse(channel));
  }

  async stop(): Promise<void> {
    for (const undo of this.undo.splice(0)) undo();
    this.commands.stop();
    for (const line of this.lines.values()) line.channel.abort(new Error('the coordinator stops'));
    this.lines.clear();
    await this.background.stop();
  }

  /** What a node was told and could not do; null: nothing. */
  problemOf(peer: string, audience: Audience): string | null {
    return commandProblem(this.commands.failures(peer), audience);
  }

  private sendCommand(peer: string, id: number, command: Command): boolean {
    const line = this.lines.get(peer);
    if (line === undefined) return false;
    this.send(line, { kind: 'command', id, do: command });
    return true;
  }

  private async converse(channel: Channel): Promise<void> {
    const hello = await channel.receive(deadline(LIMITS.register.deadlineMs, this.background.signal));
    if (hello?.kind !== 'hello') throw registerErrors('not-a-member');
    // One at a time per key: two copies that say hello at once must not both be judged by what was before either.
    const line = await this.locks.hold([channel.peer], () => this.enter(channel, hello));
    if (line === undefined) return;
    try {
      await this.welcome(line, hello);
      this.checkUrl(line.peer);
      await this.listen(line);
    } finally {
      if (this.lines.get(line.peer) === line) {
        this.lines.delete(line.peer);
        this.commands.lost(line.peer);
        if (!this.background.signal.aborted) {
          this.deps.registry.closed(line.peer);
          this.redial(line.peer);
        }
      }
    }
  }

  private async enter(channel: Channel, hello: HelloMessage): Promise<Line | undefined> {
    const admission = await this.admission(channel.peer, hello);
    if (!admission.admitted) {
      await this.refuse(channel, admission);
      return undefined;
    }
    const line: Line = {
      peer: channel.peer,
      channel,
      boot: hello.boot,
      bootNonce: hello.bootNonce,
      dirty: new Set(),
      onDigest: new Set(),
    };
    await this.deps.registry.admitted(channel.peer, hello, admission.resumed);
    this.lines.get(channel.peer)?.channel.abort(new Error('replaced by a newer registration'));
    this.commands.lost(channel.peer);
    this.lines.set(channel.peer, line);
    this.deps.log.info({ peer: line.peer, boot: hello.boot, reasons: admission.reasons }, 'a node registered');
    return line;
  }

  private async admission(peer: string, hello: HelloMessage): Promise<Admission> {
    const { registry, clock } = this.deps;
    const arrivedAtMs = clock.now();
    const rival = this.lines.get(peer);
    const isRival = rival !== undefined && (rival.boot !== hello.boot || rival.bootNonce !== hello.bootNonce);
    // The line of a process that died without a word looks open for a while: only a digest from now on proves a clone.
    const live = isRival && (await this.showsLife(rival));
    const record = registry.admissionRecord(peer, live);
    if (record !== undefined && this.options.requireReachableUrl) {
      const check = await this.deps.reachability.url(hello.publicUrl, peer, this.background.signal);
      record.reachable = check.verified;
      record.reachableReason = check.reason;
    }
    return admit(
      {
        peerId: peer,
        boot: hello.boot,
        bootNonce: hello.bootNonce,
        storeId: hello.storeId,
        nowMs: hello.time,
        version: hello.version,
      },
      record,
      {
        nowMs: arrivedAtMs,
        graceMs: CREDENTIAL_GRACE_MS,
        versionMin: this.options.versionMin,
        requireReachableUrl: this.options.requireReachableUrl,
      },
    );
  }

  private showsLife(line: Line): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (alive: boolean) => {
        cancel();
        line.onDigest.delete(onDigest);
        resolve(alive);
      };
      const onDigest = () => settle(true);
      const cancel = this.deps.clock.after(RIVAL_MS, () => settle(false));
      line.onDigest.add(onDigest);
    });
  }

  private async refuse(channel: Channel, admission: Extract<Admission, { admitted: false }>): Promise<void> {
    const error = registerErrors(admission.code, admission.data);
    this.deps.log.warn(
      { peer: channel.peer, code: error.code, reasons: admission.reasons },
      'a registration was refused',
    );
    const data = Object.fromEntries(
      Object.entries(admission.data).filter(
        (pair): pair is [string, string | number | boolean] => pair[1] !== undefined,
      ),
    );
    await channel.send({ kind: 'refused', code: error.code, data, message: error.message.slice(0, 500) });
    await channel.close();
  }

  private async welcome(line: Line, hello: HelloMessage): Promise<void> {
    const { members, clock } = this.deps;
    const credential = await this.renewed(line.peer);
    const version = members.version();
    await line.channel.send({
      kind: 'welcome',
      ...(credential !== undefined ? { credential } : {}),
      digestIntervalMs: DIGEST_INTERVAL_MS,
      networkUrl: this.options.networkUrl(),
      repository: this.deps.host.peerId,
      time: clock.now(),
      members: version,
    });
    if (hello.members.digest !== version.digest) await this.sendMembers(line, members.tokens());
    for (const peer of this.deps.registry.list()) line.dirty.add(peer.record.peerId);
    this.flush(line);
  }

  /** A new credential when the old one is due; everybody gets it through the member list. */
  private async renewed(peer: string): Promise<string | undefined> {
    const { members, clock, signer } = this.deps;
    const member = members.get(peer);
    if (member === undefined) return undefined;
    const { network, name, nodeNumber, location } = member.credential;
    if (members.standing(member.credential, clock.now()).state === 'fresh') return undefined;
    const { token } = issueCredential(signer, { network, peerId: peer, name, nodeNumber, location }, clock.now());
    await members.merge([token]);
    return token;
  }

  private async listen(line: Line): Promise<void> {
    for (;;) {
      const message = await line.channel.receive(deadline(SILENT_LINE_MS, this.background.signal));
      if (message === undefined) return;
      if (this.lines.get(line.peer) !== line) return;
      if (message.kind === 'digest') {
        const before = this.deps.registry.get(line.peer)?.record.publicUrl;
        this.deps.registry.heard(line.peer, message, message);
        this.deps.heads.observe(line.peer, message.heads);
        for (const listener of [...line.onDigest]) listener();
        if (before !== message.publicUrl) this.checkUrl(line.peer);
      } else if (message.kind === 'done') this.commands.done(line.peer, message.command, message.code);
    }
  }

  private redial(peer: string): void {
    const { host, registry } = this.deps;
    this.background.run('redialling', async (signal) => {
      const addresses = registry.get(peer)?.record.addresses ?? [];
      try {
        await host.connect(peer, addresses, deadline(this.options.redialMs, signal));
        registry.redialed(peer, 'answered');
      } catch (error) {
        if (signal.aborted) return;
        this.deps.log.debug({ peer, err: error }, 'a redial failed');
        registry.redialed(peer, 'refused');
      }
    });
  }

  private checkUrl(peer: string): void {
    const publicUrl = this.deps.registry.get(peer)?.record.publicUrl ?? null;
    if (publicUrl === null || this.checking.has(peer)) return;
    this.checking.add(peer);
    this.background.run('fetching a public URL', async (signal) => {
      try {
        const check = await this.deps.reachability.url(publicUrl, peer, signal);
        const before = this.deps.registry.get(peer)?.url;
        this.deps.registry.urlChecked(peer, publicUrl, check);
        if (before?.verified === check.verified && before.reason === check.reason) return;
        this.deps.log.info({ peer, publicUrl, ...check }, 'a public URL was checked');
        const line = this.lines.get(peer);
        const url = { ok: check.verified, reason: check.reason.slice(0, 500) };
        if (line) this.send(line, { kind: 'reachable', url });
      } finally {
        this.checking.delete(peer);
      }
    });
  }

  private membersChanged(tokens: string[], peers: string[]): void {
    for (const line of [...this.lines.values()]) {
      this.background.run('sending members', () => this.sendMembers(line, tokens));
    }
    for (const peer of peers) {
      if (this.deps.members.revocationOf(peer) === undefined) continue;
      const line = this.lines.get(peer);
      this.background.run('closing the connections of a revoked node', async () => {
        const { code, message } = registerErrors('revoked');
        // It is told why, if it still takes a message.
        await line?.channel.send({ kind: 'refused', code, data: {}, message }).catch(() => {});
        line?.channel.abort(registerErrors('revoked'));
        await this.deps.host.disconnect(peer);
      });
    }
  }

  private async sendMembers(line: Line, tokens: readonly string[]): Promise<void> {
    const version = this.deps.members.version();
    for (let at = 0; at < tokens.length; at += TOKENS_PER_MESSAGE) {
      this.send(line, { kind: 'members', version, tokens: tokens.slice(at, at + TOKENS_PER_MESSAGE) });
    }
  }

  private peerChanged(peer: Peer): void {
    const { peerId, state } = peer.record;
    const now = `${state} ${peer.routable}`;
    const urgent = this.told.get(peerId) !== now;
    this.told.set(peerId, now);
    // Who serves and who does not is told at once, loads with a later tick.
    const status = urgent ? statusOf(peer) : undefined;
    for (const line of this.lines.values()) {
      if (status) this.send(line, { kind: 'peers', peers: [status] });
      else line.dirty.add(peerId);
    }
  }

  private tick(): void {
    const now = this.deps.clock.now();
    // Everybody's load to everybody is N² a tick: the larger the network, the less often.
    const loads = this.ticks++ % Math.ceil((this.lines.size + 1) / NODES_PER_TICK) === 0;
    for (const line of this.lines.values()) {
      if (loads && line.dirty.size > 0) this.flush(line);
      else this.send(line, { kind: 'beat', time: now });
      const url = this.deps.registry.get(line.peer)?.url;
      if (url && now - url.atMs > (url.verified ? URL_AGAIN_MS : URL_RETRY_MS)) this.checkUrl(line.peer);
    }
  }

  private flush(line: Line): void {
    const statuses: PeerStatus[] = [];
    for (const peerId of line.dirty) {
      const peer = this.deps.registry.get(peerId);
      if (peer) statuses.push(statusOf(peer));
    }
    line.dirty.clear();
    for (let at = 0; at < statuses.length; at += STATUSES_PER_MESSAGE) {
      this.send(line, { kind: 'peers', peers: statuses.slice(at, at + STATUSES_PER_MESSAGE) });
    }
  }

  /** A node that does not take its messages loses its line and comes back to a fresh one. */
  private send(line: Line, message: RegisterDown): void {
    line.channel.send(message).catch((error: unknown) => {
      if (!line.channel.closed && !isDomainError(error, 'stream/closed')) {
        this.deps.log.warn({ peer: line.peer, err: error }, 'a node does not take its messages');
      }
      line.channel.abort(error instanceof Error ? error : new Error(String(error)));
    });
  }
}

function statusOf(peer: Peer): PeerStatus {
  const { record, load } = peer;
  return {
    peerId: record.peerId,
    state: record.state,
    ...(record.last ? { boot: record.last.boot } : {}),
    routable: peer.routable,
    addresses: record.addresses.slice(0, 32),
    publicUrl: peer.url.verified ? record.publicUrl : null,
    capacityBytes: record.capacityBytes,
    freeBytes: load?.freeBytes ?? 0,
    slots: load?.slots ?? 0,
    queued: load?.queued ?? 0,
    running: load?.running ?? 0,
  };
}
