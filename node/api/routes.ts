/** Every route file of the API, once. A resource is a file; a new one is a line here. */
import type { FastifyInstance } from 'fastify';
import type { ApiContext } from './server.js';

export type RouteFile = (app: FastifyInstance, context: ApiContext) => void;

export const ROUTE_FILES: readonly RouteFile[] = [];
