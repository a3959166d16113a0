/**
 * What templates see of datasets and parameters. Attributes are answered by name, one by one: nothing of the node can
 * be reached through them. Everything that a user wrote (names, identifiers, metadata) passes the sanitizer before it
 * can get into a command line; `raw` is for labels, which no shell reads.
 */
import { metadataOf } from '../../../protocol/account/records.js';
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import { str } from '../cheetah/template.js';
import { Callable, Dict, Float, TemplateObject, type Value } from '../cheetah/values.js';
import { nameSanitize, noSanitize, type Sanitize } from '../parameters/sanitizer.js';
import type { ToolDataset } from '../tool.js';

/** Whether a dataset of `extension` is one of `formats`. */
export type Accepts = (formats: readonly string[], extension: string) => boolean;

/** Files of a dataset besides its own: a BAM's index, the parts of an HTML report. */
export interface DatasetFiles {
  /** Undefined: that metadatum is no file, or is not there. */
  metadataPath?(dataset: string, name: string): string | undefined;
  extraFilesPath?(dataset: string): string | undefined;
}

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

/** Metadata that is a file; only a place on this machine is of use to a tool. */
const FILES: ReadonlySet<string> = new Set([
  'bam_index',
  'bam_csi_index',
  'bcf_index',
  'cram_index',
  'tabix_index',
  'bai',
]);

class Metadata extends TemplateObject {
  readonly typeName = 'MetadataCollection';
  constructor(
    private readonly values: JsonObject,
    private readonly clean: Sanitize,
    private readonly file: (name: string) => string | undefined = () => undefined,
  ) {
    super();
  }
  text(): string {
    return '';
  }
  attribute(name: string): Value {
    const path = this.file(name);
    if (path !== undefined) return path;
    if (name === 'element_is_set') {
      return new Callable('element_is_set', ({ positional: [one] }) => {
        const key = one === undefined ? '' : str(one);
        return Object.hasOwn(this.values, key) || this.file(key) !== undefined;
      });
    }
    // A file that is not there is None, whatever was noted of it.
    if (FILES.has(name) || !Object.hasOwn(this.values, name)) return null;
    const value = this.values[name] ?? null;
    // Lists print as Galaxy prints them: joined by commas.
    if (Array.isArray(value)) return this.clean(value.map((item) => String(item ?? '')).join(','));
    if (typeof value === 'string') return this.clean(value);
    // Templates get texts, as Galaxy gives them; filters and labels compare with what it is.
    return typeof value === 'number' && this.clean !== noSanitize ? String(value) : jsonValue(value);
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
    private readonly clean: Sanitize = nameSanitize,
    private readonly files: DatasetFiles = {},
  ) {
    super();
    this.extension = extensionOf(dataset);
  }

  text(): string {
    return this.path;
  }

  /** By its own words, or by what a template has of them. */
  isOfGroup(group: string): boolean {
    const wanted = group.toLowerCase();
    const held = groupsOf(this.dataset);
    return held.some((one) => one === wanted || this.clean(one).toLowerCase() === wanted);
  }

