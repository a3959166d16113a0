/**
 * Runs the `<tests>` of wrappers on a node that is there for them: uploads, submits and reads the outcome the way the API
 * does, and compares. Tests of one wrapper run in their order, several wrappers at once; whoever waits, waits for events
 * with a deadline.
 */
import { join } from 'node:path';
import type { CollectionRecord, JobRecord } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { JsonObject, JsonValue } from '../../protocol/log/entry.js';
import { type Clock, startDeadline } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import { toolContext } from '../datasets/tool-context.js';
import { planToolRun } from '../datasets/tool-run.js';
import { readFound } from '../jobs/found.js';
import type { JobService } from '../jobs/job.js';
import type { DataTables } from '../toolbox/data-tables/data-tables.js';
import type { LoadedTool } from '../toolbox/loaded.js';
import type { Toolbox } from '../toolbox/tool.js';
import { compareVersions } from '../toolbox/toolbox.js';
import type { TestElement, TestOutputCollection, ToolTest } from '../toolbox/wrapper/test-case.js';
import { checkAssertions } from './assertions.js';
import { JobOutputs } from './job-outputs.js';
import { ProducedFile } from './produced.js';
import type { JobFacts, TestResult, TestStatus } from './result.js';
import { Staging, type StagingDeps, StagingFault } from './staging.js';
import { TestData } from './test-data.js';
import { planInputs, settle } from './test-inputs.js';
import { nothing, type Verdict, verifyDataset } from './verify.js';

export interface ToolTestDeps extends StagingDeps {
  jobs: Pick<JobService, 'submit' | 'submitFetch' | 'cancel' | 'onChange'>;
  toolbox: Pick<Toolbox, 'expand' | 'plan' | 'planCollections'>;
  blobs: Pick<BlobStore, 'path' | 'has' | 'read'>;
  tables: Pick<DataTables, 'table'>;
  clock: Clock;
}

export interface ToolTestOptions {
  account: string;
  history: string;
  /** For copies of test data on their way in. */
  folder: string;
  /** Wrappers whose tests run at the same time. */
  parallel: number;
  /** For every test; else its own `maxseconds`, else five minutes. */
  timeoutMs: number | undefined;
}

export interface Candidate {
  tool: LoadedTool;
  /** What the user named: test-data beside it counts. */
  root: string;
  /** Of the tool's tests, those to run. */
  tests: readonly ToolTest[];
}

export const TIMEOUT_MS = 5 * 60_000;
/** From this profile a test may not name what is no parameter; older ones often do. */
const STRICT_SINCE = '24.2';

export class ToolTestRunner {
  private readonly staging: Staging;

  constructor(
    private readonly deps: ToolTestDeps,
    private readonly options: ToolTestOptions,
  ) {
    const { account, history, folder } = options;
    this.staging = new Staging(deps, { account, history, folder: join(folder, 'staging') });
  }

