/**
 * A request at the network's address: whose it is, which node it belongs to, and how it gets there. Page loads are sent
 * to nodes whose URL was verified; everything else, and everything for the other nodes, is proxied.
 *
 * A request of an account waits a little while its home is being decided: a program that gets no answer for some seconds
 * notices less than one that gets an error.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Cidr, clientAddress } from '../../protocol/runtime/addresses.js';
import { type Clock, deadline, sleep } from '../../protocol/runtime/clock.js';
import { isDomainError } from '../../protocol/runtime/errors.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { HAND_OFF_PATH, openWayBack } from '../../protocol/trust/way-back.js';
import type { Account, Directory } from '../directory.js';
import { gatewayErrors } from '../errors.js';
import type { Homes, Resolved } from '../homes.js';
import type { LatLon } from '../location.js';
import type { Peer } from '../peer.js';
import type { Registry } from '../registry.js';
import type { Sessions } from '../sessions.js';
import { refusalOf, sendRefusal, writeRefusal } from './answers.js';
import { MovesAsked } from './moves-asked.js';
import { type ProxyDeps, type ProxyOutcome, proxy } from './proxy.js';
import { kindOf, pathOf, queryOf, type RequestFacts, safeTarget } from './request-kind.js';
import { byCookie, type Whose, whose } from './whose.js';

export const NETWORK_COOKIE = 'galaxy_network';
export const AFFINITY_COOKIE = 'galaxy_network_node';
export const ENTER_PATH = '/galaxy-node/enter';

/** How long a request waits for its home to be decided or to come back. */
const HOME_WAIT_MS = 10_000;
const HOME_POLL_MS = 250;
const ATTEMPTS_MAX = 3;

export interface GatewayDeps extends ProxyDeps {
  sessions: Sessions;
  directory: Directory;
  homes: Homes;
  registry: Registry;
  /** Where a visitor's address is. */
  locate: (address: string) => LatLon | undefined;
  clock: Clock;
  log: Logger;
}

export interface GatewayOptions {
  networkUrl: () => string;
  trustedProxies: readonly Cidr[];
  streamsPerClientMax: number;
}

interface Visit extends Whose {
  facts: RequestFacts;
  client: string;
  location: LatLon | undefined;
  /** Ends when the client goes away. */
  signal: AbortSignal;
}

export class Gateway {
  /** Client address → requests under way. Holds only addresses with at least one. */
  private readonly underWay = new Map<string, number>();
  private readonly moves: MovesAsked;

  constructor(
    private readonly deps: GatewayDeps,
    private readonly options: GatewayOptions,
  ) {
    this.moves = new MovesAsked(deps);
  }

  /** Every path that is not the coordinator's own. */
  async serve(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const facts: RequestFacts = { method: request.method, url: request.raw.url ?? '/', headers: request.headers };
    const isPage = kindOf(facts) === 'page';
    const client = this.clientOf(request);
    let leave: () => void;
    try {
      leave = this.come(client);
    } catch (error) {
      sendRefusal(reply, refusalOf(error), isPage);
      return reply;
    }
    const gone = new AbortController();
    const onClose = () => {
      if (!reply.raw.writableFinished) gone.abort(new Error('the client went away'));
    };
    reply.raw.once('close', onClose);
    try {
      const visit: Visit = {
        facts,
        client,
        location: this.deps.locate(client),
        ...(await whose(this.deps, facts, request.cookies[NETWORK_COOKIE])),
        signal: gone.signal,
      };
      if (pathOf(facts.url) === ENTER_PATH || pathOf(facts.url) === HAND_OFF_PATH)
        await this.enter(request, reply, visit);
      else if (isPage) await this.page(request, reply, visit, facts.url);
      else await this.program(request, reply, visit);
    } catch (error) {
      if (gone.signal.aborted) reply.hijack();
      else this.refuse(reply, error, isPage);
    } finally {
      reply.raw.off('close', onClose);
      leave();
    }
    return reply;
  }

  /** One more request of this client. Returns what ends it. Error: `gateway/too-many-streams`. */
  private come(client: string): () => void {
    const max = this.options.streamsPerClientMax;
    const count = this.underWay.get(client) ?? 0;
    if (count >= max) throw gatewayErrors('too-many-streams', { max });
    this.underWay.set(client, count + 1);
    return () => {
      const left = (this.underWay.get(client) ?? 1) - 1;
      if (left > 0) this.underWay.set(client, left);
      else this.underWay.delete(client);
    };
  }

