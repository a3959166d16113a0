/**
 * Whose entries of epoch 0 count for an account. A lease of epoch 0 is the word of the node that it names, so by itself it
 * allows any member to write anywhere: what the directory says of who made the account decides.
 */

/** `known`: what the directory has of the account; undefined when nothing. Gives a reason when they do not count. */
export function whyNotOrigin(
  run: { node: string; pusher: string },
  known: { origin?: string | undefined } | undefined,
): string | undefined {
  if (known === undefined) {
    // A node's own, which it has not claimed yet, or whose name is taken: its journal must not stop at them.
    return run.node === run.pusher ? undefined : 'the account is not in the directory, and another node wrote it';
  }
  // Claimed before the directory noted who did.
  if (known.origin === undefined || known.origin === run.node) return undefined;
  return 'it was written without a lease of the coordinator, by another node than made the account';
}
