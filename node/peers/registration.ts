/**
 * The stream to the coordinator: hello once, a digest each second and when there is news, and whatever the coordinator must
 * tell at once. When it breaks, it is built again with growing pauses; nothing that matters travels on it alone.
 *
 * connecting → registered → connecting …; a refusal is kept and shown, and tried again slowly, because most of them
 * (clock off, newer version needed) end by what an operator does elsewhere.
 */
import type { z } from 'zod';
import { type Cancel, type Clock, sleep, startDeadline } from '../../protocol/runtime/clock.js';
import {
  type DomainError,
  defineErrors,
  describeError,
  errorFromCode,
  isDomainError,
} from '../../protocol/runtime/errors.js';
import type { Host } from '../../protocol/runtime/host.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Random } from '../../protocol/runtime/random.js';
import type { MemberList } from '../../protocol/trust/members.js';
import type { Reachability } from '../../protocol/wire/calls/join.js';
import {
  type Command,
  type digest,
  type HelloMessage,
  type PeerStatus,
  type RegisterDown,
  registerChannel,
  type registerUp,
  type welcome,
} from '../../protocol/wire/calls/register.js';
import { type MessageChannel, openChannel } from '../../protocol/wire/channel.js';
import { LIMITS } from '../../protocol/wire/limits.js';
import { backoffMs } from '../replication/wakeup.js';

export const registrationErrors = defineErrors('registration', {
  lost: {
    kind: 'unavailable',
    say: 'The stream to the coordinator ended: {reason}.',
    mend: 'It is built again by itself.',
  },
  revoked: {
    kind: 'untrusted',
    say: 'This node was revoked from the network: {reason}.',
    mend: 'Ask the operator of the coordinator; a return needs a new invitation and a new key: `galaxy-node init` in an empty folder.',
  },
  failed: {
    kind: 'internal',
    say: 'A command of the coordinator failed for a reason that has no code.',
    mend: "Look at the node's log.",
  },
});

export type Welcome = z.output<typeof welcome>;
export type DigestFields = Omit<z.input<typeof digest>, 'kind' | 'sequence'>;
type Channel = MessageChannel<typeof registerUp, typeof registerChannel.down>;

export interface RegistrationDeps {
  host: Pick<Host, 'peerId' | 'connect' | 'openStream' | 'isConnected'>;
  members: MemberList;
  clock: Clock;
  random: Random;
  log: Logger;
  coordinator: string;
  /** Where it is reached; asked anew at each try. */
  addresses: () => readonly string[];
  hello: () => Omit<HelloMessage, 'kind' | 'time' | 'members'>;
  digest: () => DigestFields;
  onWelcome: (welcome: Welcome) => Promise<void>;
  /** It was tried, and gave no welcome: what is known here is what counts. */
  onAway: () => void;
  onPeers: (peers: PeerStatus[]) => void;
  /** The coordinator fetched the public URL: whether browsers are sent there. */
  onReachable: (url: Reachability) => void;
  /** This data folder is a copy of another one: two processes must not go on under one key. */
  onClone: (refusal: DomainError) => void;
  /** Asks, where everybody may, whether this node was revoked; what is learnt is in `members` then. False: no answer came. */
  askStanding?: (signal: AbortSignal) => Promise<boolean>;
  /** Carried out before it is confirmed; a thrown code is reported back. */
  onCommand: (command: Command) => Promise<void>;
}

/** Without a word for this long the coordinator is taken for gone. It beats each second. */
const SILENCE_MS = 6000;
const CLONE_REFUSALS = new Set(['register/old-boot', 'register/second-boot', 'register/other-store']);
/** What was just written is told after this and not with the next digest: a crash leaves little that nobody has heard of. */
const NEWS_MS = 100;
/** A refusal is tried again, but not in a hurry. */
const REFUSED_PAUSE_MS = 10_000;
/** Of tries that were refused in a row: at the first one, until an answer comes, and again after so many. */
const ASK_STANDING_EVERY = 30;

export class Registration implements Part {
  private readonly background: Background;
  private readonly listeners = new Set<(registered: boolean) => void>();
  private sequence = 0;
  private markTried: () => void = () => {};
  /** Resolves after the first try, whatever came of it. */
  readonly tried = new Promise<void>((resolve) => {
    this.markTried = resolve;
  });
  private isRegistered = false;
  /** In the present try, or the last one. */
  private isWelcome = false;
  private heard = 0;
  /** The same on the clock that nobody can set. */
  private heardMonotonic = 0;
  private problem: DomainError | undefined;
  private tellSoon: (() => void) | undefined;
  private refusals = 0;
  private isStandingKnown = false;

