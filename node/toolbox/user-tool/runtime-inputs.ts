/**
 * The state of a job → `inputs` as expressions see it, in Galaxy's shapes: a dataset is a File with path and name parts, a
 * collection has its elements (a list in order, a pair by name), groups are objects, repeats lists.
 */
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import type { LoadedParameter } from '../loaded.js';
import { readReferences } from '../parameters/data-reference.js';
import { collectionOf } from '../parameters/map-over.js';
import { mapState } from '../parameters/state-map.js';
import { extensionOf } from '../rendering/template-values.js';
import type { ExpandedJob, ToolContext, ToolDataset, ToolElement } from '../tool.js';

export interface InputsOptions {
  context: ToolContext;
  inputPath(dataset: string): string;
  clean: Clean;
}

/** What is put over texts that a user wrote, and over paths. */
export interface Clean {
  text(text: string): string;
  path(path: string): string;
}

export function runtimeInputs(
  parameters: readonly LoadedParameter[],
  job: ExpandedJob,
  options: InputsOptions,
): JsonObject {
  const leaves = new Leaves(options);
  return mapState(parameters, job.state, (parameter, held) => leaves.one(parameter, held));
}

class Leaves {
  constructor(private readonly options: InputsOptions) {}

  one(parameter: LoadedParameter, held: JsonValue): JsonValue {
    switch (parameter.type) {
      case 'data':
        return this.data(parameter, held);
      case 'data_collection':
        return this.collection(held);
      case 'integer':
      case 'float':
        return held === null || held === '' ? null : Number(held);
      case 'boolean':
        return held === null ? null : held === true || held === 'true';
      case 'select':
        return this.choice(parameter, held);
      default:
        return typeof held === 'string' ? this.options.clean.text(held) : held;
    }
  }

  /** Choices are the tool's own words. */
  private choice(parameter: LoadedParameter, held: JsonValue): JsonValue {
    if (!parameter.multiple) return held === null ? null : String(held);
    if (held === null || held === '') return [];
    return Array.isArray(held) ? held.map(String) : String(held).split(',');
  }

  private data(parameter: LoadedParameter, held: JsonValue): JsonValue {
    const { context } = this.options;
    const read = readReferences(held);
    const files = ('references' in read ? read.references : []).flatMap(({ id, src, elementIdentifier }) => {
      if (src === 'hda') {
        const dataset = context.dataset(id);
        return dataset ? [this.file(dataset, elementIdentifier)] : [];
      }
      return (context.collection(id)?.elements ?? []).map((one) => this.file(one.dataset, one.identifier));
    });
    return parameter.multiple ? files : (files[0] ?? null);
  }

  private collection(held: JsonValue): JsonValue {
    const read = readReferences(held);
    const [reference] = 'references' in read ? read.references : [];
    const found = reference && reference.src !== 'hda' ? collectionOf(reference, this.options.context) : undefined;
    if (!found) return null;
    return this.collected(found.name, found.collectionType, found.tree ?? found.elements, found.tags ?? []);
  }

  private collected(name: string, type: string, elements: readonly ToolElement[], tags: readonly string[]): JsonObject {
    const clean = this.options.clean.text;
    const written = elements.map((element): [string, JsonValue] => [
      clean(element.identifier),
      'dataset' in element
        ? this.file(element.dataset, element.identifier)
        : this.collected(element.identifier, element.collectionType, element.elements, []),
    ]);
    const isList = /^(?:list|sample_sheet)\b/.test(type);
    return {
      class: 'Collection',
      name: clean(name),
      collection_type: type,
      tags: tags.map(clean),
      elements: isList ? written.map(([, element]) => element) : Object.fromEntries(written),
      ...(type === 'paired_or_unpaired' ? { has_single_item: elements.length === 1 } : {}),
    };
  }

  private file(dataset: ToolDataset, identifier: string | undefined): JsonObject {
    const { inputPath } = this.options;
    const clean = this.options.clean.text;
    const path = this.options.clean.path(inputPath(dataset.record.id));
    const basename = (dataset.content?.createdFrom ?? dataset.record.name).replace(/^.*\//s, '');
    const { root, extension } = nameParts(basename);
    return {
      class: 'File',
      path,
      location: path,
      basename: clean(basename),
      nameroot: clean(root),
      nameext: clean(extension),
      format: clean(extensionOf(dataset)),
      size: dataset.content?.size ?? 0,
      listing: [],
      element_identifier: clean(identifier ?? dataset.record.name),
    };
  }
}

/** `reads.fastq.gz` → `reads.fastq` and `.gz`; a dot at the beginning begins no extension. */
function nameParts(name: string): { root: string; extension: string } {
  const found = /^(.*[^.].*|.*[^.])(\.[^.]*)$/s.exec(name);
  return found ? { root: found[1] ?? '', extension: found[2] ?? '' } : { root: name, extension: '' };
}
