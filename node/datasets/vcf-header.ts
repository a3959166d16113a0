/**
 * What the header of a VCF file says that tools and people ask for: whose genotypes it holds, and the sequences that its
 * positions lie on. `sample_names` is Galaxy's name; `contigs` are those that the header declares.
 */
import type { JsonObject } from '../../protocol/log/entry.js';
import { replaceControlCharacters } from '../../protocol/runtime/text.js';

/** Each: they travel in the account log. */
const NAMES_MAX = 250;
const NAME_CHARS = 100;
/** CHROM to FORMAT; what follows are samples. */
const FIXED_COLUMNS = 9;

/** `text`: the file's beginning. A last line without an end may be cut and does not count. */
export function vcfMetadata(text: string): JsonObject {
  const contigs: string[] = [];
  let samples: string[] | undefined;
  for (const line of text.split(/\r?\n/).slice(0, -1)) {
    if (line.startsWith('##contig=<')) {
      const name = /[<,]ID=([^,>]+)/.exec(line)?.[1];
      if (name !== undefined) contigs.push(name);
    } else if (!line.startsWith('##')) {
      if (line.startsWith('#CHROM\t')) samples = line.split('\t').slice(FIXED_COLUMNS);
      break;
    }
  }
  return { ...named('sample_names', samples), ...named('contigs', contigs.length > 0 ? contigs : undefined) };
}

/** More than the bound: none, because a part would look like all. */
function named(field: string, names: readonly string[] | undefined): JsonObject {
  if (names === undefined || names.length > NAMES_MAX) return {};
  return { [field]: names.map((name) => replaceControlCharacters(name.slice(0, NAME_CHARS), '?', '')) };
}
