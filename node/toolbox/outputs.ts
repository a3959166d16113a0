/** What a job will make, decided before it runs: which outputs, under which labels, in which formats. */
import type { Logger } from '../../protocol/runtime/logger.js';
import { truth } from './cheetah/values.js';
import { translated } from './errors.js';
import type { LoadedOutput, LoadedTool } from './loaded.js';
import { datasetsOf, namesOf } from './names.js';
import { type Accepts, DatasetValue, extensionOf } from './template-values.js';
import type { ExpandedJob, PlannedOutput, ToolContext, ToolDataset } from './tool.js';

export interface PlanDeps {
  context: ToolContext;
  accepts: Accepts;
  log: Logger;
}

const LABEL_CHARS_MAX = 1024;

export function planOutputs(tool: LoadedTool, job: ExpandedJob, deps: PlanDeps): PlannedOutput[] {
  const inputPath = () => '';
  const kept = tool.outputs.filter((output) => passes(tool, output, job, deps));
  return kept.map((output) => ({
    name: output.name,
    label: labelOf(tool, output, job, deps, inputPath),
    extension: formatOf(tool, output, job, deps),
    hidden: output.hidden,
    fromWorkDir: output.fromWorkDir,
  }));
}

/** A filter that cannot be evaluated keeps its output, as in Galaxy: a missing output is worse than an empty one. */
function passes(tool: LoadedTool, output: LoadedOutput, job: ExpandedJob, deps: PlanDeps): boolean {
  if (output.filterExpressions.length === 0) return true;
  const names = namesOf(tool, job, deps, { purpose: 'filter', inputPath: () => '' });
  return output.filterExpressions.every((filter) => {
    try {
      return truth(filter.evaluate(names));
    } catch (error) {
      deps.log.debug({ tool: tool.id, output: output.name, error }, 'an output filter could not be evaluated');
      return true;
    }
  });
}

function labelOf(
  tool: LoadedTool,
  output: LoadedOutput,
  job: ExpandedJob,
  deps: PlanDeps,
  inputPath: () => string,
): string {
  const names = namesOf(tool, job, deps, { purpose: 'label', inputPath });
  const { labelTemplate } = output;
  const on = names.get('on_string');
  const plain = on === '' ? tool.name : `${tool.name} on ${String(on)}`;
  const label = labelTemplate ? translated(false, () => labelTemplate.render(names)).trim() : plain;
  return (label || plain).slice(0, LABEL_CHARS_MAX);
}

function formatOf(tool: LoadedTool, output: LoadedOutput, job: ExpandedJob, deps: PlanDeps): string {
  let format = baseFormat(output, job, deps.context);
  for (const { input, attribute, value, format: other } of output.changeByDataset) {
    const dataset = datasetOf(input, job, deps.context);
    if (!dataset) continue;
    const held = new DatasetValue(dataset, '', undefined, deps.accepts).attribute(attribute);
    if (String(held ?? '') === value) format = other;
  }
  if (output.changeByValue.length === 0) return format;
  const names = namesOf(tool, job, deps, { purpose: 'label', inputPath: () => '' });
  for (const { input, value, format: other } of output.changeByValue) {
    if (translated(false, () => input.render(names)) === value) format = other;
  }
  return format;
}

function baseFormat(output: LoadedOutput, job: ExpandedJob, context: ToolContext): string {
  const source = output.formatSource === undefined ? undefined : datasetOf(output.formatSource, job, context);
  if (source) return extensionOf(source);
  if (output.format !== 'input') return output.format;
  const [first] = datasetsOf(job, context);
  return first ? extensionOf(first) : 'data';
}

/** A dataset input by name: `input1`, `cond|input1`, `cond.input1` or the bare last part. */
function datasetOf(name: string, job: ExpandedJob, context: ToolContext): ToolDataset | undefined {
  const path = name.replace(/\./g, '|').replace(/\[.*$/, '');
  const key =
    Object.keys(job.inputs).find((candidate) => candidate === path) ??
    Object.keys(job.inputs).find((candidate) => candidate.split('|').at(-1) === path);
  const [first] = key === undefined ? [] : (job.inputs[key] ?? []);
  if (!first) return undefined;
  if (first.kind === 'dataset') return context.dataset(first.id);
  return context.collection(first.id)?.elements[0]?.dataset;
}
