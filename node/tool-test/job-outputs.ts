/** What a job made, by the names that tests use. */
import type { AccountView, CollectionRecord, DatasetRecord, JobRecord } from '../../protocol/account/records.js';
import { contentOf, metadataOf } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import { foundId } from '../jobs/found.js';
import type { ProducedDataset } from './verify.js';

export class JobOutputs {
  constructor(
    private readonly view: AccountView,
    private readonly job: JobRecord,
    private readonly deps: {
      blobs: Pick<BlobStore, 'path' | 'has'>;
      /** Keys of what was discovered: `output/designation`. */
      found: readonly string[];
      /** Collections of a tool that is run over one, by output. */
      implicit?: Readonly<Record<string, string>>;
    },
  ) {}

  /** As Galaxy counts: each dataset and each collection, and of a collection each element that the wrapper names. */
  get count(): number {
    return Object.keys(this.job.outputs).length + Object.keys(this.job.outputCollections ?? {}).length;
  }

  get names(): string {
    const collections = Object.keys({ ...this.job.outputCollections, ...this.deps.implicit });
    return [...new Set([...this.own, ...collections])].join(', ') || 'none';
  }

  dataset(name: string): ProducedDataset | undefined {
    const record = this.view.get('dataset', this.job.outputs[name] ?? '');
    return record && this.produced(record);
  }

  collection(name: string): CollectionRecord | undefined {
    return this.view.get('collection', this.deps.implicit?.[name] ?? this.job.outputCollections?.[name] ?? '');
  }

  discovered(output: string, designation: string): ProducedDataset | undefined {
    const record = this.view.get('dataset', foundId(this.job.id, `${output}/${designation}`));
    return record && this.produced(record);
  }

  datasetAt(index: number): ProducedDataset | undefined {
    const record = this.view.get('dataset', Object.values(this.job.outputs)[index] ?? '');
    return record && this.produced(record);
  }

  /** The dataset itself, and what was discovered for it. */
  countOf(output: string): number {
    return this.deps.found.filter((key) => key.startsWith(`${output}/`)).length + 1;
  }

  elementsOf(collection: CollectionRecord): Map<string, { dataset: ProducedDataset } | { inner: CollectionRecord }> {
    const elements = new Map<string, { dataset: ProducedDataset } | { inner: CollectionRecord }>();
    for (const { identifier, kind, id } of collection.elements) {
      const inner = kind === 'collection' ? this.view.get('collection', id) : undefined;
      const dataset = kind === 'dataset' ? this.view.get('dataset', id) : undefined;
      if (inner) elements.set(identifier, { inner });
      else if (dataset) elements.set(identifier, { dataset: this.produced(dataset) });
    }
    return elements;
  }

  private get own(): string[] {
    return Object.keys(this.job.outputs).filter((name) => !name.includes('|__part__|'));
  }

  private produced(record: DatasetRecord): ProducedDataset {
    const content = contentOf(this.view, record);
    const path = (blob: string | undefined) =>
      blob !== undefined && this.deps.blobs.has(blob) ? this.deps.blobs.path(blob) : undefined;
    const files = content?.files ?? [];
    return {
      name: record.name,
      extension: content?.extension ?? record.extension,
      path: path(files.find(({ role }) => role === 'primary')?.blob),
      state: content?.state ?? 'new',
      info: content?.info ?? record.info ?? '',
      metadata: metadataOf(content, record),
      genomeBuild: record.genomeBuild ?? '?',
      tags: record.tags ?? [],
      extraFiles: new Map(
        files.flatMap((file): [string, string][] => {
          const found = file.role === 'extra' ? path(file.blob) : undefined;
          return found === undefined ? [] : [[file.path, found]];
        }),
      ),
    };
  }
}
