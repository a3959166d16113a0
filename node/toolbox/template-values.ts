/**
 * What templates see of datasets and parameters. Attributes are answered by name, one by one: nothing of the node can
 * be reached through them. Everything that a user wrote (names, identifiers, metadata) passes the sanitizer before it
 * can get into a command line; `raw` is for labels, which no shell reads.
 */
import type { JsonObject, JsonValue } from '../../protocol/log/entry.js';
import { Callable, Dict, Float, numeric, plain, str, TemplateObject, type Value } from './cheetah/values.js';
import type { LoadedParameter } from './loaded.js';
import { defaultSanitize, type Sanitize } from './sanitizer.js';
import type { ToolDataset } from './tool.js';

/** Whether a dataset of `extension` is one of `formats`. */
export type Accepts = (formats: readonly string[], extension: string) => boolean;

/** The extension that counts: what the user or the wrapper said, else what the bytes said. */
export function extensionOf({ record, content }: ToolDataset): string {
  const undecided = record.extension === '' || record.extension === 'auto' || record.extension === '_sniff_';
  return undecided ? (content?.extension ?? (record.extension || 'auto')) : record.extension;
}

export function genomeBuildOf({ record, content }: ToolDataset): string {
  const known = record.genomeBuild ?? content?.metadata.dbkey;
  const build = Array.isArray(known) ? known[0] : known;
  return typeof build === 'string' && build !== '' ? build : '?';
}

export function jsonValue(value: JsonValue): Value {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : new Float(value);
  if (Array.isArray(value)) return value.map(jsonValue);
  return new Dict(Object.entries(value).map(([key, item]): [Value, Value] => [key, jsonValue(item)]));
}

class Metadata extends TemplateObject {
  readonly typeName = 'MetadataCollection';
  constructor(
    private readonly values: JsonObject,
    private readonly clean: Sanitize,
  ) {
    super();
  }
  text(): string {
    return '';
  }
  attribute(name: string): Value {
    if (!Object.hasOwn(this.values, name)) return null;
    const value = this.values[name] ?? null;
    // Lists print as Galaxy prints them: joined by commas.
    if (Array.isArray(value)) return this.clean(value.map((item) => String(item ?? '')).join(','));
    return typeof value === 'string' ? this.clean(value) : jsonValue(value);
  }
}

export class DatasetValue extends TemplateObject {
  readonly typeName = 'DatasetFilenameWrapper';
  private readonly extension: string;

  constructor(
    private readonly dataset: ToolDataset,
    private readonly path: string,
    private readonly identifier: string | undefined,
    private readonly accepts: Accepts,
    private readonly clean: Sanitize = defaultSanitize,
  ) {
    super();
    this.extension = extensionOf(dataset);
  }

  text(): string {
    return this.path;
  }

  attribute(name: string): Value | undefined {
    const { record, content, hid } = this.dataset;
    switch (name) {
      case 'ext':
      case 'extension':
      case 'file_ext':
        return this.clean(this.extension);
      case 'name':
        return this.clean(record.name);
      case 'element_identifier':
        return this.clean(this.identifier ?? record.name);
      case 'hid':
        return hid;
      case 'id':
      case 'dataset_id':
        return record.id;
      case 'dbkey':
      case 'genome_build':
        return this.clean(genomeBuildOf(this.dataset));
      case 'file_name':
        return this.path;
      case 'files_path':
      case 'extra_files_path':
        return `${this.path}_files`;
      case 'metadata':
        return new Metadata(
          { ...content?.metadata, ...record.metadata, dbkey: genomeBuildOf(this.dataset) },
          this.clean,
        );
      case 'state':
        return content?.state ?? 'new';
      case 'is_collection':
        return false;
      case 'dataset':
      case 'datatype':
        return this;
      case 'is_of_type':
        return isOfType(this.extension, this.accepts);
      case 'has_data':
        return new Callable('has_data', () => (content?.size ?? 0) > 0);
      case 'get_size':
        return new Callable('get_size', () => content?.size ?? 0);
      default:
        return undefined;
    }
  }
}

function isOfType(extension: string, accepts: Accepts): Callable {
  return new Callable('is_of_type', ({ positional }) => accepts(positional.map(str), extension));
}

/** An optional dataset that was not given: false, and `None` as text. */
export class NoDataset extends TemplateObject {
  readonly typeName = 'NoneDataset';
  text(): string {
    return 'None';
  }
  override truth(): boolean {
    return false;
  }
  attribute(name: string): Value | undefined {
    switch (name) {
      case 'ext':
      case 'extension':
        return 'data';
      case 'name':
      case 'element_identifier':
        return 'None';
      case 'dbkey':
        return '?';
      case 'metadata':
        return new Metadata({}, defaultSanitize);
      case 'dataset':
        return this;
      case 'is_collection':
      case 'has_data':
        return false;
      case 'is_of_type':
        return new Callable('is_of_type', () => false);
      default:
        return undefined;
    }
  }
}

