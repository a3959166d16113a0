/**
 * Which data tables there are and what their columns are called: `tool_data_table_conf.xml` as Galaxy has it, and the
 * tables that everybody has, so that a node without any configuration can be given a genome.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { malformed } from '../errors.js';
import { element, elements, flag, parseXml, textOf, type XmlElement } from '../wrapper/wrapper-xml.js';

export interface TableDefinition {
  name: string;
  /** Column name → its place in a line. */
  columns: ReadonlyMap<string, number>;
  comment: string;
  separator: string;
  duplicates: boolean;
  /** What an empty field of a column stands for. */
  empty: ReadonlyMap<string, string>;
  files: string[];
}

const GENOME = ['value', 'dbkey', 'name', 'path'];
const DATABASE = ['value', 'name', 'path'];
/** Those that wrappers ask for most; Galaxy's sample configurations name their columns so. */
const WELL_KNOWN: Readonly<Record<string, readonly string[]>> = {
  all_fasta: GENOME,
  fasta_indexes: GENOME,
  bowtie_indexes: GENOME,
  bowtie2_indexes: GENOME,
  bwa_indexes: GENOME,
  bwa_mem_indexes: GENOME,
  bwa_mem2_indexes: GENOME,
  hisat2_indexes: GENOME,
  picard_indexes: GENOME,
  rnastar_index2x_versioned: ['value', 'dbkey', 'name', 'path', 'with_gene_model', 'version'],
  gene_sets: GENOME,
  twobit: ['value', 'path'],
  blastdb: DATABASE,
  blastdb_p: DATABASE,
  kraken2_databases: DATABASE,
  __dbkeys__: ['value', 'name', 'len_path'],
};

const CONFIGURATIONS = /^(?:.+_)?tool_data_table_conf\.xml$/;
const HERE = /\$\{__HERE__\}/g;
const COLUMN_MAX = 1000;

/** Name → definition. `failed` hears of a configuration that cannot be used; the others count. */
export function tableDefinitions(
  folder: string,
  more: readonly string[],
  failed: (file: string, error: unknown) => void,
): Map<string, TableDefinition> {
  const found = new Map<string, TableDefinition>();
  for (const [name, columns] of Object.entries(WELL_KNOWN)) {
    found.set(name, { ...plainTable(name, columns), files: [join(folder, `${name}.loc`)] });
  }
  const configured = new Set<string>();
  for (const file of [...configurations(folder), ...more]) {
    try {
      for (const table of readConfiguration(file)) {
        const held = configured.has(table.name) ? found.get(table.name) : undefined;
        // Several configurations add files to one table, as Tool Shed repositories do.
        found.set(table.name, held ? { ...held, files: [...new Set([...held.files, ...table.files])] } : table);
        configured.add(table.name);
      }
    } catch (error) {
      failed(file, error);
    }
  }
  return found;
}

function plainTable(name: string, columns: readonly string[]): Omit<TableDefinition, 'files'> {
  const places = new Map(columns.map((column, index) => [column, index]));
  return { name, columns: withName(places), comment: '#', separator: '\t', duplicates: true, empty: new Map() };
}

function configurations(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => CONFIGURATIONS.test(name))
      .sort()
      .map((name) => join(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function readConfiguration(file: string): TableDefinition[] {
  const root = parseXml(readFileSync(file), file);
  if (root.name !== 'tables') throw malformed(`<${root.name}> is not a list of <tables>`, root);
  return elements(root, 'table').map((table) => {
    const { name } = table.attributes;
    if (!name) throw malformed('a <table> without a name', table);
    return {
      name,
      columns: columnsOf(table),
      comment: table.attributes.comment_char ?? '#',
      separator: table.attributes.separator ?? '\t',
      duplicates: flag(table.attributes.allow_duplicate_entries, true),
      empty: emptyFields(table),
      files: elements(table, 'file').map((one) => filePath(one, file)),
    };
  });
}

/** `<columns>value, name</columns>` or `<column name="value" index="0"/>`. */
function columnsOf(table: XmlElement): ReadonlyMap<string, number> {
  const columns = new Map<string, number>();
  const listed = element(table, 'columns');
  if (listed) {
    for (const [index, name] of textOf(listed).split(',').entries()) {
      if (name.trim() !== '') columns.set(name.trim(), index);
    }
  } else {
    for (const column of elements(table, 'column')) {
      const { name, index } = column.attributes;
      const place = Number(index);
      if (!name || !index || !Number.isInteger(place) || place < 0 || place > COLUMN_MAX) {
        throw malformed('a <column> needs a name and an index', column);
      }
      columns.set(name, place);
    }
  }
  if (!columns.has('value')) throw malformed('a <table> needs a column "value"', table);
  return withName(columns);
}

/** A table that names nothing shows its values. */
function withName(columns: Map<string, number>): Map<string, number> {
  const value = columns.get('value');
  if (!columns.has('name') && value !== undefined) columns.set('name', value);
  return columns;
}

function emptyFields(table: XmlElement): Map<string, string> {
  const listed = elements(table, 'column').flatMap(({ attributes }): [string, string][] =>
    attributes.name && attributes.empty_field_value !== undefined
      ? [[attributes.name, attributes.empty_field_value]]
      : [],
  );
  return new Map(listed);
}

/** As the file says; `tool-data/x.loc` in a configuration that is itself in `tool-data` is beside it. */
function filePath(given: XmlElement, configuration: string): string {
  const { path } = given.attributes;
  if (!path) throw malformed('a <file> without a path', given);
  const here = dirname(configuration);
  const written = path.replace(HERE, here);
  if (isAbsolute(written)) return written;
  if (written.split('/').includes('..')) throw malformed(`the path "${path}" leaves the folder`, given);
  return join(here, basename(here) === 'tool-data' ? written.replace(/^tool-data\//, '') : written);
}
