/** The pure part of the conformance run: reading pytest's report, and comparing it with what passed before. */
import { DOMParser } from '@xmldom/xmldom';

export type Verdict = 'passed' | 'failed' | 'skipped';

/** Test id (`TestGalaxyJobs.TestGalaxyJobs::test_cancel_job`) → verdict. */
export type Verdicts = Record<string, Verdict>;

export interface KnownVerdicts {
  /** Version of BioBlend whose tests these are. */
  bioblend: string;
  tests: Verdicts;
  /** Tests that pass against a server that answers `{}` to everything, too: they prove nothing. */
  vacuous: string[];
  /** Tests whose verdict says nothing of the node, and why: neither lost nor gained, and no `--update` touches them. */
  unsteady: Record<string, string>;
}

export interface Comparison {
  /** Passed according to the file, and do not now. */
  lost: string[];
  /** Pass now, and not according to the file: time to run with --update. */
  gained: string[];
  /** Passed according to the file and now. */
  kept: string[];
}

/** Worst verdict wins: pytest reports a test again when its tear-down fails. */
const RANK: Record<Verdict, number> = { passed: 0, skipped: 1, failed: 2 };

export function parseReport(xml: string): Verdicts {
  const verdicts: Verdicts = {};
  const document = new DOMParser({ onError: refuse }).parseFromString(xml, 'text/xml');
  const cases = document.getElementsByTagName('testcase');
  for (let index = 0; index < cases.length; index += 1) {
    const one = cases.item(index);
    if (one === null) continue;
    const has = (name: string) => one.getElementsByTagName(name).length > 0;
    const verdict = has('failure') || has('error') ? 'failed' : has('skipped') ? 'skipped' : 'passed';
    const id = testId(one.getAttribute('classname') ?? '', one.getAttribute('name') ?? '');
    const before = verdicts[id];
    if (before === undefined || RANK[verdict] > RANK[before]) verdicts[id] = verdict;
  }
  return verdicts;
}

function refuse(level: string, message: string): void {
  if (level !== 'warning') throw new Error(`the report is not XML: ${message}`);
}

/** pytest puts the folder before the module; where Python keeps its packages is not part of a test's name. */
export function testId(classname: string, name: string): string {
  const parts = classname.split('.');
  const tests = parts.lastIndexOf('_tests');
  return `${parts.slice(tests + 1).join('.')}::${name}`;
}

export function moduleOf(id: string): string {
  return id.split(/[.:]/, 1)[0] ?? id;
}

export function compareVerdicts(known: Verdicts, now: Verdicts, unsteady: readonly string[] = []): Comparison {
  const counts = (id: string) => !unsteady.includes(id);
  const passedBefore = Object.keys(known).filter((id) => known[id] === 'passed' && counts(id));
  return {
    lost: passedBefore.filter((id) => now[id] !== 'passed').sort(),
    kept: passedBefore.filter((id) => now[id] === 'passed').sort(),
    gained: Object.keys(now)
      .filter((id) => now[id] === 'passed' && known[id] !== 'passed' && counts(id))
      .sort(),
  };
}

export interface ModuleCount {
  module: string;
  passed: number;
  vacuous: number;
  failed: number;
  skipped: number;
}

export function countByModule(verdicts: Verdicts, vacuous: readonly string[]): ModuleCount[] {
  const proveNothing = new Set(vacuous);
  const counts = new Map<string, ModuleCount>();
  for (const [id, verdict] of Object.entries(verdicts)) {
    const module = moduleOf(id);
    const count = counts.get(module) ?? { module, passed: 0, vacuous: 0, failed: 0, skipped: 0 };
    if (verdict === 'passed' && proveNothing.has(id)) count.vacuous += 1;
    else count[verdict] += 1;
    counts.set(module, count);
  }
  return [...counts.values()].sort((a, b) => a.module.localeCompare(b.module));
}

/** Keys in order, so that a change of the file shows what changed. */
export function renderKnown(known: KnownVerdicts): string {
  const sorted = <T>(values: Record<string, T>) =>
    Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
  const { bioblend, tests, vacuous, unsteady } = known;
  const rendered = { bioblend, tests: sorted(tests), vacuous: [...vacuous].sort(), unsteady: sorted(unsteady) };
  return `${JSON.stringify(rendered, null, 2)}\n`;
}
