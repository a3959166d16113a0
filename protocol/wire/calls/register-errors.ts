/** Refusals of `/galaxy/register/1`; the code of an admission decision (coordinator/admission.ts) is one of these. */
import { defineErrors } from '../../runtime/errors.js';

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
    mend: 'Make the copy a new node: `galaxy-node init` in an empty folder, then join with a new invitation.',
  },
  'second-boot': {
    kind: 'conflict',
    say: 'Another process registered under the same key is alive: this data folder was cloned.',
    mend: 'Stop one of them, and make the copy a new node: `galaxy-node init` in an empty folder, then join with a new invitation.',
  },
  'other-store': {
    kind: 'conflict',
    say: 'The node came back with an unknown store under an old boot number: this data folder was restored or cloned.',
    mend: 'Make it a new node: `galaxy-node init` in an empty folder, then join with a new invitation.',
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
