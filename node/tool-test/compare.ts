/**
 * Whether what came out is what the test's file says, by one of the ways a test may ask for. Pure; the answer is
 * undefined, or a sentence for the author with a few lines to look at.
 */
import { createHash, getHashes } from 'node:crypto';
import type { TestExpectation } from '../toolbox/wrapper/test-case.js';
import { diffLines } from './line-diff.js';
import { Pattern, PatternFault } from './pattern.js';
import { ContentFault, type ProducedFile } from './produced.js';

export type Comparison = Pick<TestExpectation, 'compare' | 'linesDiff' | 'delta' | 'deltaFrac' | 'sort' | 'decompress'>;

export interface Compared {
  problem?: string;
  /** What is needed and not here: the test is not run. */
  needs?: string;
}

export function compareFiles(expected: ProducedFile, produced: ProducedFile, how: Comparison): Compared {
  try {
    const problem = COMPARE[how.compare]?.(expected, produced, how);
    if (how.compare === 'image_diff') return { needs: 'compare="image_diff" needs an image library' };
    return problem === undefined ? {} : { problem };
  } catch (error) {
    if (error instanceof ContentFault || error instanceof PatternFault) return { problem: error.message };
    throw error;
  }
}

type Compare = (expected: ProducedFile, produced: ProducedFile, how: Comparison) => string | undefined;

const COMPARE: Record<string, Compare> = {
  diff,
  sim_size: similarSize,
  contains,
  re_match: matchLines,
  re_match_multiline: matchWhole,
};

function diff(expected: ProducedFile, produced: ProducedFile, how: Comparison): string | undefined {
  if (expected.bytes.equals(produced.bytes)) return undefined;
  const [left, right] = opened(expected, produced, how);
  if (left.bytes.equals(right.bytes)) return undefined;
  if (/\.pdf$/i.test(expected.name)) return pdf(left, right, how);
  if (!left.isText || !right.isText) {
    return `${produced.name} is not text and differs from ${expected.name} (${produced.size} bytes, ${expected.size} expected)`;
  }
  const { changed, excerpt } = diffLines(sorted(left.lines, how), sorted(right.lines, how));
  if (changed <= how.linesDiff) return undefined;
  const allowed = how.linesDiff > 0 ? `, ${how.linesDiff} may` : '';
  return [`${produced.name} differs from ${expected.name} in ${changed} lines${allowed}`, ...excerpt].join('\n');
}

/** Dates, ids and programs differ between two runs that draw the same page: lines that speak of them may. */
const PDF_MAY_DIFFER = ['description', 'createdate', 'creationdate', 'moddate', 'id', 'producer', 'creator'];

function pdf(expected: ProducedFile, produced: ProducedFile, how: Comparison): string | undefined {
  const { edits, excerpt } = diffLines(sorted(expected.lines, how), sorted(produced.lines, how));
  const wrong = edits.filter((line) => !PDF_MAY_DIFFER.some((word) => line.toLowerCase().includes(word)));
  if (edits.length <= how.linesDiff || wrong.length <= how.linesDiff) return undefined;
  return [
    `${produced.name} differs from ${expected.name} in ${wrong.length} lines that hold more than dates`,
    ...excerpt,
  ].join('\n');
}

function similarSize(expected: ProducedFile, produced: ProducedFile, { delta, deltaFrac }: Comparison) {
  const difference = Math.abs(expected.size - produced.size);
  const sizes = `${produced.name} has ${produced.size} bytes, ${expected.name} ${expected.size}`;
  if (difference > delta) return `${sizes}: they differ by more than ${delta}`;
  if (deltaFrac !== undefined && difference > expected.size * deltaFrac) {
    return `${sizes}: they differ by more than a fraction of ${deltaFrac}`;
  }
  return undefined;
}

/** Each line of the test's file is somewhere in what came out. */
function contains(expected: ProducedFile, produced: ProducedFile, how: Comparison): string | undefined {
  const [left, right] = opened(expected, produced, how);
  const missing = left.lines.filter((line) => !right.text.includes(line));
  if (missing.length <= how.linesDiff) return undefined;
  return [`${produced.name} lacks ${missing.length} lines of ${expected.name}`, ...excerpt(missing)].join('\n');
}

/** Line by line a pattern. */
function matchLines(expected: ProducedFile, produced: ProducedFile, how: Comparison): string | undefined {
  const [left, right] = opened(expected, produced, how);
  const patterns = sorted(left.lines, how);
  const lines = sorted(right.lines, how);
  if (patterns.length !== lines.length) {
    return `${produced.name} has ${lines.length} lines, ${expected.name} has ${patterns.length} patterns`;
  }
  const wrong = patterns.flatMap((pattern, index) => {
    const line = lines[index] ?? '';
    return pattern === line || new Pattern(pattern).matches(line) ? [] : [pattern, `${line} (line ${index + 1})`];
  });
  if (wrong.length / 2 <= how.linesDiff) return undefined;
  const signed = wrong.map((line, index) => `${index % 2 === 0 ? '-' : '+'}${line}`);
  return [
    `${wrong.length / 2} lines of ${produced.name} do not match ${expected.name}`,
    ...signed.slice(0, 12).map((line) => line.slice(0, 160)),
  ].join('\n');
}

/** The whole file is one pattern. */
function matchWhole(expected: ProducedFile, produced: ProducedFile, how: Comparison): string | undefined {
  const [left, right] = opened(expected, produced, how);
  const text = how.sort
    ? right.lines
        .toSorted()
        .map((line) => `${line}\n`)
        .join('')
    : right.text;
  if (new Pattern(left.text, { multiline: true }).matches(text)) return undefined;
  return `${produced.name} does not match the pattern in ${expected.name}`;
}

/** `md5` and `checksum="sha256$…"`. */
export function checkSums(
  produced: ProducedFile,
  { md5, checksum }: Pick<TestExpectation, 'md5' | 'checksum'>,
): string | undefined {
  const wanted: [string, string][] = [];
  if (md5 !== undefined) wanted.push(['md5', md5]);
  if (checksum !== undefined) {
    const [algorithm = '', value = ''] = checksum.split(/[$:]/);
    wanted.push([algorithm.toLowerCase().replace('-', ''), value]);
  }
  for (const [algorithm, value] of wanted) {
    if (!getHashes().includes(algorithm)) return `the checksum "${algorithm}" is not known`;
    const found = createHash(algorithm).update(produced.bytes).digest('hex');
    if (found !== value.trim().toLowerCase()) return `the ${algorithm} of ${produced.name} is ${found}, not ${value}`;
  }
  return undefined;
}

/** Both, decompressed where the test says so. */
function opened(expected: ProducedFile, produced: ProducedFile, { decompress }: Comparison) {
  return decompress ? ([expected.decompressed(), produced.decompressed()] as const) : ([expected, produced] as const);
}

function sorted(lines: string[], { sort }: Comparison): string[] {
  return sort ? [...lines].sort() : lines;
}

function excerpt(lines: readonly string[]): string[] {
  const shown = lines.slice(0, 6).map((line) => `-${line.slice(0, 160)}`);
  return lines.length > 6 ? [...shown, `… and ${lines.length - 6} more`] : shown;
}
