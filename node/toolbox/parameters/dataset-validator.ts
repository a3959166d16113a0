/** `<validator>`s of data parameters: what a dataset must be. One that is still being made is not judged yet. */
import { metadataOf } from '../../../protocol/account/records.js';
import type { JsonValue } from '../../../protocol/log/entry.js';
import { malformed } from '../errors.js';
import { genomeBuildOf } from '../rendering/template-values.js';
import type { ToolContext, ToolDataset } from '../tool.js';
import { flag, type XmlElement } from '../wrapper/wrapper-xml.js';
import { bound, inRange, inTable } from './value-rules.js';

/** The sentence that says what is wrong, or undefined. */
export type ValidateDataset = (dataset: ToolDataset, context: Pick<ToolContext, 'tables'>) => string | undefined;

type Passes = (dataset: ToolDataset, context: Pick<ToolContext, 'tables'>) => boolean;

/** Undefined: a validator of plain values. */
export function datasetValidator(given: XmlElement): ValidateDataset | undefined {
  const rule = ruleOf(given, given.attributes.type ?? '');
  if (!rule) return undefined;
  const { message } = given.attributes;
  const negate = flag(given.attributes.negate, false);
  return (dataset, context) => {
    if (!dataset.content) return undefined;
    return rule.passes(dataset, context) === negate ? (message ?? rule.otherwise) : undefined;
  };
}

function ruleOf(given: XmlElement, type: string): { passes: Passes; otherwise: string } | undefined {
  switch (type) {
    case 'unspecified_build':
      return { passes: (dataset) => genomeBuildOf(dataset) !== '?', otherwise: 'The dataset needs a genome build.' };
    case 'dataset_ok_validator':
      return {
        passes: ({ content }) => content?.state === 'ok' || content?.state === 'empty',
        otherwise: 'The dataset is not in the state ok.',
      };
    case 'empty_dataset':
      return { passes: ({ content }) => (content?.size ?? 0) > 0, otherwise: 'The dataset is empty.' };
    case 'empty_extra_files_path':
      return {
        passes: ({ content }) => (content?.files.length ?? 0) > 1,
        otherwise: 'The dataset has no further files.',
      };
    case 'metadata':
      return metadataRule(given);
    case 'dataset_metadata_equal':
      return equalRule(given);
    case 'dataset_metadata_in_range': {
      const name = required(given, 'metadata_name');
      const within = inRange(given, bound(given, 'min'), bound(given, 'max'));
      return {
        passes: (dataset) => {
          const number = Number(metadatum(dataset, name) ?? Number.NaN);
          return !Number.isNaN(number) && within(number);
        },
        otherwise: `The dataset's ${name} is out of range.`,
      };
    }
    case 'dataset_metadata_in_data_table':
      return tableRule(given, true);
    case 'dataset_metadata_not_in_data_table':
      return tableRule(given, false);
    default:
      return undefined;
  }
}

function required(given: XmlElement, name: string): string {
  const value = given.attributes[name];
  if (!value) throw malformed(`<validator type="${given.attributes.type}"> needs ${name}`, given);
  return value;
}

function metadatum(dataset: ToolDataset, name: string): JsonValue | undefined {
  if (name === 'dbkey') return genomeBuildOf(dataset);
  const value = metadataOf(dataset.content, dataset.record)[name];
  return value === undefined || value === null ? undefined : value;
}

function names(written: string | undefined): string[] {
  return (written ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** `check`: these must be there. `skip`: those that a datatype might name need not; which ones it does is not known. */
function metadataRule(given: XmlElement): { passes: Passes; otherwise: string } {
  const skip = new Set(names(given.attributes.skip));
  const check = names(given.attributes.check).filter((name) => !skip.has(name));
  const isThere = (dataset: ToolDataset, name: string) => {
    const value = metadatum(dataset, name);
    return value !== undefined && !(name === 'dbkey' && value === '?');
  };
  return {
    passes: (dataset) => check.every((name) => isThere(dataset, name)),
    otherwise: `The dataset lacks metadata${check.length > 0 ? ` (${check.join(', ')})` : ''}.`,
  };
}

function equalRule(given: XmlElement): { passes: Passes; otherwise: string } {
  const name = required(given, 'metadata_name');
  const { value, value_json: json } = given.attributes;
  if (value === undefined && json === undefined) {
    throw malformed('<validator type="dataset_metadata_equal"> needs value or value_json', given);
  }
  let wanted: JsonValue = value ?? '';
  if (json !== undefined) {
    try {
      wanted = JSON.parse(json) as JsonValue;
    } catch {
      throw malformed(`value_json="${json}" is not JSON`, given);
    }
  }
  return {
    passes: (dataset) => {
      const held = metadatum(dataset, name);
      if (json === undefined) return held !== undefined && String(held) === wanted;
      return JSON.stringify(held) === JSON.stringify(wanted);
    },
    otherwise: `The dataset's ${name} is not ${value ?? json}.`,
  };
}

function tableRule(given: XmlElement, wanted: boolean): { passes: Passes; otherwise: string } {
  const [table, name] = [required(given, 'table_name'), required(given, 'metadata_name')];
  const { metadata_column: column = '0' } = given.attributes;
  return {
    passes: (dataset, context) => {
      const held = metadatum(dataset, name);
      const values = Array.isArray(held) ? held : [held ?? null];
      return values.every((value) => inTable(context, table, column, String(value ?? ''))) === wanted;
    },
    otherwise: wanted
      ? `The dataset's ${name} is not in the data table ${table} of this node.`
      : `The dataset's ${name} is in the data table ${table} of this node.`,
  };
}