  /** For the coordinator's own paths: they wait for a home as well. */
  private async counted<T>(request: FastifyRequest, work: (visit: Visit) => Promise<T>): Promise<T> {
    const leave = this.come(this.clientOf(request));
    try {
      return await work(await this.visit(request));
    } finally {
      leave();
    }
  }

  /**
   * The first half of `/network/signed-in`: sends a browser back to the node where it has just signed in, with the hash of
   * the value that it has here as a cookie. Error: `gateway/bad-token`.
   */
  sendBack(reply: FastifyReply, back: string, stateHash: string, to: string, cookie: string): void {
    const { url, node } = this.wayBack(back);
    reply.header('set-cookie', cookie);
    const base = url === this.options.networkUrl().replace(/\/$/, '') ? '' : url;
    redirect(reply, `${base}${HAND_OFF_PATH}?${new URLSearchParams({ node, state: stateHash, to })}`);
  }

  private wayBack(back: string): { url: string; node: string } {
    try {
      const way = openWayBack(back, this.deps.clock.now());
      const peer = this.deps.registry.get(way.node);
      if (peer !== undefined && peer.record.state !== 'revoked') return way;
    } catch (cause) {
      throw gatewayErrors('bad-token', {}, { cause });
    }
    throw gatewayErrors('bad-token');
  }

  /** `/network/go?to=…`: to the visitor's home, or to the nearest node. */
  async go(request: FastifyRequest, reply: FastifyReply, to: string): Promise<void> {
    await this.counted(request, (visit) => this.page(request, reply, visit, to));
  }

  /** A node's browser asks for the ticket: it has set its nonce cookie and says its hash. */
  ticket(request: FastifyRequest, reply: FastifyReply, node: string, nonceHash: string, to: string): Promise<void> {
    return this.counted(request, (visit) => this.giveTicket(reply, visit, node, nonceHash, to));
  }

  private async giveTicket(reply: FastifyReply, visit: Visit, node: string, nonceHash: string, to: string) {
    if (visit.account === undefined) return redirect(reply, '/');
    const { home } = await this.home(visit);
    if (home?.record.peerId !== node) return redirect(reply, `/network/go?to=${encodeURIComponent(to)}`);
    this.deps.registry.assigned(node, visit.account.account);
    const ticket = this.deps.sessions.issueTicket(visit.account.account, node, nonceHash);
    redirect(reply, `${enterUrl(home, to)}&ticket=${ticket}`);
  }

  /**
   * For `follow.js` on a page whose node is gone or has moved. Answers with an address of the network, never with a
   * ticket: the window goes there itself, with its cookie, and gets a ticket that only its own browser can use.
   */
  whereTo(request: FastifyRequest, to: string, account: string | undefined) {
    return this.counted(request, (visit) => this.answerWhere(visit, to, account));
  }

  private async answerWhere(visit: Visit, to: string, account: string | undefined) {
    const known = visit.account ?? (account === undefined ? undefined : await this.deps.directory.byId(account));
    const url = `${this.options.networkUrl()}/network/go?to=${encodeURIComponent(to)}`;
    if (known === undefined) {
      const route = this.deps.homes.nearest(visit.location);
      const ready = route.node !== undefined;
      return { ready, url, node: null, retryAfterMs: ready ? 0 : 2000, reasons: route.reasons };
    }
    const { home, reasons, retryAfterMs } = await this.resolve(visit, known);
    return { ready: home !== undefined, url, node: home?.record.name ?? null, retryAfterMs, reasons };
  }

  refuse(reply: FastifyReply, error: unknown, asPage: boolean, retryAfterMs?: number): void {
    if (!isDomainError(error)) this.deps.log.error({ err: error }, 'a request at the gateway failed');
    if (reply.raw.headersSent) reply.raw.destroy();
    else if (reply.sent) writeRefusal(reply.raw, refusalOf(error, retryAfterMs));
    else sendRefusal(reply, refusalOf(error, retryAfterMs), asPage);
  }

