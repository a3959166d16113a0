/** The entry types in docs/protocol/log.md are those of the code: one without its line does not compile. */
import { describe, expect, it } from 'vitest';
import { ENTRY_VERSION, type EntryType, entrySchemas } from '../../../protocol/account/entries.js';
import { expectSection, table } from './markdown.js';

const SAID: Record<EntryType, string> = {
  'account.created': 'an account: address, name, hash of the password',
  'account.updated': 'other such fields, preferences, the current history; sign-ins before a time are over',
  'key.created': 'an API key: its hash, and the key sealed',
  'key.revoked': 'it is no key any more',
  'session.revoked': 'a sign-in is over before its time',
  'history.created': 'a history',
  'history.updated': 'its name, tags, annotation, marks',
  'history.purged': 'it is gone for good',
  'dataset.created': 'a dataset of a history; with its content when it is a copy or was found after a run',
  'dataset.updated': 'its name, datatype, build, metadata, marks, and what looking at its bytes again gave',
  'dataset.files': 'more files of its content, a part',
  'dataset.purged': 'it is gone for good',
  'collection.created': 'a list, pair or nested collection; `parent` when it is an element of another',
  'collection.elements': 'what is in it, a part: found after a run, or too long for one entry',
  'collection.updated': 'its name, tags, marks',
  'user_tool.created': 'a tool that its owner wrote, whole',
  'user_tool.updated': 'whether it is active and shown',
  'item.hid': 'the number in the history that the home has settled',
  'job.submitted': 'a job: tool, parameters, inputs, outputs',
  'job.started': 'an attempt, and at which node',
  'job.cancelled': 'its owner does not want it any more',
  'job.outcome':
    'how a run ended: state, exit code, the beginning of its logs, content of every declared output, `found`',
};

describe('the entry types in docs/protocol/log.md', () => {
  it('are those that nodes read and write', () => {
    expect(Object.keys(SAID).sort()).toEqual(Object.keys(entrySchemas).sort());
    const rows = Object.keys(entrySchemas).map((type) => [`\`${type}\``, SAID[type as EntryType]]);
    const version = `Each is of version ${ENTRY_VERSION}.`;
    expectSection('docs/protocol/log.md', 'entry types', `${table(['type', 'what it says'], rows)}\n\n${version}`);
  });
});
