/** GET /api/version: asked before anything else by the client and by BioBlend. */
import type { FastifyInstance } from 'fastify';
import { GALAXY_VERSION } from '../version.js';

export function versionRoutes(app: FastifyInstance): void {
  app.get('/api/version', async () => ({
    version_major: GALAXY_VERSION.major,
    version_minor: GALAXY_VERSION.minor,
    extra: {},
  }));
}
