/** What can go wrong with accounts. The sentences are Galaxy's own where its clients show or test them. */
import { defineErrors } from '../../protocol/runtime/errors.js';

export const accountErrors = defineErrors('accounts', {
  invalid: { kind: 'bad-request', say: '{message}', mend: '' },
  'email-exists': { kind: 'bad-request', say: "User with email '{email}' already exists.", mend: '' },
  'username-exists': { kind: 'bad-request', say: 'Public name is taken; please choose another.', mend: '' },
  'wrong-login': { kind: 'unauthenticated', say: 'No such user or invalid password.', mend: '' },
  'wrong-password': { kind: 'bad-request', say: 'Invalid current password.', mend: '' },
  'too-many-attempts': {
    kind: 'too-many',
    say: 'Too many failed sign-ins for this account or from this address.',
    mend: 'Wait a few minutes and try again.',
  },
  busy: { kind: 'unavailable', say: 'Too many sign-ins wait to be checked.', mend: 'Try again in a few seconds.' },
  'no-registration': {
    kind: 'forbidden',
    say: 'User registration is disabled. Please contact the local Galaxy administrator for an account.',
    mend: '',
  },
  deleted: {
    kind: 'unauthenticated',
    say: 'This account has been marked deleted, contact the local Galaxy administrator to restore the account.',
    mend: '',
  },
  'not-found': { kind: 'not-found', say: 'There is no user with id {id} here.', mend: '' },
  elsewhere: {
    kind: 'unavailable',
    say: 'This account is at home on another node at the moment.',
    mend: "Open the network's address; it leads there.",
  },
  'key-file': {
    kind: 'corrupt',
    say: 'The key file {file} cannot be used: {reason}.',
    mend: 'Restore it from a backup of the data folder. Without it stored API keys work on, and cannot be shown again.',
  },
});
