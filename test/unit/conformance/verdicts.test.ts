import { expect, it } from 'vitest';
import { compareVerdicts, countByModule, parseReport, renderKnown, testId } from '../../conformance/verdicts.js';

const REPORT = `<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" tests="5">
<testcase classname="usr.lib.python3.dist-packages.bioblend._tests.TestGalaxyJobs.TestGalaxyJobs" name="test_a" time="0.1" />
<testcase classname="usr.lib.python3.dist-packages.bioblend._tests.TestGalaxyJobs.TestGalaxyJobs" name="test_b" time="0.1"><failure message="x &lt; y">trace</failure></testcase>
<testcase classname="usr.lib.python3.dist-packages.bioblend._tests.TestGalaxyJobs.TestGalaxyJobs" name="test_c" time="0.1"><skipped type="pytest.skip" message="no"/></testcase>
<testcase classname="usr.lib.python3.dist-packages.bioblend._tests.TestGalaxyToolInputs" name="test_d" time="0.1" />
<testcase classname="usr.lib.python3.dist-packages.bioblend._tests.TestGalaxyToolInputs" name="test_d" time="0.1"><error message="in tear-down"/></testcase>
</testsuite></testsuites>`;

it('a report is read as one verdict per test, the worst of several', () => {
  expect(parseReport(REPORT)).toEqual({
    'TestGalaxyJobs.TestGalaxyJobs::test_a': 'passed',
    'TestGalaxyJobs.TestGalaxyJobs::test_b': 'failed',
    'TestGalaxyJobs.TestGalaxyJobs::test_c': 'skipped',
    'TestGalaxyToolInputs::test_d': 'failed',
  });
});

it('a report that is no XML is refused', () => {
  expect(() => parseReport('<testsuites><testcase')).toThrow();
});

it('the folder in which Python keeps BioBlend is not part of a name', () => {
  const here = testId('bioblend._tests.TestGalaxyJobs.TestGalaxyJobs', 'test_a');
  expect(testId('home.x.lib.bioblend._tests.TestGalaxyJobs.TestGalaxyJobs', 'test_a')).toBe(here);
  expect(testId('TestGalaxyJobs.TestGalaxyJobs', 'test_a')).toBe(here);
});

it('only what passed before can be lost, and a test that is gone is lost', () => {
  const known = { a: 'passed', b: 'passed', c: 'failed', d: 'skipped', e: 'passed' } as const;
  expect(compareVerdicts(known, { a: 'passed', b: 'failed', c: 'passed', d: 'failed', f: 'passed' })).toEqual({
    lost: ['b', 'e'],
    kept: ['a'],
    gained: ['c', 'f'],
  });
});

it('a test whose verdict says nothing of the node is neither lost nor gained', () => {
  const known = { a: 'passed', b: 'failed' } as const;
  const none = { lost: [], kept: [], gained: [] };
  expect(compareVerdicts(known, { a: 'failed', b: 'passed' }, ['a', 'b'])).toEqual(none);
});

it('tests that prove nothing are counted apart', () => {
  const verdicts = { 'M.C::a': 'passed', 'M.C::b': 'passed', 'M.C::c': 'failed', 'N::d': 'skipped' } as const;
  expect(countByModule(verdicts, ['M.C::b', 'M.C::c'])).toEqual([
    { module: 'M', passed: 1, vacuous: 1, failed: 1, skipped: 0 },
    { module: 'N', passed: 0, vacuous: 0, failed: 0, skipped: 1 },
  ]);
});

it('the file is the same whatever the order of the run', () => {
  const one = renderKnown({
    bioblend: '1',
    tests: { b: 'passed', a: 'failed' },
    vacuous: ['y', 'x'],
    unsteady: { d: '1', c: '2' },
  });
  expect(one).toBe(
    renderKnown({
      bioblend: '1',
      tests: { a: 'failed', b: 'passed' },
      vacuous: ['x', 'y'],
      unsteady: { c: '2', d: '1' },
    }),
  );
});
