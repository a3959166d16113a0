/** What is in the data tables of a folder, for `galaxy-node data list`. */

import { toolErrors } from '../errors.js';
import type { ToolProblem } from '../tool.js';
import { createDataTables, type DataTables } from './data-tables.js';

export interface ListedTables {
  tables: { name: string; columns: string[]; rows: number; files: string[] }[];
  problems: ToolProblem[];
}

export interface ListedTable {
  name: string;
  columns: string[];
  files: string[];
  /** Column → field. */
  rows: Record<string, string>[];
  problems: ToolProblem[];
}

export function listTables(folder: string): ListedTables {
  const tables = createDataTables({ folder });
  const listed = tables.names().map((name) => ({
    name,
    columns: columnsOf(tables, name),
    rows: tables.table(name)?.rows.length ?? 0,
    files: tables.definition(name)?.files ?? [],
  }));
  return { tables: listed, problems: tables.problems() };
}

/** Errors: `toolbox/table-unknown`. */
export function listTable(folder: string, name: string): ListedTable {
  const tables = createDataTables({ folder });
  const table = tables.table(name);
  const definition = tables.definition(name);
  if (table === undefined || definition === undefined) {
    throw toolErrors('table-unknown', { table: name, known: tables.names().join(', ') });
  }
  const rows = table.rows.map((fields) =>
    Object.fromEntries([...table.columns].map(([column, place]) => [column, fields[place] ?? ''])),
  );
  return { name, columns: columnsOf(tables, name), files: definition.files, rows, problems: tables.problems() };
}

/** In the order of a line. */
function columnsOf(tables: DataTables, name: string): string[] {
  return [...(tables.definition(name)?.columns ?? [])].sort(([, a], [, b]) => a - b).map(([column]) => column);
}
