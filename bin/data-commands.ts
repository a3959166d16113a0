/**
 * `galaxy-node data …`: the tables from which tools choose genomes, indexes and databases. They are files in the data
 * folder, read again when they change: it makes no difference whether the node runs.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { NodeOptions } from '../node/options.js';
import { counted } from '../protocol/runtime/amounts.js';
import { DataFolder } from '../protocol/runtime/data-folder.js';
import { defineErrors } from '../protocol/runtime/errors.js';
import { type CommonFlags, dataFlags, type OptionsOf, printResult } from './options.js';
import { runCommand } from './run.js';

const dataCommandErrors = defineErrors('data-command', {
  'bad-column': {
    kind: 'bad-request',
    say: '"{text}" does not say what a column holds.',
    mend: 'For example: --column value=hg38',
  },
  'twice-column': { kind: 'bad-request', say: 'The column {name} was given twice.', mend: 'Give each column once.' },
});

/** In a data folder. */
const TABLES = 'tool-data';
/** Lines of one table that are printed for people. */
const SHOWN_MAX = 1000;

export function addDataCommands(program: Command, optionsOf: OptionsOf<NodeOptions>): void {
  const data = program
    .command('data')
    .description('The genomes, indexes and databases that tools of this node can choose from.')
    .addHelpText('after', '\nExample:\n  $ galaxy-node data list\n');

  dataFlags(data.command('add'))
    .description('Add one line to a data table. The files stay where they are; a running node offers them at once.')
    .argument('<table>', 'its name, as `data list` prints it')
    .option(
      '--column <name=value>',
      'what a column holds; may be repeated (value is needed, name is the value and dbkey "?" when not given)',
      (text: string, all: string[]) => [...all, text],
      [] as string[],
    )
    .addHelpText(
      'after',
      `
Example:
  $ galaxy-node data add bwa_mem_indexes --column value=hg38 --column dbkey=hg38 \\
      --column name="Human (hg38)" --column path=/srv/genomes/hg38/hg38.fa
`,
    )
    .action((table: string, flags: CommonFlags & { column: string[] }) =>
      runCommand(async () => {
        const folder = tablesFolder(optionsOf(flags).folder);
        const row = columnsOf(flags.column);
        const { addDataTableRow } = await import('../node/toolbox/data-tables/data-table-row.js');
        const added = await addDataTableRow(folder, table, row);
        const path = row.path;
        const isMissing = path?.startsWith('/') === true && !existsSync(path);
        printResult(flags, { table, ...added, pathMissing: isMissing }, () => [
          `${table} has ${row.value} now (${added.file}).`,
          ...(isMissing ? [`There is no file ${path} on this machine; tools that use it would fail.`] : []),
        ]);
        return 0;
      }, flags),
    );

  dataFlags(data.command('list'))
    .description('Every data table with its columns; of one table every line.')
    .argument('[table]', 'the name of a table')
    .addHelpText('after', '\nExample:\n  $ galaxy-node data list\n  $ galaxy-node data list bwa_mem_indexes --json\n')
    .action((table: string | undefined, flags: CommonFlags) =>
      runCommand(async () => {
        const folder = tablesFolder(optionsOf(flags).folder);
        const { listTable, listTables } = await import('../node/toolbox/data-tables/data-table-list.js');
        if (table !== undefined) {
          const listed = listTable(folder, table);
          printResult(flags, listed, () => [...rowsText(listed), ...problemsText(listed.problems)]);
          return 0;
        }
        const listed = listTables(folder);
        printResult(flags, listed, () => [
          ...listed.tables.map(
            ({ name, rows, columns }) => `${name}: ${counted(rows, 'line')} (${columns.join(', ')})`,
          ),
          ...problemsText(listed.problems),
        ]);
        return 0;
      }, flags),
    );
}

/** Of a node that is there: else a mistyped folder would be a new place for tables that nobody reads. */
function tablesFolder(folder: string): string {
  DataFolder.open(folder, 'node');
  return join(folder, TABLES);
}

function columnsOf(given: readonly string[]): Record<string, string> {
  const row = new Map<string, string>();
  for (const text of given) {
    const cut = text.indexOf('=');
    if (cut < 1) throw dataCommandErrors('bad-column', { text });
    const name = text.slice(0, cut).trim();
    if (row.has(name)) throw dataCommandErrors('twice-column', { name });
    row.set(name, text.slice(cut + 1));
  }
  return Object.fromEntries(row);
}

function rowsText({ name, columns, rows }: { name: string; columns: string[]; rows: Record<string, string>[] }) {
  if (rows.length === 0) return [`${name} is empty. Its columns: ${columns.join(', ')}.`];
  return [
    columns.join('\t'),
    ...rows.slice(0, SHOWN_MAX).map((row) => columns.map((column) => row[column] ?? '').join('\t')),
    ...(rows.length > SHOWN_MAX ? [`… and ${rows.length - SHOWN_MAX} more (--json prints all)`] : []),
  ];
}

function problemsText(problems: readonly { file: string; line: number | undefined; message: string }[]): string[] {
  return problems.map(({ file, line, message }) => `Left out: ${file}${line ? `:${line}` : ''}: ${message}`);
}
