/** What the coordinator refuses by itself. What crosses the wire to nodes is in protocol/wire/calls/*-errors.ts. */
import { defineErrors } from '../protocol/runtime/errors.js';

export const coordinatorErrors = defineErrors('coordinator', {
  'bad-location': {
    kind: 'bad-request',
    say: 'The location "{text}" is not a pair LAT,LON: {reason}.',
    mend: 'Write for example 59.86,17.64.',
  },
  'no-geo-database': {
    kind: 'bad-request',
    say: 'The location database {file} cannot be read: {reason}.',
    mend: 'Check the option geo.database, or set it to null: unknown visitors then go to the least loaded node.',
  },
  'other-network': {
    kind: 'conflict',
    say: 'The data folder belongs to the network "{stored}", the configuration says "{configured}".',
    mend: 'Use the folder of this network, or set networkName back.',
  },
  'other-key': {
    kind: 'conflict',
    say: 'The data folder belongs to the coordinator {stored}, the key is of {actual}.',
    mend: 'Restore the key that belongs to this folder.',
  },
  'no-such-peer': {
    kind: 'not-found',
    say: 'No member is called or has the PeerId "{peer}".',
    mend: '`galaxy-coordinator peers` lists the members.',
  },
  'peer-ambiguous': {
    kind: 'bad-request',
    say: 'Several members are called "{peer}".',
    mend: 'Name one by its PeerId.',
  },
  'unknown-invitation': {
    kind: 'not-found',
    say: 'There is no invitation {id}.',
    mend: 'See `galaxy-coordinator invitations`.',
  },
  'invitation-used': {
    kind: 'conflict',
    say: 'The invitation for {name} was used: it cannot be withdrawn.',
    mend: 'To shut that node out: `galaxy-coordinator revoke`.',
  },
  'reserved-name': {
    kind: 'bad-request',
    say: 'No institution can be called "{name}": that is the coordinator\'s own store.',
    mend: 'Choose another name.',
  },
  'too-many-invitations': {
    kind: 'too-many',
    say: 'There are {max} invitations already.',
    mend: 'Wait: each is forgotten 30 days after it was used or has expired.',
  },
  'numbers-exhausted': {
    kind: 'unavailable',
    say: 'All {max} node numbers are used; they are never used again.',
    mend: 'Nodes of this network can no longer be admitted.',
  },
  'too-many-peers': {
    kind: 'too-many',
    say: 'This network has its full {max} members.',
    mend: 'Revoke members that are gone, or raise the limit.',
  },
});

/** What a visitor at the network's address is told; the texts are shown to users. */
export const gatewayErrors = defineErrors('gateway', {
  'no-node': {
    kind: 'unavailable',
    say: 'No Galaxy node can take you at the moment.',
    mend: 'Try again in a few seconds.',
  },
  'key-revoked': {
    kind: 'unauthenticated',
    say: 'This API key has been revoked.',
    mend: 'Make a new one on the page of your API key.',
  },
  'home-away': {
    kind: 'unavailable',
    say: 'Your Galaxy node does not answer at the moment: {reason}.',
    mend: 'Try again in a few seconds; nothing that was saved is lost.',
  },
  'node-failed': {
    kind: 'unavailable',
    say: 'The Galaxy node broke the connection before it answered.',
    mend: 'Check whether the request took effect before you repeat it.',
  },
  'too-many-streams': {
    kind: 'too-many',
    say: 'Too many requests of your address are under way (at most {max}).',
    mend: 'Let some finish first.',
  },
  'bad-token': {
    kind: 'unauthenticated',
    say: 'The sign-in link is not valid any more.',
    mend: 'Sign in again.',
  },
  'too-many-sign-ins': {
    kind: 'unavailable',
    say: 'Too many people are signing in at this moment.',
    mend: 'Sign in again in a minute.',
  },
  'other-browser': {
    kind: 'forbidden',
    say: 'This sign-in was not begun in this browser, and nothing was changed by it.',
    mend: 'Sign in here yourself. If you came by a link that somebody sent you, do not use it again. Signing in needs cookies.',
  },
  'bad-parameter': {
    kind: 'bad-request',
    say: '{parameter} {reason}.',
    mend: "Open the network's address again.",
  },
  'bad-target': {
    kind: 'bad-request',
    say: 'The address to go to is not a path of this network.',
    mend: 'Start at the first page.',
  },
});
