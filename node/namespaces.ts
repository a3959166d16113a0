/**
 * Every namespace of a node's store that is not declared beside the part that owns it. The others: protocol/log/
 * namespaces.ts, jobs/namespaces.ts, accounts/local-directory.ts, accounts/held-leases.ts, replication/ledger.ts,
 * network-record.ts.
 */
export const NODE_NAMESPACE = {
  ids: 'ids',
  members: 'members',
  drain: 'drain',
} as const;
