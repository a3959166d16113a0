/** What a job will make, decided before it runs: which outputs, under which labels, in which formats. */
import type { Logger } from '../../../protocol/runtime/logger.js';
import { Effort } from '../cheetah/pattern.js';
import { type RenderOptions, type Template, TemplateError } from '../cheetah/template.js';
import type { Value } from '../cheetah/values.js';
import { truth } from '../cheetah/values.js';
import { translated } from '../errors.js';
import type { LoadedOutput, LoadedTool } from '../loaded.js';
import { datasetsOf, namesOf } from '../rendering/names.js';
import { type Accepts, DatasetValue, extensionOf, genomeBuildOf } from '../rendering/template-values.js';
import type { DiscoverRule, ExpandedJob, PlannedCollection, PlannedOutput, ToolContext, ToolDataset } from '../tool.js';
import { type ActionsResult, runActions } from './output-actions.js';
import { collectionAt, datasetAt } from './output-source.js';

export interface PlanDeps {
  context: ToolContext;
  accepts: Accepts;
  log: Logger;
}

export interface OutputPlan {
  /** Elements of static collections included, under the names that `partName` gives. */
  outputs: PlannedOutput[];
  collections: PlannedCollection[];
}

const LABEL_CHARS_MAX = 1024;
/** Elements of a collection that is structured like another one. */
const ELEMENTS_MAX = 10_000;

/**
 * Labels, filters and actions are rendered while a request waits and the node does nothing else: so many steps for one
 * of them, some hundredths of a second, and for all of a job.
 */
const STEPS_MAX = 100_000;
const JOB_STEPS_MAX = 400_000;

/** As Galaxy names the element of an output collection. */
export function partName(collection: string, identifiers: readonly string[]): string {
  return [collection, ...identifiers].join('|__part__|');
}

export function planOutputs(tool: LoadedTool, job: ExpandedJob, deps: PlanDeps): OutputPlan {
  const planner = new Planner(tool, job, deps);
  const plan: OutputPlan = { outputs: [], collections: [] };
  for (const output of tool.outputs) {
    if (!planner.keeps(output)) continue;
    if (output.kind === 'collection') planner.collection(output, plan);
    else plan.outputs.push(planner.data(output));
  }
  return plan;
}

class Planner {
  private readonly labelNames: () => Map<string, Value>;
  private readonly filterNames: () => Map<string, Value>;
  /** Of the first input that has one: what is made of it is of the same genome. */
  private readonly genomeBuild: string | undefined;
  private readonly bounds: RenderOptions = { stepsMax: STEPS_MAX, effort: new Effort(JOB_STEPS_MAX) };

  constructor(
    private readonly tool: LoadedTool,
    private readonly job: ExpandedJob,
    private readonly deps: PlanDeps,
  ) {
    const names = (purpose: 'label' | 'filter') => namesOf(tool, job, deps, { purpose, inputPath: () => '' });
    this.labelNames = once(() => names('label'));
    this.filterNames = once(() => names('filter'));
    this.genomeBuild = datasetsOf(job, deps.context)
      .map(genomeBuildOf)
      .find((build) => build !== '?');
  }

  /** A filter that cannot be evaluated keeps its output, as in Galaxy: a missing output is worse than an empty one. */
  keeps(output: LoadedOutput): boolean {
    return output.filterExpressions.every((filter) => {
      try {
        return truth(filter.evaluate(this.filterNames(), this.bounds));
      } catch (error) {
        refuseLimit(error);
        this.deps.log.debug(
          { tool: this.tool.id, output: output.name, error },
          'an output filter could not be evaluated',
        );
        return true;
      }
    });
  }

  data(output: LoadedOutput, source?: ToolDataset): PlannedOutput {
    const set = this.actions(output);
    return {
      name: output.name,
      label: this.label(output),
      extension: set.format ?? this.format(output, source),
      hidden: output.hidden,
      fromWorkDir: output.fromWorkDir,
      genomeBuild: set.genomeBuild ?? this.build(output, source),
      metadata: Object.keys(set.metadata).length > 0 ? set.metadata : undefined,
      discover: output.discover.length > 0 ? output.discover.map((rule) => this.rule(rule, output)) : undefined,
      precreateFolder: output.precreateFolder || undefined,
    };
  }

