/**
 * Data tables: what an operator has put on this node for tools to choose from (genomes, indexes, databases), in Galaxy's
 * `.loc` files. A file that changed is read again at the next question; nothing watches. Lines that cannot be used are
 * left out and told with file and line.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { toolErrors } from '../errors.js';
import type { ToolProblem } from '../tool.js';
import { problemOf } from '../wrapper/wrapper-file.js';
import { type TableDefinition, tableDefinitions } from './data-table-conf.js';

export interface DataTable {
  name: string;
  columns: ReadonlyMap<string, number>;
  /** Fields of each line, at least as many as the last column asks for. */
  rows: readonly (readonly string[])[];
}

export interface DataTables {
  /** Undefined: nobody has defined it. A table without a file has no rows. */
  table(name: string): DataTable | undefined;
  /** Lines of a file in `tool-data` that no table speaks of, as old wrappers read them; undefined when it is not there. */
  file(name: string, separator: string): readonly (readonly string[])[] | undefined;
  names(): string[];
  definition(name: string): TableDefinition | undefined;
  /** Configurations and lines that cannot be used, of the tables asked for so far. */
  problems(): ToolProblem[];
}

export interface DataTablesOptions {
  /** `tool-data` in the node's data folder. */
  folder: string;
  /** Further configurations, e.g. those beside wrappers that are being tested. */
  configurations?: readonly string[];
}

const FILE_BYTES_MAX = 16 * 1024 * 1024;
const ROWS_MAX = 100_000;
const PROBLEMS_MAX = 100;

const PLAIN_FILE = { comment: '#', duplicates: true, empty: new Map<string, string>(), files: [] };

interface ReadFile {
  stamp: string;
  rows: string[][];
  problems: ToolProblem[];
}

export function createDataTables(options: DataTablesOptions): DataTables {
  return new FileTables(options);
}

class FileTables implements DataTables {
  private readonly files = new Map<string, ReadFile>();
  private definitions: ReadonlyMap<string, TableDefinition> = new Map();
  private stamp: string | undefined;
  private wrong: ToolProblem[] = [];

  constructor(private readonly options: DataTablesOptions) {}

  table(name: string): DataTable | undefined {
    const definition = this.definition(name);
    if (!definition) return undefined;
    const all = definition.files.flatMap((file) => this.read(file, definition).rows);
    return { name, columns: definition.columns, rows: definition.duplicates ? all : distinct(all) };
  }

  file(name: string, separator: string): readonly (readonly string[])[] | undefined {
    if (isAbsolute(name) || name.includes('\0') || name.split('/').includes('..')) return undefined;
    const path = join(this.options.folder, name);
    if (stampOf(path) === '') return undefined;
    const none = new Map<string, number>();
    return this.read(path, { ...PLAIN_FILE, name: `file ${JSON.stringify(separator)}`, columns: none, separator }).rows;
  }

  names(): string[] {
    return [...this.defined().keys()].sort();
  }

  definition(name: string): TableDefinition | undefined {
    return this.defined().get(name);
  }

  problems(): ToolProblem[] {
    return [...this.wrong, ...[...this.files.values()].flatMap(({ problems }) => problems)].slice(0, PROBLEMS_MAX);
  }

  /** The configurations, read again when one of them or their folder is another than before. */
  private defined(): ReadonlyMap<string, TableDefinition> {
    const { folder, configurations = [] } = this.options;
    const stamp = [folder, join(folder, 'tool_data_table_conf.xml'), ...configurations].map(stampOf).join('|');
    if (stamp !== this.stamp) {
      this.wrong = [];
      this.definitions = tableDefinitions(folder, configurations, (file, error) =>
        this.wrong.push(problemOf(file, error)),
      );
      this.stamp = stamp;
    }
    return this.definitions;
  }

  private read(file: string, definition: TableDefinition): ReadFile {
    const key = JSON.stringify([file, definition.name]);
    const stamp = stampOf(file);
    const held = this.files.get(key);
    if (held?.stamp === stamp) return held;
    const read: ReadFile = { stamp, ...readRows(file, definition) };
    this.files.set(key, read);
    return read;
  }
}

function stampOf(file: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs}:${size}:${ino}`;
  } catch {
    return '';
  }
}

function readRows(file: string, definition: TableDefinition): Omit<ReadFile, 'stamp'> {
  const rows: string[][] = [];
  const problems: ToolProblem[] = [];
  const fault = (line: number | undefined, reason: string) => {
    if (problems.length < PROBLEMS_MAX) {
      problems.push(
        problemOf(file, toolErrors('table-line', { file, line: line ?? 0, table: definition.name, reason })),
      );
    }
  };
  let text: string;
  try {
    if (statSync(file).size > FILE_BYTES_MAX) {
      fault(undefined, `the file is larger than ${FILE_BYTES_MAX} bytes`);
      return { rows, problems };
    }
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') fault(undefined, `the file cannot be read (${code ?? 'unknown'})`);
    return { rows, problems };
  }
  const last = Math.max(...definition.columns.values());
  const here = dirname(file);
  for (const [index, line] of text.split(/\r?\n|\r/).entries()) {
    if (line.trim() === '' || line.startsWith(definition.comment)) continue;
    if (rows.length >= ROWS_MAX) {
      fault(index + 1, `there are more than ${ROWS_MAX} lines`);
      break;
    }
    const fields = line.split(definition.separator).map((field) => field.replaceAll('\u0000', ''));
    if (fields.length <= last) {
      fault(index + 1, `it has ${fields.length} fields, and ${last + 1} are needed`);
      continue;
    }
    rows.push(fields.map((field) => field.replaceAll('${' + '__HERE__}', here)));
    fillEmpty(rows.at(-1) ?? [], definition);
  }
  return { rows, problems };
}

function fillEmpty(fields: string[], { columns, empty }: TableDefinition): void {
  for (const [column, value] of empty) {
    const index = columns.get(column);
    if (index !== undefined && fields[index] === '') fields[index] = value;
  }
}

function distinct(rows: readonly string[][]): string[][] {
  return [...new Map(rows.map((row) => [JSON.stringify(row), row])).values()];
}
