/** A collection among the outputs, as a template sees it: `$pair.forward`, `$pair['forward']`, `for $key in $pair.keys()`. */
import { Callable, TemplateObject, type Value } from '../cheetah/values.js';
import { nameSanitize } from '../parameters/sanitizer.js';
import type { OutputValue } from './template-values.js';

export type OutputNode = OutputValue | OutputCollectionValue;

export class OutputCollectionValue extends TemplateObject {
  readonly typeName = 'DatasetCollectionWrapper';

  constructor(
    private readonly collection: { name: string; label: string; collectionType: string },
    readonly elements: Map<string, OutputNode>,
  ) {
    super();
  }

  text(): string {
    return nameSanitize(this.collection.label);
  }

  override truth(): boolean {
    return true;
  }

  override iterate(): Value[] {
    return [...this.elements.values()];
  }

  override item(key: Value): Value | undefined {
    if (typeof key === 'string') return this.elements.get(key);
    return typeof key === 'number' ? [...this.elements.values()].at(key) : undefined;
  }

  attribute(name: string): Value | undefined {
    const element = this.elements.get(name);
    if (element) return element;
    switch (name) {
      case 'is_collection':
        return true;
      case 'collection_type':
        return this.collection.collectionType;
      case 'name':
        return nameSanitize(this.collection.label);
      case 'keys':
        return new Callable('keys', () => [...this.elements.keys()].map(nameSanitize));
      default:
        return undefined;
    }
  }
}
