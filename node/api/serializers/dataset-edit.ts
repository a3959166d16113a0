/** The forms of the client's page "Edit Dataset Attributes", one list of inputs for each of its tabs. */
import type { JsonValue } from '../../../protocol/log/entry.js';
import { type Attribute, attributesOf, columnsOf } from '../../datasets/attributes.js';
import type { Datatypes } from '../../datasets/datatypes.js';
import type { DatasetFacts } from '../../datasets/facts.js';

type Option = [label: string, value: string];

interface Input {
  type: 'text' | 'select' | 'integer' | 'hidden';
  name: string;
  label: string;
  value?: JsonValue;
  area?: boolean;
  optional?: boolean;
  help?: string;
  options?: Option[];
}

export interface DatasetForms {
  display_name: string;
  dataset_id: string;
  message: string | null;
  status: string;
  attribute_inputs: Input[];
  /** What needs the bytes: no tab "Datatypes", and no "Auto-detect". */
  metadata_disable: boolean;
  datatype_inputs: Input[];
  datatype_disable: boolean;
  conversion_inputs: Input[];
  conversion_disable: boolean;
  permission_inputs: Input[];
  permission_disable: boolean;
}

export const NO_CONVERSION = 'Converting a dataset to another datatype is not offered on this node yet.';
export const NO_PERMISSIONS =
  'Permissions of single datasets are not offered on this node yet: a dataset is seen by whoever may see its history.';
/** Columns that one list offers. */
const COLUMNS_OFFERED_MAX = 250;
/** Offered when nobody knows how many there are. */
const COLUMNS_UNKNOWN = 12;

export function datasetForms(
  facts: DatasetFacts,
  datatypes: Pick<Datatypes, 'get' | 'all'>,
  builds: readonly Option[],
): DatasetForms {
  const isReady = facts.content !== undefined;
  return {
    display_name: facts.record.name,
    dataset_id: facts.id,
    message: isReady ? null : 'This dataset has no content yet: its datatype can be changed when it is finished.',
    status: isReady ? 'success' : 'warning',
    attribute_inputs: [
      { type: 'text', name: 'name', label: 'Name', value: facts.record.name },
      { type: 'text', name: 'info', label: 'Info', area: true, value: facts.info },
      {
        type: 'text',
        name: 'annotation',
        label: 'Annotation',
        area: true,
        value: facts.record.annotation ?? '',
        help: 'Notes on this dataset. They are shown with it when its history is viewed.',
      },
      { type: 'select', name: 'dbkey', label: 'Database/Build', ...chosenBuild(facts.genomeBuild, builds) },
      ...attributesOf(facts.extension, datatypes).map((attribute) => attributeInput(attribute, facts)),
    ],
    metadata_disable: !isReady,
    datatype_inputs: [
      {
        type: 'select',
        name: 'datatype',
        label: 'New Type',
        options: datatypes.all().map(({ extension }) => [extension, extension]),
        value: facts.extension,
        help: 'The datatype is changed, and what is in the dataset is not. Use this if its type was guessed wrongly.',
      },
    ],
    datatype_disable: !isReady,
    conversion_inputs: [notOffered('conversion_not_offered', NO_CONVERSION)],
    conversion_disable: true,
    permission_inputs: [notOffered('permissions_not_offered', NO_PERMISSIONS)],
    permission_disable: true,
  };
}

/** Galaxy's client says the label when it wants to know why something is disabled. */
function notOffered(name: string, label: string): Input {
  return { type: 'hidden', name, label };
}

/** One that is not in the list is offered all the same, or saving would change it. */
function chosenBuild(value: string, builds: readonly Option[]): Pick<Input, 'value' | 'options'> {
  const known = builds.some(([, build]) => build === value);
  return { value, options: known ? [...builds] : [[value, value], ...builds] };
}

function attributeInput({ name, label, kind, optional, usual }: Attribute, facts: DatasetFacts): Input {
  const value = facts.metadata[name] ?? usual ?? null;
  if (kind === 'count') return { type: 'integer', name, label, optional, value };
  const known = columnsOf(facts) ?? COLUMNS_UNKNOWN;
  const last = Math.max(Math.min(known, COLUMNS_OFFERED_MAX), typeof value === 'number' ? value : 1);
  const names = Array.isArray(facts.metadata.column_names) ? facts.metadata.column_names : [];
  const options = Array.from({ length: last }, (_, index): Option => {
    const column = names[index];
    return [typeof column === 'string' && column ? `${index + 1}: ${column}` : `${index + 1}`, String(index + 1)];
  });
  return { type: 'select', name, label, optional, options, value: value === null ? null : String(value) };
}
