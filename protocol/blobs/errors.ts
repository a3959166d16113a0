/** What can go wrong with blobs, here and on the way to another node. */
import { defineErrors } from '../runtime/errors.js';

export const blobErrors = defineErrors('blobs', {
  'not-found': {
    kind: 'not-found',
    say: 'The blob {blob} is not on this node.',
    mend: 'Fetch it from a holder first.',
  },
  'malformed-id': {
    kind: 'malformed-id',
    say: '"{blob}" is not the id of a blob.',
    mend: 'Ids of blobs begin with "bafkr4i" and have 59 characters.',
  },
  'bad-manifest': {
    kind: 'corrupt',
    say: 'The manifest of blob {blob} is not valid: {reason}.',
    mend: 'Fetch it from another holder.',
  },
  'bad-record': {
    kind: 'corrupt',
    say: 'The record of blob {blob} in the store cannot be read.',
    mend: 'Nothing was changed. Restore the data folder from a backup, or start with an empty one and rejoin.',
  },
  'wrong-bytes': {
    kind: 'corrupt',
    say: 'Chunk {chunk} of blob {blob} does not have the bytes that its manifest promises.',
    mend: 'Nothing was stored; it is fetched from another holder.',
  },
  'bad-range': {
    kind: 'bad-request',
    say: 'Bytes {start} to {end} are not inside blob {blob}, which has {size}.',
    mend: 'Ask for a range inside the blob.',
  },
  incomplete: {
    kind: 'conflict',
    say: 'Blob {blob} still lacks {missing} of its chunks.',
    mend: 'Write the missing chunks first.',
  },
  exists: {
    kind: 'conflict',
    say: 'Blob {blob} is already here.',
    mend: 'Nothing needs to be done.',
  },
  busy: {
    kind: 'conflict',
    say: 'Blob {blob} is being received already.',
    mend: 'Wait until that has ended and ask again.',
  },
  'no-space': {
    kind: 'no-space',
    say: 'There is no room for {needed} more bytes of data on this node.',
    mend: 'Free some space on the disk or raise storage.capacityBytes; it goes on by itself afterwards.',
  },
  'too-large': {
    kind: 'too-large',
    say: 'The data is larger than {sizeMax} bytes.',
    mend: 'Split it, or ask the administrator for a larger limit.',
  },
  'not-a-file': {
    kind: 'bad-request',
    say: '{file} is not a plain file: {reason}.',
    mend: 'Give the path of a regular file.',
  },
  changed: {
    kind: 'conflict',
    say: '{file} changed while it was taken in.',
    mend: 'Close the file in every program and try again.',
  },
  damaged: {
    kind: 'corrupt',
    say: 'The file of blob {blob} on this node is damaged: {reason}.',
    mend: 'It was moved aside; fetch the blob from another holder.',
  },
  unavailable: {
    kind: 'unavailable',
    say: 'Blob {blob} could not be had from any of {sources} sources: {reasons}.',
    mend: 'Try again when a holder can be reached.',
  },
  'not-allowed': {
    kind: 'forbidden',
    say: 'The other node does not take or give blob {blob}: {reason}.',
    mend: 'Ask a node that holds data of this account.',
  },
  'too-many': {
    kind: 'too-many',
    say: 'Too many requests for blobs at once.',
    mend: 'Go on more slowly.',
  },
  refused: {
    kind: 'unavailable',
    say: '{reason} ({code})',
    mend: 'Another holder is asked.',
  },
  protocol: {
    kind: 'bad-request',
    say: 'The other node broke the blob protocol: {reason}.',
    mend: 'Both nodes may need the same version.',
  },
  stalled: {
    kind: 'timeout',
    say: 'Nothing came from the other node for {seconds} seconds.',
    mend: 'It is tried again, or another holder is asked.',
  },
  failed: {
    kind: 'internal',
    say: 'Blob {blob} could not be stored or read on the other node.',
    mend: "The cause is in that node's log.",
  },
  'given-up': {
    kind: 'unavailable',
    say: 'The sender gave up blob {blob}: {reason}.',
    mend: 'It is fetched from another holder.',
  },
  stopped: {
    kind: 'unavailable',
    say: 'The blob store is stopping.',
    mend: 'Try again when the node runs.',
  },
});
