/** The datatypes as the rest of the node asks for them. Holds no state; one is enough for a process. */
import type { Datatype, Datatypes, InspectLimits } from './datatypes.js';
import { DATATYPE_TABLE, type TableRow } from './datatypes-table.js';
import { INSPECT_DEFAULTS, inspectFile } from './inspect.js';
import { sniffFile } from './sniff.js';

/** Not known yet: decided when the bytes are there. */
const UNDECIDED = new Set(['', 'auto', '_sniff_']);

export function createDatatypes(defaults: InspectLimits = INSPECT_DEFAULTS): Datatypes {
  const rows = new Map(DATATYPE_TABLE.map((row) => [row.extension, row]));
  const types = new Map(DATATYPE_TABLE.map((row) => [row.extension, datatype(row, rows)]));
  const all = [...types.values()].sort((a, b) => (a.extension < b.extension ? -1 : 1));
  const lineage = (extension: string) => [extension, ...(types.get(extension)?.parents ?? ['data'])];
  return {
    all: () => all,
    get: (extension) => types.get(extension.toLowerCase()),
    accepts(formats, extension) {
      if (UNDECIDED.has(extension)) return true;
      const kinds = lineage(extension.toLowerCase());
      return formats.some((format) => format === 'data' || kinds.includes(format.toLowerCase()));
    },
    sniff: sniffFile,
    async inspect(file, extension, limits = defaults) {
      const decided = UNDECIDED.has(extension) ? await sniffFile(file) : extension;
      return inspectFile(file, { extension: decided, lineage: lineage(decided.toLowerCase()) }, limits);
    },
  };
}

function datatype(row: TableRow, rows: ReadonlyMap<string, TableRow>): Datatype {
  const parents: string[] = [];
  for (let parent = row.parent; parent !== undefined; parent = rows.get(parent)?.parent) parents.push(parent);
  return {
    extension: row.extension,
    description: row.description,
    mimetype: row.mimetype,
    className: row.className,
    parents,
    displayInUpload: row.displayInUpload,
    ...(row.edamFormat === undefined ? {} : { edamFormat: row.edamFormat }),
    ...(row.edamData === undefined ? {} : { edamData: row.edamData }),
  };
}
