/** Datasets as Galaxy's clients read them. */
import type { components } from '@galaxyproject/galaxy-api-client';
import type { JsonValue } from '../../../protocol/log/entry.js';
import type { Datatypes } from '../../datasets/datatypes.js';
import type { DatasetFacts } from '../../datasets/facts.js';
import { galaxyTime } from './time.js';

export type HDASummary = components['schemas']['HDASummary'];
export type HDADetailed = components['schemas']['HDADetailed'];

/** `metadata_columns` and the like: which there are depends on the datatype. */
type MetadataFields = { [field: `metadata_${string}`]: JsonValue };

export function datasetUrl(facts: DatasetFacts): string {
  return `/api/histories/${facts.record.history}/contents/${facts.id}`;
}

export function datasetSummary(facts: DatasetFacts): HDASummary {
  const { record } = facts;
  return {
    id: facts.id,
    // One dataset, one association: nothing here shares a dataset under two ids.
    dataset_id: facts.id,
    hid: facts.hid,
    name: record.name,
    history_id: record.history,
    history_content_type: 'dataset',
    type: 'file',
    type_id: `dataset-${facts.id}`,
    extension: facts.extension,
    genome_build: facts.genomeBuild,
    state: facts.state,
    deleted: facts.deleted,
    purged: facts.purged,
    visible: facts.visible,
    tags: [...facts.tags],
    create_time: galaxyTime(record.createdAt),
    update_time: galaxyTime(facts.updatedAt),
    url: datasetUrl(facts),
    copied_from_ldda_id: null,
    object_store_id: null,
  };
}

export function datasetDetailed(
  facts: DatasetFacts,
  datatypes: Pick<Datatypes, 'get'>,
  owner: string,
): HDADetailed & MetadataFields {
  const { record, content } = facts;
  const url = datasetUrl(facts);
  return {
    ...datasetSummary(facts),
    ...metadataFields(facts),
    type: 'file',
    api_type: 'file',
    model_class: 'HistoryDatasetAssociation',
    hda_ldda: 'hda',
    accessible: true,
    annotation: record.annotation ?? null,
    copied_from_history_dataset_association_id: record.copiedFrom ?? null,
    copied_from_library_dataset_dataset_association_id: null,
    created_from_basename: content?.createdFrom ?? null,
    creating_job: facts.job?.id ?? record.job ?? '',
    data_type: datatypes.get(facts.extension)?.className ?? 'galaxy.datatypes.data.Data',
    display_apps: [],
    display_types: [],
    download_url: `${url}/display`,
    drs_id: `hda-${facts.id}`,
    file_ext: facts.extension,
    file_size: facts.size,
    hashes: [],
    meta_files: (content?.files ?? [])
      .filter(({ role }) => role === 'metadata')
      .map(({ path }) => ({
        file_type: path,
        download_url: `${url}/metadata_file?metadata_file=${encodeURIComponent(path)}`,
      })),
    misc_blurb: content?.blurb ?? blurbOf(facts),
    misc_info: facts.info,
    peek: content ? peekHtml(content.peek, facts) : null,
    permissions: { access: [], manage: [owner] },
    rerunnable: facts.job !== undefined && facts.job.tool !== 'upload1' && facts.job.tool !== '__DATA_FETCH__',
    resubmitted: false,
    sources: [],
    uuid: record.uuid,
    validated_state: 'unknown',
    validated_state_message: null,
  };
}

/** As `POST /api/tools` answers: with the name the tool gives it. */
export function namedOutput<T extends object>(answer: T, outputName: string): T & { output_name: string } {
  return { ...answer, output_name: outputName };
}

function metadataFields(facts: DatasetFacts): MetadataFields {
  const fields: MetadataFields = { metadata_dbkey: facts.genomeBuild };
  for (const [name, value] of Object.entries(facts.metadata)) fields[`metadata_${name}`] = value;
  return fields;
}

function blurbOf(facts: DatasetFacts): string | null {
  return facts.state === 'queued' || facts.state === 'running' ? facts.state : null;
}

/** Galaxy's client sets it as HTML: every character of the dataset is escaped. */
export function peekHtml(peek: string, facts: Pick<DatasetFacts, 'metadata'>): string {
  const lines = peek.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const columns = facts.metadata.columns;
  const isTable = typeof columns === 'number' && columns > 1;
  const rows = isTable ? [numberedHeader(columns)] : [];
  for (const line of lines) {
    if (!isTable || line.startsWith('#')) {
      rows.push(`<tr><td${isTable ? ` colspan="100%"` : ''}>${escapeHtml(line)}</td></tr>`);
      continue;
    }
    const cells = line.split('\t').slice(0, PEEK_COLUMNS_MAX);
    rows.push(`<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`);
  }
  return `<table cellspacing="0" cellpadding="3">${rows.join('')}</table>`;
}

const PEEK_COLUMNS_MAX = 100;

function numberedHeader(columns: number): string {
  const cells = Array.from({ length: Math.min(columns, PEEK_COLUMNS_MAX) }, (_, index) => `<th>${index + 1}</th>`);
  return `<tr>${cells.join('')}</tr>`;
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] as string);
}
