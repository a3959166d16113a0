/** `galaxy-node tool lint`: findings the way a good compiler prints them, with the line they stand in and the mend. */
import { readFileSync, statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { counted } from '../../protocol/runtime/amounts.js';
import { type Finding, lintFile } from '../toolbox/lint/lint.js';
import { wrapperFiles } from '../toolbox/wrapper/tool-folder.js';

export interface LintReport {
  counts: { files: number; errors: number; warnings: number; infos: number };
  findings: Finding[];
}

const LINE_CHARS = 160;

/** In a folder, XML that is no wrapper is passed over. */
export async function lintPaths(paths: readonly string[]): Promise<LintReport> {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  let files = 0;
  for (const path of paths) {
    const single = statSync(path).isFile();
    for (const file of single ? [resolve(path)] : await wrapperFiles(resolve(path))) {
      const found = await lintFile(file);
      if (!single && found.some(({ code }) => code === 'no-tool')) continue;
      files += 1;
      for (const finding of found) {
        // A macro file that ten wrappers share is wrong once.
        const key = JSON.stringify(finding);
        if (!seen.has(key)) findings.push(finding);
        seen.add(key);
      }
    }
  }
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  const counts = { files, errors: count('error'), warnings: count('warning'), infos: count('info') };
  return { counts, findings };
}

/** Files are named from `from`, where that is shorter. */
export function lintText({ counts, findings }: LintReport, from: string): string[] {
  const sources = new Map<string, string[]>();
  const lines = findings.flatMap((finding) => [...findingLines(finding, from, sources), '']);
  const { files, errors, warnings, infos } = counts;
  const parts = [
    counted(errors, 'error'),
    counted(warnings, 'warning'),
    ...(infos > 0 ? [counted(infos, 'note')] : []),
  ];
  return [...lines, `${counted(files, 'wrapper')}: ${parts.join(', ')}.`];
}

function findingLines(finding: Finding, from: string, sources: Map<string, string[]>): string[] {
  const { level, code, file, line, column, message, mend } = finding;
  const name = relative(from, file).startsWith('..') ? file : relative(from, file) || file;
  const lines = [`${name}:${line}${column === undefined ? '' : `:${column}`}: ${level}: ${message} [${code}]`];
  const text = sourceLine(file, line, sources);
  if (text !== undefined && text.trim() !== '') {
    const plain = text.replace(/\t/g, ' ');
    const at = column === undefined ? plain.length - plain.trimStart().length : column - 1;
    // A long line is cut so that the place is in it.
    const start = at > LINE_CHARS - 20 ? at - 60 : 0;
    const gutter = String(line).padStart(5);
    lines.push(
      `${gutter} | ${plain.slice(start, start + LINE_CHARS)}`,
      `${' '.repeat(5)} | ${' '.repeat(Math.max(0, at - start))}^`,
    );
  }
  lines.push(`${' '.repeat(5)} = ${mend}`);
  return lines;
}

function sourceLine(file: string, line: number, sources: Map<string, string[]>): string | undefined {
  let lines = sources.get(file);
  if (lines === undefined) {
    try {
      lines = readFileSync(file, 'utf8').split(/\r?\n/);
    } catch {
      lines = [];
    }
    sources.set(file, lines);
  }
  return lines[line - 1];
}
