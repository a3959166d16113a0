/**
 * The stages of `npm test`, in order, with deadlines: each about twice what it takes on two quiet cores, so that a hang is
 * ended in time, and all together no more than is promised.
 */
import { join } from 'node:path';
import { MAJORS } from './node-majors.js';
import { countIn, countOf, type StageCount } from './stage-count.js';

export interface Stage {
  name: string;
  command: string[];
  deadlineMinutes: number;
  /** Runs with CI=true, or when it is asked for by name. */
  ciOnly?: boolean;
  /** Reads the stage's own count; without it the stage counts as one check. */
  count?: (exitCode: number) => StageCount;
}

/** `npm test` ends within this, whatever hangs; with CI=true there is more to run. */
export const TOTAL_MINUTES = { usual: 12, ci: 18 };

export function stagesOf(scratch: string): Stage[] {
  const node = process.execPath;
  const conformance = join(scratch, 'bioblend-count.json');
  const tools = join(scratch, 'bundled-tools-count.json');
  return [
    {
      name: 'types',
      command: [node, 'node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--noEmit'],
      deadlineMinutes: 1.5,
    },
    {
      name: 'format and lint',
      command: [node, 'node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'],
      deadlineMinutes: 0.5,
    },
    vitest(scratch, 'unit', 4),
    vitest(scratch, 'e2e', 8),
    {
      name: 'bundled tools',
      command: [node, 'dist/test/support/stages/bundled-tools.js', `--count=${tools}`],
      deadlineMinutes: 2,
      count: () => countIn(tools),
    },
    {
      name: 'BioBlend conformance',
      command: [node, 'dist/test/conformance/bioblend.js', `--count=${conformance}`],
      deadlineMinutes: 4,
      count: () => countIn(conformance),
    },
    { name: 'the story', command: [node, 'dist/bin/demo.js', '--story'], deadlineMinutes: 5, ciOnly: true },
    ...MAJORS.filter((major) => !process.version.startsWith(`v${major}.`)).map((major): Stage => {
      const count = join(scratch, `node-${major}.json`);
      return {
        name: `Node ${major}`,
        command: [node, 'dist/test/support/stages/majors.js', String(major), `--count=${count}`],
        deadlineMinutes: 3,
        ciOnly: true,
        count: () => countIn(count),
      };
    }),
  ];
}

function vitest(scratch: string, project: string, deadlineMinutes: number): Stage {
  const report = join(scratch, `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  return {
    name: `${project} tests`,
    command: [process.execPath, 'node_modules/vitest/vitest.mjs', 'run', '--project', project, ...reporters],
    deadlineMinutes,
    count: (exitCode) => countOf(report, exitCode),
  };
}
