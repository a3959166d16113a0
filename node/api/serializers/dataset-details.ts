/** The smaller answers about one dataset: where it is stored, what it was copied from, its extra files. */
import type { components } from '@galaxyproject/galaxy-api-client';
import type { AccountView } from '../../../protocol/account/records.js';
import type { DatasetFacts } from '../../datasets/facts.js';

type StorageDetails = components['schemas']['DatasetStorageDetails'];
type ChainEntry = components['schemas']['DatasetInheritanceChainEntry'];

const CHAIN_MAX = 100;

export function storageDetails(facts: DatasetFacts): StorageDetails {
  return {
    object_store_id: 'blobs',
    name: 'Blob store of this network',
    description: 'Kept as immutable files named by their content, with copies at other nodes.',
    percent_used: null,
    dataset_state: facts.state,
    hashes: (facts.content?.files ?? [])
      .filter(({ role }) => role === 'primary')
      .map(({ blob }) => ({ hash_function: 'CID', hash_value: blob })),
    sources: [],
    shareable: true,
    relocatable: false,
    private: false,
    quota: { source: null, enabled: false },
    badges: [],
  };
}

export function inheritanceChain(view: AccountView, facts: DatasetFacts): ChainEntry[] {
  const chain: ChainEntry[] = [];
  let from = facts.record.copiedFrom;
  while (from !== undefined && chain.length < CHAIN_MAX) {
    const source = view.get('dataset', from);
    const history = source && view.get('history', source.history);
    if (source === undefined) break;
    chain.push({ id: source.id, name: source.name, dep: history?.name ?? '', user_id: view.account });
    from = source.copiedFrom;
  }
  return chain;
}

export function extraFiles(facts: DatasetFacts): { class: 'File'; path: string }[] {
  const files = facts.content?.files ?? [];
  return files.filter(({ role }) => role === 'extra').map(({ path }) => ({ class: 'File', path }));
}
