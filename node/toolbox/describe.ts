/** GET /api/tools/{id}: a tool in Galaxy's words. */
import type { JsonObject, JsonValue } from '../../protocol/log/entry.js';
import type { LoadedOutput, LoadedTool } from './loaded.js';
import { type ModelDeps, ParameterModels } from './parameters/parameter-model.js';
import { givenOf } from './parameters/parameters.js';

export function describeTool(
  tool: LoadedTool,
  deps: Pick<ModelDeps, 'datatypes'>,
  options: { ioDetails: boolean; linkDetails: boolean },
): JsonObject {
  const description: JsonObject = {
    model_class: 'Tool',
    id: tool.id,
    name: tool.name,
    version: tool.version,
    description: tool.description,
    labels: [],
    edam_operations: tool.edamOperations,
    edam_topics: tool.edamTopics,
    hidden: tool.hidden ? 'True' : '',
    is_workflow_compatible: tool.action === 'command',
    xrefs: tool.xrefs.map(({ reftype, value }) => ({ reftype, value })),
    panel_section_id: tool.section.id,
    panel_section_name: tool.section.name,
    form_style: tool.action === 'internal' ? 'special' : 'regular',
    tool_shed_repository: null,
    config_file: null,
    icon: null,
    license: tool.license ?? null,
    creator:
      tool.creators.length === 0
        ? null
        : tool.creators.map(({ kind, attributes }) => ({
            class: kind === 'person' ? 'Person' : 'Organization',
            ...attributes,
          })),
    requirements: tool.requirements.map(({ name, version, type }) => ({ name, version: version ?? null, type })),
  };
  if (options.linkDetails) {
    description.link = `/tool_runner?tool_id=${encodeURIComponent(tool.id)}`;
    description.min_width = -1;
    description.target = 'galaxy_main';
  }
  if (options.ioDetails) {
    const models = new ParameterModels({ datatypes: deps.datatypes });
    description.inputs = models.group(tool.inputs, givenOf({}));
    description.outputs = tool.outputs.map((output) => outputModel(output, deps));
  }
  return description;
}

function outputModel(output: LoadedOutput, { datatypes }: Pick<ModelDeps, 'datatypes'>): JsonValue {
  if (output.kind === 'collection') return collectionModel(output);
  const type = datatypes.get(output.format);
  return {
    model_class: 'ToolOutput',
    name: output.name,
    format: output.format,
    format_source: output.formatSource ?? null,
    metadata_source: output.metadataSource ?? '',
    default_identifier_source: output.defaultIdentifierSource ?? '',
    label: output.label ?? null,
    hidden: output.hidden,
    output_type: 'data',
    edam_format: type?.edamFormat ?? null,
    edam_data: type?.edamData ?? null,
    count: 1,
  };
}

function collectionModel(output: LoadedOutput): JsonValue {
  return {
    model_class: 'ToolOutputCollection',
    name: output.name,
    label: output.label ?? null,
    hidden: output.hidden,
    output_type: 'collection',
    default_format: output.format,
    default_format_source: output.formatSource ?? null,
    default_metadata_source: output.metadataSource ?? '',
    inherit_format: output.inheritFormat,
    inherit_metadata: false,
    dynamic_structure: output.discovers,
    structure: {
      collection_type: output.collectionType ?? null,
      collection_type_source: output.typeSource ?? null,
      collection_type_from_rules: null,
      structured_like: output.structuredLike ?? null,
      discover_datasets: output.discover.map(({ pattern, directory, visible }) => ({ pattern, directory, visible })),
    },
  };
}