  constructor(
    private readonly deps: RegistrationDeps,
    private readonly options: { heartbeatMs: number },
  ) {
    this.background = new Background({ log: deps.log });
  }

  async start(): Promise<void> {
    this.background.run('registration', (signal) => this.keepRegistered(signal));
  }

  async stop(): Promise<void> {
    await this.background.stop();
    this.setRegistered(false);
  }

  get registered(): boolean {
    return this.isRegistered;
  }

  /** When the coordinator was last heard, ms since 1970; 0: never. */
  get heardAt(): number {
    return this.heard;
  }

  /** Why the coordinator refused this node, while it does. */
  get refusal(): DomainError | undefined {
    return this.problem;
  }

  onChange(listener: (registered: boolean) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** There is news for the coordinator: a digest goes in a moment, one for all that comes meanwhile. */
  news(): void {
    this.tellSoon?.();
  }

  /** Resolves when registered; rejects with the refusal, or when the signal aborts. */
  whenRegistered(signal: AbortSignal): Promise<void> {
    if (this.isRegistered) return Promise.resolve();
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.problem) return Promise.reject(this.problem);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        release();
        signal.removeEventListener('abort', onAbort);
        act();
      };
      const release = this.onChange((registered) => {
        if (registered) settle(resolve);
        else if (this.problem) settle(() => reject(this.problem));
      });
      const onAbort = () => settle(() => reject(signal.reason));
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  private async keepRegistered(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.once(signal, () => {
          failures = 0;
          this.refusals = 0;
        });
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        if (!this.isWelcome) this.deps.onAway();
        if (isDomainError(error, 'host/refused')) this.problem = await this.whyRefused(error, signal);
        const reason = describeError(this.problem ?? error);
        this.deps.log.warn({ reason, failures }, 'not registered with the coordinator');
      }
      this.setRegistered(false);
      this.markTried();
      const pause = this.problem ? REFUSED_PAUSE_MS : Math.min(5000, backoffMs(failures, this.deps.random.float()));
      await sleep(this.deps.clock, pause, signal).catch(() => {});
    }
  }

  private async once(signal: AbortSignal, onRegistered: () => void): Promise<void> {
    const { host, coordinator, members, clock } = this.deps;
    const limit = startDeadline(clock, LIMITS.register.deadlineMs, signal);
    this.isWelcome = false;
    let channel: Channel | undefined;
    let welcomed: Promise<void> | undefined;
    const stop: Cancel[] = [];
    const onAbort = () => channel?.abort(new Error('stopping'));
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await host.connect(coordinator, this.deps.addresses(), limit.signal);
      channel = await openChannel(host, coordinator, registerChannel, limit.signal, clock);
      await channel.send({ kind: 'hello', time: clock.now(), members: members.version(), ...this.deps.hello() });
      const first = await channel.receive(limit.signal);
      limit.cancel();
      if (first?.kind === 'refused') throw this.refusedBy(first);
      if (first?.kind !== 'welcome') throw registrationErrors('lost', { reason: 'no welcome came' });
      this.problem = undefined;
      this.isWelcome = true;
      this.hear();
      stop.push(...this.keepAlive(channel, first.digestIntervalMs));
      // Heard and read all the while: what follows a welcome may take longer than the coordinator bears a silence.
      welcomed = this.welcome(first, channel, onRegistered);
      for await (const message of channel.messages()) {
        this.hear();
        await this.take(message, channel);
      }
      throw registrationErrors('lost', { reason: 'the coordinator closed it' });
    } finally {
      limit.cancel();
      for (const cancel of stop) cancel();
      signal.removeEventListener('abort', onAbort);
      channel?.abort(new Error('the registration ended'));
      // Two of them at once would do everything twice.
      await welcomed;
    }
  }

  /** Registered once everything that follows a welcome is done; if that fails, the stream is built again. */
  private async welcome(welcome: Welcome, channel: Channel, onRegistered: () => void): Promise<void> {
    try {
      await this.deps.onWelcome(welcome);
    } catch (error) {
      this.deps.log.warn({ reason: describeError(error) }, 'what follows a registration could not be done');
      channel.abort(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (channel.closed) return;
    onRegistered();
    this.setRegistered(true);
    this.markTried();
  }

  private keepAlive(channel: Channel, digestIntervalMs: number): Cancel[] {
    const { clock } = this.deps;
    this.sendDigest(channel);
    let lookedAt = clock.monotonic();
    const look = () => {
      const now = clock.monotonic();
      // Late itself, this process may have the words in its buffer: they are read before anybody is accused.
      if (now - lookedAt > SILENCE_MS / 2) this.heardMonotonic = now;
      lookedAt = now;
      if (now - this.heardMonotonic > SILENCE_MS) channel.abort(new Error('the coordinator is silent'));
    };
    let due: Cancel | undefined;
    this.tellSoon = () => {
      due ??= clock.after(NEWS_MS, () => {
        due = undefined;
        this.sendDigest(channel);
      });
    };
    return [
      () => {
        this.tellSoon = undefined;
        due?.();
      },
      clock.every(Math.min(digestIntervalMs, this.options.heartbeatMs), () => this.sendDigest(channel)),
      // One timer for all messages.
      clock.every(SILENCE_MS / 4, look),
    ];
  }

  /** Not even a word is taken: the lobby knows why. Once may be a member list that is a moment behind. */
  private async whyRefused(error: DomainError, signal: AbortSignal): Promise<DomainError | undefined> {
    this.refusals += 1;
    if (this.refusals % ASK_STANDING_EVERY === 1) this.isStandingKnown = false;
    if (this.ownRevocation() === undefined && !this.isStandingKnown) {
      this.isStandingKnown = (await this.deps.askStanding?.(signal)) ?? true;
    }
    return this.ownRevocation() ?? (this.refusals > 1 ? error : undefined);
  }

  private ownRevocation(): DomainError | undefined {
    const revocation = this.deps.members.revocationOf(this.deps.host.peerId);
    return revocation && registrationErrors('revoked', { reason: revocation.reason });
  }

  /** Kept and shown until a welcome comes. */
  private refusedBy({ code, data, message }: Extract<RegisterDown, { kind: 'refused' }>): DomainError {
    const own = code === 'register/revoked' ? this.ownRevocation() : undefined;
    const problem = own ?? errorFromCode(code, data, message);
    this.problem = problem;
    for (const listener of [...this.listeners]) listener(false);
    if (CLONE_REFUSALS.has(code)) this.deps.onClone(problem);
    return problem;
  }

  private async take(message: RegisterDown, channel: Channel): Promise<void> {
    if (message.kind === 'members') await this.deps.members.merge(message.tokens);
    else if (message.kind === 'peers') this.deps.onPeers(message.peers);
    else if (message.kind === 'reachable') this.deps.onReachable(message.url);
    // Revoked, in the middle of everything.
    else if (message.kind === 'refused') throw this.refusedBy(message);
    // Not awaited: a take-over may need messages that come on this very stream.
    else if (message.kind === 'command') {
      const { id, do: command } = message;
      this.background.run(`command ${command.what}`, () => this.carryOut(id, command, channel));
    }
  }

  private async carryOut(id: number, command: Command, channel: Channel): Promise<void> {
    const { log } = this.deps;
    let code: string | undefined;
    try {
      await this.deps.onCommand(command);
    } catch (error) {
      code = isDomainError(error) ? error.code : 'registration/failed';
      const what = { command: command.what, account: command.account, reason: describeError(error) };
      log.error(what, 'a command of the coordinator failed');
    }
    if (channel.closed) return;
    await channel.send({ kind: 'done', command: id, ...(code ? { code } : {}) }).catch((error: unknown) => {
      log.debug({ command: command.what, err: error }, 'the coordinator was not told how a command ended');
    });
  }

  private sendDigest(channel: Channel): void {
    if (channel.closed) return;
    this.sequence += 1;
    const { sequence } = this;
    // Inside a promise, so that a fault in what is told ends this stream and not the process.
    const send = async () => channel.send({ kind: 'digest', sequence, ...this.deps.digest() });
    send().catch((error: unknown) => {
      if (channel.closed) return;
      this.deps.log.warn({ reason: describeError(error) }, 'a digest could not be sent');
      channel.abort(new Error('a digest could not be sent'));
    });
  }

  private hear(): void {
    this.heard = this.deps.clock.now();
    this.heardMonotonic = this.deps.clock.monotonic();
    this.deps.members.coordinatorHeard(this.heard);
  }

  private setRegistered(registered: boolean): void {
    if (this.isRegistered === registered) return;
    this.isRegistered = registered;
    this.deps.log.info({ registered }, registered ? 'registered with the coordinator' : 'the coordinator is away');
    for (const listener of this.listeners) listener(registered);
  }
}
