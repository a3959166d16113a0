/** What can be wrong with keys, signatures and the documents that carry trust. */
import { defineErrors } from '../runtime/errors.js';

export const trustErrors = defineErrors('trust', {
  malformed: {
    kind: 'untrusted',
    say: 'A signed {kind} cannot be read: {reason}.',
    mend: 'Nothing was accepted. Ask the sender for it again.',
  },
  'wrong-kind': {
    kind: 'untrusted',
    say: 'A signed document is a {found}, where a {kind} was expected.',
    mend: 'Nothing was accepted. Ask the sender for the right one.',
  },
  'bad-signature': {
    kind: 'untrusted',
    say: 'The signature of a {kind} does not match its content.',
    mend: 'Nothing was accepted: it was changed on its way or forged.',
  },
  'wrong-signer': {
    kind: 'untrusted',
    say: 'A {kind} is signed by {signer}, who may not issue it.',
    mend: 'Nothing was accepted. Check that both sides belong to the same network.',
  },
  'other-lease': {
    kind: 'untrusted',
    say: 'A lease is not for account {account} and node {node}.',
    mend: 'Nothing was accepted. The sender has mixed up its leases.',
  },
  'wrong-network': {
    kind: 'untrusted',
    say: 'A {kind} belongs to the network {found}, not to {network}.',
    mend: 'Nothing was accepted. Check which network this node has joined.',
  },
  'key-missing': {
    kind: 'not-found',
    say: 'The key file {file} does not exist.',
    mend: 'Run `init`, or restore the data folder completely.',
  },
  'key-exists': {
    kind: 'conflict',
    say: 'The key file {file} exists already.',
    mend: 'A key is made once and never overwritten. Choose another data folder.',
  },
  'key-exposed': {
    kind: 'untrusted',
    say: 'The key file {file} can be read by other users of this machine (mode {mode}).',
    mend: 'Run `chmod 600 {file}`. If others may have read it, rejoin with a new key.',
  },
  'key-malformed': {
    kind: 'corrupt',
    say: 'The key file {file} is not an Ed25519 key: {reason}.',
    mend: 'Nothing was changed. Restore the file from a backup; a node without its key must rejoin.',
  },
  'key-unreadable': {
    kind: 'unavailable',
    say: 'The key file {file} cannot be read or written: {reason}.',
    mend: "Check the folder's owner and permissions.",
  },
  'invitation-malformed': {
    kind: 'bad-request',
    say: 'This is not an invitation: {reason}.',
    mend: 'Paste the whole line that `galaxy-coordinator invite` printed, from "galaxy-invite:" to its end.',
  },
  'invitation-expired': {
    kind: 'untrusted',
    say: 'The invitation for "{name}" expired on {expired}.',
    mend: "Ask the coordinator's operator for a new one.",
  },
  'ticket-refused': {
    kind: 'unauthenticated',
    say: 'The sign-in ticket is not valid: {reason}.',
    mend: "Open the network's address again.",
  },
  'members-full': {
    kind: 'too-many',
    say: 'The member list holds {count} entries, which is its bound.',
    mend: 'Raise the bound on every node of the network.',
  },
});
