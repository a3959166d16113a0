/**
 * Where an account is at home right now, for whoever asks on a user's behalf: a request at the gateway, a node that
 * cannot serve her. Re-homes when `decideRehome` says so, which it does only because somebody asks.
 */
import type { Clock } from '../protocol/runtime/clock.js';
import type { Logger } from '../protocol/runtime/logger.js';
import { handoverErrors } from '../protocol/wire/calls/handover-errors.js';
import type { Account, Directory } from './directory.js';
import type { LatLon } from './location.js';
import type { Peer } from './peer.js';
import type { Registry } from './registry.js';
import { decideRehome, type RehomeQuestion } from './rehome.js';
import { nearest, type Route } from './routing.js';

export interface Resolved {
  account: Account;
  /** Present when the home answers. */
  home: Peer | undefined;
  reasons: string[];
  retryAfterMs: number;
}

/** Somebody who may not have it moved now asks again after this. */
const MOVE_AGAIN_MS = 2000;

export interface HomesOptions {
  thresholds: RehomeQuestion['thresholds'];
}

export class Homes {
  constructor(
    private readonly deps: { directory: Directory; registry: Registry; clock: Clock; log: Logger },
    private readonly options: HomesOptions,
  ) {}

  /** `mayMove` is asked when everything else says that the account has to move: whoever asks may ask too often. */
  async resolve(account: Account, client?: LatLon, mayMove: () => boolean = () => true): Promise<Resolved> {
    const { registry, directory } = this.deps;
    const home = registry.get(account.home);
    // The common case, for every request: nothing has to be weighed.
    if (home?.presence === 'alive' && home.record.state !== 'drained' && home.record.state !== 'revoked') {
      return { account, home, reasons: [`${home.record.name} is the home and answers`], retryAfterMs: 0 };
    }
    const decision = decideRehome({
      nowMs: this.deps.clock.now(),
      ...(client ? { client } : {}),
      home: {
        peerId: account.home,
        name: home?.record.name ?? 'a former member',
        state: home?.record.state ?? 'revoked',
        presence: home?.presence ?? 'dead',
        ...(home?.lostAtMs !== undefined ? { lostAtMs: home.lostAtMs } : {}),
      },
      nodes: registry.routingNodes(account.home),
      servers: registry
        .list()
        .filter((peer) => peer.record.state === 'serving' || peer.record.state === 'draining')
        .map((peer) => ({
          peerId: peer.record.peerId,
          ...(peer.lostAtMs !== undefined ? { lostAtMs: peer.lostAtMs } : {}),
        })),
      self: { startedAtMs: registry.startedAtMs, loopLateMs: registry.loopLateMs },
      thresholds: this.options.thresholds,
    });
    if (!decision.rehome) {
      const serves = decision.homeServes ? home : undefined;
      return { account, home: serves, reasons: decision.reasons, retryAfterMs: decision.retryAfterMs };
    }
    if (!mayMove()) return { account, home: undefined, reasons: decision.reasons, retryAfterMs: MOVE_AGAIN_MS };
    const moved = await directory.rehome(account.account, account.home, decision.to);
    this.deps.log.info(
      { account: moved.account, from: account.home, to: moved.home, epoch: moved.epoch, reasons: decision.reasons },
      'an account has a new home',
    );
    registry.assigned(moved.home, moved.account);
    return { account: moved, home: registry.get(moved.home), reasons: decision.reasons, retryAfterMs: 0 };
  }

  /** A drain: the home itself gives the account up. Error: `handover/no-new-home`. */
  async handOver(account: Account): Promise<{ account: Account; route: Route }> {
    const { registry, directory } = this.deps;
    const location = registry.get(account.home)?.location;
    const route = nearest(
      { ...(location ? { client: location } : {}), exclude: [account.home] },
      registry.routingNodes(account.home),
    );
    if (route.node === undefined) throw handoverErrors('no-new-home', { account: account.account });
    const moved = await directory.rehome(account.account, account.home, route.node);
    registry.assigned(moved.home, moved.account);
    return { account: moved, route };
  }

  /** For somebody without an account. */
  nearest(client: LatLon | undefined, exclude: readonly string[] = []): Route {
    return nearest({ ...(client ? { client } : {}), exclude }, this.deps.registry.routingNodes());
  }
}
