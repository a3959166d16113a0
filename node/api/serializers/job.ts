/** Jobs as Galaxy's clients read them. */
import type { components } from '@galaxyproject/galaxy-api-client';
import { type AccountView, hidOf, type JobRecord } from '../../../protocol/account/records.js';
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import { type JobState, jobState, type LocalJobState } from '../../jobs/job.js';
import type { Toolbox, ToolParameter } from '../../toolbox/tool.js';
import { galaxyTime } from './time.js';

export type JobSummary = components['schemas']['JobSummary'];
export type EncodedJobDetails = components['schemas']['EncodedJobDetails'];
export type ShowFullJob = components['schemas']['ShowFullJobResponse'];
type DatasetRef = components['schemas']['EncodedDatasetJobInfo'];

/** The Galaxy release whose API this is. */
export const GALAXY_VERSION = '25.1';

export interface JobFacts {
  view: AccountView;
  record: JobRecord;
  local: LocalJobState | undefined;
}

export function stateOf({ record, local }: Pick<JobFacts, 'record' | 'local'>): JobState {
  return jobState(record, local);
}

export function jobSummary(facts: JobFacts): JobSummary & { tool_version: string } {
  const { record } = facts;
  return {
    model_class: 'Job',
    id: record.id,
    tool_id: record.tool,
    tool_version: record.toolVersion,
    state: stateOf(facts),
    exit_code: record.outcome?.exitCode ?? null,
    create_time: galaxyTime(record.createdAt),
    update_time: galaxyTime(record.applied),
    history_id: record.history,
    galaxy_version: GALAXY_VERSION,
  };
}

export function jobDetails(facts: JobFacts): EncodedJobDetails & { user_id: string; user_email: string | null } {
  const { record, view } = facts;
  return {
    ...jobSummary(facts),
    command_version: '',
    copied_from_job_id: null,
    command_line: record.outcome?.commandLine ?? null,
    user_id: view.account,
    user_email: view.get('account', view.account)?.email ?? null,
    params: jobParams(record.params),
    inputs: jobInputs(view, record),
    outputs: Object.fromEntries(Object.entries(record.outputs).map(([name, id]) => [name, datasetRef(view, id)])),
    output_collections: Object.fromEntries(
      Object.entries(record.outputCollections ?? {}).map(([name, id]) => [name, { id, src: 'hdca' as const }]),
    ),
  };
}

export function jobFull(facts: JobFacts): ShowFullJob {
  const { outcome } = facts.record;
  const waiting = outcome === undefined ? facts.local?.reason : undefined;
  return {
    ...jobDetails(facts),
    stdout: outcome?.stdout ?? null,
    stderr: outcome?.stderr || outcome?.message || null,
    tool_stdout: outcome?.stdout ?? null,
    tool_stderr: outcome?.stderr ?? null,
    job_stdout: null,
    job_stderr: outcome?.message ?? waiting ?? null,
    dependencies: [],
    job_messages: jobMessages(outcome?.message),
    job_metrics: jobMetrics(facts.record),
    handler: outcome?.executor ?? null,
  };
}

/** Galaxy shows each parameter as JSON text. */
export function jobParams(state: JsonObject): Record<string, string> {
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [name, JSON.stringify(value)]));
}

/** An input with several datasets appears as `input1`, `input2`, … as Galaxy numbers them. */
export function jobInputs(view: AccountView, record: JobRecord): Record<string, DatasetRef> {
  const inputs: Record<string, DatasetRef> = {};
  for (const { name, ref } of inputList(view, record)) inputs[name] = ref;
  return inputs;
}

export function inputList(view: AccountView, record: JobRecord): { name: string; ref: DatasetRef }[] {
  return Object.entries(record.inputs).flatMap(([name, list]) =>
    list.map(({ kind, id }, index) => ({
      name: list.length > 1 ? `${name}${index + 1}` : name,
      ref: kind === 'dataset' ? datasetRef(view, id) : { id, src: 'hdca' as const, uuid: null },
    })),
  );
}

function datasetRef(view: AccountView, id: string): DatasetRef {
  return { id, src: 'hda', uuid: view.get('dataset', id)?.uuid ?? null };
}

type ParametersDisplay = components['schemas']['JobDisplayParametersSummary'];

