/** What the coordinator's core refuses. Errors of the directory are in protocol/wire/calls/directory-errors.ts. */
import { defineErrors } from '../protocol/runtime/errors.js';

export const coordinatorErrors = defineErrors('coordinator', {
  'bad-location': {
    kind: 'bad-request',
    say: 'The location "{text}" is not a pair LAT,LON: {reason}.',
    mend: 'Write for example 59.86,17.64.',
  },
  'bad-cidr': {
    kind: 'bad-request',
    say: '"{text}" is not an address range: {reason}.',
    mend: 'Write for example 192.0.2.0/24 or 2001:db8::/32.',
  },
  'no-geo-database': {
    kind: 'bad-request',
    say: 'The location database {file} cannot be read: {reason}.',
    mend: 'Check the option geo.database, or set it to null: unknown visitors then go to the least loaded node.',
  },
  'other-network': {
    kind: 'conflict',
    say: 'The data folder belongs to the network "{stored}", the configuration says "{configured}".',
    mend: 'Use the folder of this network, or set networkName back.',
  },
  'other-key': {
    kind: 'conflict',
    say: 'The data folder belongs to the coordinator {stored}, the key is of {actual}.',
    mend: 'Restore the key that belongs to this folder.',
  },
  'no-such-peer': {
    kind: 'not-found',
    say: 'No member is called or has the PeerId "{peer}".',
    mend: '`galaxy-coordinator peers` lists the members.',
  },
  'peer-ambiguous': {
    kind: 'bad-request',
    say: 'Several members are called "{peer}".',
    mend: 'Name one by its PeerId.',
  },
  'numbers-exhausted': {
    kind: 'unavailable',
    say: 'All {max} node numbers are used; they are never used again.',
    mend: 'Nodes of this network can no longer be admitted.',
  },
  'too-many-peers': {
    kind: 'too-many',
    say: 'This network has its full {max} members.',
    mend: 'Revoke members that are gone, or raise the limit.',
  },
});

/** Refusals of `/galaxy/join/1`. */
export const joinErrors = defineErrors('join', {
  'unknown-invitation': {
    kind: 'untrusted',
    say: 'The coordinator does not know this invitation.',
    mend: 'Ask the operator for a new line; check that all of it was pasted.',
  },
  'used-invitation': {
    kind: 'untrusted',
    say: 'This invitation was used by another node.',
    mend: 'Ask the operator for a new one: each is for one node.',
  },
  'expired-invitation': {
    kind: 'untrusted',
    say: 'This invitation has expired.',
    mend: 'Ask the operator for a new one.',
  },
  revoked: {
    kind: 'untrusted',
    say: 'This node was revoked from the network.',
    mend: 'Ask the operator; a return needs a new invitation and `galaxy-node rejoin` (new key, new number).',
  },
  'wrong-network': {
    kind: 'untrusted',
    say: 'The invitation is for another network.',
    mend: 'Check the line.',
  },
});

/** Refusals of `/galaxy/register/1`; the code of an admission decision (admission.ts) is one of these. */
export const registerErrors = defineErrors('register', {
  'not-a-member': {
    kind: 'untrusted',
    say: 'This node is not a member of the network.',
    mend: 'Join with an invitation.',
  },
  revoked: {
    kind: 'untrusted',
    say: 'This node was revoked from the network.',
    mend: 'Ask the operator of the coordinator.',
  },
  'credential-expired': {
    kind: 'untrusted',
    say: 'The credential of this node expired on {expired}.',
    mend: 'Ask the operator for a new invitation and join again.',
  },
  'old-boot': {
    kind: 'conflict',
    say: 'Boot number {boot} was used before (the last was {last}): this data folder was restored or cloned.',
    mend: 'Run `galaxy-node rejoin` on the copy (new key, new number).',
  },
  'second-boot': {
    kind: 'conflict',
    say: 'Another process registered under the same key is alive: this data folder was cloned.',
    mend: 'Stop one of them and run `galaxy-node rejoin` on the copy (new key, new number).',
  },
  'other-store': {
    kind: 'conflict',
    say: 'The node came back with an unknown store under an old boot number: this data folder was restored or cloned.',
    mend: 'Run `galaxy-node rejoin` (new key, new number).',
  },
  'clock-skew': {
    kind: 'bad-request',
    say: 'The clock of this node is {seconds} s away from the coordinator; at most {max} s are accepted.',
    mend: 'Set the clock (for example with chrony or systemd-timesyncd) and start again.',
  },
  'protocol-version': {
    kind: 'bad-request',
    say: 'This node runs version {version}; the network needs at least {needed}.',
    mend: 'Update the node.',
  },
  'no-reachable-url': {
    kind: 'bad-request',
    say: 'This network needs nodes with a public URL that the coordinator can reach: {reason}.',
    mend: 'Set publicUrl to an HTTPS address that reaches this node from outside.',
  },
});

/** What a visitor at the network's address is told; the texts are shown to users. */
export const gatewayErrors = defineErrors('gateway', {
  'no-node': {
    kind: 'unavailable',
    say: 'No Galaxy node can take you at the moment.',
    mend: 'Try again in a few seconds.',
  },
  'home-away': {
    kind: 'unavailable',
    say: 'Your Galaxy node does not answer at the moment: {reason}.',
    mend: 'Try again in a few seconds; nothing that was saved is lost.',
  },
  'node-failed': {
    kind: 'unavailable',
    say: 'The Galaxy node broke the connection before it answered.',
    mend: 'Check whether the request took effect before you repeat it.',
  },
  'too-many-streams': {
    kind: 'too-many',
    say: 'Too many requests of your address are under way (at most {max}).',
    mend: 'Let some finish first.',
  },
  'bad-token': {
    kind: 'unauthenticated',
    say: 'The sign-in link is not valid any more.',
    mend: 'Sign in again.',
  },
  'bad-target': {
    kind: 'bad-request',
    say: 'The address to go to is not a path of this network.',
    mend: 'Start at the first page.',
  },
});

/** Refusals of a drain; see receipts.ts. */
export const handoverErrors = defineErrors('handover', {
  'not-draining': {
    kind: 'conflict',
    say: 'The node has not announced a drain.',
    mend: 'Start the drain with `galaxy-node drain`.',
  },
  'too-few-domains': {
    kind: 'conflict',
    say: '{domains} other institution(s) or repositories serve now, {copies} are needed.',
    mend: 'Wait for another node, or drain with `--accept-copies {domains}` and accept the risk.',
  },
  'no-new-home': {
    kind: 'unavailable',
    say: 'No serving node can take over the account {account}.',
    mend: 'Wait until another node serves.',
  },
  'accounts-left': {
    kind: 'conflict',
    say: '{count} account(s) still have their home on this node.',
    mend: 'Hand them over first.',
  },
  'not-safe': {
    kind: 'conflict',
    say: '{objects} object(s) with {bytes} bytes are not safe elsewhere yet (first: {first}).',
    mend: 'Go on copying and ask again.',
  },
  'inventory-order': {
    kind: 'bad-request',
    say: 'The inventory is not sorted, or a page is missing: {reason}.',
    mend: 'Send it again from the start.',
  },
  'inventory-too-large': {
    kind: 'too-large',
    say: 'The inventory has more than {max} objects.',
    mend: 'Report this: the limit has to be raised.',
  },
  'receipt-invalid': {
    kind: 'corrupt',
    say: 'The receipt is not valid: {reason}.',
    mend: 'Do not delete the data folder.',
  },
});
