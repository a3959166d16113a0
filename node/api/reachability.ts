/**
 * Proves to the coordinator that this URL leads to this node: it signs the nonce it is asked with. For everybody, because
 * the coordinator fetches it as a browser would; a signature of this kind is good for nothing else.
 */
import { z } from 'zod';
import { defineErrors } from '../../protocol/runtime/errors.js';
import type { Signer } from '../../protocol/trust/identity.js';
import { signToken } from '../../protocol/trust/signed.js';
import { REACHABILITY_KIND, REACHABILITY_PATH } from '../../protocol/wire/calls/join.js';
import type { RouteFile } from './route-file.js';
import { parse } from './validation.js';

const reachabilityErrors = defineErrors('reachability', {
  'too-many': {
    kind: 'too-many',
    say: 'This node was asked for its signature too often.',
    mend: 'Try again in a minute.',
  },
});

const query = z.object({ nonce: z.string().regex(/^[A-Za-z0-9_-]{8,128}$/, 'must be 8 to 128 letters and digits') });
const MINUTE_MS = 60_000;
/**
 * For all callers together, and far above what a coordinator asks: behind a proxy all come from one address, and a low
 * number would let any of them keep the coordinator from getting its answer.
 */
const SIGNED_PER_MINUTE_MAX = 3000;

export function reachabilityRoutes({ signer }: { signer: Signer }): RouteFile {
  return (app, { clock }) => {
    let since = clock.monotonic();
    let signed = 0;
    app.get(REACHABILITY_PATH, { exposeHeadRoute: false, config: { public: true } }, async (request, reply) => {
      const { nonce } = parse(query, request.query);
      const now = clock.monotonic();
      if (now - since >= MINUTE_MS) {
        since = now;
        signed = 0;
      }
      if (signed >= SIGNED_PER_MINUTE_MAX) throw reachabilityErrors('too-many');
      signed += 1;
      reply.header('cache-control', 'no-store');
      return { token: signToken(signer, REACHABILITY_KIND, { nonce }) };
    });
  };
}