/** The parameters with their labels, as the details page shows them. */
export function parametersDisplay(
  view: AccountView,
  record: JobRecord | undefined,
  toolbox: Pick<Toolbox, 'tool'>,
): ParametersDisplay {
  if (record === undefined) return { parameters: [], has_parameter_errors: false, outputs: {} };
  const tool = toolbox.tool(record.tool, record.toolVersion) ?? toolbox.tool(record.tool);
  const parameters: ParametersDisplay['parameters'] = [];
  describeState(view, record.params, tool?.inputs ?? [], 1, parameters);
  const outputs = Object.fromEntries(
    Object.entries(record.outputs).map(([name, id]) => [name, [{ label: null, value: { id, src: 'hda' as const } }]]),
  );
  return { parameters, has_parameter_errors: false, outputs };
}

const DEPTH_MAX = 20;

function describeState(
  view: AccountView,
  state: JsonObject,
  inputs: readonly ToolParameter[],
  depth: number,
  into: ParametersDisplay['parameters'],
): void {
  if (depth > DEPTH_MAX) return;
  const known = new Map(inputs.map((input) => [input.name, input]));
  for (const [name, value] of Object.entries(state)) {
    if (name.startsWith('__')) continue;
    const input = known.get(name);
    const text = input?.label || name;
    if (input?.type === 'repeat' && Array.isArray(value)) {
      for (const [index, instance] of value.entries()) {
        into.push({ text: `${text} ${index + 1}`, depth, value: null });
        if (isObject(instance)) describeState(view, instance, input.inputs ?? [], depth + 1, into);
      }
      continue;
    }
    if (isObject(value) && (input?.type === 'conditional' || input?.type === 'section')) {
      const chosen = input.test && value[input.test.name];
      const inner = input.cases?.find((one) => one.value === String(chosen))?.inputs ?? input.inputs ?? [];
      into.push({ text, depth, value: null });
      describeState(view, value, input.test ? [input.test, ...inner] : inner, depth + 1, into);
      continue;
    }
    const datasets = datasetsIn(value);
    into.push(
      datasets.length > 0
        ? { text, depth, value: datasets.map((id) => datasetParameter(view, id)) }
        : { text, depth, value: shownValue(value, input) },
    );
  }
}

function shownValue(value: JsonValue, input: ToolParameter | undefined): string | null {
  const label = (one: JsonValue) =>
    typeof one === 'object' && one !== null
      ? JSON.stringify(one)
      : (input?.options?.find((choice) => choice.value === String(one))?.label ?? String(one));
  if (value === null) return null;
  return Array.isArray(value) ? value.map(label).join(', ') : label(value);
}

function datasetParameter(view: AccountView, id: string) {
  const dataset = view.get('dataset', id);
  return { src: 'hda' as const, id, hid: dataset ? hidOf(dataset) : null, name: dataset?.name ?? '(not here)' };
}

/** `{src: 'hda', id}`, `{values: […]}` and lists of them. */
function datasetsIn(value: JsonValue): string[] {
  if (Array.isArray(value)) return value.flatMap(datasetsIn);
  if (!isObject(value)) return [];
  if (Array.isArray(value.values)) return value.values.flatMap(datasetsIn);
  return value.src === 'hda' && typeof value.id === 'string' ? [value.id] : [];
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function jobMetrics(record: JobRecord): components['schemas']['JobMetricCollection'] {
  const { outcome } = record;
  const metrics: components['schemas']['JobMetric'][] = [];
  const add = (name: string, title: string, value: string, raw: JsonValue) =>
    metrics.push({ plugin: 'core', name, title, value, raw_value: String(raw) });
  if (outcome?.startedAt) {
    add('start_epoch', 'Job Start Time', galaxyTime(outcome.startedAt), outcome.startedAt / 1000);
    add('end_epoch', 'Job End Time', galaxyTime(outcome.endedAt), outcome.endedAt / 1000);
    const seconds = Math.max(0, outcome.endedAt - outcome.startedAt) / 1000;
    add('runtime_seconds', 'Job Runtime (Wall Clock)', `${seconds.toFixed(1)} seconds`, seconds);
  }
  for (const [name, value] of Object.entries(outcome?.metrics ?? {})) {
    if (value !== null && typeof value !== 'object') add(name, name, String(value), value);
  }
  return metrics;
}

function jobMessages(message: string | undefined): ShowFullJob['job_messages'] {
  if (!message) return [];
  return [{ type: 'exit_code', desc: message, code_desc: null, error_level: 3, exit_code: 1 }];
}
