/**
 * Must be the first import of every entry point, forked child and test setup that uses libp2p: it needs
 * Promise.withResolvers, which Node 20 lacks, and without it connections fail with a bare ECONNRESET. On Node 22 and
 * later it changes nothing.
 */
import 'core-js/actual/promise/with-resolvers.js';
