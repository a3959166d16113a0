/**
 * Everything that is wrong with a wrapper, in one go: the loader stops at the first thing that it cannot do, an author
 * wants the whole list. Errors are what this node refuses or Galaxy would; warnings are what will surprise somebody.
 */
import { readFile } from 'node:fs/promises';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { isDomainError } from '../../../protocol/runtime/errors.js';
import type { Note } from '../loaded.js';
import { parseOutputs } from '../outputs/output-xml.js';
import { parseInputs } from '../parameters/parameter-xml.js';
import { checkExpressions } from '../user-tool/command.js';
import type { Isolate } from '../user-tool/evaluation.js';
import { ThreadIsolate } from '../user-tool/isolate.js';
import { looksLikeUserTool, readUserTool } from '../user-tool/user-tool.js';
import { parseConfigFiles, parseEnvironment } from '../wrapper/environment-xml.js';
import { profileOf } from '../wrapper/profile.js';
import { type Rendering, templateIn } from '../wrapper/source-template.js';
import { importBoundary, type SourceFile, SourceLibrary, sourceOf } from '../wrapper/sources.js';
import { parseTests } from '../wrapper/test-xml.js';
import { readTool } from '../wrapper/wrapper.js';
import { expandWrapper, isYaml } from '../wrapper/wrapper-file.js';
import { element, elements, flag, type XmlElement } from '../wrapper/wrapper-xml.js';
import { type Finding, Findings } from './finding.js';
import { lintNames } from './names.js';
import { lintStructure } from './structure.js';

export type { Finding, LintLevel } from './finding.js';

/** Rejects when the file cannot be read. */
export async function lintFile(
  file: string,
  isolate: Isolate = new ThreadIsolate({ clock: systemClock }),
): Promise<Finding[]> {
  if (isYaml(file)) return lintUserTool(await readFile(file, 'utf8'), file, isolate);
  return lintWrapper(await readFile(file), file);
}

/** `file`: where it is or would be; imports are looked for beside it. Never rejects for what the wrapper says. */
export async function lintWrapper(source: string | Uint8Array, file: string): Promise<Finding[]> {
  const findings = new Findings();
  const wrapper: SourceFile = sourceOf(file, typeof source === 'string' ? Buffer.from(source) : Buffer.from(source));
  let root: XmlElement;
  try {
    const expanded = await expandWrapper(wrapper, importBoundary(file, 'file'), new SourceLibrary());
    root = expanded.root;
    if (root.name !== 'tool') {
      findings.add('error', 'no-tool', root, `the root element is <${root.name}>`, 'A wrapper is a <tool>.');
      return findings.sorted(file);
    }
    lintStructure(root, findings);
    lintNames(root, findings);
    refusals(root, findings, file);
    attempt(findings, file, () => {
      for (const note of readTool(expanded, { file, check: true }).head.notes) addNote(findings, note);
    });
  } catch (error) {
    addError(findings, file, error);
    return findings.sorted(file);
  }
  for (const test of parseTests(elements(root, 'tests'))) {
    for (const problem of test.problems) {
      findings.add('warning', 'test', problem, `test ${test.number}: ${problem.message}`, 'Correct the test.');
    }
  }
  return findings.sorted(file);
}

/** A GalaxyUserTool: the first thing that is wrong with it, or what will surprise somebody. */
async function lintUserTool(text: string, file: string, isolate: Isolate): Promise<Finding[]> {
  const findings = new Findings();
  const top = { file, line: 1 };
  if (!looksLikeUserTool(text)) {
    findings.add(
      'error',
      'no-tool',
      top,
      'its class is not GalaxyUserTool',
      'A tool in YAML says so in its first line.',
    );
    return findings.sorted(file);
  }
  try {
    const { head, body } = readUserTool(text, { file, check: true });
    if (body.userCommand) await checkExpressions(isolate, body.userCommand);
    if (head.help.trim() === '')
      findings.add('warning', 'help', top, 'the tool has no help', 'Say what it does in help.');
    if (head.containers.length === 0) {
      findings.add('warning', 'container', top, 'the tool names no container', 'Users can add it only with one.');
    }
    if (body.tests.length === 0) findings.add('warning', 'tests', top, 'the tool has no tests', 'Add one to tests.');
    for (const test of body.tests) {
      for (const problem of test.problems) {
        findings.add('warning', 'test', problem, `test ${test.number}: ${problem.message}`, 'Correct the test.');
      }
    }
  } catch (error) {
    addError(findings, file, error);
  }
  return findings.sorted(file);
}

/** A profile that is no good is told elsewhere. */
function pythonOf(root: XmlElement): 2 | 3 {
  try {
    return profileOf(root.attributes.profile, root.attributes.python_template_version, root).python;
  } catch {
    return 3;
  }
}

/** What the loader refuses, part by part: one refusal does not hide the next. */
function refusals(root: XmlElement, findings: Findings, file: string): void {
  const sanitize = flag(element(root, 'options')?.attributes.sanitize, true);
  const rendering: Rendering = { check: true, python: pythonOf(root) };
  const inputs = element(root, 'inputs');
  for (const child of elements(inputs)) {
    attempt(findings, file, () => parseInputs({ ...(inputs as XmlElement), children: [child] }, { sanitize }));
  }
  const outputs = element(root, 'outputs');
  for (const child of elements(outputs)) {
    const one = { ...(outputs as XmlElement), children: [child] };
    attempt(findings, file, () => parseOutputs(one, { ...rendering, trimFromWorkDir: true }));
  }
  const command = element(root, 'command');
  if (command) attempt(findings, file, () => templateIn(command, rendering));
  for (const [name, parse] of [
    ['configfiles', parseConfigFiles],
    ['environment_variables', parseEnvironment],
  ] as const) {
    const parent = element(root, name);
    for (const child of elements(parent)) {
      attempt(findings, file, () => parse({ ...(parent as XmlElement), children: [child] }, rendering));
    }
  }
}

function attempt(findings: Findings, file: string, work: () => unknown): void {
  try {
    work();
  } catch (error) {
    addError(findings, file, error);
  }
}

/** What the loader leaves out; most of it has been said in stronger words. */
function addNote(findings: Findings, { file, line, message }: Note): void {
  if (findings.has({ file, line })) return;
  findings.add('info', 'no-effect', { file, line }, message, 'Nothing must be done for this node.');
}

function addError(findings: Findings, file: string, error: unknown): void {
  if (!isDomainError(error)) throw error;
  const { data, code, mend } = error;
  const spot = {
    file: typeof data.file === 'string' && data.file !== '' ? data.file : file,
    line: typeof data.line === 'number' ? data.line : 1,
    ...(typeof data.column === 'number' ? { column: data.column } : {}),
  };
  const said = data.reason ?? (data.what === undefined ? undefined : `${data.what} is not supported by this node`);
  const message = code === 'toolbox/wrapper' || code === 'toolbox/unsupported' ? String(said) : error.message;
  findings.add('error', code.replace('toolbox/', ''), spot, message, mend);
}
