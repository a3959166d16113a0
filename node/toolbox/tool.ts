/**
 * What the rest of the node knows of tools. A wrapper (XML) is loaded into a `Tool`; the state of its parameters is a
 * nested JSON object as Galaxy nests it; templates are rendered by an interpreter of our own (cheetah/), without eval
 * and without access to files.
 */

import type { Content } from '../../protocol/account/entries.js';
import type { DatasetRecord } from '../../protocol/account/records.js';
import type { JsonObject, JsonValue } from '../../protocol/log/entry.js';
import type { DataTables } from './data-tables/data-tables.js';

export interface ToolProblem {
  file: string;
  line: number | undefined;
  /** What is not supported or wrong, by name, and the mend. */
  message: string;
}

export interface ToolParameter {
  name: string;
  type:
    | 'data'
    | 'data_collection'
    | 'text'
    | 'integer'
    | 'float'
    | 'boolean'
    | 'select'
    | 'hidden'
    | 'data_column'
    | 'color'
    | 'conditional'
    | 'repeat'
    | 'section'
    | 'baseurl'
    | 'hidden_data'
    | 'genomebuild'
    | 'drill_down'
    | 'group_tag';
  label: string;
  help: string;
  optional: boolean;
  /** The wrapper's attributes as written, for what only the form and the renderer need. */
  attributes: Readonly<Record<string, string>>;
  /** data: accepted extensions; select: options; conditional: cases; repeat and section: inner parameters. */
  formats?: string[];
  multiple?: boolean;
  value?: JsonValue;
  options?: ToolOption[];
  /** drill_down: choices within choices. */
  tree?: ToolOptionNode[];
  test?: ToolParameter;
  cases?: { value: string; inputs: ToolParameter[] }[];
  inputs?: ToolParameter[];
  min?: number;
  max?: number;
}

export interface ToolOption {
  value: string;
  label: string;
  selected: boolean;
}

export interface ToolOptionNode extends ToolOption {
  children: ToolOptionNode[];
}

export interface ToolOutput {
  name: string;
  kind: 'data' | 'collection';
  /** `input` and format_source are resolved by `planOutputs`. */
  format: string;
  formatSource?: string;
  metadataSource?: string;
  label?: string;
  fromWorkDir?: string;
  hidden: boolean;
  filters: string[];
  changeFormat: { input: string; value: string; format: string }[];
  /** The input whose element identifier this output takes over when it becomes an element. */
  defaultIdentifierSource?: string;
  /** Collections: `list`, `paired`, `list:paired`, …; undefined when `typeSource` or `structuredLike` says it. */
  collectionType?: string;
  typeSource?: string;
  structuredLike?: string;
  /** Its files are found after the run. */
  discovers: boolean;
}

/** `<discover_datasets>`: which files of the working folder become datasets. Plain data, because a runner applies it. */
export interface DiscoverRule {
  /** Python's pattern, to match from the beginning; its groups say name, designation, ext, identifier_0, …. */
  pattern: string;
  /** Relative to the working folder. */
  directory: string;
  recurse: boolean;
  /** The pattern is for the path below the folder and not for the name. */
  matchRelativePath: boolean;
  /** Where the pattern has no `ext`. */
  format: string;
  visible: boolean;
  assignPrimary: boolean;
  sortBy: 'filename' | 'name' | 'designation' | 'dbkey' | 'ext';
  sortReverse: boolean;
  sortNumeric: boolean;
  /** The files are listed in the tool's own `galaxy.json`. */
  fromProvidedMetadata: boolean;
  /** Of what is found, where its name says none. */
  genomeBuild?: string;
}

