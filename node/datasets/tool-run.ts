/** From a request to run a tool to the jobs to submit: parameters resolved, outputs decided, nothing written. */
import type { JsonObject } from '../../protocol/log/entry.js';
import type { Submission } from '../jobs/job.js';
import type { Tool, Toolbox, ToolContext } from '../toolbox/tool.js';

export type ToolRunPlan =
  | { submissions: Submission[] }
  /** Parameter (`queries_0|input2`) → sentence. Nothing may be submitted. */
  | { errors: Record<string, string> };

export function planToolRun(
  toolbox: Pick<Toolbox, 'expand' | 'plan'>,
  tool: Tool,
  inputs: JsonObject,
  context: ToolContext,
): ToolRunPlan {
  const { jobs, errors } = toolbox.expand(tool, inputs, context);
  if (Object.keys(errors).length > 0) return { errors };
  const submissions = jobs.map((job) => ({
    tool: tool.id,
    toolVersion: tool.version,
    history: context.historyId,
    state: job.state,
    inputs: job.inputs,
    outputs: toolbox.plan(tool, job, context).map(({ name, label, extension, hidden }) => ({
      name,
      label,
      extension,
      hidden,
    })),
  }));
  return { submissions };
}