/** Several datasets of one parameter, or a collection's elements. */
export class DatasetsValue extends TemplateObject {
  readonly typeName = 'DatasetListWrapper';
  constructor(
    private readonly datasets: DatasetValue[],
    private readonly collection?: { name: string; hid: number; type: string; identifiers: string[] },
    private readonly clean: Sanitize = defaultSanitize,
  ) {
    super();
  }
  text(): string {
    return this.datasets.map((dataset) => dataset.text()).join(',');
  }
  override truth(): boolean {
    return this.datasets.length > 0;
  }
  override iterate(): Value[] {
    return this.datasets;
  }
  override item(key: Value): Value | undefined {
    return typeof key === 'string' ? this.named(key) : undefined;
  }
  attribute(name: string): Value | undefined {
    const { collection } = this;
    if (!collection) return name === 'is_collection' ? false : undefined;
    switch (name) {
      case 'is_collection':
        return true;
      case 'name':
      case 'element_identifier':
        return this.clean(collection.name);
      case 'hid':
        return collection.hid;
      case 'collection_type':
        return collection.type;
      case 'keys':
        return new Callable('keys', () => collection.identifiers.map(this.clean));
      case 'is_input_supplied':
        return true;
      default:
        return this.named(name);
    }
  }
  private named(identifier: string): Value | undefined {
    const index = this.collection?.identifiers.indexOf(identifier) ?? -1;
    return this.datasets[index];
  }
}

/** Where an output is to be written. */
export class OutputValue extends TemplateObject {
  readonly typeName = 'DatasetFilenameWrapper';
  constructor(
    private readonly output: { name: string; label: string; extension: string },
    private readonly path: string,
    private readonly accepts: Accepts,
  ) {
    super();
  }
  text(): string {
    return this.path;
  }
  attribute(name: string): Value | undefined {
    switch (name) {
      case 'ext':
      case 'extension':
        return this.output.extension;
      case 'name':
      case 'label':
        return defaultSanitize(this.output.label);
      case 'file_name':
        return this.path;
      case 'files_path':
      case 'extra_files_path':
        return `${this.path}_files`;
      case 'dataset':
        return this;
      case 'metadata':
        return new Metadata({ dbkey: '?' }, defaultSanitize);
      case 'is_of_type':
        return isOfType(this.output.extension, this.accepts);
      default:
        return undefined;
    }
  }
}

/** A text, number, truth value or choice: prints as the wrapper wants it, compares as what it holds. */
export class ParameterValue extends TemplateObject {
  readonly typeName = 'InputValueWrapper';
  constructor(
    private readonly parameter: LoadedParameter,
    private readonly held: JsonValue,
  ) {
    super();
  }

  text(): string {
    const { parameter, held } = this;
    switch (parameter.type) {
      case 'boolean': {
        const { truevalue = 'true', falsevalue = 'false' } = parameter.attributes;
        return held === true ? truevalue : falsevalue;
      }
      case 'integer':
        return held === null ? '' : String(held);
      case 'float':
        return held === null ? '' : str(new Float(Number(held)));
      case 'select':
      case 'data_column':
        if (held === null || (Array.isArray(held) && held.length === 0)) return 'None';
        return this.texts().join(parameter.attributes.separator ?? ',');
      default:
        return held === null ? '' : parameter.sanitize(String(held));
    }
  }

  private texts(): string[] {
    const values = Array.isArray(this.held) ? this.held : [this.held];
    return values.map((value) => this.parameter.sanitize(String(value ?? '')));
  }

  override truth(): boolean {
    if (Array.isArray(this.held)) return this.held.length > 0;
    return this.held !== null && this.held !== '' && this.held !== false && this.held !== 0;
  }

  override plain(other?: Value): Value {
    const { parameter, held } = this;
    if (parameter.type === 'boolean') {
      if (typeof other !== 'string') return held === true;
      const { truevalue = 'true', falsevalue = 'false' } = parameter.attributes;
      if (other === truevalue || other === falsevalue) return this.text();
      return held === true ? 'True' : 'False';
    }
    if (typeof other === 'string' || (Array.isArray(held) && !Array.isArray(other))) return this.text();
    if (Array.isArray(held)) return this.texts();
    if (held === null) return other === undefined ? this.text() : null;
    if (parameter.type === 'integer') return Number(held);
    if (parameter.type === 'float') return new Float(Number(held));
    // A text that is a number compares and counts with numbers, as in Galaxy.
    const text = this.text();
    if (other !== undefined && numeric(plain(other)) !== undefined && /^[+-]?\d+(?:\.\d+)?$/.test(text)) {
      return text.includes('.') ? new Float(Number(text)) : Number(text);
    }
    return text;
  }

  override iterate(): Value[] | undefined {
    if (Array.isArray(this.held)) return this.texts();
    return this.parameter.multiple ? [] : undefined;
  }

  attribute(name: string): Value | undefined {
    if (name !== 'value') return undefined;
    const { parameter, held } = this;
    if (Array.isArray(held)) return this.texts();
    if (typeof held === 'string') return parameter.sanitize(held);
    return parameter.type === 'float' && typeof held === 'number' ? new Float(held) : jsonValue(held);
  }
}

/** `$tool.name` and its like. */
export class ToolValue extends TemplateObject {
  readonly typeName = 'Tool';
  constructor(private readonly tool: { id: string; name: string; version: string }) {
    super();
  }
  text(): string {
    return this.tool.id;
  }
  attribute(name: string): Value | undefined {
    return name === 'id' || name === 'name' || name === 'version' ? this.tool[name] : undefined;
  }
}