export interface Tool {
  id: string;
  version: string;
  name: string;
  description: string;
  profile: string;
  section: { id: string; name: string };
  /** File the wrapper was read from. */
  file: string;
  hidden: boolean;
  inputs: ToolParameter[];
  outputs: ToolOutput[];
  requirements: { name: string; version: string | undefined; type: string }[];
  help: string;
  helpFormat: string;
  citations: { type: string; content: string }[];
  xrefs: { reftype: string; value: string }[];
  edamOperations: string[];
  edamTopics: string[];
  /** `internal`: run by the node itself (upload1, __DATA_FETCH__). */
  action: 'command' | 'internal';
  /** Written by somebody whom the node does not trust: its processes run confined (jobs/run-spec.ts), or it is refused. */
  confine?: 'sandbox';
  /** The wrapper's text, for GET /api/tools/{id}/raw_tool_source. */
  source: string;
}

/** A dataset that a tool reads, as its template sees it. */
export interface ToolDataset {
  record: DatasetRecord;
  content: Content | undefined;
  hid: number;
}

/** A place in a collection: a dataset, or a collection of its own. */
export type ToolElement =
  | { identifier: string; dataset: ToolDataset; id?: string }
  | { identifier: string; id: string; collectionType: string; elements: ToolElement[] };

export interface ToolCollection {
  id: string;
  name: string;
  hid: number;
  collectionType: string;
  /** Its datasets in order, those of inner collections included. */
  elements: { identifier: string; dataset: ToolDataset }[];
  /** As it is nested; absent where nothing is. */
  tree?: ToolElement[];
  tags?: readonly string[];
}

/** What resolving parameters may ask: the histories' datasets. The API layer supplies it from the account's view. */
export interface ToolContext {
  dataset(id: string): ToolDataset | undefined;
  /** Also one within another, by its own id. */
  collection(id: string): ToolCollection | undefined;
  /** Of the target history, visible and not deleted, newest first: choices for the form. */
  choices(): ToolDataset[];
  /** The same of collections. */
  collections?(): ToolCollection[];
  /** A place in a collection, as the client names one (`dce`). */
  element?(id: string): ToolElement | undefined;
  /** The first lines of a dataset, when its bytes are on this node and are text. */
  lines?(dataset: string): readonly string[] | undefined;
  /** Genomes, indexes and the like that an operator has put on this node. */
  tables?: Pick<DataTables, 'table'> & Partial<Pick<DataTables, 'file'>>;
  /** Whose job it is. */
  user?: { id: string; email: string; name: string };
  historyId: string;
}

/** One job's worth of parameters after map-over is expanded. */
export interface ExpandedJob {
  /** Complete nested state: every parameter with a value, datasets as {src: "hda", id}. */
  state: JsonObject;
  /** `queries_0|input2` → datasets in order. */
  inputs: Record<string, { kind: 'dataset' | 'collection'; id: string }[]>;
}

/** Jobs that come of collections: how their outputs are to be put together again, one place for each job in order. */
export interface MapOver {
  collectionType: string;
  /** For each job the identifiers from the outermost list to its own. */
  identifiers: string[][];
  over: { path: string; id: string }[];
}

export interface Expansion {
  jobs: ExpandedJob[];
  mapOver?: MapOver;
  /** `queries_0|input2` → sentence. Not empty: nothing is submitted, the API answers 400 with these. */
  errors: Record<string, string>;
}

/** What a job will make, decided before it runs. */
export interface PlannedOutput {
  name: string;
  label: string;
  /** An extension, or `auto`/`_sniff_`: decided from the bytes. */
  extension: string;
  hidden: boolean;
  fromWorkDir: string | undefined;
  genomeBuild?: string | undefined;
  /** The element of a planned collection that it is. */
  element?: { collection: string; identifiers: string[] } | undefined;
  /** Of the datatype, as `<actions>` have it; stands above what the bytes say. */
  metadata?: JsonObject | undefined;
  discover?: DiscoverRule[] | undefined;
  /** The folder of its extra files is there before the tool runs. */
  precreateFolder?: boolean | undefined;
}

export interface PlannedCollection {
  name: string;
  label: string;
  collectionType: string;
  hidden: boolean;
  /** Of what is discovered. */
  extension: string;
  genomeBuild: string | undefined;
  /** Empty: its elements are the planned outputs that name it. */
  discover: DiscoverRule[];
}

