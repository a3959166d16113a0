/** A drain's questions to the coordinator, over `/galaxy/handover/1`. The coordinator being away is one clear error. */
import type { z } from 'zod';
import { DomainError } from '../../protocol/runtime/errors.js';
import type { Host } from '../../protocol/runtime/host.js';
import { type CompareAnswer, handoverCalls, type InventoryItem } from '../../protocol/wire/calls/handover.js';
import type { CallDef } from '../../protocol/wire/rpc.js';
import { call } from '../../protocol/wire/rpc.js';
import { drainErrors } from '../drain/errors.js';
import type { Handover, NewHome } from '../drain/handover.js';
// Its refusals come back by code.
import '../../protocol/wire/calls/directory-errors.js';

export class HandoverClient implements Handover {
  constructor(
    private readonly deps: {
      host: Pick<Host, 'openStream' | 'isConnected'>;
      coordinator: string;
      /** Registered with it now: before that it refuses, because it does not know this start yet. */
      registered: () => boolean;
    },
  ) {}

  reachable(): boolean {
    return this.deps.registered() && this.deps.host.isConnected(this.deps.coordinator);
  }

  terms(signal: AbortSignal): Promise<{ copies: number; domains: number }> {
    return this.ask(handoverCalls.terms, {}, signal);
  }

  announce(
    acceptCopies: number | undefined,
    signal: AbortSignal,
  ): Promise<{ copies: number; domains: number; accounts: number }> {
    return this.ask(handoverCalls.announce, acceptCopies === undefined ? {} : { acceptCopies }, signal);
  }

  rehome(account: string, signal: AbortSignal): Promise<NewHome> {
    return this.ask(handoverCalls.rehome, { account }, signal);
  }

  async inventory(page: number, items: readonly InventoryItem[], last: boolean, signal: AbortSignal): Promise<number> {
    return (await this.ask(handoverCalls.inventory, { page, items: [...items], last }, signal)).items;
  }

  compare(root: string, round: number, signal: AbortSignal): Promise<CompareAnswer> {
    return this.ask(handoverCalls.compare, { root, round }, signal);
  }

  async receipt(root: string, signal: AbortSignal): Promise<string> {
    return (await this.ask(handoverCalls.receipt, { root }, signal)).receipt;
  }

  async cancel(signal: AbortSignal): Promise<void> {
    await this.ask(handoverCalls.cancel, {}, signal);
  }

  private async ask<Req extends z.ZodType, Res extends z.ZodType>(
    def: CallDef<Req, Res>,
    request: z.input<Req>,
    signal: AbortSignal,
  ): Promise<z.output<Res>> {
    if (!this.reachable()) throw drainErrors('away');
    try {
      return await call(this.deps.host, this.deps.coordinator, def, request, signal);
    } catch (cause) {
      signal.throwIfAborted();
      // What the coordinator refused goes on as it is. A timeout or a fault of its own is told as such; it is there.
      const isThere = cause instanceof DomainError && !/^(host|stream)\/|^wire\/closed$/.test(cause.code);
      if (isThere && this.reachable()) throw cause;
      throw drainErrors('away', {}, { cause });
    }
  }
}
