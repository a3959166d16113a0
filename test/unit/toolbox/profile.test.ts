import { describe, expect, it } from 'vitest';
import {
  compareProfiles,
  NEWEST_PROFILE,
  OLDEST_PROFILE,
  PROFILE_CHANGES,
  type ProfileRules,
  profileOf,
} from '../../../node/toolbox/wrapper/profile.js';

const SPOT = { file: '/t.xml', line: 7 };
const rules = (profile?: string, python?: string) => profileOf(profile, python, SPOT);

describe('each change that a profile brings', () => {
  const cases: [since: string, before: string, name: keyof ProfileRules, old: unknown, now: unknown][] = [
    ['16.04', '16.01', 'stderrIsFailure', true, false],
    ['16.04', '16.01', 'interpreter', true, false],
    ['16.04', '16.01', 'versionOptional', true, false],
    ['18.01', '17.09', 'jobHome', false, true],
    ['18.09', '18.05', 'strictDefaults', false, true],
    ['19.05', '19.01', 'python', 2, 3],
    ['20.05', '20.01', 'typedJson', false, true],
    ['20.09', '20.05', 'strictShell', false, true],
    ['20.09', '20.05', 'elementOrder', false, true],
    ['21.09', '21.05', 'trimFromWorkDir', true, false],
    ['23.0', '22.05', 'emptyTextIsNone', false, true],
    ['24.2', '24.1', 'dataRefRequired', false, true],
  ];

  it.each(cases)('%s: not in %s, %s', (since, before, name, old, now) => {
    expect(rules(before)[name]).toBe(old);
    expect(rules(since)[name]).toBe(now);
    expect(rules(NEWEST_PROFILE)[name]).toBe(now);
  });

  it('is in the list, and the list is in order', () => {
    for (const [since, , name] of cases) {
      expect(PROFILE_CHANGES).toContainEqual(expect.objectContaining({ since, name }));
    }
    const order = PROFILE_CHANGES.map(({ since }) => since);
    expect([...order].sort(compareProfiles)).toEqual(order);
  });
});

describe('a profile', () => {
  it('is the oldest where none is said', () => {
    expect(rules()).toEqual(rules(OLDEST_PROFILE));
  });

  it('is compared by number: 16.4 is 16.04, and 9 is before 10', () => {
    expect(rules('16.4').stderrIsFailure).toBe(false);
    expect(compareProfiles('22.05', '22.5')).toBe(0);
    expect(compareProfiles('23.0', '22.05')).toBeGreaterThan(0);
  });

  it('newer than all we know is refused with the mend', () => {
    expect(() => rules('99.1')).toThrow(/line 7, is written for Galaxy 99\.1; this node knows profiles up to/);
    expect(() => rules('99.1')).toThrow(expect.objectContaining({ code: 'toolbox/profile' }));
  });

  it.each(['new', '@PROFILE@', '22.05; rm', '-1'])('"%s" is none', (profile) => {
    expect(() => rules(profile)).toThrow(/no version of Galaxy/);
  });

  it('leaves the Python of templates to python_template_version where that is said', () => {
    expect(rules('16.01', '3.5').python).toBe(3);
    expect(rules('21.05', '2.7').python).toBe(2);
    expect(() => rules('21.05', 'snake')).toThrow(/no version of Python/);
  });
});
