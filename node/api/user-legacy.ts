/** Sign-in, sign-up and sign-out as Galaxy's client does them: forms outside /api, answered in JSON. */

import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { hasControlCharacters } from '../../protocol/runtime/text.js';
import type { SignedIn } from '../accounts/accounts.js';
import { accountErrors } from '../accounts/errors.js';
import { clearSessionCookie, hasCsrfToken, refuseForeignForm, setSessionCookie } from './auth.js';
import { apiErrors } from './errors.js';
import { beginHandOff, forgetHandOff, leaveToNextPage } from './hand-off.js';
import type { RouteFile } from './route-file.js';
import { flag, parse } from './validation.js';

const text = z.string().max(2048);
const loginForm = z.object({
  login: text.min(1, 'is missing: please enter your public name or email'),
  password: text,
  redirect: text.nullish(),
  session_csrf_token: text.nullish(),
});
const createForm = z.object({
  email: text,
  username: text,
  password: text,
  confirm: text.nullish(),
  redirect: text.nullish(),
  session_csrf_token: text.nullish(),
});
const logoutQuery = z.object({ session_csrf_token: text.optional(), logout_all: flag.optional() });

export const userLegacyRoutes: RouteFile = (app, context) => {
  const { accounts, options, server, clock } = context;

  /**
   * Where to go next: in a network by way of its address, which sets its own cookie and leads to the home. Without its
   * hand-off (it is away) she stays here, unless she has no page here.
   */
  const next = (
    request: FastifyRequest,
    reply: FastifyReply,
    { here, handOff }: SignedIn,
    wish: string | null | undefined,
  ): string | null => {
    const to = ownPath(wish);
    const network = server.networkUrl?.();
    if (network === undefined || handOff === undefined) {
      if (!here) throw accountErrors('elsewhere');
      return to ?? null;
    }
    const way = beginHandOff(request, reply, context, handOff, to ?? '/');
    // Without a way back to here she stays, or signs in again at an address that has one.
    if (way === undefined) return here ? (to ?? null) : `${network}/network/go`;
    if (!way.plain || request.url.startsWith('/user/create')) leaveToNextPage(request, reply, options.publicUrl);
    return way.plain ? way.url : (to ?? null);
  };

  app.post('/user/login', async (request, reply) => {
    const form = parse(loginForm, request.body);
    refuseForeignForm(request, context, server, form.session_csrf_token);
    const signedIn = await accounts.signIn({ login: form.login, password: form.password, from: request.clientAddress });
    const redirect = next(request, reply, signedIn, form.redirect);
    if (signedIn.here) setSessionCookie(request, reply, accounts.sessions.issue(signedIn.account).token, context);
    return { message: 'Success.', redirect };
  });

  app.post('/user/create', async (request, reply) => {
    const form = parse(createForm, request.body);
    refuseForeignForm(request, context, server, form.session_csrf_token);
    const byAdmin = request.caller.admin && request.caller.account !== undefined;
    if (!options.allowRegistration && !byAdmin) throw accountErrors('no-registration');
    const signedIn = await accounts.signUp(form);
    // An administrator who makes an account for somebody stays who she is.
    if (byAdmin) return { message: `Created new user account (${form.email}).`, status: 'info' };
    const redirect = next(request, reply, signedIn, form.redirect);
    setSessionCookie(request, reply, accounts.sessions.issue(signedIn.account).token, context);
    return { message: 'Success.', redirect };
  });

  for (const method of ['GET', 'POST'] as const) {
    app.route({
      method,
      url: '/user/logout',
      exposeHeadRoute: false,
      handler: async (request, reply) => {
        const query = parse(logoutQuery, { ...(request.query as object), ...(request.body as object | undefined) });
        const { session } = request;
        if (session) {
          // A link on another site must not sign anyone out.
          const site = request.headers['sec-fetch-site'];
          const own = site === 'same-origin' || site === 'none';
          if (!own && !hasCsrfToken(request, query.session_csrf_token)) throw apiErrors('cross-site');
          if (query.logout_all) await accounts.signOutEverywhere(session.account);
          else await accounts.signOut(session);
          context.log.info({ account: session.account, at: clock.now() }, 'signed out');
        }
        clearSessionCookie(request, reply, options.publicUrl);
        forgetHandOff(request, reply, options.publicUrl);
        // The client goes there; the network's address forgets her too, or it would send her straight back in.
        const network = server.networkUrl?.();
        const signedOut = network === undefined ? {} : { redirect_uri: `${network}/network/signed-out?to=/` };
        return { message: 'Success.', ...signedOut };
      },
    });
  }

  app.get('/root/login', async (_request, reply) => reply.redirect('/login/start', 302));

  // Nothing here can send e-mail. The client shows the sentence.
  for (const url of ['/user/reset_password', '/user/change_password', '/user/resend_verification']) {
    app.post(url, async (request) => {
      throw apiErrors('not-implemented', { method: 'POST', path: request.url.split('?')[0] });
    });
  }
};

/** A path on this server, or undefined: what a form asks for must not lead to another site. */
export function ownPath(wish: string | null | undefined): string | undefined {
  if (!wish || !/^\/(?![/\\])/.test(wish)) return undefined;
  // Browsers drop control characters, and what is left may be another site.
  return wish.includes('\\') || hasControlCharacters(wish) ? undefined : wish;
}
