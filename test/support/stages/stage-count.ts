/** How many checks a stage of `npm test` passed, failed and skipped, by what it wrote down. */
import { existsSync, readFileSync } from 'node:fs';

export interface StageCount {
  passed: number;
  failed: number;
  /** By name. */
  skipped: string[];
}

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { status: string; assertionResults: { status: string; fullName: string }[] }[];
}

/** Of vitest's JSON report. A run that was ended at its deadline leaves none: one failure. */
export function countOf(report: string, exitCode: number): StageCount {
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: [] };
  const result = JSON.parse(readFileSync(report, 'utf8')) as VitestReport;
  const skipped = result.testResults.flatMap((file) =>
    file.assertionResults
      .filter((test) => test.status !== 'passed' && test.status !== 'failed')
      .map((test) => test.fullName),
  );
  const brokenFiles = result.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const failed = result.numFailedTests + brokenFiles;
  return { passed: result.numPassedTests, failed: failed === 0 && exitCode !== 0 ? 1 : failed, skipped };
}

/** Of a file that the stage wrote itself. */
export function countIn(file: string): StageCount {
  return existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as StageCount)
    : { passed: 0, failed: 1, skipped: [] };
}