  collection(output: LoadedOutput, plan: OutputPlan): void {
    const { context } = this.deps;
    const like =
      output.structuredLike === undefined ? undefined : collectionAt(output.structuredLike, this.job, context);
    const typeFrom = output.typeSource === undefined ? like : collectionAt(output.typeSource, this.job, context);
    const label = this.label(output);
    const extension = this.format(output, undefined);
    plan.collections.push({
      name: output.name,
      label,
      collectionType: output.collectionType ?? typeFrom?.collectionType ?? 'list',
      hidden: output.hidden,
      extension,
      genomeBuild: this.build(output, undefined),
      discover: output.discover.map((rule) => this.rule(rule, output)),
    });
    const part = (identifiers: string[], planned: PlannedOutput): PlannedOutput => ({
      ...planned,
      name: partName(output.name, identifiers),
      label: identifiers.at(-1) ?? planned.name,
      hidden: true,
      element: { collection: output.name, identifiers },
    });
    for (const element of output.elements) {
      if (this.keeps(element)) plan.outputs.push(part([element.name], this.data(element)));
    }
    for (const { identifiers, dataset } of (like?.leaves ?? []).slice(0, ELEMENTS_MAX)) {
      const planned = this.data({ ...output, discover: [] }, output.inheritFormat ? dataset : undefined);
      plan.outputs.push(part(identifiers, planned));
    }
  }

  private rule(rule: DiscoverRule, output: LoadedOutput): DiscoverRule {
    const build = rule.genomeBuild ?? this.build(output, undefined);
    return { ...rule, format: this.foundFormat(rule, output), ...(build === undefined ? {} : { genomeBuild: build }) };
  }

  /** A rule that says nothing has the format of its output, which may be that of an input. */
  private foundFormat({ format }: DiscoverRule, output: LoadedOutput): string {
    if (format === 'input') return this.firstFormat();
    if (format !== output.format) return format;
    const { structuredLike } = output;
    const isLike = output.inheritFormat && structuredLike !== undefined && output.formatSource === undefined;
    const like = isLike ? collectionAt(structuredLike, this.job, this.deps.context)?.leaves[0] : undefined;
    return like ? extensionOf(like.dataset) : this.baseFormat(output);
  }

  private actions(output: LoadedOutput): ActionsResult {
    const { context, accepts, log } = this.deps;
    try {
      return runActions(output.actions, { job: this.job, context, accepts, bounds: this.bounds }, this.labelNames);
    } catch (error) {
      refuseLimit(error);
      log.debug(
        { tool: this.tool.id, output: output.name, error },
        'the actions of an output could not be carried out',
      );
      return { format: undefined, genomeBuild: undefined, metadata: {} };
    }
  }

  private label({ labelTemplate }: LoadedOutput): string {
    const names = this.labelNames();
    const on = names.get('on_string');
    const plain = on === '' ? this.tool.name : `${this.tool.name} on ${String(on)}`;
    const label = labelTemplate ? translated(false, () => labelTemplate.render(names, this.bounds)).trim() : plain;
    return (label || plain).slice(0, LABEL_CHARS_MAX);
  }

  private format(output: LoadedOutput, inherited: ToolDataset | undefined): string {
    const { context, accepts } = this.deps;
    let format = inherited ? extensionOf(inherited) : this.baseFormat(output);
    for (const { input, attribute, value, format: other } of output.changeByDataset) {
      const dataset = datasetAt(input, this.job, context);
      if (!dataset) continue;
      const held = new DatasetValue(dataset, '', undefined, accepts).attribute(attribute);
      if (String(held ?? '') === value) format = other;
    }
    for (const { input, value, format: other } of output.changeByValue) {
      if (this.textOf(input) === value) format = other;
    }
    return format;
  }

  /** Undefined when it speaks of a parameter of a case that was not chosen: then the format stays, as in Galaxy. */
  private textOf(input: Template): string | undefined {
    try {
      return input.render(this.labelNames(), this.bounds);
    } catch (error) {
      refuseLimit(error);
      if (!(error instanceof TemplateError)) throw error;
      return undefined;
    }
  }

  private baseFormat(output: LoadedOutput): string {
    const { context } = this.deps;
    const source = output.formatSource === undefined ? undefined : datasetAt(output.formatSource, this.job, context);
    if (source) return extensionOf(source);
    return output.format === 'input' ? this.firstFormat() : output.format;
  }

  private firstFormat(): string {
    const [first] = datasetsOf(this.job, this.deps.context);
    return first ? extensionOf(first) : 'data';
  }

  private build(output: LoadedOutput, inherited: ToolDataset | undefined): string | undefined {
    const { metadataSource } = output;
    const source = inherited ?? (metadataSource && datasetAt(metadataSource, this.job, this.deps.context));
    const build = source ? genomeBuildOf(source) : '?';
    return build === '?' ? this.genomeBuild : build;
  }
}

/** What takes too long for one job does so for the next: the request is refused, where other errors are forgiven. */
function refuseLimit(error: unknown): void {
  if (!(error instanceof TemplateError) || error.fault !== 'limit') return;
  translated(false, () => {
    throw error;
  });
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
