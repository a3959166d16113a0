/** Renders what a job runs. Plain data comes out; nothing is written and nothing started here. */

import { dirname, join } from 'node:path';
import { hasControlCharacters } from '../../../protocol/runtime/text.js';
import type { Template } from '../cheetah/template.js';
import type { Value } from '../cheetah/values.js';
import { toolErrors, translated } from '../errors.js';
import type { LoadedTool } from '../loaded.js';
import { type OutputPlan, type PlanDeps, planOutputs } from '../outputs/outputs.js';
import type { ExpandedJob, PreparedCommand } from '../tool.js';
import { inputsJson } from './inputs-json.js';
import { namesOf } from './names.js';
import { OutputCollectionValue, type OutputNode } from './output-values.js';
import { NoDataset, OutputValue } from './template-values.js';

export interface CommandFiles {
  inputPath(dataset: string): string;
  outputPath(output: string): string;
  workFolder: string;
  metadataPath?(dataset: string, name: string): string | undefined;
}

/**
 * Wrappers are written for bash, as Galaxy runs them (`set -o pipefail`, `<(…)`), where there is one. `sh` is asked for
 * because it is always there; what we ship needs no more.
 */
const PREFER_BASH = `if [ -z "\${BASH_VERSION:-}" ] && [ -f "$0" ] && command -v bash >/dev/null 2>&1; then exec bash "$0"; fi`;
const CONFIG_FOLDER = '.configs';

export function prepareCommand(
  tool: LoadedTool,
  job: ExpandedJob,
  deps: PlanDeps,
  files: CommandFiles,
): PreparedCommand {
  const { command } = tool;
  if (!command) throw toolErrors('foreign', { tool: tool.id });
  const paths = {
    inputPath: (dataset: string) => safePath(files.inputPath(dataset)),
    metadataPath: (dataset: string, name: string) => {
      const path = files.metadataPath?.(dataset, name);
      return path === undefined ? undefined : safePath(path);
    },
  };
  const names: Map<string, Value> = namesOf(tool, job, deps, { purpose: 'command', ...paths });
  // An output that a filter left out is there for templates to ask for: it is nothing.
  for (const { name, filters } of tool.outputs) if (filters.length > 0) names.set(name, new NoDataset());
  for (const [name, value] of outputNames(planOutputs(tool, job, deps), files, deps)) names.set(name, value);
  for (const [name, value] of serverNames(safePath(files.workFolder))) names.set(name, value);
  // `<template>` macros: a template includes them by these names.
  for (const [name, text] of Object.entries(tool.templates)) names.set(name, text);
  const configs = tool.configFiles.map((file) => {
    const { name, filename } = file;
    const path = safePath(filename ? join(files.workFolder, filename) : join(files.workFolder, CONFIG_FOLDER, name));
    return { file, path };
  });
  for (const { file, path } of configs) names.set(file.name, path);
  const configFiles = configs.map(({ file, path }) => ({
    path,
    text: file.kind === 'template' ? render(file.template, names) : inputsJson(tool, job, file, deps.context, paths),
  }));
  const environment: Record<string, string> = {};
  for (const { name, template, strip } of tool.environment) {
    const value = render(template, names);
    environment[name] = strip ? value.trim() : value;
  }
  const line = oneLine(render(command.template, names));
  const full = command.interpreter ? interpreted(line, command.interpreter, dirname(tool.file)) : line;
  return {
    script: `#!/bin/sh\n${PREFER_BASH}\n${command.strict ? 'set -e\n' : ''}${full}\n`,
    commandLine: full,
    configFiles,
    environment,
    failureRules: tool.failureRules,
    home: tool.home,
    ...(tool.confine ? { confine: tool.confine } : {}),
    providedMetadataFile: tool.providedMetadataFile,
    ...(tool.versionCommand ? { versionScript: versionScript(tool.versionCommand, tool.file) } : {}),
  };
}

/**
 * Places of a Galaxy server that old wrappers mention. A job sees nothing of the node: what is theirs is the working
 * folder, where these files are not.
 */
function serverNames(folder: string): [string, string][] {
  const data = join(folder, 'tool-data');
  const datatypes = join(folder, 'datatypes_conf.xml');
  return [
    ['__new_file_path__', folder],
    ['__root_dir__', folder],
    ['GALAXY_ROOT_DIR', folder],
    ['__tool_data_path__', data],
    ['GALAXY_DATA_INDEX_DIR', data],
    ['__datatypes_config__', datatypes],
    ['GALAXY_DATATYPES_CONF_FILE', datatypes],
    ['__admin_users__', ''],
  ];
}

/** An element of a collection stands below it, and by Galaxy's name for it. */
function outputNames(plan: OutputPlan, files: CommandFiles, deps: PlanDeps): Map<string, Value> {
  const names = new Map<string, Value>();
  const tops = new Set([...plan.outputs, ...plan.collections].map(({ name }) => name));
  const inside = new Map<string, Map<string, OutputNode>>(plan.collections.map(({ name }) => [name, new Map()]));
  for (const output of plan.outputs) {
    const value = new OutputValue(output, safePath(files.outputPath(output.name)), deps.accepts);
    names.set(output.name, value);
    const { element } = output;
    if (!element) continue;
    let level = inside.get(element.collection) ?? new Map<string, OutputNode>();
    for (const identifier of element.identifiers.slice(0, -1)) level = innerLevel(level, identifier);
    const identifier = element.identifiers.at(-1) ?? '';
    level.set(identifier, value);
    // Elements that the wrapper names are names of their own as well.
    if (element.identifiers.length === 1 && !tops.has(identifier)) names.set(identifier, value);
  }
  for (const collection of plan.collections) {
    names.set(collection.name, new OutputCollectionValue(collection, inside.get(collection.name) ?? new Map()));
  }
  return names;
}

function innerLevel(level: Map<string, OutputNode>, identifier: string): Map<string, OutputNode> {
  const held = level.get(identifier);
  if (held instanceof OutputCollectionValue) return held.elements;
  const elements = new Map<string, OutputNode>();
  level.set(
    identifier,
    new OutputCollectionValue({ name: identifier, label: identifier, collectionType: '' }, elements),
  );
  return elements;
}

function render(template: Template, names: Map<string, Value>): string {
  const text = translated(false, () => template.render(names));
  if (text.includes('\u0000')) throw toolErrors('template', { file: '', line: 0, reason: 'it holds a NUL character' });
  return text;
}

/** Galaxy renders nothing in it but one name: it is the shell's as it stands. */
function versionScript({ text, interpreter }: NonNullable<LoadedTool['versionCommand']>, file: string): string {
  const line = oneLine(text).replaceAll('$__tool_directory__', () => safePath(dirname(file)));
  return `#!/bin/sh\n${PREFER_BASH}\n${interpreter ? interpreted(line, interpreter, dirname(file)) : line}\n`;
}

/** As Galaxy does it: a command is one line, however the wrapper breaks and indents it. */
function oneLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.join(' ').replaceAll('\r', ' ').trim();
}

/** `interpreter="python"`: the first word is a file beside the wrapper. */
function interpreted(line: string, interpreter: string, folder: string): string {
  const found = /^(\S+)(.*)$/s.exec(line);
  if (!found) return interpreter;
  return `${interpreter} '${safePath(join(folder, found[1] ?? ''))}'${found[2] ?? ''}`;
}

/** Wrappers put paths between quotes, or nowhere; a path that could break out is refused. */
function safePath(path: string): string {
  // A line end in a path would end the command.
  if (/['"\\$`]/.test(path) || hasControlCharacters(path)) throw toolErrors('path', { path });
  return path;
}
