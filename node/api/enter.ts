/**
 * The way in for a browser that the network sends here. It comes twice: first without a ticket, to get a nonce as a
 * cookie, and goes to the network with its hash; then with a ticket that is good in this browser only. So an address with
 * a ticket that somebody saw or was sent opens nothing.
 *
 * The same behind the network's own address, for a node that browsers do not reach: cookies are the network host's then.
 * The nonce is kept for some minutes rather than made anew each time, or two tabs that come at once would spoil each
 * other's.
 */
import { z } from 'zod';
import { describeError, isDomainError } from '../../protocol/runtime/errors.js';
import { randomHex } from '../../protocol/runtime/random.js';
import { nonceHash } from '../../protocol/trust/ticket.js';
import { awaitArrival, type HomeGate } from '../accounts/home-gate.js';
import { ARRIVAL_WAIT_MS } from '../accounts/homes.js';
import type { Tickets } from '../accounts/tickets.js';
import { cookieOptions, SESSION_COOKIE, setSessionCookie } from './auth.js';
import { entryPage } from './entry-page.js';
import { forgetHandOff } from './hand-off.js';
import { forgetMoves, localTarget } from './moved.js';
import type { RouteFile } from './route-file.js';
import { parse } from './validation.js';

export const ENTER_PATH = '/galaxy-node/enter';
const NONCE_COOKIE = 'galaxynonce';
const NONCE_SECONDS = 300;
const RETRY_SECONDS = 3;

const query = z.object({
  to: z.string().max(4096).optional(),
  node: z.string().max(128).optional(),
  ticket: z.string().max(8192).optional(),
});

export interface EnterDeps {
  tickets: Pick<Tickets, 'accept'>;
  homes: HomeGate;
  /** How long an account that is on its way here is waited for. */
  arrivalWaitMs?: number;
}

export function enterRoutes({ tickets, homes, arrivalWaitMs = ARRIVAL_WAIT_MS }: EnterDeps): RouteFile {
  return (app, { accounts, identity, options, random, clock, log, server }) => {
    app.get(ENTER_PATH, { exposeHeadRoute: false, config: { public: true } }, async (request, reply) => {
      const wish = parse(query, request.query);
      const to = localTarget(wish.to);
      const network = server.networkUrl?.();
      reply.headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
      if (network === undefined) return reply.redirect(to, 303);
      const again = `${network}/network/go?to=${encodeURIComponent(to)}`;
      if (wish.node !== undefined && wish.node !== identity.peerId) return reply.redirect(again, 303);
      const cookie = cookieOptions(request, options.publicUrl);
      const known = request.cookies[NONCE_COOKIE];

      if (wish.ticket === undefined) {
        const nonce = known !== undefined && /^[0-9a-f]{32}$/.test(known) ? known : randomHex(random, 16);
        reply.setCookie(NONCE_COOKIE, nonce, { ...cookie, path: ENTER_PATH, maxAge: NONCE_SECONDS });
        const asked = new URLSearchParams({ node: identity.peerId, nonce: nonceHash(nonce), to });
        return reply.redirect(`${network}/network/ticket?${asked}`, 303);
      }

      let account: string;
      try {
        account = (await tickets.accept(wish.ticket, known)).account;
      } catch (error) {
        if (!isDomainError(error, 'trust/ticket-refused')) throw error;
        // The address was loaded once more, with the back button or from the browser's memory.
        const session = accounts.sessions.open(request.cookies[SESSION_COOKIE] ?? '');
        if (session !== undefined && homes.status(session.account).at === 'here') return reply.redirect(to, 303);
        log.info({ request: request.id, reason: describeError(error) }, 'a ticket was refused');
        return reply
          .code(403)
          .type('text/html; charset=utf-8')
          .send(
            entryPage({
              title: 'This way in is not open any more',
              text: [error.message, 'Each one works once, for a minute, in one browser, and needs cookies.'],
              link: { url: again, text: 'Go to your Galaxy again' },
            }),
          );
      }
      if (!(await awaitArrival({ homes, clock }, account, arrivalWaitMs))) {
        // The ticket is spent; whoever is the home then, the network knows.
        return reply
          .code(503)
          .header('retry-after', String(RETRY_SECONDS))
          .type('text/html; charset=utf-8')
          .send(
            entryPage({
              title: 'Your Galaxy is on its way',
              text: ['Your histories are just arriving on this node. This page goes on by itself.'],
              link: { url: again, text: 'Try again now' },
              retrySeconds: RETRY_SECONDS,
            }),
          );
      }
      setSessionCookie(request, reply, accounts.sessions.issue(account).token, { accounts, options });
      forgetHandOff(request, reply, options.publicUrl);
      forgetMoves(request, reply, cookie);
      return reply.redirect(to, 303);
    });
  };
}
