/**
 * Jobs of loaded tools, with what their templates see: datasets, choices and tables made up so that every tool's form is
 * filled. A tool's defaults are taken where it has any.
 */
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import type { Value } from '../../../node/toolbox/cheetah/values.js';
import type { LoadedTool } from '../../../node/toolbox/loaded.js';
import { prepareCommand } from '../../../node/toolbox/rendering/command.js';
import type {
  ExpandedJob,
  Tool,
  Toolbox,
  ToolCollection,
  ToolContext,
  ToolDataset,
  ToolParameter,
} from '../../../node/toolbox/tool.js';
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';

const HISTORY = 'b'.repeat(16);
const WORK = '/data/jobs/1/work';
const INDEX_ROW = ['one', 'one', 'An index', '/data/indexes/one'];

export interface MixedJob {
  tool: LoadedTool;
  job: ExpandedJob;
  context: ToolContext;
  names: ReadonlyMap<string, Value>;
  rendered: string;
  /** All that a job needs: names, outputs, configuration files and command. */
  prepare(): void;
}

export interface Mix {
  jobs: MixedJob[];
  failed: { tool: string; reason: string }[];
}

export function renderMix(toolbox: Toolbox, tools: readonly Tool[]): Mix {
  const mix: Mix = { jobs: [], failed: [] };
  for (const tool of tools) {
    try {
      mix.jobs.push(mixedJob(toolbox, tool as LoadedTool));
    } catch (error) {
      mix.failed.push({ tool: tool.id, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return mix;
}

function mixedJob(toolbox: Toolbox, tool: LoadedTool): MixedJob {
  const history = new History();
  const inputs = history.fill(tool.inputs);
  const { context } = history;
  const { jobs, errors } = toolbox.expand(tool, inputs, context);
  const [job] = jobs;
  if (!job) throw new Error(JSON.stringify(errors));
  const datatypes = createDatatypes();
  const deps = {
    context,
    accepts: (formats: readonly string[], extension: string) => datatypes.accepts(formats, extension),
    log: silentLogger,
  };
  const files = {
    inputPath: (dataset: string) => `/data/blobs/${dataset}`,
    outputPath: (output: string) => `${WORK}/outputs/${output}`,
    workFolder: WORK,
  };
  let names: ReadonlyMap<string, Value> = new Map();
  // The names are what prepareCommand gives to the template: taken where it does.
  const listening = new Proxy(tool, {
    get: (target, key) => {
      const held: unknown = Reflect.get(target, key);
      if (key !== 'command' || !target.command) return held;
      const { template } = target.command;
      return {
        ...target.command,
        template: {
          render: (given: ReadonlyMap<string, Value>) => {
            names = new Map(given);
            return template.render(given);
          },
        },
      };
    },
  });
  const { commandLine = '' } = prepareCommand(listening, job, deps, files);
  return {
    tool,
    job,
    context,
    names,
    rendered: commandLine,
    prepare: () => void prepareCommand(tool, job, deps, files),
  };
}

/** Makes datasets as they are asked for. */
class History {
  private readonly datasets = new Map<string, ToolDataset>();
  private readonly collections = new Map<string, ToolCollection>();

  get context(): ToolContext {
    const table = { columns: new Map(Object.entries({ value: 0, dbkey: 1, name: 2, path: 3 })), rows: [INDEX_ROW] };
    return {
      historyId: HISTORY,
      dataset: (id) => this.datasets.get(id),
      collection: (id) => this.collections.get(id),
      choices: () => [...this.datasets.values()],
      tables: { table: () => table } as unknown as NonNullable<ToolContext['tables']>,
      user: { id: 'c'.repeat(16), email: 'bench@example.org', name: 'bench' },
    };
  }

  /** What a form needs beyond its defaults. */
  fill(parameters: readonly ToolParameter[]): JsonObject {
    const filled: JsonObject = {};
    for (const parameter of parameters) {
      const value = this.one(parameter);
      if (value !== undefined) filled[parameter.name] = value;
    }
    return filled;
  }

  private one(parameter: ToolParameter): JsonValue | undefined {
    const { type } = parameter;
    switch (type) {
      case 'data': {
        const id = this.dataset(parameter.formats?.[0] ?? 'txt');
        return { values: [{ src: 'hda', id }] };
      }
      case 'data_collection':
        return { values: [{ src: 'hdca', id: this.collection(parameter) }] };
      case 'text':
        return parameter.optional || (parameter.value ?? '') !== '' ? undefined : 'word';
      case 'integer':
      case 'float':
        return parameter.value === undefined ? Math.max(parameter.min ?? 1, 1) : undefined;
      case 'select':
        // One from a table, or one that has to be chosen.
        return parameter.multiple && !parameter.optional ? [parameter.options?.[0]?.value ?? 'one'] : undefined;
      case 'data_column':
        return '1';
      case 'section':
        return this.fill(parameter.inputs ?? []);
      case 'repeat':
        return Array.from({ length: Math.max(1, parameter.min ?? 0) }, () => this.fill(parameter.inputs ?? []));
      case 'conditional': {
        const test = parameter.test;
        const { options = [] } = test ?? {};
        const chosen =
          test?.type === 'select' ? (options.find(({ selected }) => selected) ?? options[0])?.value : undefined;
        const held = chosen ?? (test?.type === 'boolean' ? String(test.value ?? false) : String(test?.value ?? ''));
        const inner = parameter.cases?.find(({ value }) => value === held)?.inputs ?? [];
        return { ...(test && chosen !== undefined ? { [test.name]: chosen } : {}), ...this.fill(inner) };
      }
      default:
        return undefined;
    }
  }

  private dataset(extension: string): string {
    const hid = this.datasets.size + this.collections.size + 1;
    const id = hid.toString(16).padStart(16, '0');
    this.datasets.set(id, {
      hid,
      record: {
        ...{
          id,
          applied: 0,
          history: HISTORY,
          hid,
          uuid: '',
          createdAt: 0,
          name: `data ${hid}.${extension}`,
          extension,
        },
        ...{ purged: false, metadata: {}, deleted: false },
      },
      content: {
        ...{ state: 'ok', extension, files: [], size: 10, peek: '', blurb: '', info: '' },
        metadata: { dbkey: 'hg38', columns: 3, column_names: ['a', 'b', 'c'], column_types: ['str', 'int', 'int'] },
      },
    });
    return id;
  }

  private collection(parameter: ToolParameter): string {
    const type = (parameter.attributes.collection_type ?? 'list').split(',')[0] ?? 'list';
    const extension = parameter.formats?.[0] ?? 'txt';
    const build = (kinds: readonly string[]): ToolCollection & { tree: NonNullable<ToolCollection['tree']> } => {
      const [kind, ...rest] = kinds;
      const identifiers = kind?.startsWith('paired') ? ['forward', 'reverse'] : ['one', 'two'];
      const tree: NonNullable<ToolCollection['tree']> = [];
      const elements: ToolCollection['elements'] = [];
      for (const identifier of identifiers) {
        if (rest.length > 0) {
          const inner = build(rest);
          tree.push({ identifier, id: inner.id, collectionType: inner.collectionType, elements: inner.tree });
          elements.push(...inner.elements);
        } else {
          const dataset = this.datasets.get(this.dataset(extension)) as ToolDataset;
          tree.push({ identifier, dataset });
          elements.push({ identifier, dataset });
        }
      }
      const hid = this.datasets.size + this.collections.size + 1;
      const made = {
        id: hid.toString(16).padStart(16, 'c'),
        name: `list ${hid}`,
        hid,
        collectionType: kinds.join(':'),
        elements,
        tree,
      };
      this.collections.set(made.id, made);
      return made;
    };
    return build(type.split(':')).id;
  }
}
