/** Reading and rewriting the project's own Markdown. With UPDATE_DOCS=1 the generated parts are written instead of compared. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { expect } from 'vitest';

export const ROOT = resolve(import.meta.dirname, '../../..');

const isUpdating = process.env.UPDATE_DOCS === '1';

/** Files below a folder of the repository, as paths from its root. */
export function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();
}

export function textOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** A table cell: one line, with what would end the cell or open a tag made harmless. */
export function cell(text: string): string {
  return text
    .replace(/\s*\n\s*/g, ' ')
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;')
    .trim();
}

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |');
  return [line(header), `|${header.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** What stands between `<!-- name -->` and `<!-- /name -->`. */
export function section(file: string, name: string): string {
  const { start, end, text } = findSection(file, name);
  return text.slice(start, end).trim();
}

/** The generated part of a document is what the program says, or is made so. */
export function expectSection(file: string, name: string, wanted: string): void {
  if (isUpdating) {
    const { start, end, text } = findSection(file, name);
    writeFileSync(join(ROOT, file), `${text.slice(0, start)}\n${wanted}\n${text.slice(end)}`);
  }
  expect(section(file, name), `${file} is out of date: ${HOW}`).toBe(wanted);
}

export const HOW = 'run `UPDATE_DOCS=1 npx vitest run test/unit/docs`';

function findSection(file: string, name: string): { text: string; start: number; end: number } {
  const text = textOf(file);
  const open = `<!-- ${name} -->`;
  const start = text.indexOf(open);
  const end = text.indexOf(`<!-- /${name} -->`);
  if (start < 0 || end < start) throw new Error(`${file} has no section ${open} … <!-- /${name} -->`);
  return { text, start: start + open.length, end };
}
