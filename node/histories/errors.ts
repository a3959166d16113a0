/** What can go wrong with histories and with lists of a user's things. */
import { defineErrors } from '../../protocol/runtime/errors.js';

export const historyErrors = defineErrors('histories', {
  'not-found': {
    kind: 'not-found',
    say: 'There is no history with id {id} here.',
    mend: 'Check the id; a purged history cannot be opened again.',
  },
  'not-accessible': {
    kind: 'forbidden',
    say: 'History is not accessible by user.',
    mend: 'Ask its owner to share it.',
  },
  'not-owner': { kind: 'not-owner', say: 'You do not own this history.', mend: 'Import a copy and change that.' },
  purged: {
    kind: 'conflict',
    say: 'The history "{name}" was purged.',
    mend: 'Purged histories cannot be changed or brought back.',
  },
  deleted: {
    kind: 'conflict',
    say: 'The history "{name}" is deleted.',
    mend: 'Undelete it first, or choose another history.',
  },
  none: {
    kind: 'bad-request',
    say: 'No history was named and there is no current one.',
    mend: 'Send history_id.',
  },
  'too-large': {
    kind: 'bad-request',
    say: 'The history "{name}" has more than {max} datasets and is not copied at once.',
    mend: 'Copy its datasets in parts.',
  },
  'bad-slug': {
    kind: 'bad-request',
    say: 'The address "{slug}" cannot be used.',
    mend: 'Use lower-case letters, digits and single hyphens.',
  },
  'slug-taken': {
    kind: 'conflict',
    say: 'The address "{slug}" is used by another of your histories.',
    mend: 'Choose another.',
  },
  'bad-filter': {
    kind: 'bad-request',
    say: 'The filter {filter} cannot be used: {reason}.',
    mend: 'Filters are pairs of q=FIELD-OPERATION and qv=VALUE.',
  },
  'bad-order': { kind: 'bad-request', say: 'Things cannot be ordered by {order}.', mend: 'Known orders: {known}.' },
});
