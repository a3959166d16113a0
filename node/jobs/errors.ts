/** What can go wrong with jobs, in words for the person who submitted them. */
import { defineErrors } from '../../protocol/runtime/errors.js';

export const jobErrors = defineErrors('jobs', {
  'queue-full': {
    kind: 'too-many',
    say: 'The job queue of this node is full: {waiting} jobs are not done, {max} may be; {wanted} more were not accepted.',
    mend: 'Wait until some jobs have ended, or submit fewer at once.',
  },
  'not-found': {
    kind: 'not-found',
    say: 'There is no job {job} here.',
    mend: 'Check the id; a job belongs to the account that submitted it.',
  },
  'too-large': {
    kind: 'too-large',
    say: 'The parameters of job {index} of this request are {bytes} bytes long; at most {max} are possible.',
    mend: 'Put long texts into a dataset and give the tool that.',
  },
  'partly-accepted': {
    kind: 'unavailable',
    say: 'Only the first {accepted} of {total} jobs were accepted: {reason}',
    mend: 'Those will run. Submit the others again.',
  },
  'too-many-files': {
    kind: 'too-large',
    say: 'One upload request may bring at most {max} files; this one has {count}.',
    mend: 'Upload in several requests.',
  },
  'nothing-to-upload': {
    kind: 'bad-request',
    say: 'The upload request names no file.',
    mend: 'Send at least one file or text.',
  },
  'spool-failed': {
    kind: 'unavailable',
    say: 'The pasted text could not be saved: {reason}.',
    mend: 'Check the disk of this node and upload again.',
  },
  'no-space': {
    kind: 'no-space',
    say: 'The disk of this node is full; the pasted text was not saved.',
    mend: 'Free some space and upload again.',
  },
  'no-home': {
    kind: 'unavailable',
    say: "The outcome of job {job} could not be reported: this node is not the account's home and knows no way to it.",
    mend: 'It is kept and reported as soon as the home can be reached.',
  },
  'not-home': {
    kind: 'conflict',
    say: "A word about job {job} came to this node, which is not the account's home now.",
    mend: 'It is said again by itself, or the home asks.',
  },
  'bad-outcome': {
    kind: 'bad-request',
    say: 'The reported outcome of a job is not valid: {reason}.',
    mend: 'Check that both nodes run compatible versions.',
  },
  'foreign-outcome': {
    kind: 'forbidden',
    say: 'The outcome of job {job} says that node {executor} ran it, but node {peer} reported it.',
    mend: 'A node reports only what it ran itself. Look at the reporting node.',
  },
  'later-epoch': {
    kind: 'conflict',
    say: 'The outcome of job {job} is of epoch {epoch}; this home of the account knows none above {current}.',
    mend: 'It is reported again by itself, to the home of that epoch.',
  },
  'still-running': {
    kind: 'timeout',
    say: '{running} jobs were still running at the deadline.',
    mend: 'Wait longer, or release them: they start again elsewhere.',
  },
});
