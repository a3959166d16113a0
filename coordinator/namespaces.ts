/** Every storage namespace of the coordinator, in one place: two parts that shared one would overwrite each other. */
export const NAMESPACES = {
  /** Counters and facts about this coordinator: term, last epoch, last node number, network key, list version. */
  meta: 'meta',
  /** The signed member list; see protocol/trust/members.ts. */
  members: 'members',
  /** PeerId → what else must be remembered of a peer. */
  peers: 'peers',
  /** Invitation id → invitation. */
  invitations: 'invitations',
  /** Account id → account. */
  accounts: 'accounts',
  /** Lower-case e-mail → account id. */
  emails: 'emails',
  /** Lower-case public name → account id. */
  usernames: 'usernames',
  /** SHA-256 of an API key → account id, or revoked for ever. */
  keys: 'keys',
  /** `<home>/<account>`: the accounts of a home without reading all of them. */
  homes: 'homes',
  /** Ids of single-use tokens, until they would have expired. */
  spent: 'spent',
  /** Drains under way; see inventories.ts. */
  drains: 'drains',
  inventories: 'inventories',
  comparisons: 'comparisons',
  /** Receipt id → signed receipt. */
  receipts: 'receipts',
} as const;
