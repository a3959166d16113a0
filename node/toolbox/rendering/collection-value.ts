/**
 * Several datasets as templates see them: those of a `multiple` parameter, and a collection, nested as it is. Elements
 * are found by number, by identifier as it is written, and by identifier as `keys()` gives it, which is sanitized.
 */
import { str } from '../cheetah/template.js';
import { Callable, TemplateObject, type Value } from '../cheetah/values.js';
import { nameSanitize, type Sanitize } from '../parameters/sanitizer.js';
import type { DatasetValue, NoDataset } from './template-values.js';

/** Of a parameter that takes many. */
export class DatasetsValue extends TemplateObject {
  readonly typeName = 'DatasetListWrapper';
  constructor(private readonly datasets: readonly (DatasetValue | NoDataset)[]) {
    super();
  }
  text(): string {
    return this.datasets.map((dataset) => dataset.text()).join(',');
  }
  override truth(): boolean {
    return this.datasets.some((dataset) => dataset.truth());
  }
  override plain(): Value {
    return [...this.datasets];
  }
  override iterate(): Value[] {
    return [...this.datasets];
  }
  override is(type: string): boolean {
    return type === 'list' || type === this.typeName;
  }
  attribute(name: string): Value | undefined {
    switch (name) {
      case 'is_collection':
        return false;
      case 'get_datasets_for_group':
        return ofGroup(this.datasets);
      case 'is_of_type':
        return new Callable('is_of_type', (args, meter) => {
          const one = this.datasets[0]?.attribute('is_of_type');
          return one instanceof Callable ? one.call(args, meter) : false;
        });
      default:
        return undefined;
    }
  }
}

/** Those that carry a `group:` tag. */
function ofGroup(datasets: readonly (DatasetValue | NoDataset)[]): Callable {
  return new Callable('get_datasets_for_group', ({ positional: [group] }) => {
    const wanted = str(group ?? '');
    return datasets.filter((dataset) => dataset.isOfGroup(wanted));
  });
}

export interface CollectionElement {
  identifier: string;
  value: DatasetValue | CollectionValue;
}

export interface CollectionFacts {
  name: string;
  hid: number;
  type: string;
  /** What it is called in the collection that it is part of, or that was mapped over. */
  identifier: string | undefined;
}

const LISTED_MAX = 100_000;

export class CollectionValue extends TemplateObject {
  readonly typeName = 'DatasetCollectionWrapper';
  constructor(
    private readonly facts: CollectionFacts,
    private readonly elements: readonly CollectionElement[],
    private readonly clean: Sanitize = nameSanitize,
  ) {
    super();
  }
  text(): string {
    return this.paths().join(',');
  }
  override truth(): boolean {
    return this.elements.length > 0;
  }
  override iterate(): Value[] {
    return this.elements.map(({ value }) => value);
  }
  override item(key: Value): Value | undefined {
    return typeof key === 'string' || key instanceof TemplateObject ? this.named(str(key)) : undefined;
  }

  attribute(name: string): Value | undefined {
    const { facts, elements } = this;
    switch (name) {
      case 'is_collection':
      case 'is_input_supplied':
        return true;
      case 'name':
        return this.clean(facts.identifier ?? facts.name);
      case 'element_identifier':
        return this.clean(facts.identifier ?? facts.name);
      case 'hid':
        return facts.hid;
      case 'collection_type':
        return facts.type;
      case 'collection':
        return this;
      case 'keys':
        return new Callable('keys', () => elements.map(({ identifier }) => this.clean(identifier)));
      case 'all_paths':
        return this.paths();
      case 'get_datasets_for_group':
        return ofGroup(this.datasets());
      case 'ext':
      case 'extension':
        return this.first()?.attribute('ext') ?? 'data';
      case 'is_of_type':
        return this.first()?.attribute('is_of_type') ?? new Callable('is_of_type', () => false);
      default:
        return this.named(name);
    }
  }

  private named(key: string): Value | undefined {
    const exact = this.elements.find(({ identifier }) => identifier === key);
    return (exact ?? this.elements.find(({ identifier }) => this.clean(identifier) === key))?.value;
  }

  private first(): DatasetValue | undefined {
    const [one] = this.elements;
    return one?.value instanceof CollectionValue ? one.value.first() : one?.value;
  }

  private datasets(): DatasetValue[] {
    return this.elements.flatMap(({ value }) => (value instanceof CollectionValue ? value.datasets() : [value]));
  }

  private paths(): string[] {
    const paths = this.elements.flatMap(({ value }) =>
      value instanceof CollectionValue ? value.paths() : [value.text()],
    );
    return paths.slice(0, LISTED_MAX);
  }
}

/** An optional collection that was not given. */
export class NoCollection extends TemplateObject {
  readonly typeName = 'DatasetCollectionWrapper';
  text(): string {
    return 'None';
  }
  override truth(): boolean {
    return false;
  }
  override iterate(): Value[] {
    return [];
  }
  attribute(name: string): Value | undefined {
    switch (name) {
      case 'is_collection':
        return true;
      case 'is_input_supplied':
        return false;
      case 'keys':
        return new Callable('keys', () => []);
      case 'name':
      case 'element_identifier':
        return 'None';
      default:
        return undefined;
    }
  }
}
