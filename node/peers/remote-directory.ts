/** The network's directory, asked over `/galaxy/directory/1`. The coordinator being away is one clear error, never a hang. */

import type { z } from 'zod';
import { DomainError } from '../../protocol/runtime/errors.js';
import type { Host } from '../../protocol/runtime/host.js';
import { directoryCalls } from '../../protocol/wire/calls/directory.js';
import { directoryErrors } from '../../protocol/wire/calls/directory-errors.js';
import type { CallDef } from '../../protocol/wire/rpc.js';
import { call } from '../../protocol/wire/rpc.js';
import type { Directory, DirectoryAccount } from '../accounts/directory.js';
import type { WaitingChanges } from '../accounts/waiting.js';

export interface Located {
  home: string;
  epoch: number;
  serves: boolean;
  retryAfterMs: number;
  reasons: string[];
}

export class RemoteDirectory implements Directory {
  constructor(
    private readonly deps: {
      host: Pick<Host, 'openStream' | 'isConnected'>;
      coordinator: string;
      /** A lease that came with an answer: kept before the answer is used. */
      onLease: (account: string, epoch: number, token: string) => Promise<void>;
    },
  ) {}

  async claim(claim: {
    account: string;
    email: string;
    username: string;
    passwordHash: string;
  }): Promise<DirectoryAccount> {
    const answer = await this.ask(directoryCalls.claim, claim);
    await this.deps.onLease(answer.account.account, answer.account.epoch, answer.lease);
    return answer.account;
  }

  async find(login: string): Promise<DirectoryAccount | undefined> {
    return (await this.ask(directoryCalls.find, { login })).account ?? undefined;
  }

  async byId(account: string): Promise<DirectoryAccount | undefined> {
    return (await this.ask(directoryCalls.byId, { account })).account ?? undefined;
  }

  async byKeyHash(hash: string): Promise<DirectoryAccount | undefined> {
    return (await this.ask(directoryCalls.byKeyHash, { hash })).account ?? undefined;
  }

  async putKey(key: { account: string; hash: string; revoked: boolean }): Promise<void> {
    await this.ask(directoryCalls.putKey, key);
  }

  async update(account: string, change: { email?: string; username?: string; passwordHash?: string }): Promise<void> {
    await this.ask(directoryCalls.update, { account, change });
  }

  signIn(login: string, password: string): Promise<{ account: DirectoryAccount; handOff: string }> {
    return this.ask(directoryCalls.signIn, { login, password });
  }

  async handOff(account: string): Promise<string> {
    return (await this.ask(directoryCalls.handOff, { account })).handOff;
  }

  locate(account: string): Promise<Located> {
    return this.ask(directoryCalls.locate, { account });
  }

  /** Which of these keys' hashes are revoked, and from when on sign-ins count. */
  revocations(account: string, hashes: string[]): Promise<{ revoked: string[]; sessionsNotBefore: number }> {
    return this.ask(directoryCalls.revocations, { account, hashes });
  }

  /** What other nodes wrote for an account at home here that nobody else has yet. */
  async waiting(account: string): Promise<WaitingChanges[]> {
    const { waiting } = await this.ask(directoryCalls.waiting, { account });
    return waiting.map(({ name, changes, things }) => ({ name, changes, things }));
  }

  /** Every lease of this node, in pages. */
  async *leases(): AsyncIterable<{ account: string; epoch: number; lease: string }> {
    let after: string | undefined;
    for (;;) {
      const page = await this.ask(directoryCalls.leases, after === undefined ? {} : { after });
      yield* page.leases;
      const last = page.leases.at(-1)?.account;
      // In order of account: a page that does not go on would never end.
      if (!page.more || last === undefined || (after !== undefined && last <= after)) return;
      after = last;
    }
  }

  private async ask<Req extends z.ZodType, Res extends z.ZodType>(
    def: CallDef<Req, Res>,
    request: z.input<Req>,
  ): Promise<z.output<Res>> {
    if (!this.deps.host.isConnected(this.deps.coordinator)) throw directoryErrors('away');
    try {
      return await call(this.deps.host, this.deps.coordinator, def, request);
    } catch (cause) {
      // What the directory itself refused goes on as it is; that it could not be asked is said as such.
      if (cause instanceof DomainError && !/^(wire|host|stream)\//.test(cause.code)) throw cause;
      throw directoryErrors('away', {}, { cause });
    }
  }
}
