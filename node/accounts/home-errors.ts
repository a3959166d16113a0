/** What is said of an account that is not served here at the moment, or could not be taken over. */
import { defineErrors } from '../../protocol/runtime/errors.js';

export const homeErrors = defineErrors('homes', {
  moved: {
    kind: 'moved',
    say: 'Your account is at home on another node now.',
    mend: "Open the network's address; it leads to your home.",
  },
  arriving: {
    kind: 'unavailable',
    say: 'Your account is just arriving on this node.',
    mend: 'Try again in a few seconds.',
  },
  checking: {
    kind: 'unavailable',
    say: 'This node has just come back, and asks whether your account is still at home here.',
    mend: 'Try again in a few seconds.',
  },
  leaving: {
    kind: 'unavailable',
    say: 'Your account is just moving to another node.',
    mend: 'Try again in a few seconds.',
  },
  incomplete: {
    kind: 'unavailable',
    say: 'A part of the log of account {account} that exists could not be brought here yet.',
    mend: 'It is tried again by itself.',
  },
  'no-holder': {
    kind: 'unavailable',
    say: 'No holder of the log of account {account} can be reached now.',
    mend: 'It is tried again by itself as soon as one can.',
  },
  superseded: {
    kind: 'conflict',
    say: 'The lease of account {account} with epoch {epoch} is not above what this node knows.',
    mend: 'Nothing was changed. If the coordinator was restored from a backup, see its log.',
  },
});