  attribute(name: string): Value | undefined {
    const { record, content, hid } = this.dataset;
    switch (name) {
      case 'ext':
      case 'extension':
      case 'file_ext':
        return this.clean(this.extension);
      case 'name':
      case 'display_name':
        return this.clean(record.name);
      case 'info':
        return this.clean(content?.info ?? '');
      case 'blurb':
        return this.clean(content?.blurb ?? '');
      case 'uuid':
        return record.uuid;
      case 'tags':
        return (record.tags ?? []).map(this.clean);
      case 'groups':
        return groupsOf(this.dataset).map(this.clean);
      case 'element_identifier':
        return this.clean(this.identifier ?? record.name);
      case 'name_and_ext':
        return `${this.clean(this.identifier ?? record.name)}.${this.clean(this.extension)}`;
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
        return this.files.extraFilesPath?.(record.id) ?? `${this.path}_files`;
      case 'metadata':
        return new Metadata(
          { ...metadataOf(content, record), dbkey: genomeBuildOf(this.dataset) },
          this.clean,
          (file) => this.files.metadataPath?.(record.id, file),
        );
      case 'state':
        return content?.state ?? 'new';
      case 'is_collection':
        return false;
      case 'dataset':
        return this;
      case 'datatype':
        return new DatatypeValue(this.extension, this.clean);
      case 'is_of_type':
        return isOfType(this.extension, this.accepts);
      case 'get_file_name':
        return new Callable('get_file_name', () => this.path);
      case 'size':
        return content?.size ?? 0;
      case 'has_data':
        return new Callable('has_data', () => (content?.size ?? 0) > 0);
      case 'get_size':
        return new Callable('get_size', () => content?.size ?? 0);
      default:
        return undefined;
    }
  }
}

function groupsOf({ record }: ToolDataset): string[] {
  return (record.tags ?? []).flatMap((tag) => (tag.startsWith('group:') ? [tag.slice(6).toLowerCase()] : []));
}

/** `$input.datatype.file_ext`. */
class DatatypeValue extends TemplateObject {
  readonly typeName = 'Datatype';
  constructor(
    private readonly extension: string,
    private readonly clean: Sanitize,
  ) {
    super();
  }
  text(): string {
    return this.clean(this.extension);
  }
  attribute(name: string): Value | undefined {
    return name === 'file_ext' ? this.text() : undefined;
  }
}

function isOfType(extension: string, accepts: Accepts): Callable {
  return new Callable('is_of_type', ({ positional }) =>
    accepts(
      positional.map((one) => str(one)),
      extension,
    ),
  );
}

/** An optional dataset that was not given: false, and `None` as text. */
export class NoDataset extends TemplateObject {
  readonly typeName = 'NoneDataset';
  text(): string {
    return 'None';
  }
  isOfGroup(_group: string): boolean {
    return false;
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
        return new Metadata({}, nameSanitize);
      case 'dataset':
        return this;
      case 'is_collection':
      case 'has_data':
        return false;
      case 'is_of_type':
        return new Callable('is_of_type', () => false);
      default:
        // Whatever is asked of nothing is nothing, so that a template may look deep into it.
        return this;
    }
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
      case 'file_ext':
        return this.output.extension;
      case 'is_collection':
        return false;
      case 'id':
      case 'dataset_id':
        // Tools name further files after it.
        return /dataset_([0-9a-f]+)\.dat$/.exec(this.path)?.[1];
      case 'name':
      case 'label':
        return nameSanitize(this.output.label);
      case 'file_name':
        return this.path;
      case 'files_path':
      case 'extra_files_path':
        return `${this.path}_files`;
      case 'dataset':
        return this;
      case 'metadata':
        return new Metadata({ dbkey: '?' }, nameSanitize);
      case 'is_of_type':
        return isOfType(this.output.extension, this.accepts);
      default:
        return undefined;
    }
  }
}

/** Whose job it is. No character that a shell would read comes out, be a name what it may. */
export class UserValue extends TemplateObject {
  readonly typeName = 'User';
  constructor(private readonly user: { id: string; email: string; name: string } | undefined) {
    super();
  }
  text(): string {
    return this.attribute('email') ?? '';
  }
  override truth(): boolean {
    return this.user !== undefined;
  }
  attribute(name: 'email' | 'username' | 'id'): string;
  attribute(name: string): string | undefined;
  attribute(name: string): string | undefined {
    switch (name) {
      case 'email':
        return harmless(this.user?.email);
      case 'username':
      case 'name':
        return harmless(this.user?.name);
      case 'id':
        return harmless(this.user?.id);
      default:
        return undefined;
    }
  }
}

function harmless(text = ''): string {
  return text.replace(/[^\w@.+-]/g, 'X').replace(/^-+/, '');
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
