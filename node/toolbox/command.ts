/** Renders what a job runs. Plain data comes out; nothing is written and nothing started here. */

import { dirname, join } from 'node:path';
import { hasControlCharacters } from '../../protocol/runtime/text.js';
import type { Template } from './cheetah/template.js';
import type { Value } from './cheetah/values.js';
import { toolErrors, translated } from './errors.js';
import { inputsJson } from './inputs-json.js';
import type { LoadedTool } from './loaded.js';
import { namesOf } from './names.js';
import { OutputCollectionValue, type OutputNode } from './output-values.js';
import { type OutputPlan, type PlanDeps, planOutputs } from './outputs.js';
import { OutputValue } from './template-values.js';
import type { ExpandedJob, PreparedCommand } from './tool.js';

export interface CommandFiles {
  inputPath(dataset: string): string;
  outputPath(output: string): string;
  workFolder: string;
}

/**
 * Wrappers are written for bash, as Galaxy runs them (`set -o pipefail`, `<(…)`), where there is one. `sh` is asked for
 * because it is always there; what we ship needs no more.
 */
const PREFER_BASH =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's, not ours
  'if [ -z "${BASH_VERSION:-}" ] && [ -f "$0" ] && command -v bash >/dev/null 2>&1; then exec bash "$0"; fi';
const CONFIG_FOLDER = '.configs';

export function prepareCommand(
  tool: LoadedTool,
  job: ExpandedJob,
  deps: PlanDeps,
  files: CommandFiles,
): PreparedCommand {
  const { command } = tool;
  if (!command) throw toolErrors('foreign', { tool: tool.id });
  const names: Map<string, Value> = namesOf(tool, job, deps, {
    purpose: 'command',
    inputPath: (dataset) => safePath(files.inputPath(dataset)),
  });
  for (const [name, value] of outputNames(planOutputs(tool, job, deps), files, deps)) names.set(name, value);
  // `<template>` macros: a template includes them by these names.
  for (const [name, text] of Object.entries(tool.templates)) names.set(name, text);
  const configs = tool.configFiles.map((file) => {
    const { name, filename } = file;
    const path = safePath(filename ? join(files.workFolder, filename) : join(files.workFolder, CONFIG_FOLDER, name));
    return { file, path };
  });
  for (const { file, path } of configs) names.set(file.name, path);
  const inputPath = (dataset: string) => safePath(files.inputPath(dataset));
  const configFiles = configs.map(({ file, path }) => ({
    path,
    text:
      file.kind === 'template' ? render(file.template, names) : inputsJson(tool, job, file, deps.context, inputPath),
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
    providedMetadataFile: tool.providedMetadataFile,
    ...(tool.versionCommand ? { versionScript: versionScript(tool.versionCommand, tool.file) } : {}),
  };
}

/** An element of a collection stands below it, and by Galaxy's name for it. */
function outputNames(plan: OutputPlan, files: CommandFiles, deps: PlanDeps): Map<string, Value> {
  const names = new Map<string, Value>();
  const inside = new Map<string, Map<string, OutputNode>>(plan.collections.map(({ name }) => [name, new Map()]));
  for (const output of plan.outputs) {
    const value = new OutputValue(output, safePath(files.outputPath(output.name)), deps.accepts);
    names.set(output.name, value);
    const { element } = output;
    if (!element) continue;
    let level = inside.get(element.collection) ?? new Map<string, OutputNode>();
    for (const identifier of element.identifiers.slice(0, -1)) level = innerLevel(level, identifier);
    level.set(element.identifiers.at(-1) ?? '', value);
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

/** Galaxy renders nothing in it: it is the shell's as it stands. */
function versionScript({ text, interpreter }: NonNullable<LoadedTool['versionCommand']>, file: string): string {
  const line = oneLine(text);
  return `#!/bin/sh\n${PREFER_BASH}\n${interpreter ? interpreted(line, interpreter, dirname(file)) : line}\n`;
}

/** As Galaxy does it: a command is one line, however the wrapper breaks it. */
function oneLine(text: string): string {
  return text.replace(/[\n\r]/g, ' ').trim();
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
