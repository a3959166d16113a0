/**
 * A tool as the toolbox holds it: the public `Tool` with what only the toolbox needs (compiled templates, checks,
 * failure rules). Never changed once made. Its head is in memory for every tool, its body for those in use.
 */
import type { CompiledExpression, Template } from './cheetah/template.js';
import type { Spot } from './errors.js';
import type { OutputAction } from './outputs/output-actions.js';
import type { ValidateDataset } from './parameters/dataset-validator.js';
import type { DynamicOptions } from './parameters/options-xml.js';
import type { Sanitize } from './parameters/sanitizer.js';
import type { Validate } from './parameters/validator.js';
import type { Container, Resources } from './requirements/requirement-xml.js';
import type { DiscoverRule, FailureRule, Tool, ToolOutput, ToolParameter } from './tool.js';
import type { UserCommand } from './user-tool/user-tool.js';
import type { ProfileRules } from './wrapper/profile.js';
import type { ToolTest } from './wrapper/test-case.js';

export interface LoadedParameter extends ToolParameter {
  spot: Spot;
  validators: Validate[];
  datasetValidators?: ValidateDataset[];
  sanitize: Sanitize;
  /** Choices that depend on tables, datasets or other parameters. */
  dynamic?: DynamicOptions;
  /** A text that may be empty because nothing forbids it, and not because the wrapper says so. */
  optionalInferred?: boolean;
  /** Nothing chosen is None for templates (profile 23.0). */
  emptyIsNone?: boolean;
  /** data_collection: types taken; empty: all. */
  collectionTypes?: string[];
  test?: LoadedParameter;
  cases?: { value: string; inputs: LoadedParameter[] }[];
  inputs?: LoadedParameter[];
}

export interface LoadedOutput extends ToolOutput {
  precreateFolder: boolean;
  /** The elements' formats are those of the collection that it is structured like. */
  inheritFormat: boolean;
  /** Of a collection that the wrapper writes out. */
  elements: LoadedOutput[];
  discover: DiscoverRule[];
  actions: OutputAction[];
  labelTemplate: Template | undefined;
  filterExpressions: CompiledExpression[];
  /** `change_format` by a parameter: the template's text decides. */
  changeByValue: { input: Template; value: string; format: string }[];
  /** `change_format` with `input_dataset`: decided by an attribute of that dataset. */
  changeByDataset: { input: string; attribute: string; value: string; format: string }[];
}

export type ConfigFile =
  | {
      kind: 'template';
      name: string;
      /** Where the wrapper wants it in the working folder; else it gets a place of its own. */
      filename: string | undefined;
      template: Template;
    }
  | {
      /** The state of all parameters as JSON. */
      kind: 'inputs';
      name: string;
      filename: string | undefined;
      /** How datasets stand in it. */
      dataStyle: 'none' | 'paths' | 'staging_path_and_source_path';
      spot: Spot;
    };

export interface EnvironmentVariable {
  name: string;
  template: Template;
  strip: boolean;
}

/** What a wrapper says that has no effect here, and its author or admin may want to know. */
export interface Note {
  file: string;
  line: number;
  message: string;
}

export interface Creator {
  kind: 'person' | 'organization';
  /** As schema.org names them: name, givenName, url, identifier, email, … */
  attributes: Record<string, string>;
}

/** What is known of a tool without reading its wrapper: what lists, searches and the panel need. */
export interface ToolHead extends Omit<Tool, 'section' | 'inputs' | 'outputs' | 'source'> {
  license: string | undefined;
  creators: Creator[];
  containers: Container[];
  resources: Resources;
  notes: Note[];
}

/** The rest. It is made from the wrapper's text when somebody asks for it. */
export interface ToolBody {
  inputs: LoadedParameter[];
  outputs: LoadedOutput[];
  /** Where the tool may say what it made; relative to the working folder. */
  providedMetadataFile: string;
  command: { template: Template; interpreter: string | undefined; strict: boolean; spot: Spot } | undefined;
  /** Of a GalaxyUserTool, which has no `command`: text with JavaScript, evaluated for each job. */
  userCommand?: UserCommand | undefined;
  configFiles: ConfigFile[];
  environment: EnvironmentVariable[];
  failureRules: FailureRule[];
  rules: ProfileRules;
  /** HOME of a job: a folder of its own, or the one that all share. */
  home: 'job' | 'shared';
  versionCommand: { text: string; interpreter: string | undefined; spot: Spot } | undefined;
  /** `<template>` macros: text that templates include by name. */
  templates: Record<string, string>;
  /** The `<tests>`, as far as they can be understood. */
  tests: ToolTest[];
  parallelism: Record<string, string> | undefined;
  requiredFiles: RequiredFiles | undefined;
}

export interface RequiredFiles {
  extendDefaultExcludes: boolean;
  include: { path: string; type: string }[];
  exclude: { path: string; type: string }[];
}

export interface LoadedTool extends ToolHead, ToolBody {
  section: { id: string; name: string };
  source: string;
}
