/** `galaxy-node data add`: one more line in a data table. The file is written aside and put in place whole. */

import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasControlCharacters } from '../../../protocol/runtime/text.js';
import { toolErrors } from '../errors.js';
import { createDataTables } from './data-tables.js';

export interface AddedRow {
  file: string;
  /** The fields in the order of the line. */
  fields: string[];
}

const FIELD_CHARS_MAX = 4096;

/**
 * `row`: column → text. `value` is needed, `name` is the value and `dbkey` "?" when they are not given. Running nodes see
 * it at once. Errors: `toolbox/table-unknown`, `toolbox/table-row`.
 */
export async function addDataTableRow(
  folder: string,
  table: string,
  row: Readonly<Record<string, string>>,
): Promise<AddedRow> {
  const tables = createDataTables({ folder });
  const definition = tables.definition(table);
  const [problem] = tables.problems();
  if (!definition) {
    const known = tables.names().join(', ');
    throw toolErrors('table-unknown', { table, known: problem ? `${known} (${problem.message})` : known });
  }
  const refuse = (reason: string) => toolErrors('table-row', { table, reason });
  const [file] = definition.files;
  if (file === undefined) throw refuse('its configuration names no file');
  const { columns, separator, comment } = definition;
  const fields: string[] = new Array(Math.max(...columns.values()) + 1).fill('');
  const unknown = Object.keys(row).find((name) => !columns.has(name));
  if (unknown !== undefined) throw refuse(`it has no column "${unknown}"; it has ${[...columns.keys()].join(', ')}`);
  const value = row.value ?? '';
  if (value.trim() === '') throw refuse('a value is needed');
  for (const [name, index] of columns) {
    const text = row[name] ?? (name === 'name' ? value : name === 'dbkey' ? '?' : definition.empty.get(name));
    // `name` may be another word for `value`, at the same place.
    if (text === undefined) throw refuse(`a ${name} is needed`);
    if (row[name] === undefined && fields[index] !== '') continue;
    const wrong = unusable(text, separator);
    if (wrong !== undefined) throw refuse(`the ${name} ${wrong}`);
    fields[index] = text;
  }
  if (fields[0]?.startsWith(comment)) throw refuse(`a line that begins with "${comment}" is a comment`);
  const place = columns.get('value') ?? 0;
  if (tables.table(table)?.rows.some((held) => held[place] === value)) throw refuse(`it has a value "${value}"`);
  await append(file, `${fields.join(separator)}\n`);
  return { file, fields };
}

function unusable(text: string, separator: string): string | undefined {
  if (text.length > FIELD_CHARS_MAX) return `is longer than ${FIELD_CHARS_MAX} characters`;
  if (hasControlCharacters(text)) return 'holds a tab, a line end or another control character';
  if (text.includes(separator)) return `holds "${separator}", which separates the fields`;
  return undefined;
}

async function append(file: string, line: string): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true });
  const held = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const aside = `${file}.${process.pid}.new`;
  try {
    const handle = await open(aside, 'w', 0o644);
    try {
      await handle.writeFile(`${held}${held === '' || held.endsWith('\n') ? '' : '\n'}${line}`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, file);
    const directory = await open(folder, 'r');
    await directory.sync().finally(() => directory.close());
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
