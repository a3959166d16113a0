/**
 * The coordinator in the gossip of heartbeats: it hands them on, so that nodes which cannot dial each other hear of each
 * other through it. It decides nothing by them; its own view comes from the registration streams.
 */

import { type Digest, heartbeatTopic, judgeDigest } from '../../protocol/membership/heartbeat.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Host } from '../../protocol/runtime/host.js';
import type { MemberList } from '../../protocol/trust/members.js';

export function relayHeartbeats(
  deps: { host: Pick<Host, 'subscribe'>; members: Pick<MemberList, 'admits' | 'onChange' | 'get'>; clock: Clock },
  options: { network: string },
): void {
  // Holds members only: whoever is not one is ignored before it is looked up.
  const last = new Map<string, Pick<Digest, 'boot' | 'sequence'>>();
  deps.members.onChange(({ peers }) => {
    for (const peer of peers) if (deps.members.get(peer) === undefined) last.delete(peer);
  });
  deps.host.subscribe(
    heartbeatTopic(options.network),
    (from, bytes) => {
      const now = deps.clock.now();
      const admits = (peer: string) => deps.members.admits(peer, now);
      const judged = judgeDigest(from, bytes, { admits, last: (peer) => last.get(peer), now });
      if (judged.verdict === 'accept') last.set(from, { boot: judged.digest.boot, sequence: judged.digest.sequence });
      return judged.verdict;
    },
    () => {},
  );
}