/** Everything a runner needs; plain data, because it goes to another process. */
export interface PreparedCommand {
  /** For `sh`, from a file; expects the job's folder as working directory. */
  script: string;
  /** What users are shown as the job's command line; the script where it is absent. */
  commandLine?: string;
  configFiles: { path: string; text: string }[];
  /** The tool's own variables; slots, memory and folders are the runner's to say. */
  environment: Record<string, string>;
  /** Exit codes and output patterns that mean failure, in order. */
  failureRules: FailureRule[];
  /** A script for the shell whose output is the tool's version. */
  versionScript?: string;
  /** HOME: a folder of the job's own, or the one that all jobs of this node share. */
  home?: 'job' | 'shared';
  /** File in the working folder in which the tool says what it made. */
  providedMetadataFile?: string;
  /** As the tool's own; either is enough. */
  confine?: 'sandbox';
}

export type FailureRule =
  | {
      when: 'exit-code';
      from: number;
      to: number;
      level: 'warning' | 'fatal' | 'fatal_oom' | 'log';
      description: string;
    }
  | {
      when: 'output';
      source: 'stdout' | 'stderr' | 'both';
      /** Python's regular expression as the wrapper has it; searched for ignoring case. */
      pattern: string;
      level: 'warning' | 'fatal' | 'fatal_oom' | 'log';
      description: string;
    };

export interface Toolbox {
  tools(): Tool[];
  sections(): { id: string; name: string; tools: string[] }[];
  /** Any version, or the newest when none is said. Ids may hold spaces and slashes. */
  tool(id: string, version?: string): Tool | undefined;
  /** Wrappers that were not loaded, with the reason: shown at start, in the log and by `galaxy-node status`. */
  problems(): ToolProblem[];
  reload(): Promise<void>;
  /** Galaxy's legacy (`queries_0|input2`) and structured forms, batch and `{values: [...]}` included. */
  expand(tool: Tool, inputs: JsonObject, context: ToolContext): Expansion;
  plan(tool: Tool, job: ExpandedJob, context: ToolContext): PlannedOutput[];
  /** Absent where no tool makes collections. */
  planCollections?(tool: Tool, job: ExpandedJob, context: ToolContext): PlannedCollection[];
  /** Renders the command. Errors: `toolbox/template` with file, line and reason. */
  prepare(
    tool: Tool,
    job: ExpandedJob,
    context: ToolContext,
    files: {
      /** Where the bytes are, by dataset id. */
      inputPath(dataset: string): string;
      /** By output name. */
      outputPath(output: string): string;
      workFolder: string;
      /** Of metadata that is a file, a BAM's index for one; undefined when there is none. */
      metadataPath?(dataset: string, name: string): string | undefined;
    },
  ): PreparedCommand;
  /**
   * As `prepare`, for a tool whose command takes time to make: JavaScript, evaluated elsewhere. Undefined: `prepare`
   * makes it. Errors: `toolbox/expression` with file, line and reason.
   */
  evaluate?(
    tool: Tool,
    job: ExpandedJob,
    context: ToolContext,
    files: { inputPath(dataset: string): string; workFolder: string; cores?: number; memoryMb?: number },
  ): Promise<PreparedCommand> | undefined;
  /** A user's own tool (GalaxyUserTool), made of what its owner wrote; undefined when this node takes none. Throws as a loader. */
  ofUser?(uuid: string, representation: JsonObject): Tool | undefined;
  /** Whether all its expressions are JavaScript. Errors: `toolbox/expression`. */
  checkExpressions?(tool: Tool): Promise<void>;
  /** The form model for GET/POST /api/tools/{id}/build, in Galaxy's shape. `inputs` as far as the user has filled it. */
  form(tool: Tool, context: ToolContext, inputs: JsonObject): JsonObject;
  /** GET /api/tools/{id}: Galaxy's description; `ioDetails` adds inputs and outputs. */
  describe(tool: Tool, options: { ioDetails: boolean; linkDetails: boolean }): JsonObject;
}
