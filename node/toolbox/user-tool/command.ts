/** A job of a user tool → what runs. Its expressions are evaluated in an isolate; nothing is started or written here. */
import { join } from 'node:path';
import { toolErrors } from '../errors.js';
import type { LoadedTool } from '../loaded.js';
import type { ExpandedJob, PreparedCommand, ToolContext } from '../tool.js';
import { type Evaluated, type Isolate, LIMITS } from './evaluation.js';
import type { Expression, Part } from './expression.js';
import { MARKINGS, mark, piecesOf } from './marks.js';
import { type Clean, runtimeInputs } from './runtime-inputs.js';
import { type ShellPart, shellText } from './shell-text.js';
import type { UserCommand } from './user-tool.js';

export interface UserCommandFiles {
  inputPath(dataset: string): string;
  workFolder: string;
  cores?: number;
  memoryMb?: number;
}

const CONFIG_FOLDER = '.configs';

/** Errors: `toolbox/expression` with the line of the expression. */
export async function prepareUserCommand(
  isolate: Isolate,
  tool: LoadedTool,
  command: UserCommand,
  job: ExpandedJob,
  context: ToolContext,
  files: UserCommandFiles,
): Promise<PreparedCommand> {
  const { inputPath, workFolder } = files;
  const inputs = (clean: Clean) => JSON.stringify(runtimeInputs(tool.inputs, job, { context, inputPath, clean }));
  const plain = inputs({ text: (text) => text, path: (path) => path });
  if (plain.length > LIMITS.inputBytes) {
    const { file } = tool;
    throw toolErrors('expression', { file, line: 1, reason: `its inputs are more than ${LIMITS.inputBytes} bytes` });
  }
  const texts = [command.parts, ...command.configFiles.map(({ parts }) => parts)];
  const expressions = texts.flat().flatMap((part) => ('expression' in part ? [part.expression] : []));
  const runtime = {
    outdir: workFolder,
    tmpdir: '/tmp',
    cores: files.cores ?? 1,
    ram: files.memoryMb ?? 0,
  };
  const values = await evaluated(isolate, command, expressions, {
    plain,
    // A path is this node's own word, whatever the data folder is called.
    marked: MARKINGS.map((marking) =>
      inputs({ text: (text) => mark(text, marking), path: (path) => mark(path, 'special') }),
    ),
    runtime: JSON.stringify(runtime),
  });
  const resultOf = (expression: Expression) => values.get(expression) as Evaluated;
  const { script, shown } = shellText(command.parts.map((part) => shellPart(part, resultOf)));
  const configFiles = command.configFiles.map(({ name, filename, parts }) => ({
    path: filename ? join(workFolder, filename) : join(workFolder, CONFIG_FOLDER, name),
    text: parts.map((part) => ('text' in part ? part.text : resultOf(part.expression).plain)).join(''),
  }));
  return {
    // For sh and no other shell: bash reads arithmetic where sh reads words.
    script: `#!/bin/sh\nset -e\n${script}\n`,
    commandLine: shown,
    configFiles,
    environment: {},
    failureRules: tool.failureRules,
    ...(tool.confine ? { confine: tool.confine } : {}),
    home: tool.home,
    providedMetadataFile: tool.providedMetadataFile,
  };
}

/** Compiles and runs nothing: throws `toolbox/expression` for the first expression that is no JavaScript. */
export async function checkExpressions(isolate: Isolate, command: UserCommand): Promise<void> {
  const texts = [command.parts, ...command.configFiles.map(({ parts }) => parts)];
  const expressions = texts.flat().flatMap((part) => ('expression' in part ? [part.expression] : []));
  const nothing = { plain: '{}', marked: [], runtime: '{}' };
  await evaluated(isolate, command, expressions, { ...nothing, checkOnly: true });
}

async function evaluated(
  isolate: Isolate,
  { libraries }: UserCommand,
  expressions: readonly Expression[],
  facts: { plain: string; marked: string[]; runtime: string; checkOnly?: boolean },
): Promise<Map<Expression, Evaluated>> {
  if (expressions.length === 0) return new Map();
  const result = await isolate.evaluate({
    ...facts,
    libraries: libraries.map(({ code }) => code),
    expressions: expressions.map(({ kind, code }) => ({ kind, code })),
  });
  if ('fault' in result) {
    const { where, index, line, reason } = result.fault;
    const spot = where === 'library' ? libraries[index] : expressions[index]?.spot;
    throw toolErrors('expression', { file: spot?.file ?? '', line: (spot?.line ?? 1) + line, reason });
  }
  return new Map(expressions.map((expression, index) => [expression, result.values[index] as Evaluated]));
}

function shellPart(part: Part, resultOf: (expression: Expression) => Evaluated): ShellPart {
  if ('text' in part) return part;
  const { plain, marked, isText } = resultOf(part.expression);
  return { pieces: piecesOf(plain, marked, isText), spot: part.expression.spot };
}
