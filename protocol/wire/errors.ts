/** What can go wrong between two processes that talk. A call that fails on the other side brings that side's own code. */
import { defineErrors } from '../runtime/errors.js';

export const wireErrors = defineErrors('wire', {
  'too-large': {
    kind: 'too-large',
    say: 'A message of {bytes} bytes passes the limit of {limit} on {protocol}.',
    mend: 'The other side runs an older version with smaller limits, or is faulty.',
  },
  malformed: {
    kind: 'bad-request',
    say: 'A message on {protocol} is not valid: {reason}.',
    mend: 'The other side runs another version, or is faulty. Compare the versions.',
  },
  'unknown-method': {
    kind: 'not-implemented',
    say: 'The call {method} is not known on {protocol}.',
    mend: 'The other side runs an older version. Update it.',
  },
  'too-many': {
    kind: 'too-many',
    say: 'Too many calls on {protocol}: at most {limit} {unit}.',
    mend: 'It is tried again by itself after a pause.',
  },
  timeout: {
    kind: 'timeout',
    say: 'The call {method} on {protocol} had no answer within {ms} ms.',
    mend: 'It is tried again by itself where that is safe. Check that the other side is not overloaded.',
  },
  truncated: {
    kind: 'unavailable',
    say: 'A message on {protocol} ended after {bytes} bytes of {expected}.',
    mend: 'The connection was lost; it is tried again by itself where that is safe.',
  },
  closed: {
    kind: 'unavailable',
    say: 'The peer {peer} ended the conversation on {protocol} without an answer.',
    mend: 'It is tried again by itself where that is safe.',
  },
  internal: {
    kind: 'internal',
    say: 'The call {method} on {protocol} failed on the other side.',
    mend: "The cause is in that side's log.",
  },
  'ids-exhausted': {
    kind: 'unavailable',
    say: 'No new ids can be given out, because the store has not confirmed the next ones.',
    mend: 'Check the disk; the node goes on by itself.',
  },
});
