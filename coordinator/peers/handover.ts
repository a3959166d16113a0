/** `/galaxy/handover/1`: a node leaves, step by step; every call may be repeated. See drains.ts. */
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Host } from '../../protocol/runtime/host.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { directoryErrors } from '../../protocol/wire/calls/directory-errors.js';
import { handoverCalls } from '../../protocol/wire/calls/handover.js';
import { answer, serveCalls } from '../../protocol/wire/rpc.js';
import type { Directory } from '../directory.js';
import type { Drains } from '../drains.js';
import type { Homes } from '../homes.js';
import type { Registry } from '../registry.js';

export interface HandoverDeps {
  host: Pick<Host, 'handle'>;
  drains: Drains;
  homes: Homes;
  directory: Directory;
  registry: Registry;
  clock: Clock;
  log: Logger;
}

export async function serveHandover(deps: HandoverDeps): Promise<void> {
  const { drains, directory, registry } = deps;
  await serveCalls(deps, 'handover', [
    answer(handoverCalls.terms, async (_request, { peer }) => drains.terms(peer)),
    answer(handoverCalls.announce, async ({ acceptCopies }, { peer }) => drains.announce(peer, acceptCopies)),
    answer(handoverCalls.rehome, async ({ account: id }, { peer }) => {
      drains.assertDraining(peer);
      const account = await directory.byId(id);
      if (account === undefined) throw directoryErrors('not-found');
      // Asked again after a lost answer: where it went the first time.
      const moved = account.home === peer ? await deps.homes.handOver(account) : undefined;
      const now = moved?.account ?? account;
      const home = registry.get(now.home);
      return {
        home: now.home,
        name: home?.record.name ?? '',
        epoch: now.epoch,
        url: home?.url.verified ? home.record.publicUrl : null,
        reasons: (moved?.route.reasons ?? ['it was handed over before']).slice(0, 64).map((text) => text.slice(0, 500)),
      };
    }),
    answer(handoverCalls.inventory, async ({ page, items, last }, { peer }) => ({
      items: await drains.addPage(peer, page, items, last),
    })),
    answer(handoverCalls.compare, async ({ root, round }, { peer }) => drains.compare(peer, root, round)),
    answer(handoverCalls.receipt, async ({ root }, { peer }) => ({ receipt: await drains.receipt(peer, root) })),
    answer(handoverCalls.cancel, async (_request, { peer }) => {
      await drains.cancel(peer);
      return {};
    }),
  ]);
}
