/**
 * `<configfiles><inputs/>`: the state of all parameters as a JSON file, for tools that read their parameters
 * themselves, in the shape that those tools know from Galaxy: numbers and truth values typed, texts with what the
 * wrapper's sanitizer makes of them, columns always a list. Datasets are left out unless the wrapper says how they shall
 * stand there.
 */
import type { JsonValue } from '../../../protocol/log/entry.js';
import type { ConfigFile, LoadedParameter, LoadedTool } from '../loaded.js';
import { leavesOf } from '../outputs/output-source.js';
import { readReferences } from '../parameters/data-reference.js';
import { collectionOf } from '../parameters/map-over.js';
import { mapState } from '../parameters/state-map.js';
import type { ExpandedJob, ToolContext, ToolDataset } from '../tool.js';
import { extensionOf } from './template-values.js';

type InputsFile = Extract<ConfigFile, { kind: 'inputs' }>;
interface Paths {
  inputPath(dataset: string): string;
  metadataPath?(dataset: string, name: string): string | undefined;
}

export function inputsJson(
  tool: Pick<LoadedTool, 'inputs' | 'rules'>,
  job: ExpandedJob,
  file: InputsFile,
  context: ToolContext,
  paths: Paths,
): string {
  const written = new Leaves(tool.rules.typedJson, file.dataStyle, context, paths);
  return JSON.stringify(mapState(tool.inputs, job.state, (parameter, held) => written.one(parameter, held)));
}

class Leaves {
  constructor(
    private readonly typed: boolean,
    private readonly dataStyle: InputsFile['dataStyle'],
    private readonly context: ToolContext,
    private readonly paths: Paths,
  ) {}

  one(parameter: LoadedParameter, held: JsonValue): JsonValue | undefined {
    switch (parameter.type) {
      case 'data':
      case 'hidden_data':
      case 'data_collection':
        return this.dataStyle === 'none' ? undefined : this.data(parameter, held);
      default:
        return this.simple(parameter, held);
    }
  }

  private simple(parameter: LoadedParameter, held: JsonValue): JsonValue {
    switch (parameter.type) {
      case 'integer':
      case 'float':
        return held === null || held === '' ? null : Number(held);
      case 'boolean':
        if (held === null && parameter.optional) return null;
        return held === true || held === 'true' || held === parameter.attributes.truevalue;
      case 'data_column':
        return listOf(held).map(Number);
      case 'select': {
        const values = listOf(held);
        if (this.typed) return parameter.multiple ? values : (values[0] ?? null);
        if (values.length === 0) return 'None';
        return values.map(parameter.sanitize).join(parameter.attributes.separator ?? ',');
      }
      default:
        return Array.isArray(held) ? held.map((one) => parameter.sanitize(String(one))) : textOf(parameter, held);
    }
  }

  private data(parameter: LoadedParameter, held: JsonValue): JsonValue {
    const read = readReferences(held);
    const found = ('references' in read ? read.references : []).flatMap((reference) => {
      if (reference.src === 'hda') {
        const dataset = this.context.dataset(reference.id);
        return dataset ? [this.file(dataset, [reference.elementIdentifier ?? dataset.record.name])] : [];
      }
      const collection = collectionOf(reference, this.context);
      return collection
        ? leavesOf(collection.id, this.context).map(({ dataset, identifiers }) => this.file(dataset, identifiers))
        : [];
    });
    // As in Galaxy: several that are not given are a list with nothing in it.
    if (found.length === 0) return parameter.multiple ? [null] : parameter.type === 'data_collection' ? [] : null;
    return parameter.multiple || parameter.type === 'data_collection' ? found : (found[0] ?? null);
  }

  /** `identifiers`: from the outermost collection to the dataset; they are the folders and the name to stage it under. */
  private file(dataset: ToolDataset, identifiers: readonly string[]): JsonValue {
    const path = this.paths.inputPath(dataset.record.id);
    if (this.dataStyle === 'paths') return path;
    const extension = extensionOf(dataset);
    const staging = `${identifiers.map((one) => stagingName(one, extension)).join('/')}.${extension}`;
    return {
      element_identifier: [...identifiers],
      ext: extension,
      staging_path: staging,
      source_path: path,
      metadata_files: Object.entries(INDEX_ENDINGS).flatMap(([name, ending]) => {
        const file = this.paths.metadataPath?.(dataset.record.id, name);
        return file === undefined ? [] : [{ staging_path: `${staging}.${ending}`, source_path: file }];
      }),
    };
  }
}

const INDEX_ENDINGS: Readonly<Record<string, string>> = {
  bam_index: 'bai',
  bam_csi_index: 'csi',
  cram_index: 'crai',
  tabix_index: 'tbi',
  bcf_index: 'csi',
};

const FILE_NAME_MAX = 254;

/** An identifier as a file's name: it names no other folder and no hidden file, and is no longer than a name may be. */
function stagingName(identifier: string, extension: string): string {
  const name = identifier.replaceAll('\u0000', '').replace(/^\.+/, '').replaceAll('/', '_');
  return name.slice(0, FILE_NAME_MAX - extension.length);
}

function listOf(held: JsonValue): string[] {
  if (held === null || held === '') return [];
  return Array.isArray(held) ? held.map(String) : [String(held)];
}

function textOf(parameter: LoadedParameter, held: JsonValue): JsonValue {
  if (held !== null) return parameter.sanitize(String(held));
  return parameter.optional && (parameter.emptyIsNone || parameter.type !== 'text') ? null : '';
}
