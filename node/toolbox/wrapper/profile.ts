/**
 * What a wrapper's `profile` means: the version of Galaxy whose habits it was written for. The list is Galaxy's own
 * (its tool schema, "Tool profile"), as data; what follows from it for a tool is `profileOf`, and nothing else in this
 * folder compares versions. Where both habits can be told apart by what is written (either form of galaxy.json, a nested
 * parameter by its whole path or its last name, format="input"), both are understood whatever the profile.
 *
 * A wrapper without a profile has the oldest. One that is newer than all we know is refused, as Galaxy refuses one that
 * is newer than itself: what it relies on cannot be known.
 */
import { malformed, type Spot, toolErrors } from '../errors.js';

export interface ProfileChange {
  since: string;
  name: keyof ProfileRules | 'data-sources' | 'credentials' | 'template-files' | 'extra-files';
  what: string;
}

/** What the rest of the toolbox asks. */
export interface ProfileRules {
  /** As written, or the oldest. */
  profile: string;
  /** Without `<stdio>` and `detect_errors`: anything on standard error is a failure, instead of the exit code. */
  stderrIsFailure: boolean;
  /** `<command interpreter>` is obeyed. */
  interpreter: boolean;
  /** A tool without a version is 1.0.0. */
  versionOptional: boolean;
  /** HOME is a folder of the job's own. */
  jobHome: boolean;
  /** A default that the parameter itself would refuse is an error. */
  strictDefaults: boolean;
  /** Whose Python the templates are written in. */
  python: 2 | 3;
  /** In a JSON configuration file nothing chosen is null and several values are a list. */
  typedJson: boolean;
  /** `set -e`. */
  strictShell: boolean;
  /** Elements of an expected collection are in the order in which the test lists them. */
  elementOrder: boolean;
  /** Blanks around `from_work_dir` do not count. */
  trimFromWorkDir: boolean;
  /** A text that may be empty, and is, is None for the template. */
  emptyTextIsNone: boolean;
  /** A `data_column` must name its dataset. */
  dataRefRequired: boolean;
}

export const OLDEST_PROFILE = '16.01';
/** The newest whose changes are in the list below, and later releases that brought none. */
export const NEWEST_PROFILE = '26.1';

/** In order. `what` is said to authors by lint. */
export const PROFILE_CHANGES: readonly ProfileChange[] = [
  { since: '16.04', name: 'extra-files', what: 'extra outputs are found by <discover_datasets> only' },
  { since: '16.04', name: 'interpreter', what: 'interpreter= gives way to $__tool_directory__' },
  { since: '16.04', name: 'template-files', what: '$param_file gives way to <configfile>' },
  { since: '16.04', name: 'versionOptional', what: 'a tool must say its version' },
  { since: '16.04', name: 'stderrIsFailure', what: 'an exit code other than 0 is a failure, output on stderr is not' },
  { since: '18.01', name: 'jobHome', what: 'each job has a home folder of its own' },
  { since: '18.09', name: 'strictDefaults', what: 'a default that is not allowed is an error' },
  { since: '19.05', name: 'python', what: 'templates are Python 3' },
  { since: '20.05', name: 'typedJson', what: 'JSON configuration files hold null and lists' },
  { since: '20.09', name: 'strictShell', what: 'the command ends at the first step that fails (set -e)' },
  { since: '20.09', name: 'elementOrder', what: 'tests check the order of collection elements' },
  { since: '21.09', name: 'trimFromWorkDir', what: 'blanks around from_work_dir count' },
  { since: '21.09', name: 'data-sources', what: 'data source tools bring their own Python' },
  { since: '23.0', name: 'emptyTextIsNone', what: 'an empty text that may be empty is None for the template' },
  { since: '24.0', name: 'data-sources', what: 'data source tools get declared request parameters only' },
  { since: '24.2', name: 'dataRefRequired', what: 'a data_column must name its dataset' },
  { since: '25.1', name: 'credentials', what: 'credentials are declared in <requirements>' },
];

/** Negative when `a` is older. `16.4` is `16.04`. */
export function compareProfiles(a: string, b: string): number {
  const [year = 0, month = 0] = a.split('.').map(Number);
  const [otherYear = 0, otherMonth = 0] = b.split('.').map(Number);
  return year - otherYear || month - otherMonth;
}

/** Throws `toolbox/profile` for one that is newer than all we know, `toolbox/wrapper` for one that is none. */
export function profileOf(written: string | undefined, pythonVersion: string | undefined, spot: Spot): ProfileRules {
  const profile = written?.trim() || OLDEST_PROFILE;
  if (!/^\d{1,2}(?:\.\d{1,2}){0,3}$/.test(profile))
    throw malformed(`profile="${profile}" is no version of Galaxy`, spot);
  if (compareProfiles(profile, NEWEST_PROFILE) > 0) {
    throw toolErrors('profile', { file: spot.file, line: spot.line, profile, newest: NEWEST_PROFILE });
  }
  const has = (name: ProfileChange['name']) =>
    PROFILE_CHANGES.some((change) => change.name === name && compareProfiles(profile, change.since) >= 0);
  return {
    profile,
    stderrIsFailure: !has('stderrIsFailure'),
    interpreter: !has('interpreter'),
    versionOptional: !has('versionOptional'),
    jobHome: has('jobHome'),
    strictDefaults: has('strictDefaults'),
    python: pythonOf(pythonVersion, has('python') ? 3 : 2, spot),
    typedJson: has('typedJson'),
    strictShell: has('strictShell'),
    elementOrder: has('elementOrder'),
    trimFromWorkDir: !has('trimFromWorkDir'),
    emptyTextIsNone: has('emptyTextIsNone'),
    dataRefRequired: has('dataRefRequired'),
  };
}

function pythonOf(written: string | undefined, otherwise: 2 | 3, spot: Spot): 2 | 3 {
  if (written === undefined) return otherwise;
  const major = /^\s*([23])(?:\.\d+)*\s*$/.exec(written)?.[1];
  if (major === undefined) throw malformed(`python_template_version="${written}" is no version of Python`, spot);
  return major === '2' ? 2 : 3;
}
