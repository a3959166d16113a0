import { describe, expect, it } from 'vitest';
import { JobOutputs } from '../../../node/tool-test/job-outputs.js';
import type { AccountView, JobRecord } from '../../../protocol/account/records.js';

const records: Record<string, object> = {
  c1: { id: 'c1', collectionType: 'list', elements: [{ identifier: 'a', kind: 'dataset', id: 'd1' }] },
  c2: { id: 'c2', collectionType: 'list', elements: [] },
  d1: { id: 'd1', name: 'one', extension: 'txt', metadata: {}, purged: false },
};
const view = { get: (_kind: string, id: string) => records[id] } as unknown as AccountView;
const job = { id: 'j', outputs: { out: 'd1' }, outputCollections: { many: 'c2' } } as unknown as JobRecord;
const blobs = { path: (blob: string) => blob, has: () => false };

describe('what a job made, by name', () => {
  it('are its own outputs and collections', () => {
    const outputs = new JobOutputs(view, job, { blobs, found: [] });
    expect(outputs.names).toBe('out, many');
    expect(outputs.collection('many')?.id).toBe('c2');
    expect(outputs.collection('out')).toBeUndefined();
  });

  it('and the collection of each output of a tool that is run over a collection', () => {
    const outputs = new JobOutputs(view, job, { blobs, found: [], implicit: { out: 'c1' } });
    expect(outputs.names).toBe('out, many');
    const collection = outputs.collection('out');
    expect(collection && [...outputs.elementsOf(collection).keys()]).toEqual(['a']);
    expect(outputs.dataset('out')?.name).toBe('one');
  });
});
