/**
 * Datatypes: names, what the client and BioBlend are told of them, sniffing, metadata and peeks. Reads only through the
 * path it is given; the first pass over a large file is bounded.
 */
import type { JsonObject } from '../../protocol/log/entry.js';

export interface Datatype {
  extension: string;
  description: string;
  mimetype: string;
  /** Galaxy's class name, for `data_type`. */
  className: string;
  /** Extensions it is a kind of, nearest first (`bed` → `interval`, `tabular`, `txt`, `data`). */
  parents: string[];
  displayInUpload: boolean;
  edamFormat?: string;
  edamData?: string;
}

/** How much of a file is counted; past it the size stands for the counts. */
export interface InspectLimits {
  /** Larger files are not counted. */
  countedBytesMax: number;
  /** The same for what a gzip file decompresses to: a small file may hold terabytes. */
  decompressedBytesMax: number;
}

/** What looking at the bytes gave. */
export interface Inspection {
  extension: string;
  state: 'ok' | 'empty';
  peek: string;
  blurb: string;
  metadata: JsonObject;
}

export interface Datatypes {
  all(): Datatype[];
  get(extension: string): Datatype | undefined;
  /** Whether a dataset of `extension` fits an input that accepts `formats`. */
  accepts(formats: readonly string[], extension: string): boolean;
  /** Extension from the bytes: html, json, fasta, fastqsanger(.gz), bed, tabular, txt, else data. */
  sniff(file: string): Promise<string>;
  /** Peek, counts, columns and their types. `extension` `auto` or `_sniff_` sniffs first. */
  inspect(file: string, extension: string, limits?: InspectLimits): Promise<Inspection>;
}
