/** What a drain refuses, and why it waits. */
import { defineErrors } from '../../protocol/runtime/errors.js';

export const drainErrors = defineErrors('drain', {
  away: {
    kind: 'unavailable',
    say: 'The coordinator cannot be reached, so nothing can be handed over now.',
    mend: 'The node keeps serving and copying; the drain goes on by itself when the coordinator is back.',
  },
  'not-draining': {
    kind: 'conflict',
    say: 'No drain is under way.',
    mend: 'Start one with `galaxy-node drain`.',
  },
  'receipt-issued': {
    kind: 'conflict',
    say: 'The receipt was issued; this drain can no longer be called off.',
    mend: 'Let the node end, and start it again to serve.',
  },
  'receipt-pending': {
    kind: 'conflict',
    say: 'The receipt was asked for and the answer has not come, so it may have been issued.',
    mend: 'Wait until the coordinator answers; or stop the node and start it again.',
  },
  'account-stays': {
    kind: 'conflict',
    say: 'The coordinator named {home} as the new home of account {account}, under an epoch that is not above the known one.',
    mend: 'It is asked again; if this stays, look at the log of the coordinator.',
  },
  'accounts-stay': {
    kind: 'unavailable',
    say: '{count} account(s) could not be handed over yet; the first because: {reason}',
    mend: 'It is tried again by itself.',
  },
  'still-writing': {
    kind: 'conflict',
    say: 'The account {account} can still be written to on this node.',
    mend: 'It is sealed and tried again by itself.',
  },
  'bad-arguments': {
    kind: 'bad-request',
    say: 'The drain was asked for in a way that is not understood: {reason}.',
    mend: 'See `galaxy-node drain --help`.',
  },
  interrupted: {
    kind: 'conflict',
    say: 'The node was stopped before its drain had ended: there is no receipt, and not everything here is safe elsewhere.',
    mend: 'Keep the data folder. Starting the node again goes on with the drain.',
  },
  abandoned: {
    kind: 'conflict',
    say: 'The drain was abandoned at its deadline. Not safe elsewhere: {objects} object(s), {bytes} bytes.',
    mend: 'Keep the data folder. Starting the node again goes on with the drain.',
  },
});
