/**
 * A tool as the toolbox holds it: the public `Tool` with what only the toolbox needs (compiled templates, checks,
 * failure rules). Made once when the wrapper is loaded, never changed.
 */
import type { CompiledExpression, Template } from './cheetah/template.js';
import type { Spot } from './errors.js';
import type { Sanitize } from './sanitizer.js';
import type { FailureRule, Tool, ToolOutput, ToolParameter } from './tool.js';
import type { Validate } from './validator.js';

export interface LoadedParameter extends ToolParameter {
  spot: Spot;
  validators: Validate[];
  sanitize: Sanitize;
  test?: LoadedParameter;
  cases?: { value: string; inputs: LoadedParameter[] }[];
  inputs?: LoadedParameter[];
}

export interface LoadedOutput extends ToolOutput {
  labelTemplate: Template | undefined;
  filterExpressions: CompiledExpression[];
  /** `change_format` by a parameter: the template's text decides. */
  changeByValue: { input: Template; value: string; format: string }[];
  /** `change_format` with `input_dataset`: decided by an attribute of that dataset. */
  changeByDataset: { input: string; attribute: string; value: string; format: string }[];
}

export interface ConfigFile {
  name: string;
  /** Where the wrapper wants it in the working folder; else it gets a place of its own. */
  filename: string | undefined;
  template: Template;
}

export interface LoadedTool extends Tool {
  inputs: LoadedParameter[];
  outputs: LoadedOutput[];
  command: { template: Template; interpreter: string | undefined; strict: boolean } | undefined;
  configFiles: ConfigFile[];
  environment: { name: string; template: Template; strip: boolean }[];
  failureRules: FailureRule[];
  license: string | undefined;
}
