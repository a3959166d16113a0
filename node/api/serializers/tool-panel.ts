/** The tool panel, in the two forms that Galaxy's clients ask for. */
import type { JsonObject } from '../../../protocol/log/entry.js';
import type { Tool, Toolbox } from '../../toolbox/tool.js';

/** `GET /api/tools` : sections with their tools in them. */
export function sectionsWithTools(toolbox: Toolbox): JsonObject[] {
  return visibleSections(toolbox).map(({ id, name, tools }) => ({
    ...sectionHead(id, name),
    elems: tools.map((tool) => toolbox.describe(tool, { ioDetails: false, linkDetails: true })),
  }));
}

/** `GET /api/tool_panels/default`: sections by id, with the ids of their tools. */
export function panelView(toolbox: Toolbox): JsonObject {
  return Object.fromEntries(
    visibleSections(toolbox).map(({ id, name, tools }) => [
      id,
      { ...sectionHead(id, name), tools: tools.map((tool) => tool.id) },
    ]),
  );
}

export function toolRequirements(tool: Tool): JsonObject[] {
  return tool.requirements.map(({ name, version, type }) => ({ name, version: version ?? null, type, specs: [] }));
}

function sectionHead(id: string, name: string): JsonObject {
  return { model_class: 'ToolSection', id, name, version: '', description: null, links: null };
}

function visibleSections(toolbox: Toolbox): { id: string; name: string; tools: Tool[] }[] {
  return toolbox
    .sections()
    .map(({ id, name, tools }) => ({
      id,
      name,
      tools: tools.flatMap((toolId) => {
        const tool = toolbox.tool(toolId);
        return tool === undefined || tool.hidden ? [] : [tool];
      }),
    }))
    .filter(({ tools }) => tools.length > 0);
}
