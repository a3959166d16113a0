/** Refusals of `/galaxy/join/1`. */
import { defineErrors } from '../../runtime/errors.js';

export const joinErrors = defineErrors('join', {
  'unknown-invitation': {
    kind: 'untrusted',
    say: 'The coordinator does not know this invitation.',
    mend: 'Check that all of the line was pasted; ask the operator for a new one when it is older than a month.',
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
  'already-member': {
    kind: 'conflict',
    say: 'This node belongs to the network already, as {name}.',
    mend: 'Keep the invitation for the institution that it was made for.',
  },
  revoked: {
    kind: 'untrusted',
    say: 'This node was revoked from the network.',
    mend: 'Ask the operator; a return needs a new invitation and a new key: `galaxy-node init` in an empty folder.',
  },
  'wrong-network': {
    kind: 'untrusted',
    say: 'The invitation is for another network.',
    mend: 'Check the line.',
  },
});
