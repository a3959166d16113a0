/** What became of a test, for people and in the form that the community's test programs write. */
import type { JsonObject, JsonValue } from '../../protocol/log/entry.js';

/** `skip`: not run, or not all of it could be checked here; `error`: it could not be carried out. */
export type TestStatus = 'success' | 'failure' | 'error' | 'skip';

export interface JobFacts {
  id: string;
  state: string;
  exitCode: number | null;
  commandLine: string;
  stdout: string;
  stderr: string;
}

export interface TestResult {
  tool: string;
  version: string;
  file: string;
  /** From 1; 0: the wrapper as a whole. */
  number: number;
  status: TestStatus;
  seconds: number;
  /** Each a sentence, perhaps with lines of a diff below it. */
  problems: string[];
  notRun: string[];
  inputs?: JsonValue;
  job?: JobFacts;
}

export interface Totals {
  tests: number;
  passed: number;
  failed: number;
  errors: number;
  notRun: number;
}

export function totalsOf(results: readonly TestResult[]): Totals {
  const count = (status: TestStatus) => results.filter((result) => result.status === status).length;
  return {
    tests: results.length,
    passed: count('success'),
    failed: count('failure'),
    errors: count('error'),
    notRun: count('skip'),
  };
}

/** 0: all that could be run passed; 1: one did not; 2: nothing ran. */
export function exitCodeOf(results: readonly TestResult[]): 0 | 1 | 2 {
  const { passed, failed, errors } = totalsOf(results);
  if (failed + errors > 0) return 1;
  return passed > 0 ? 0 : 2;
}

const LABELS: Record<TestStatus, string> = { success: 'ok', failure: 'FAILED', error: 'ERROR', skip: 'not run' };

/** One line, and below it why it did not pass. `progress`: `[3/20]`. */
export function resultLines(result: TestResult, progress: string): string[] {
  const { tool, number, status, seconds, problems, notRun, job } = result;
  const name = number > 0 ? `${tool} test ${number}` : tool;
  const lines = [`${progress} ${LABELS[status].padEnd(7)} ${name} (${seconds.toFixed(1)} s)`];
  const said = status === 'skip' ? notRun : problems;
  for (const one of said)
    lines.push(...one.split('\n').map((line, index) => (index === 0 ? `    ${line}` : `      ${line}`)));
  if ((status === 'failure' || status === 'error') && job !== undefined) {
    const tail = job.stderr.trimEnd().split('\n').slice(-5).filter(Boolean);
    if (job.state !== 'ok' && tail.length > 0)
      lines.push('    standard error:', ...tail.map((line) => `      ${line.slice(0, 200)}`));
  }
  return lines;
}

export function totalsLine(results: readonly TestResult[], seconds: number): string {
  const { tests, passed, failed, errors, notRun } = totalsOf(results);
  if (tests === 0) return 'There was no test to run.';
  const parts = [`${passed} passed`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (errors > 0) parts.push(`${errors} could not be carried out`);
  if (notRun > 0) parts.push(`${notRun} not run`);
  return `${tests} tests in ${seconds.toFixed(1)} s: ${parts.join(', ')}.`;
}

/** The object that `--json` prints. */
export function resultsJson(results: readonly TestResult[]): JsonObject {
  const { tests, failed, errors, notRun } = totalsOf(results);
  return {
    version: '0.1',
    suitename: 'galaxy-node tool test',
    summary: { num_tests: tests, num_failures: failed, num_errors: errors, num_skips: notRun },
    results: { total: tests, failures: failed, errors, skips: notRun },
    exit_code: exitCodeOf(results),
    tests: results.map((result) => ({
      id: `${result.tool}-${Math.max(0, result.number - 1)}`,
      has_data: true,
      data: {
        status: result.status,
        tool_id: result.tool,
        tool_version: result.version,
        tool_file: result.file,
        test_index: Math.max(0, result.number - 1),
        time_seconds: Math.round(result.seconds * 1000) / 1000,
        inputs: result.inputs ?? {},
        ...(result.job ? { job: jobJson(result.job) } : {}),
        ...(result.status === 'error' ? { execution_problem: result.problems.join('\n') } : {}),
        ...(result.status === 'failure' ? { output_problems: result.problems } : {}),
        ...(result.notRun.length > 0 ? { not_run: result.notRun } : {}),
      },
    })),
  };
}

function jobJson({ id, state, exitCode, commandLine, stdout, stderr }: JobFacts): JsonObject {
  return {
    id,
    state,
    exit_code: exitCode,
    command_line: commandLine,
    tool_stdout: stdout,
    tool_stderr: stderr,
    stdout,
    stderr,
  };
}