  /** In the order of the wrappers; `onResult` as each ends. Rejects only when the signal aborts. */
  async run(
    candidates: readonly Candidate[],
    onResult: (result: TestResult) => void,
    signal: AbortSignal,
  ): Promise<TestResult[]> {
    const results: TestResult[][] = candidates.map(() => []);
    let next = 0;
    const worker = async () => {
      while (next < candidates.length) {
        const index = next++;
        const candidate = candidates[index] as Candidate;
        for (const test of candidate.tests) {
          signal.throwIfAborted();
          const result = await this.one(candidate, test, signal);
          signal.throwIfAborted();
          results[index]?.push(result);
          onResult(result);
        }
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.max(1, this.options.parallel) }, worker));
    } finally {
      this.staging.close();
    }
    return results.flat();
  }

  private async one({ tool, root }: Candidate, test: ToolTest, signal: AbortSignal): Promise<TestResult> {
    const { clock } = this.deps;
    const startedAt = clock.monotonic();
    const allowedMs = this.options.timeoutMs ?? (test.maxSeconds === undefined ? TIMEOUT_MS : test.maxSeconds * 1000);
    const limit = startDeadline(clock, allowedMs, signal);
    const base = { tool: tool.id, version: tool.version, file: tool.file, number: test.number };
    let ran: Ran;
    try {
      ran = await this.attempt(tool, test, new TestData(tool.file, root), limit.signal);
    } catch (error) {
      const late = limit.signal.aborted && !signal.aborted;
      ran =
        error instanceof StagingFault && error.kind === 'not-run'
          ? { ...nothing(), notRun: [error.message] }
          : late
            ? { problems: [`it did not end within ${allowedMs / 1000} s`], notRun: [] }
            : { problems: [describeError(error)], notRun: [], broken: !(error instanceof StagingFault) };
    } finally {
      limit.cancel();
    }
    const seconds = (clock.monotonic() - startedAt) / 1000;
    const { problems, notRun, inputs, job, broken } = ran;
    const status = inverted(statusOf(problems, notRun, broken ?? false), test);
    return {
      ...base,
      status: status.status,
      seconds,
      problems: status.problem !== undefined ? [status.problem] : status.status === 'success' ? [] : problems,
      notRun,
      ...(inputs === undefined ? {} : { inputs }),
      ...(job ? { job } : {}),
    };
  }

  private async attempt(tool: LoadedTool, test: ToolTest, data: TestData, signal: AbortSignal): Promise<Ran> {
    if (test.problems.length > 0) {
      const problems = test.problems.map(
        ({ line, message }) => `the test (line ${line}) cannot be understood: ${message}`,
      );
      return { problems, notRun: [], broken: true };
    }
    const planned = planInputs(tool.inputs, test.inputs);
    if (planned.notRun.length > 0) return { ...nothing(), notRun: planned.notRun };
    if (planned.unknown.length > 0 && compareVersions(tool.rules.profile, STRICT_SINCE) >= 0) {
      return {
        problems: [`it names no parameter of the tool: ${planned.unknown.join(', ')}`],
        notRun: [],
        broken: true,
      };
    }
    const files = await Promise.all(planned.files.map((file) => this.staging.file(file, data, signal)));
    const collections = await Promise.all(
      planned.collections.map((collection) => this.staging.collection(collection, data, signal)),
    );
    const inputs = settle(planned.state, {
      file: (index) => ({ src: 'hda', id: files[index] ?? '' }),
      collection: (index) => ({ src: 'hdca', id: collections[index] ?? '' }),
    }) as JsonObject;
    const refused = (reason: string): Ran =>
      test.expectFailure
        ? { ...nothing(), inputs }
        : { problems: [`the tool refused the inputs: ${reason}`], notRun: [], inputs };
    const view = await this.staging.view();
    let submitted: Awaited<ReturnType<JobService['submit']>>;
    try {
      const plan = planToolRun(this.deps.toolbox, tool, inputs, toolContext(view, this.options.history, this.deps));
      if ('errors' in plan) {
        return refused(
          Object.entries(plan.errors)
            .map(([name, reason]) => `${name}: ${reason}`)
            .join(' '),
        );
      }
      submitted = await this.deps.jobs.submit(this.options.account, plan.submissions, plan.implicit);
    } catch (error) {
      return refused(describeError(error));
    }
    try {
      await Promise.all(submitted.map(({ job }) => this.staging.whenEnded(job, signal)));
    } catch (error) {
      const cancelling = submitted.map(({ job }) =>
        this.deps.jobs.cancel(this.options.account, job, 'the test is over'),
      );
      await Promise.allSettled(cancelling);
      throw error;
    }
    return {
      ...(await this.verify(tool, test, submitted, data, signal)),
      inputs,
    };
  }

  private async verify(
    tool: LoadedTool,
    test: ToolTest,
    jobs: Awaited<ReturnType<JobService['submit']>>,
    data: TestData,
    signal: AbortSignal,
  ): Promise<Ran> {
    const view = await this.staging.view();
    const records = jobs.flatMap(({ job }) => view.get('job', job) ?? []);
    const [first] = records;
    if (first === undefined) return { problems: ['nothing was submitted'], notRun: [], broken: true };
    const facts = await this.factsOf(records.find(({ outcome }) => outcome?.state !== 'ok') ?? first);
    const ran: Ran = { ...nothing(), job: facts };
    this.verifyEnd(test, records, facts, ran);
    this.verifyTexts(test, facts, first.outcome, ran);
    // What a failed job left is looked at only when it was meant to fail.
    if (ran.problems.length > 0 && !test.expectFailure) return ran;
    const list = await readFound(this.deps.blobs, first.outcome ?? {});
    const outputs = new JobOutputs(view, first, {
      blobs: this.deps.blobs,
      found: list?.datasets.map(({ key }) => key) ?? [],
      implicit: jobs.find((one) => one.implicit !== undefined)?.implicit ?? {},
    });
    if (test.expectNumOutputs !== undefined && test.expectNumOutputs !== outputs.count) {
      ran.problems.push(`${outputs.count} outputs came out, ${test.expectNumOutputs} were expected (${outputs.names})`);
    }
    const context = { data, signal };
    for (const [index, expected] of test.outputs.entries()) {
      // Old tests may call an output as they like: then its place counts.
      const produced = outputs.dataset(expected.name) ?? outputs.datasetAt(index);
      if (produced === undefined) {
        ran.problems.push(`there is no output ${expected.name}; there are: ${outputs.names}`);
        continue;
      }
      add(ran, await verifyDataset(expected.name, expected, produced, context));
      const { discovered, count } = expected;
      const found = outputs.countOf(expected.name);
      if (count !== undefined && count !== found) {
        ran.problems.push(`${expected.name}: there are ${found} datasets with those discovered, not ${count}`);
      }
      for (const one of discovered) {
        const what = `${expected.name} → ${one.designation}`;
        const dataset = outputs.discovered(expected.name, one.designation);
        if (dataset === undefined) ran.problems.push(`${what}: it was not discovered`);
        else add(ran, await verifyDataset(what, one, dataset, context));
      }
    }
    const inOrder = tool.rules.elementOrder;
    for (const expected of test.collections)
      await this.verifyCollection(expected, outputs, { ...context, inOrder }, ran);
    return ran;
  }

  private verifyEnd(test: ToolTest, records: readonly JobRecord[], facts: JobFacts, ran: Ran): void {
    const failed = records.filter(({ outcome }) => outcome?.state !== 'ok');
    const message = records.map(({ outcome }) => outcome?.message).find((one) => one !== undefined && one !== '');
    if (failed.length > 0 && !test.expectFailure) {
      ran.problems.push(
        `the job ended as "${facts.state}" (exit code ${facts.exitCode ?? 'none'})${message ? `: ${message}` : ''}`,
      );
    }
    if (failed.length === 0 && test.expectFailure) ran.problems.push('the job was expected to fail, and did not');
    if (test.expectExitCode !== undefined && test.expectExitCode !== facts.exitCode) {
      ran.problems.push(`the exit code is ${facts.exitCode ?? 'none'}, not ${test.expectExitCode}`);
    }
  }

  private verifyTexts(test: ToolTest, facts: JobFacts, outcome: JobRecord['outcome'], ran: Ran): void {
    // What the node says of the end (a rule of <stdio> that matched) stands before what the tool said.
    const said = outcome?.message ? `${outcome.message}\n` : '';
    const texts = [
      ['the command', test.command, facts.commandLine],
      ['standard output', test.stdout, `${said}${facts.stdout}`],
      ['standard error', test.stderr, `${said}${facts.stderr}`],
      ['the version', test.commandVersion, outcome?.toolVersion],
    ] as const;
    for (const [what, assertions, text] of texts) {
      if (!assertions) continue;
      if (text === undefined) {
        ran.notRun.push(`${what}: the job did not record it`);
        continue;
      }
      const { problems, notRun } = checkAssertions(new ProducedFile(Buffer.from(text), what), assertions);
      ran.problems.push(...problems.map((one) => `${what}: ${one}`));
      ran.notRun.push(...notRun.map((one) => `${what}: ${one}`));
    }
  }

  private async verifyCollection(
    expected: TestOutputCollection,
    outputs: JobOutputs,
    context: Context,
    ran: Ran,
  ): Promise<void> {
    const { name, type, count, elements } = expected;
    const collection = outputs.collection(name);
    if (collection === undefined) {
      ran.problems.push(`there is no output collection ${name}; there are: ${outputs.names}`);
      return;
    }
    if (type !== undefined && type !== collection.collectionType) {
      ran.problems.push(`${name}: it is a ${collection.collectionType}, not a ${type}`);
    }
    const found = outputs.elementsOf(collection);
    if (count !== undefined && found.size !== count) {
      ran.problems.push(`${name}: ${found.size} elements came out, not ${count} (${[...found.keys()].join(', ')})`);
    }
    await this.verifyElements(name, elements, collection, outputs, context, ran);
  }

  private async verifyElements(
    what: string,
    expected: readonly TestElement[],
    collection: CollectionRecord,
    outputs: JobOutputs,
    context: Context,
    ran: Ran,
  ): Promise<void> {
    const found = outputs.elementsOf(collection);
    const identifiers = [...found.keys()];
    if (
      context.inOrder &&
      !isInOrder(
        expected.map(({ identifier }) => identifier),
        identifiers,
      )
    ) {
      ran.problems.push(`${what}: the elements are in another order than the test has: ${identifiers.join(', ')}`);
    }
    for (const element of expected) {
      const here = `${what} → ${element.identifier}`;
      const one = found.get(element.identifier);
      if (one === undefined) {
        ran.problems.push(`${here}: there is no such element; there are: ${[...found.keys()].join(', ') || 'none'}`);
      } else if ('inner' in one) {
        if (element.count !== undefined && outputs.elementsOf(one.inner).size !== element.count) {
          ran.problems.push(`${here}: ${outputs.elementsOf(one.inner).size} elements came out, not ${element.count}`);
        }
        await this.verifyElements(here, element.elements, one.inner, outputs, context, ran);
      } else if (element.elements.length > 0) {
        ran.problems.push(`${here}: it is a dataset, not a collection`);
      } else {
        add(ran, await verifyDataset(here, element, one.dataset, context));
      }
    }
  }

  private async factsOf(job: JobRecord): Promise<JobFacts> {
    const { outcome } = job;
    return {
      id: job.id,
      state: outcome?.state ?? 'new',
      exitCode: outcome?.exitCode ?? null,
      commandLine: outcome?.commandLine ?? '',
      stdout: await this.textOf(outcome?.stdoutBlob, outcome?.stdout ?? ''),
      stderr: await this.textOf(outcome?.stderrBlob, outcome?.stderr ?? ''),
    };
  }

  private async textOf(blob: string | undefined, head: string): Promise<string> {
    if (blob === undefined || !this.deps.blobs.has(blob)) return head;
    return new ProducedFile(this.deps.blobs.path(blob), 'log').text;
  }
}

