/** What a collection may be made of, checked before anything is written. Pure. */
import type { AccountView } from '../../protocol/account/records.js';
import { datasetErrors } from './errors.js';
import { placesIn } from './places.js';

export type NewElement = { identifier: string } & (
  | { dataset: string }
  /** What is in a collection that is there; that collection itself stays as it is. */
  | { collection: string }
  /** `type`: what the request calls it, when it says so. */
  | { elements: readonly NewElement[]; type?: string | undefined }
);

/** With the elements of collections that were named in their places. */
export type PlainElement = { identifier: string } & ({ dataset: string } | { elements: PlainElement[] });

export const ELEMENTS_MAX = 10_000;
/** Levels of a collection. */
export const RANKS_MAX = 4;
const RANKS = ['list', 'paired', 'paired_or_unpaired'] as const;

/** Errors: `datasets/collection-type`, `datasets/bad-collection`, `datasets/collection-not-found`. */
export function plainElements(view: AccountView, type: string, elements: readonly NewElement[]): PlainElement[] {
  const ranks = type.split(':');
  if (ranks.length > RANKS_MAX || !ranks.every((rank) => (RANKS as readonly string[]).includes(rank))) {
    throw datasetErrors('collection-type', { type, ranks: RANKS.join(', ') });
  }
  return new Reader(view).group(elements, ranks);
}

class Reader {
  private count = 0;

  constructor(private readonly view: AccountView) {}

  group(elements: readonly NewElement[], ranks: readonly string[]): PlainElement[] {
    this.count += elements.length;
    if (this.count > ELEMENTS_MAX) throw refuse(`it would have more than ${ELEMENTS_MAX} elements`);
    checkNames(
      elements.map(({ identifier }) => identifier),
      ranks[0] ?? '',
    );
    return elements.map((element) => this.one(element, ranks.slice(1)));
  }

  private one(element: NewElement, inner: readonly string[]): PlainElement {
    const { identifier } = element;
    const type = inner.join(':');
    if ('dataset' in element) {
      if (inner.length > 0) throw refuse(`its element "${identifier}" must be a collection of type ${type}`);
      return { identifier, dataset: element.dataset };
    }
    const said = 'collection' in element ? this.typeOf(element.collection) : element.type;
    if (inner.length === 0) throw refuse(`its element "${identifier}" must be a dataset`);
    if (said !== undefined && said !== type) {
      throw refuse(`its element "${identifier}" must be a collection of type ${type}, and is a ${said}`);
    }
    const elements = 'collection' in element ? elementsOf(this.view, element.collection) : element.elements;
    return { identifier, elements: this.group(elements, inner) };
  }

  private typeOf(id: string): string {
    const record = this.view.get('collection', id);
    if (record === undefined) throw datasetErrors('collection-not-found', { id });
    return record.collectionType;
  }
}

/** What is in a collection, as a request would name it. Errors: `datasets/collection-not-found`. */
export function elementsOf(view: AccountView, id: string): NewElement[] {
  const record = view.get('collection', id);
  if (record === undefined) throw datasetErrors('collection-not-found', { id });
  return placesIn(view, record).flatMap(({ identifier, dataset, collection }): NewElement[] => {
    if (dataset) return [{ identifier, dataset: dataset.id }];
    return collection ? [{ identifier, collection: collection.id }] : [];
  });
}

function checkNames(identifiers: readonly string[], rank: string): void {
  if (new Set(identifiers).size !== identifiers.length) throw refuse('two elements have the same identifier');
  if (identifiers.some((identifier) => identifier.trim() === '')) throw refuse('an element has no identifier');
  const names = identifiers.slice().sort().join();
  const isPair = names === 'forward,reverse';
  if (rank === 'paired' && !isPair) throw refuse('a pair has exactly the elements "forward" and "reverse"');
  if (rank === 'paired_or_unpaired' && !isPair && names !== 'unpaired') {
    throw refuse('it has the elements "forward" and "reverse", or one element "unpaired"');
  }
}

function refuse(reason: string) {
  return datasetErrors('bad-collection', { reason });
}
