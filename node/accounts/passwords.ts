/**
 * argon2id, at most a few at a time: one hash takes 19 MiB and tens of milliseconds, so a crowd at the door must wait
 * in a short line rather than take the machine.
 */
import { hash, verify } from '@node-rs/argon2';
import { accountErrors } from './errors.js';

const CONCURRENT_MAX = 2;
const WAITING_MAX = 128;

export interface PasswordOptions {
  memoryKiB: number;
  iterations: number;
  parallelism: number;
}

export class Passwords {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  private nobody: Promise<string> | undefined;

  constructor(private readonly options: PasswordOptions) {}

  /** PHC text with algorithm, cost and salt. Errors: `accounts/busy`. */
  hash(password: string): Promise<string> {
    const { memoryKiB, iterations, parallelism } = this.options;
    // argon2id is the library's default algorithm; its name cannot be imported, being an ambient constant.
    return this.bounded(() => hash(password, { memoryCost: memoryKiB, timeCost: iterations, parallelism }));
  }

  /** False also for a hash that cannot be read. Errors: `accounts/busy`. */
  verify(passwordHash: string, password: string): Promise<boolean> {
    return this.bounded(() => verify(passwordHash, password).catch(() => false));
  }

  /** As much work as `verify`, for a login that nobody has: time must not tell who is known. Always false. */
  async verifyNobody(password: string): Promise<false> {
    this.nobody ??= this.hash('nobody has this password');
    const nobody = await this.nobody.catch((error: unknown) => {
      this.nobody = undefined;
      throw error;
    });
    await this.verify(nobody, password);
    return false;
  }

  private async bounded<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= CONCURRENT_MAX) {
      if (this.waiting.length >= WAITING_MAX) throw accountErrors('busy');
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else this.running += 1;
    try {
      return await work();
    } finally {
      // The place goes straight to the next in line, so that a newcomer cannot slip between.
      const next = this.waiting.shift();
      if (next) next();
      else this.running -= 1;
    }
  }
}
