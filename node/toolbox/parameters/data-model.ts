/** What the client offers for a parameter of datasets: those of the history that fit, and collections of them. */
import type { JsonObject } from '../../../protocol/log/entry.js';
import type { Datatypes } from '../../datasets/datatypes.js';
import type { LoadedParameter } from '../loaded.js';
import { extensionOf } from '../rendering/template-values.js';
import type { ToolCollection, ToolDataset } from '../tool.js';
import { choicesOf, datasetTexts, type OptionSource } from './dynamic-options.js';
import { CHOICES_MAX } from './option-model.js';

type Accepts = Pick<Datatypes, 'accepts'>;

export function datasetChoice({ record, hid }: ToolDataset): JsonObject {
  return { id: record.id, hid, name: record.name, tags: [...(record.tags ?? [])], src: 'hda', keep: false };
}

/** `mapOver`: the part of it that one job gets, when it is more than a tool takes. */
export function collectionChoice(
  { id, hid, name, tags }: Pick<ToolCollection, 'id' | 'hid' | 'name' | 'tags'>,
  mapOver: string | null,
  src: 'hdca' | 'dce' = 'hdca',
): JsonObject {
  return { id, hid, name, tags: [...(tags ?? [])], src, keep: false, map_over_type: mapOver };
}

export function fittingDatasets(
  parameter: LoadedParameter,
  all: readonly ToolDataset[],
  datatypes: Accepts,
  source: OptionSource,
): ToolDataset[] {
  const formats = parameter.formats ?? ['data'];
  const { dynamic } = parameter;
  const attribute = (dynamic?.datasetAttribute ?? 'ext').split('.');
  const values = dynamic && new Set(choicesOf(parameter, source).options.map(({ value }) => value));
  return all
    .filter((dataset) => datatypes.accepts(formats, extensionOf(dataset)))
    .filter((dataset) => !values || datasetTexts(dataset, attribute).some((text) => values.has(text)))
    .slice(0, CHOICES_MAX);
}

/** Collections that the parameter takes whole or in parts, the fitting first as they are. */
export function fittingCollections(
  parameter: LoadedParameter,
  all: readonly ToolCollection[],
  datatypes: Accepts,
): { collection: ToolCollection; mapOver: string | null }[] {
  const formats = parameter.formats ?? ['data'];
  return all
    .filter(({ elements }) => elements.every(({ dataset }) => datatypes.accepts(formats, extensionOf(dataset))))
    .flatMap((collection): { collection: ToolCollection; mapOver: string | null }[] => {
      const type = collection.collectionType;
      if (parameter.type !== 'data_collection') {
        const inner = parameter.multiple && type.includes(':') ? type.slice(type.lastIndexOf(':') + 1) : null;
        return [{ collection, mapOver: inner }];
      }
      const taken = parameter.collectionTypes ?? [];
      if (taken.length === 0 || taken.includes(type)) return [{ collection, mapOver: null }];
      const part = taken.find((one) => type.endsWith(`:${one}`));
      return part === undefined ? [] : [{ collection, mapOver: part }];
    })
    .slice(0, CHOICES_MAX);
}
