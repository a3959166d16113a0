/**
 * What a route file is and what it gets. Apart from the server that registers route files and from the list that names
 * them, because both need it, and every route file does.
 */
import type { FastifyInstance } from 'fastify';
import type { Signer } from '../../protocol/trust/identity.js';
import type { AuthOptions } from './auth.js';
import type { ApiDeps } from './context.js';

export interface ApiServerOptions extends AuthOptions {
  /** HOST:PORT. */
  listen: string;
  /**
   * The network's address, without a slash at its end, once this node belongs to one: browsers pass through it after
   * sign-in, and the pages of an account that moved go there.
   */
  networkUrl?: () => string | undefined;
  /** This node's key, which says where browsers reach it. */
  signer?: Signer;
  /** Requests wait until it resolves: this node listens before everything behind the API is up. */
  opening?: Promise<void>;
  /** Further route files: those of other issues, and tests. */
  routes?: readonly RouteFile[];
}

/** What route files get. */
export interface ApiContext extends ApiDeps {
  server: ApiServerOptions;
}

export type RouteFile = (app: FastifyInstance, context: ApiContext) => void;
