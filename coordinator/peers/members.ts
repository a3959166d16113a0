/** `/galaxy/members/1` at the coordinator: hands out the list. It takes nothing in: here is where it is signed. */
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Host } from '../../protocol/runtime/host.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { MemberList } from '../../protocol/trust/members.js';
import { MEMBERS_PAGE_CHARS, membersCall } from '../../protocol/wire/calls/members.js';
import { answer, serveCalls } from '../../protocol/wire/rpc.js';

export async function serveMembers(deps: {
  host: Pick<Host, 'handle'>;
  members: MemberList;
  clock: Clock;
  log: Logger;
}): Promise<void> {
  const members = answer(membersCall, async ({ version, after }) => {
    const mine = deps.members.version();
    if (after === undefined && version.digest === mine.digest) return { version: mine, tokens: [] };
    const { tokens, next } = deps.members.page(after, MEMBERS_PAGE_CHARS);
    return { version: mine, tokens, ...(next !== undefined ? { next } : {}) };
  });
  await serveCalls(deps, 'members', [members]);
}
