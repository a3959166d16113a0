/** GET and POST /api/tools/{id}/build: the form that the client draws, filled as far as the user has filled it. */
import type { JsonObject } from '../../../protocol/log/entry.js';
import { describeTool } from '../describe.js';
import { helpHtml } from '../help/help.js';
import type { LoadedTool } from '../loaded.js';
import type { ToolContext } from '../tool.js';
import { type ModelDeps, ParameterModels, stateInputs } from './parameter-model.js';
import { givenOf } from './parameters.js';

export function toolForm(
  tool: LoadedTool,
  deps: Pick<ModelDeps, 'datatypes'> & { context: ToolContext; versions: string[] },
  inputs: JsonObject,
): JsonObject {
  const models = new ParameterModels(deps);
  const parameters = models.group(tool.inputs, givenOf(inputs));
  return {
    ...describeTool(tool, deps, { ioDetails: false, linkDetails: true }),
    inputs: parameters,
    help: helpHtml(tool.help, tool.helpFormat),
    // As Galaxy says of help that it made HTML of: the client shows any other kind as plain text.
    help_format: 'restructuredtext',
    citations: tool.citations.length > 0,
    sharable_url: null,
    message: '',
    warnings: '',
    versions: deps.versions,
    errors: models.errors,
    tool_errors: null,
    state_inputs: stateInputs(parameters),
    job_id: null,
    job_remap: null,
    history_id: deps.context.historyId,
    display: tool.action === 'command',
    action: '/tool_runner/index',
    method: 'post',
    enctype: 'application/x-www-form-urlencoded',
    credentials: [],
  };
}
