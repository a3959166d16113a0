/** What can go wrong with an account log, for people and for the wire. */
import { defineErrors } from '../runtime/errors.js';

export const logErrors = defineErrors('log', {
  'not-home': {
    kind: 'unavailable',
    say: 'This process holds no lease for account {account}, so it may not change it.',
    mend: "Ask the network's address for the account's home and repeat the change there.",
  },
  sealed: {
    kind: 'unavailable',
    say: 'The log of account {account} is sealed here under epoch {epoch}.',
    mend: 'Repeat the change at the account’s new home.',
  },
  'invalid-entry': {
    kind: 'bad-request',
    say: 'An entry of type "{type}" cannot be written: {reason}.',
    mend: 'Nothing of this change was saved; correct the value named.',
  },
  'too-large': {
    kind: 'too-large',
    say: 'An entry of type "{type}" has {bytes} bytes; an entry may have {bytesMax}.',
    mend: 'Nothing of this change was saved; put large values into a dataset.',
  },
  untrusted: {
    kind: 'untrusted',
    say: 'A run of segment {segment} was refused: {reason}.',
    mend: 'Nothing of it was stored; look at the node that sent it and at the one that wrote it.',
  },
  'chain-broken': {
    kind: 'untrusted',
    say: 'Segment {segment} exists in two versions that differ at or before entry {seq}.',
    mend: 'Nothing was stored. A data folder was probably copied or restored: that node must start anew, with `galaxy-node init` in an empty folder and a new invitation.',
  },
  gap: {
    kind: 'conflict',
    say: 'A run of segment {segment} begins at entry {from}, and entries are here up to {has}.',
    mend: 'Send the segment from the entry after that one.',
  },
  'wrong-lease': {
    kind: 'untrusted',
    say: 'A lease is not for account {account} and epoch {epoch}.',
    mend: 'Nothing was accepted. The sender has mixed up its leases.',
  },
  'other-origin': {
    kind: 'untrusted',
    say: 'A lease of epoch 0 for account {account} is of another node than made the account.',
    mend: 'Nothing was accepted. Look at the node that wrote it.',
  },
  stopped: {
    kind: 'unavailable',
    say: 'The account log is stopped.',
    mend: 'Repeat the change when the node runs again.',
  },
  corrupt: {
    kind: 'corrupt',
    say: 'The store in {folder} is damaged at {key}: {reason}.',
    mend: 'Nothing was changed. Restore the folder from a backup, or start with an empty data folder and rejoin.',
  },
});
