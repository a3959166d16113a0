/** From a request to run a tool to the jobs to submit: parameters resolved, outputs decided, nothing written. */
import type { JsonObject } from '../../protocol/log/entry.js';
import type { ImplicitCollection, Submission } from '../jobs/job.js';
import type { ExpandedJob, MapOver, Tool, Toolbox, ToolContext } from '../toolbox/tool.js';

export type ToolRunPlan =
  | {
      submissions: Submission[];
      /** When the tool is run over collections: what its jobs make together. */
      implicit: ImplicitCollection[];
    }
  /** Parameter (`queries_0|input2`) → sentence. Nothing may be submitted. */
  | { errors: Record<string, string> };

type Planner = Pick<Toolbox, 'expand' | 'plan' | 'planCollections'>;

export function planToolRun(toolbox: Planner, tool: Tool, inputs: JsonObject, context: ToolContext): ToolRunPlan {
  const { jobs, errors, mapOver } = toolbox.expand(tool, inputs, context);
  if (Object.keys(errors).length > 0) return { errors };
  const submissions = jobs.map((job) => submissionOf(toolbox, tool, job, context));
  const implicit = mapOver ? implicitOf(toolbox, tool, jobs, submissions, mapOver, context) : [];
  return { submissions, implicit };
}

function submissionOf(toolbox: Planner, tool: Tool, job: ExpandedJob, context: ToolContext): Submission {
  const collections = toolbox.planCollections?.(tool, job, context) ?? [];
  return {
    tool: tool.id,
    toolVersion: tool.version,
    history: context.historyId,
    state: job.state,
    inputs: job.inputs,
    outputs: toolbox.plan(tool, job, context).map(({ name, label, extension, hidden, genomeBuild, element }) => ({
      name,
      label,
      extension,
      hidden,
      ...(genomeBuild === undefined ? {} : { genomeBuild }),
      ...(element === undefined ? {} : { element }),
    })),
    ...(collections.length === 0
      ? {}
      : {
          collections: collections.map(({ name, label, collectionType, hidden, discover }) => ({
            name,
            label,
            collectionType,
            hidden,
            discovered: discover.length > 0,
          })),
        }),
  };
}

/** A job may leave out an output that others have: the collection is of those that have it. */
function implicitOf(
  toolbox: Planner,
  tool: Tool,
  jobs: readonly ExpandedJob[],
  submissions: readonly Submission[],
  { collectionType, identifiers, over }: MapOver,
  context: ToolContext,
): ImplicitCollection[] {
  const found = new Map<string, ImplicitCollection>();
  for (const [index, { outputs, collections = [] }] of submissions.entries()) {
    const items = [
      ...outputs.filter(({ element }) => element === undefined).map((output) => ({ ...output, type: collectionType })),
      ...collections.map((one) => ({ ...one, type: `${collectionType}:${one.collectionType}` })),
    ];
    for (const { name, hidden, type } of items) {
      let one = found.get(name);
      if (one === undefined) {
        const label = labelOver(toolbox, tool, jobs[index], name, over, context);
        one = { output: name, label, collectionType: type, hidden, identifiers: submissions.map(() => undefined) };
        found.set(name, one);
      }
      one.identifiers[index] = identifiers[index];
    }
  }
  return [...found.values()];
}

/** The label as if the job had got the collections themselves: "on collection 3". */
function labelOver(
  toolbox: Planner,
  tool: Tool,
  job: ExpandedJob | undefined,
  output: string,
  over: MapOver['over'],
  context: ToolContext,
): string {
  if (job === undefined) return output;
  const whole = Object.fromEntries(over.map(({ path, id }) => [path, [{ kind: 'collection' as const, id }]]));
  const asOne: ExpandedJob = { ...job, inputs: { ...job.inputs, ...whole } };
  const planned = [
    ...toolbox.plan(tool, asOne, context),
    ...(toolbox.planCollections?.(tool, asOne, context) ?? []),
  ].find(({ name }) => name === output);
  return planned?.label ?? output;
}
