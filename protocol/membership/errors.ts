/** What can be wrong with what peers say of themselves. */
import { defineErrors } from '../runtime/errors.js';

export const membershipErrors = defineErrors('membership', {
  'malformed-digest': {
    kind: 'untrusted',
    say: 'A heartbeat cannot be read: {reason}.',
    mend: 'The sender runs another version, or is faulty; its heartbeat is ignored.',
  },
});