  private async page(request: FastifyRequest, reply: FastifyReply, visit: Visit, to: string): Promise<void> {
    const affinity = this.affinity(request);
    if (visit.account !== undefined) {
      const resolved = await this.home(visit);
      if (resolved.home === undefined) return this.refuseAway(reply, resolved, true);
      if (
        resolved.home.url.verified ||
        affinity?.record.peerId !== resolved.home.record.peerId ||
        to !== visit.facts.url
      ) {
        this.deps.registry.assigned(resolved.home.record.peerId, resolved.account.account);
        return redirect(reply, enterUrl(resolved.home, to));
      }
      return this.program(request, reply, visit);
    }
    const node = affinity ?? this.nearest(visit);
    if (node === undefined) throw gatewayErrors('no-node');
    if (node.url.verified) return redirect(reply, `${node.record.publicUrl?.replace(/\/$/, '')}${to}`);
    if (to !== visit.facts.url) return redirect(reply, to);
    return this.program(request, reply, visit);
  }

  /** The way into a node without a URL of its own: its sign-in runs under the network's address. */
  private async enter(request: FastifyRequest, reply: FastifyReply, visit: Visit): Promise<void> {
    const node = this.deps.registry.get(queryOf(visit.facts.url).get('node') ?? '');
    if (node === undefined || !node.routable) return redirect(reply, '/network/go');
    await this.attempt(request, reply, visit, [node], true);
  }

  private async program(request: FastifyRequest, reply: FastifyReply, visit: Visit): Promise<void> {
    if (visit.account === undefined) {
      const affinity = this.affinity(request);
      const { ranked } = this.deps.homes.nearest(visit.location);
      const others = ranked.map(({ peerId }) => this.deps.registry.get(peerId)).filter((peer) => peer !== undefined);
      const nodes = affinity ? [affinity, ...others.filter((peer) => peer !== affinity)] : others;
      if (nodes.length === 0) throw gatewayErrors('no-node');
      return this.attempt(request, reply, visit, nodes, true);
    }
    const resolved = await this.home(visit);
    if (resolved.home === undefined) return this.refuseAway(reply, resolved, false);
    await this.attempt(request, reply, visit, [resolved.home], false);
  }

  /** One node after the other, as long as it is certain that nothing is done twice. */
  private async attempt(
    request: FastifyRequest,
    reply: FastifyReply,
    visit: Visit,
    candidates: readonly Peer[],
    sticky: boolean,
  ): Promise<void> {
    const nodes = [...candidates];
    const forwarded = {
      client: visit.client,
      proto: new URL(this.options.networkUrl()).protocol.slice(0, -1),
      host: request.headers.host ?? new URL(this.options.networkUrl()).host,
    };
    const repeatable = request.method === 'GET' || request.method === 'HEAD';
    const waits = deadline(HOME_WAIT_MS, visit.signal);
    for (let attempts = 1; ; attempts++) {
      const node = nodes.shift() as Peer;
      const { peerId, name } = node.record;
      const extra: Record<string, string> = {};
      if (sticky && this.affinity(request)?.record.peerId !== peerId) {
        extra['set-cookie'] = cookie(AFFINITY_COOKIE, peerId, this.isSecure());
      }
      reply.hijack();
      // A new home may hear of its lease a moment later than the first request comes. At the end the node's word counts.
      const holdMoved = visit.account !== undefined && repeatable && !waits.aborted;
      const options = { extra, holdMoved };
      const outcome = await proxy(this.deps, request.raw, reply.raw, { peerId, name }, forwarded, options);
      if (outcome.kind === 'answered') {
        if (visit.account) this.deps.registry.arrived(peerId, visit.account.account);
        return;
      }
      visit.signal.throwIfAborted();
      if (outcome.kind !== 'moved') {
        const data = { peer: peerId, outcome: outcome.kind, err: outcome.error };
        this.deps.log.warn(data, 'a request did not get through');
      }
      const mayRepeat =
        outcome.kind === 'unreached'
          ? !waits.aborted && !isDomainError(outcome.error, 'tunnel/busy')
          : repeatable && (outcome.kind === 'moved' || attempts < ATTEMPTS_MAX);
      if (!mayRepeat || !(await this.hasNext(nodes, visit, outcome))) return this.giveUp(reply, outcome, visit);
    }
  }

  /** Finds who is next; for an account that is its home as decided anew. */
  private async hasNext(nodes: Peer[], visit: Visit, outcome: ProxyOutcome): Promise<boolean> {
    if (nodes.length > 0) return true;
    if (visit.account === undefined) return false;
    // What met a connection that was just being closed works on a fresh one; what cannot connect waits for a decision.
    if (outcome.kind !== 'broken') await sleep(this.deps.clock, HOME_POLL_MS, visit.signal);
    // Its home may have changed since the request came.
    visit.account = (await this.deps.directory.byId(visit.account.account)) ?? visit.account;
    const { home } = await this.home(visit);
    if (home === undefined) return false;
    nodes.push(home);
    return true;
  }

