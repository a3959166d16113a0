/**
 * What the directory refuses, whoever keeps it: a stand-alone node for itself, the coordinator for a network. The codes
 * cross the wire, so both sides read the same catalogue.
 */
import { defineErrors } from '../../runtime/errors.js';

export const directoryErrors = defineErrors('directory', {
  'email-taken': {
    kind: 'conflict',
    say: 'An account with this e-mail address exists already.',
    mend: 'Sign in with it, or use another address.',
  },
  'username-taken': {
    kind: 'conflict',
    say: 'This public name is taken.',
    mend: 'Choose another name.',
  },
  'account-exists': {
    kind: 'conflict',
    say: 'The account {account} is registered already, with other details.',
    mend: 'Sign in instead of signing up.',
  },
  'not-found': {
    kind: 'not-found',
    say: 'The directory knows no such account.',
    mend: 'Check the address, or sign up.',
  },
  'not-home': {
    kind: 'forbidden',
    say: 'This node is not the home of the account {account}.',
    mend: 'Send the user to the home that the directory names.',
  },
  'wrong-password': {
    kind: 'unauthenticated',
    say: 'No account matches this name and password.',
    mend: 'Check both and try again.',
  },
  'bad-hash': {
    kind: 'bad-request',
    say: 'The password hash is not argon2id within the accepted costs.',
    mend: 'Lower `passwordHashing` of the node and set the password again.',
  },
  'key-revoked': {
    kind: 'conflict',
    say: 'This API key was revoked and cannot come back.',
    mend: 'Create a new key.',
  },
  busy: {
    kind: 'too-many',
    say: 'Too many sign-ins wait to be checked.',
    mend: 'Try again in a few seconds.',
  },
  away: {
    kind: 'unavailable',
    say: "The network's directory cannot be reached at the moment.",
    mend: 'Try again in a minute; what you have open goes on working.',
  },
});
