/**
 * The datatypes this node knows, by Galaxy's names: extension, class, the extension it is a kind of, MIME type,
 * description, EDAM format and data. What is not here is treated as `data`. Classes and EDAM terms are Galaxy's, so that
 * its client, its tools and exported histories mean the same thing by them.
 */

export interface TableRow {
  extension: string;
  className: string;
  parent: string | undefined;
  mimetype: string;
  description: string;
  edamFormat: string | undefined;
  edamData: string | undefined;
  displayInUpload: boolean;
}

type Row = [
  extension: string,
  className: string,
  parent: string | undefined,
  mimetype: string,
  description: string,
  edamFormat?: string,
  edamData?: string,
];

const PLAIN = 'text/plain';
const BYTES = 'application/octet-stream';
const GZIP = 'application/gzip';

// biome-ignore format: one row a type
const ROWS: Row[] = [
  ['data', 'data.Data', undefined, BYTES, 'Any data', 'format_1915', 'data_0006'],
  ['binary', 'binary.Binary', 'data', BYTES, 'Binary data of no known kind', 'format_2333', 'data_0006'],
  ['txt', 'data.Text', 'data', PLAIN, 'Plain text', 'format_2330', 'data_0006'],
  ['markdown', 'text.Markdown', 'txt', 'text/markdown', 'Markdown text'],
  ['html', 'text.Html', 'txt', 'text/html', 'A page for the browser', 'format_2331', 'data_2048'],
  ['json', 'text.Json', 'txt', 'application/json', 'JavaScript Object Notation', 'format_3464', 'data_0006'],
  ['ipynb', 'text.Ipynb', 'json', 'application/json', 'Jupyter notebook', 'format_3464'],
  ['biom1', 'text.Biom1', 'json', 'application/json', 'Biological observation matrix, version 1', 'format_3746'],
  ['geojson', 'text.Geojson', 'json', 'application/json', 'Geographic features as JSON', 'format_3464'],
  ['yaml', 'text.Yaml', 'txt', 'application/x-yaml', 'YAML', 'format_3750'],
  ['xml', 'xml.GenericXml', 'txt', 'application/xml', 'XML', 'format_2332', 'data_0006'],
  ['svg', 'images.Svg', 'xml', 'image/svg+xml', 'Scalable vector graphics', 'format_3604', 'data_2968'],
  ['phyloxml', 'xml.Phyloxml', 'xml', 'application/xml', 'Phylogenetic tree as XML', 'format_3159', 'data_0872'],
  ['mzml', 'proteomics.MzML', 'xml', 'application/xml', 'Mass spectra as XML', 'format_3244', 'data_2536'],
  ['tabular', 'tabular.Tabular', 'txt', PLAIN, 'Columns separated by tabs', 'format_3475', 'data_1234'],
  ['tsv', 'tabular.TSV', 'tabular', 'text/tab-separated-values', 'Columns separated by tabs, names first', 'format_3475', 'data_1234'],
  ['csv', 'tabular.CSV', 'txt', 'text/csv', 'Columns separated by commas', 'format_3752', 'data_1234'],
  ['interval', 'interval.Interval', 'tabular', PLAIN, 'Genomic intervals', 'format_3475', 'data_3002'],
  ['bed', 'interval.Bed', 'interval', PLAIN, 'Genomic intervals, chromosome, start and end first', 'format_3003', 'data_3002'],
  ['bed6', 'interval.BedStrict', 'bed', PLAIN, 'BED of six columns', 'format_3585', 'data_3002'],
  ['bed12', 'interval.BedStrict', 'bed', PLAIN, 'BED of twelve columns', 'format_3586', 'data_3002'],
  ['bedgraph', 'interval.BedGraph', 'interval', PLAIN, 'Values along a genome', 'format_3583', 'data_3002'],
  ['bedpe', 'interval.BedPE', 'interval', PLAIN, 'Pairs of genomic intervals', 'format_3003', 'data_3002'],
  ['gff', 'interval.Gff', 'tabular', PLAIN, 'General feature format', 'format_2305', 'data_1255'],
  ['gff3', 'interval.Gff3', 'gff', PLAIN, 'General feature format, version 3', 'format_1975', 'data_1255'],
  ['gtf', 'interval.Gtf', 'gff', PLAIN, 'Gene transfer format', 'format_2306', 'data_1255'],
  ['wig', 'interval.Wiggle', 'tabular', PLAIN, 'Wiggle: values along a genome', 'format_3005', 'data_3002'],
  ['encodepeak', 'interval.ENCODEPeak', 'interval', PLAIN, 'Peaks called from reads', 'format_3612', 'data_3002'],
  ['vcf', 'tabular.Vcf', 'tabular', PLAIN, 'Variant calls', 'format_3016', 'data_3498'],
  ['sam', 'tabular.Sam', 'tabular', PLAIN, 'Alignments as text', 'format_2573', 'data_0863'],
  ['pileup', 'tabular.Pileup', 'tabular', PLAIN, 'Bases by position', 'format_3015', 'data_3002'],
  ['blastxml', 'blast.BlastXml', 'xml', 'application/xml', 'BLAST report as XML', 'format_3331', 'data_0857'],
  ['eland', 'tabular.Eland', 'tabular', PLAIN, 'Alignments by ELAND', 'format_1926', 'data_0863'],
  ['maf', 'sequence.Maf', 'txt', PLAIN, 'Multiple alignment format', 'format_3008', 'data_0863'],
  ['axt', 'sequence.Axt', 'txt', PLAIN, 'Pairwise alignments', 'format_3013', 'data_0863'],
  ['lav', 'sequence.Lav', 'txt', PLAIN, 'Pairwise alignments by BLASTZ', 'format_3014', 'data_0863'],
  ['fasta', 'sequence.Fasta', 'txt', PLAIN, 'Sequences', 'format_1929', 'data_2044'],
  ['qual454', 'qualityscore.QualityScore454', 'txt', PLAIN, 'Quality scores of 454 reads', 'format_3611'],
  ['fastq', 'sequence.Fastq', 'txt', PLAIN, 'Reads with qualities, encoding unknown', 'format_1930', 'data_2044'],
  ['fastqsanger', 'sequence.FastqSanger', 'fastq', PLAIN, 'Reads with Sanger qualities', 'format_1932', 'data_2044'],
  ['fastqsolexa', 'sequence.FastqSolexa', 'fastq', PLAIN, 'Reads with Solexa qualities', 'format_1933', 'data_2044'],
  ['fastqillumina', 'sequence.FastqIllumina', 'fastq', PLAIN, 'Reads with Illumina 1.3 qualities', 'format_1931', 'data_2044'],
  ['fastqcssanger', 'sequence.FastqCSSanger', 'fastq', PLAIN, 'Colour-space reads with Sanger qualities', 'format_1932', 'data_2044'],
  ['genbank', 'sequence.Genbank', 'txt', PLAIN, 'GenBank entries', 'format_1936', 'data_0849'],
  ['embl', 'sequence.Embl', 'txt', PLAIN, 'EMBL entries', 'format_1927', 'data_0849'],
  ['stockholm', 'msa.Stockholm_1_0', 'txt', PLAIN, 'Multiple alignment, Stockholm', 'format_1961', 'data_0863'],
  ['clustal', 'msa.Clustal', 'txt', PLAIN, 'Multiple alignment, Clustal', 'format_1982', 'data_0863'],
  ['phylip', 'phylip.Phylip', 'txt', PLAIN, 'Multiple alignment, PHYLIP', 'format_1997', 'data_0863'],
  ['nhx', 'data.Newick', 'newick', PLAIN, 'Phylogenetic tree, extended Newick', 'format_1910', 'data_0872'],
  ['newick', 'data.Newick', 'txt', PLAIN, 'Phylogenetic tree, Newick', 'format_1910', 'data_0872'],
  ['nex', 'data.Nexus', 'txt', PLAIN, 'Nexus', 'format_1912', 'data_0872'],
  ['hmm3', 'msa.Hmmer3', 'txt', PLAIN, 'Profile hidden Markov model', 'format_1370', 'data_1364'],
  ['pdb', 'molecules.PDB', 'txt', 'chemical/x-pdb', 'Protein structure', 'format_1476', 'data_1460'],
  ['mol', 'molecules.MOL', 'txt', 'chemical/x-mdl-molfile', 'Molecule', 'format_3815', 'data_2526'],
  ['sdf', 'molecules.SDF', 'txt', 'chemical/x-mdl-sdfile', 'Molecules', 'format_3814', 'data_2526'],
  ['smi', 'molecules.SMILES', 'tabular', 'chemical/x-daylight-smiles', 'Molecules as SMILES', 'format_1196', 'data_2526'],
  ['gfa1', 'graph.Gfa1', 'txt', PLAIN, 'Assembly graph', 'format_3975', 'data_0925'],
  ['paf', 'text.Paf', 'tabular', PLAIN, 'Approximate mappings', 'format_3475', 'data_0863'],
  ['obo', 'text.Obo', 'txt', PLAIN, 'Ontology', 'format_2549', 'data_0582'],
  ['rdata', 'binary.RData', 'binary', BYTES, 'R objects'],
  ['rds', 'binary.RDS', 'binary', BYTES, 'One R object'],
  ['bam', 'binary.Bam', 'binary', BYTES, 'Alignments, sorted by position', 'format_2572', 'data_0863'],
  ['unsorted.bam', 'binary.BamNative', 'binary', BYTES, 'Alignments in any order', 'format_2572', 'data_0863'],
  ['qname_sorted.bam', 'binary.BamQuerynameSorted', 'binary', BYTES, 'Alignments sorted by read name', 'format_2572', 'data_0863'],
  ['bai', 'binary.Bai', 'binary', BYTES, 'Index of a BAM', 'format_3327', 'data_0955'],
  ['cram', 'binary.CRAM', 'binary', BYTES, 'Alignments, compressed against a reference', 'format_3462', 'data_0863'],
  ['crai', 'binary.Binary', 'binary', BYTES, 'Index of a CRAM'],
  ['bcf', 'binary.Bcf', 'binary', BYTES, 'Variant calls, binary', 'format_3020', 'data_3498'],
  ['vcf_bgzip', 'tabular.VcfGz', 'binary', GZIP, 'Variant calls, block compressed', 'format_3016', 'data_3498'],
  ['tabix', 'binary.Binary', 'binary', BYTES, 'Index of a block compressed table', 'format_3616'],
  ['bigbed', 'binary.BigBed', 'binary', BYTES, 'Genomic intervals, indexed', 'format_3004', 'data_3002'],
  ['bigwig', 'binary.BigWig', 'binary', BYTES, 'Values along a genome, indexed', 'format_3006', 'data_3002'],
  ['twobit', 'binary.TwoBit', 'binary', BYTES, 'Sequences in two bits a base', 'format_3009', 'data_2044'],
  ['sff', 'binary.Sff', 'binary', BYTES, 'Standard flowgram format', 'format_3284', 'data_2044'],
  ['ab1', 'binary.Ab1', 'binary', BYTES, 'Sequencer trace', 'format_3000', 'data_0924'],
  ['scf', 'binary.Scf', 'binary', BYTES, 'Sequencer trace', 'format_1632', 'data_0924'],
  ['sra', 'binary.Sra', 'binary', BYTES, 'Sequence read archive', 'format_3698', 'data_2044'],
  ['h5', 'binary.H5', 'binary', BYTES, 'Hierarchical data format, version 5', 'format_3590', 'data_0006'],
  ['h5ad', 'binary.Anndata', 'h5', BYTES, 'Annotated data matrix', 'format_3590'],
  ['loom', 'binary.Loom', 'h5', BYTES, 'Annotated data matrix', 'format_3913'],
  ['biom2', 'binary.Biom2', 'h5', BYTES, 'Biological observation matrix, version 2', 'format_3746'],
  ['cool', 'binary.Cool', 'h5', BYTES, 'Contact matrix', 'format_3590'],
  ['netcdf', 'binary.NetCDF', 'binary', BYTES, 'Array data', 'format_3650'],
  ['npz', 'binary.Npz', 'zip', 'application/zip', 'NumPy arrays'],
  ['sqlite', 'binary.SQlite', 'binary', 'application/x-sqlite3', 'SQLite database', 'format_3621', 'data_0006'],
  ['parquet', 'binary.Parquet', 'binary', BYTES, 'Columns, compressed'],
  ['xlsx', 'binary.ExcelXls', 'binary', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'Spreadsheet', 'format_3620', 'data_0006'],
  ['docx', 'binary.Docx', 'binary', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'Word document', 'format_3506', 'data_0006'],
  ['pdf', 'images.Pdf', 'data', 'application/pdf', 'Portable document', 'format_3508', 'data_2968'],
  ['eps', 'images.Eps', 'data', 'application/postscript', 'Encapsulated PostScript', 'format_3466', 'data_2968'],
  ['png', 'images.Png', 'data', 'image/png', 'Image', 'format_3603', 'data_2968'],
  ['jpg', 'images.Jpg', 'data', 'image/jpeg', 'Image', 'format_3579', 'data_2968'],
  ['gif', 'images.Gif', 'data', 'image/gif', 'Image', 'format_3467', 'data_2968'],
  ['bmp', 'images.Bmp', 'data', 'image/bmp', 'Image', 'format_3592', 'data_2968'],
  ['tiff', 'images.Tiff', 'data', 'image/tiff', 'Image', 'format_3591', 'data_2968'],
  ['zip', 'binary.CompressedZipArchive', 'binary', 'application/zip', 'Archive', 'format_3987', 'data_0006'],
  ['tar', 'binary.CompressedArchive', 'binary', 'application/x-tar', 'Archive', 'format_3981', 'data_0006'],
  ['gz', 'binary.CompressedArchive', 'binary', GZIP, 'Compressed with gzip', 'format_3989', 'data_0006'],
  ['bz2', 'binary.CompressedArchive', 'binary', 'application/x-bzip2', 'Compressed with bzip2', undefined, 'data_0006'],
  ['xz', 'binary.CompressedArchive', 'binary', 'application/x-xz', 'Compressed with xz', undefined, 'data_0006'],
  ['zarr', 'binary.Binary', 'data', BYTES, 'Chunked arrays'],
  ['fasta.gz', 'sequence.FastaGz', 'gz', GZIP, 'Sequences, compressed', 'format_1929', 'data_2044'],
  ['fastq.gz', 'sequence.FastqGz', 'gz', GZIP, 'Reads with qualities, compressed', 'format_1930', 'data_2044'],
  ['fastqsanger.gz', 'sequence.FastqSangerGz', 'fastq.gz', GZIP, 'Reads with Sanger qualities, compressed', 'format_1932', 'data_2044'],
  ['fastqsolexa.gz', 'sequence.FastqSolexaGz', 'fastq.gz', GZIP, 'Reads with Solexa qualities, compressed', 'format_1933', 'data_2044'],
  ['fastqillumina.gz', 'sequence.FastqIlluminaGz', 'fastq.gz', GZIP, 'Reads with Illumina 1.3 qualities, compressed', 'format_1931', 'data_2044'],
  ['fastqcssanger.gz', 'sequence.FastqCSSangerGz', 'fastq.gz', GZIP, 'Colour-space reads, compressed', 'format_1932', 'data_2044'],
  ['tabular.gz', 'tabular.TabularGz', 'gz', GZIP, 'Columns separated by tabs, compressed', 'format_3475', 'data_1234'],
  ['vcf.gz', 'tabular.VcfGz', 'gz', GZIP, 'Variant calls, compressed', 'format_3016', 'data_3498'],
  ['gff3.gz', 'interval.Gff3Gz', 'gz', GZIP, 'General feature format, version 3, compressed', 'format_1975', 'data_1255'],
  ['bed.gz', 'interval.BedGz', 'gz', GZIP, 'Genomic intervals, compressed', 'format_3003', 'data_3002'],
  ['genbank.gz', 'sequence.GenbankGz', 'gz', GZIP, 'GenBank entries, compressed', 'format_1936', 'data_0849'],
  ['pdb.gz', 'molecules.PDBGz', 'gz', GZIP, 'Protein structure, compressed', 'format_1476', 'data_1460'],
];

/** Indexes and the like: made by tools, not uploaded. */
const NOT_UPLOADED = new Set(['crai', 'tabix', 'data']);

export const DATATYPE_TABLE: readonly TableRow[] = ROWS.map(
  ([extension, className, parent, mimetype, description, edamFormat, edamData]) => ({
    extension,
    className: `galaxy.datatypes.${className}`,
    parent,
    mimetype,
    description,
    edamFormat,
    edamData,
    displayInUpload: !NOT_UPLOADED.has(extension),
  }),
);