  private giveUp(reply: FastifyReply, outcome: Exclude<ProxyOutcome, { kind: 'answered' }>, visit: Visit): void {
    visit.signal.throwIfAborted();
    writeRefusal(reply.raw, refusalOf(errorOf(outcome)));
  }

  private refuseAway(reply: FastifyReply, resolved: Resolved, asPage: boolean): void {
    const error = gatewayErrors('home-away', { reason: resolved.reasons[0] ?? 'it is not known why' });
    sendRefusal(reply, refusalOf(error, resolved.retryAfterMs), asPage);
  }

  /** The account's home; waits for one to be there. */
  private async home(visit: Visit): Promise<Resolved> {
    const waits = deadline(HOME_WAIT_MS, visit.signal);
    let account = visit.account as Account;
    for (;;) {
      const resolved = await this.resolve(visit, account);
      account = resolved.account;
      if (resolved.home !== undefined || waits.aborted) return resolved;
      const waitMs = Math.min(HOME_POLL_MS, Math.max(50, resolved.retryAfterMs));
      await sleep(this.deps.clock, waitMs, visit.signal);
      account = (await this.deps.directory.byId(account.account)) ?? account;
    }
  }

  /** Whoever only names an account need not be its user. */
  private resolve(visit: Visit, account: Account): Promise<Resolved> {
    const mayMove = () => visit.isShown || this.moves.take(account.account, visit.client);
    return this.deps.homes.resolve(account, visit.location, mayMove);
  }

  private nearest(visit: Visit): Peer | undefined {
    const { node } = this.deps.homes.nearest(visit.location);
    return node === undefined ? undefined : this.deps.registry.get(node);
  }

  /** The node that this client was proxied to before, while it takes requests. */
  private affinity(request: FastifyRequest): Peer | undefined {
    const peerId = request.cookies[AFFINITY_COOKIE];
    const peer = peerId === undefined ? undefined : this.deps.registry.get(peerId);
    return peer?.routable && peer.record.state === 'serving' ? peer : undefined;
  }

  private async visit(request: FastifyRequest): Promise<Visit> {
    const client = this.clientOf(request);
    return {
      facts: { method: request.method, url: request.raw.url ?? '/', headers: request.headers },
      client,
      location: this.deps.locate(client),
      ...(await byCookie(this.deps, request.cookies[NETWORK_COOKIE])),
      signal: deadline(HOME_WAIT_MS * 2),
    };
  }

  private clientOf(request: FastifyRequest): string {
    const remote = request.raw.socket.remoteAddress ?? '';
    return clientAddress(remote, request.headers['x-forwarded-for'], this.options.trustedProxies);
  }

  isSecure(): boolean {
    return this.options.networkUrl().startsWith('https:');
  }
}

function errorOf(outcome: Exclude<ProxyOutcome, { kind: 'answered' }>): Error {
  if (outcome.kind === 'broken') return gatewayErrors('node-failed');
  if (outcome.kind === 'moved') return gatewayErrors('home-away', { reason: 'your account is just moving' });
  if (isDomainError(outcome.error, 'tunnel/busy')) return outcome.error;
  return gatewayErrors('home-away', { reason: 'it cannot be reached' });
}

/** The node's own address when it has a verified one, else the network's. */
function enterUrl(node: Peer, to: string): string {
  const base = node.url.verified ? (node.record.publicUrl?.replace(/\/$/, '') ?? '') : '';
  return `${base}${ENTER_PATH}?node=${node.record.peerId}&to=${encodeURIComponent(safeTarget(to) ?? '/')}`;
}

/** 307 keeps the method; a ticket or a token in the address must not leave it as a referrer, nor be kept. */
export function redirect(reply: FastifyReply, to: string): void {
  reply
    .code(307)
    .header('location', to)
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .header('x-galaxy-node', 'coordinator')
    .send();
}

export function cookie(name: string, value: string, secure: boolean, maxAgeSeconds?: number, path = '/'): string {
  const age = maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`;
  return `${name}=${value}; Path=${path}; HttpOnly; SameSite=Lax${age}${secure ? '; Secure' : ''}`;
}