interface Context {
  data: TestData;
  signal: AbortSignal;
  /** Elements must come in the order of the test. */
  inOrder: boolean;
}

interface Ran extends Verdict {
  inputs?: JsonValue;
  job?: JobFacts;
  /** It could not be carried out, as opposed to: what came out is wrong. */
  broken?: boolean;
}

function isInOrder(expected: readonly string[], found: readonly string[]): boolean {
  const places = expected.map((identifier) => found.indexOf(identifier)).filter((place) => place >= 0);
  return places.every((place, index) => index === 0 || place > (places[index - 1] ?? -1));
}

function add(ran: Ran, { problems, notRun }: Verdict): void {
  ran.problems.push(...problems);
  ran.notRun.push(...notRun);
}

function statusOf(problems: readonly string[], notRun: readonly string[], broken: boolean): TestStatus {
  if (problems.length > 0) return broken ? 'error' : 'failure';
  return notRun.length > 0 ? 'skip' : 'success';
}

/** `expect_test_failure`: a test of the test program itself. */
function inverted(status: TestStatus, { expectTestFailure }: ToolTest): { status: TestStatus; problem?: string } {
  if (!expectTestFailure || status === 'skip') return { status };
  if (status === 'success') return { status: 'failure', problem: 'the test was expected to fail, and passed' };
  return { status: 'success' };
}
