/** Renders what a job runs. Plain data comes out; nothing is written and nothing started here. */
import { dirname, join } from 'node:path';
import type { Template } from './cheetah/template.js';
import type { Value } from './cheetah/values.js';
import { toolErrors, translated } from './errors.js';
import type { LoadedTool } from './loaded.js';
import { namesOf } from './names.js';
import { type PlanDeps, planOutputs } from './outputs.js';
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
  for (const output of planOutputs(tool, job, deps)) {
    names.set(output.name, new OutputValue(output, safePath(files.outputPath(output.name)), deps.accepts));
  }
  const configs = tool.configFiles.map(({ name, filename, template }) => {
    const path = safePath(filename ? join(files.workFolder, filename) : join(files.workFolder, CONFIG_FOLDER, name));
    return { name, path, template };
  });
  for (const { name, path } of configs) names.set(name, path);
  const configFiles = configs.map(({ path, template }) => ({ path, text: render(template, names) }));
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
  };
}

function render(template: Template, names: Map<string, Value>): string {
  const text = translated(false, () => template.render(names));
  if (text.includes('\u0000')) throw toolErrors('template', { file: '', line: 0, reason: 'it holds a NUL character' });
  return text;
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
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a line end in a path would end the command
  if (/['"\\$`\u0000-\u001f]/.test(path)) throw toolErrors('path', { path });
  return path;
}
