/**
 * Checks a user's password for the whole network. Argon2id is costly on purpose, so few run at a time and the line has
 * an end; an unknown name costs as much time as a wrong password, so that names cannot be found out by the clock.
 */
import { hash, parseOptions, verify } from '@node-rs/argon2';
import { type Clock, sleep } from '../protocol/runtime/clock.js';
import { directoryErrors } from '../protocol/wire/calls/directory-errors.js';
import { type Account, type Directory, fold } from './directory.js';

export interface SignInOptions {
  /** Hashes computed at the same time. */
  concurrent: number;
  waitingMax: number;
  /** Wrong passwords for one name in a minute by way of one node before it has to wait there. */
  failuresPerMinuteMax: number;
  /** By way of all nodes together, before each try is slowed: nobody can lock a name for its owner elsewhere. */
  failuresSlowAfter: number;
  slowMs: number;
}

const DEFAULTS: SignInOptions = {
  concurrent: 2,
  waitingMax: 256,
  failuresPerMinuteMax: 10,
  failuresSlowAfter: 100,
  slowMs: 2000,
};
const MINUTE_MS = 60_000;
/** Names, and names at a node, whose failures are remembered; the oldest is forgotten. */
const FAILURES_MAX = 10_000;
/** What a hash that a node registered may cost us. */
const MEMORY_KIB_MAX = 256 * 1024;
const ITERATIONS_MAX = 16;
const PARALLELISM_MAX = 16;

export class SignIn {
  private running = 0;
  private slowed = 0;
  private readonly line: (() => void)[] = [];
  private readonly failures = new Map<string, { sinceMs: number; count: number }>();
  private readonly options: SignInOptions;
  private decoy: Promise<string> | undefined;

  constructor(
    private readonly deps: { directory: Pick<Directory, 'find'>; clock: Clock },
    options: Partial<SignInOptions> = {},
  ) {
    this.options = { ...DEFAULTS, ...options };
  }

  /** `node`: who asks. Errors: `directory/wrong-password` (also for an unknown name), `directory/busy`. */
  async check(login: string, password: string, node: string): Promise<Account> {
    const name = fold(login);
    const there = `${node} ${name}`;
    if (this.failed(there) >= this.options.failuresPerMinuteMax) throw directoryErrors('busy');
    if (this.failed(name) >= this.options.failuresSlowAfter) await this.slowDown();
    const account = await this.deps.directory.find(login);
    // The costs that nodes use by default.
    this.decoy ??= hash('an unknown name', { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
    const hashed = account?.passwordHash ?? (await this.decoy);
    const right = isAcceptableHash(hashed) && (await this.inTurn(() => verify(hashed, password)));
    if (account === undefined || !right) {
      this.remember(name);
      this.remember(there);
      throw directoryErrors('wrong-password');
    }
    this.failures.delete(there);
    return account;
  }

  private async slowDown(): Promise<void> {
    if (this.slowed >= this.options.waitingMax) throw directoryErrors('busy');
    this.slowed++;
    try {
      await sleep(this.deps.clock, this.options.slowMs);
    } finally {
      this.slowed--;
    }
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= this.options.concurrent) {
      if (this.line.length >= this.options.waitingMax) throw directoryErrors('busy');
      await new Promise<void>((resolve) => this.line.push(resolve));
    } else this.running++;
    try {
      return await work();
    } finally {
      const next = this.line.shift();
      if (next) next();
      else this.running--;
    }
  }

  private failed(name: string): number {
    const at = this.failures.get(name);
    if (at === undefined || this.deps.clock.monotonic() - at.sinceMs > MINUTE_MS) return 0;
    return at.count;
  }

  private remember(name: string): void {
    const count = this.failed(name) + 1;
    const sinceMs = count === 1 ? this.deps.clock.monotonic() : (this.failures.get(name)?.sinceMs ?? 0);
    this.failures.delete(name);
    this.failures.set(name, { sinceMs, count });
    if (this.failures.size > FAILURES_MAX) this.failures.delete(this.failures.keys().next().value as string);
  }
}

/** Argon2id within the costs that we are ready to pay: a hash comes from a node, and its parameters with it. */
export function isAcceptableHash(hashed: string): boolean {
  if (!hashed.startsWith('$argon2id$')) return false;
  try {
    const { memoryCost, timeCost, parallelism } = parseOptions(hashed);
    return memoryCost <= MEMORY_KIB_MAX && timeCost <= ITERATIONS_MAX && parallelism <= PARALLELISM_MAX;
  } catch {
    return false;
  }
}
