/** What can go wrong with datasets, collections and uploads. */
import { defineErrors } from '../../protocol/runtime/errors.js';

export const datasetErrors = defineErrors('datasets', {
  'not-found': { kind: 'not-found', say: 'There is no dataset with id {id} here.', mend: 'Check the id.' },
  'collection-not-found': {
    kind: 'not-found',
    say: 'There is no collection with id {id} here.',
    mend: 'Check the id.',
  },
  'element-not-found': {
    kind: 'not-found',
    say: 'There is no element of a collection with id {id} here.',
    mend: 'Check the id.',
  },
  'not-in-history': {
    kind: 'not-found',
    say: 'The item {id} is not in that history.',
    mend: 'Check both ids.',
  },
  purged: {
    kind: 'not-found',
    say: 'The dataset "{name}" was purged; its content is gone.',
    mend: 'Upload it or run its tool again.',
  },
  'is-purged': {
    kind: 'conflict',
    say: 'The dataset "{name}" was purged and cannot be changed.',
    mend: 'Purging is final.',
  },
  'not-ready': {
    kind: 'conflict',
    say: 'The dataset "{name}" has no content yet (its state is {state}).',
    mend: 'Wait until it is finished.',
  },
  'no-content': {
    kind: 'not-found',
    say: 'The dataset "{name}" has no content: {reason}.',
    mend: 'Look at its job for the reason.',
  },
  'no-such-file': {
    kind: 'not-found',
    say: 'The dataset "{name}" has no file "{file}".',
    mend: 'List its files with extra_files.',
  },
  elsewhere: {
    kind: 'unavailable',
    say: 'The content of "{name}" is not on this node and could not be fetched.',
    mend: 'Try again in a moment; it comes when a node that holds it can be reached.',
  },
  'unknown-datatype': {
    kind: 'bad-request',
    say: 'There is no datatype "{extension}".',
    mend: 'GET /api/datatypes lists them.',
  },
  'bad-collection': { kind: 'bad-request', say: 'The collection cannot be made: {reason}.', mend: '' },
  'collection-type': {
    kind: 'not-implemented',
    say: 'Collections of type "{type}" are not offered.',
    mend: 'A type is up to four of these, joined by colons, for example list:paired: {ranks}.',
  },
  'bulk-too-large': {
    kind: 'bad-request',
    say: 'An operation takes at most {max} items.',
    mend: 'Split it into several.',
  },
});

export const uploadErrors = defineErrors('uploads', {
  'not-found': {
    kind: 'not-found',
    say: 'There is no finished upload {id} of yours.',
    mend: 'Upload the file again; an upload is used once and kept for {days} days.',
  },
  incomplete: {
    kind: 'conflict',
    say: 'The upload {id} is not complete: {have} of {size} bytes are here.',
    mend: 'Resume it, then repeat this request.',
  },
  'too-large': {
    kind: 'too-large',
    say: 'The file is larger than this node takes ({max} bytes).',
    mend: 'Ask the administrator about uploads.sizeMaxBytes.',
  },
  'no-space': {
    kind: 'no-space',
    say: 'The disk of this node is too full for this upload ({free} bytes free).',
    mend: 'Nothing was stored. Try again when there is space, or at another node.',
  },
  'space-taken': {
    kind: 'no-space',
    say: 'The space left on the disk of this node ({free} bytes free) is needed for uploads that have begun ({toCome} bytes to come).',
    mend: 'Nothing was stored. Try again when they are finished, or at another node.',
  },
  'too-many': {
    kind: 'too-many',
    say: 'You have {max} uploads here that are not finished or not used yet, and more are not taken.',
    mend: 'Finish, use or remove some of them first.',
  },
  'too-much': {
    kind: 'too-many',
    say: 'Your uploads that are not finished or not used yet would come to {bytes} bytes; {max} are taken.',
    mend: 'Finish, use or remove some of them first.',
  },
  'too-many-here': {
    kind: 'unavailable',
    say: 'This node has {max} uploads that are not finished or not used yet, and takes no more now.',
    mend: 'Try again later, or at another node.',
  },
  closed: {
    kind: 'unavailable',
    say: 'This node takes no new uploads now: {reason}.',
    mend: 'Try again; the network sends you to another node.',
  },
  interrupted: {
    kind: 'bad-request',
    say: 'The upload ended before the whole file was here.',
    mend: 'Send it again; nothing was stored.',
  },
  'by-url': {
    kind: 'bad-request',
    say: 'Fetching by URL is not offered yet ({url}).',
    mend: 'Download the file and upload it.',
  },
  'bad-request': { kind: 'bad-request', say: 'The upload request is not complete: {reason}.', mend: '' },
  'not-offered': { kind: 'not-implemented', say: '{what} is not offered yet.', mend: '{mend}' },
});
