/**
 * Words that a node must carry out (`seal`, `adopt`), until it has. One that failed is given again with growing pauses for
 * ten minutes, as long as it is still meant; what fails is shown to operators with its cause, and stays shown after the
 * last try. A node that registers anew asks for its leases by itself: nothing older is held against it.
 *
 *   given → done · failed → given again … → failed for good
 */
import type { Cancel, Clock } from '../../protocol/runtime/clock.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Command } from '../../protocol/wire/calls/register.js';

export interface FailedCommand {
  what: Command['what'];
  account: string;
  /** Of the error at the node; 'unanswered' when it did not say how it ended. */
  code: string;
  attempts: number;
  sinceMs: number;
  /** It is tried again. */
  again: boolean;
}

export interface CommandsDeps {
  /** False when the node has no open line. */
  send: (peer: string, id: number, command: Command) => boolean;
  /** Whether it is still what the directory says. */
  isMeant: (peer: string, command: Command) => boolean;
  clock: Clock;
  log: Logger;
}

interface Given {
  id: number;
  command: Command;
  attempts: number;
  failure: { code: string; sinceMs: number } | undefined;
  isOver: boolean;
  cancel: Cancel | undefined;
}

const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 60_000;
/** From the first failure on. */
const GIVE_UP_MS = 10 * 60_000;
/** A seal waits for log partners, a take-over for holders; longer than this no honest one takes. */
const ANSWER_MS = 3 * 60_000;
/** Of one node; past it the oldest is forgotten, and the node learns of it when it asks for its leases. */
const COMMANDS_MAX = 10_000;
const SHOWN_MAX = 20;

export class Commands {
  /** PeerId → what it was told and has not done, by kind and account. */
  private readonly peers = new Map<string, Map<string, Given>>();
  /** Those that were sent and not answered. */
  private readonly sent = new Map<number, { peer: string; name: string }>();
  private nextId = 1;

  constructor(private readonly deps: CommandsDeps) {}

  /** False when the node has no open line: it will ask for its leases when it is back. */
  give(peer: string, command: Command): boolean {
    const commands = this.peers.get(peer) ?? new Map<string, Given>();
    this.peers.set(peer, commands);
    const name = `${command.what} ${command.account}`;
    this.forget(commands, name);
    const given: Given = { id: 0, command, attempts: 0, failure: undefined, isOver: false, cancel: undefined };
    commands.set(name, given);
    const [oldest] = commands.keys();
    if (commands.size > COMMANDS_MAX && oldest !== undefined) this.forget(commands, oldest);
    return this.send(peer, name, given);
  }

  done(peer: string, id: number, code?: string): void {
    const sent = this.sent.get(id);
    const commands = this.peers.get(peer);
    if (sent === undefined || sent.peer !== peer || commands === undefined) return;
    this.sent.delete(id);
    const given = commands.get(sent.name);
    if (code === undefined) this.forget(commands, sent.name);
    else if (given !== undefined) this.failed(peer, sent.name, given, code);
  }

  /** The node lost its line, or has a new one. */
  lost(peer: string): void {
    const commands = this.peers.get(peer);
    for (const name of commands?.keys() ?? []) if (commands !== undefined) this.forget(commands, name);
    this.peers.delete(peer);
  }

  stop(): void {
    for (const peer of [...this.peers.keys()]) this.lost(peer);
  }

  /** How many failed and are not done, and the first of them. */
  failures(peer: string): { count: number; first: FailedCommand[] } {
    const first: FailedCommand[] = [];
    let count = 0;
    for (const { command, failure, attempts, isOver } of this.peers.get(peer)?.values() ?? []) {
      if (failure === undefined || !this.deps.isMeant(peer, command)) continue;
      count += 1;
      const { what, account } = command;
      if (first.length < SHOWN_MAX) first.push({ what, account, ...failure, attempts, again: !isOver });
    }
    return { count, first };
  }

  private send(peer: string, name: string, given: Given): boolean {
    this.sent.delete(given.id);
    given.id = this.nextId++;
    this.sent.set(given.id, { peer, name });
    given.attempts += 1;
    given.cancel?.();
    given.cancel = this.deps.clock.after(ANSWER_MS, () => this.failed(peer, name, given, 'unanswered'));
    if (this.deps.send(peer, given.id, given.command)) return true;
    this.lost(peer);
    return false;
  }

  private failed(peer: string, name: string, given: Given, code: string): void {
    const { clock, log } = this.deps;
    const { command, attempts } = given;
    given.cancel?.();
    const sinceMs = given.failure?.sinceMs ?? clock.now();
    given.failure = { code, sinceMs };
    given.isOver = clock.now() - sinceMs >= GIVE_UP_MS;
    const what = { peer, command: command.what, account: command.account, code, attempts };
    if (given.isOver) {
      log.error(what, 'a command failed at a node and is not tried again; the node does it when it registers anew');
      return;
    }
    log.warn(what, 'a command failed at a node and is tried again');
    const pauseMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(10, attempts - 1));
    given.cancel = clock.after(pauseMs, () => {
      const commands = this.peers.get(peer);
      if (commands?.get(name) !== given) return;
      if (this.deps.isMeant(peer, command)) this.send(peer, name, given);
      else this.forget(commands, name);
    });
  }

  private forget(commands: Map<string, Given>, name: string): void {
    const given = commands.get(name);
    if (given === undefined) return;
    given.cancel?.();
    this.sent.delete(given.id);
    commands.delete(name);
  }
}

/** Whose eyes a text is for: whose account it is about is nothing for the public. */
export type Audience = 'public' | 'operator';

/** For people: the first of them. */
export function commandProblem(
  { count, first: [worst] }: ReturnType<Commands['failures']>,
  audience: Audience,
): string | null {
  if (worst === undefined) return null;
  const account = audience === 'operator' ? `the account ${worst.account}` : 'an account';
  const what = worst.what === 'seal' ? `to give up ${account}` : `to take over ${account}`;
  const more = count > 1 ? ` (and ${count - 1} more like it)` : '';
  const next = worst.again ? 'it is tried again' : 'not tried any more until the node registers anew';
  return `it could not be made ${what}: ${worst.code}, ${worst.attempts} times; ${next}${more}`;
}
