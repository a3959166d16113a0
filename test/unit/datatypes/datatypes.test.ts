import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import { niceSize } from '../../../node/datasets/inspect.js';

const datatypes = createDatatypes();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'datatypes-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let files = 0;
async function file(content: string | Buffer): Promise<string> {
  const path = join(folder, String(files++));
  await writeFile(path, content);
  return path;
}

const BED = 'chr1\t10\t20\tgene1\t0\t+\nchr2\t30\t40\tgene2\t5\t-\n';
const FASTQ = '@read1\nACGT\n+\nIIII\n@read2\nAC\n+read2\n!~\n';
const FASTA = '>one a b\nACGT\nAC\n>two\nTTNN\n';
const VCF = '##fileformat=VCFv4.2\n#CHROM\tPOS\tID\nchr1\t5\t.\n';

describe('sniffing says', () => {
  it.each<[extension: string, content: string | Buffer]>([
    ['txt', 'line 1\nline 2\rline 3\r\nline 4'],
    ['txt', ''],
    ['txt', '\n\n'],
    ['txt', 'one word'],
    ['txt', 'Dear Ann, here we are.\nAll is well.\n'],
    ['txt', '[section]\nkey = value\n'],
    ['txt', '[1] A reference\n[2] Another\n'],
    ['txt', '{ not json }'],
    ['txt', '> quoted text from a mail\nand an answer to it\n'],
    ['txt', 'a\tb\nc\n'],
    ['tabular', 'a\tb\nc\td\n'],
    ['tabular', '#head\n1\t2\t3\n4\t5\t6\n'],
    ['tabular', 'name\tstart\tend\nx\t1\t2\n'],
    ['bed', BED],
    ['bed', `track name=x\n${BED}`],
    ['bed', 'chr1\t1\t2\nchr1\t5\t9\n'],
    ['bed', '1\t10\t20\tg\t0\t.\n'],
    ['tabular', 'chr1\t20\t10\n'],
    ['fasta', FASTA],
    ['fasta', '\n>one\n\nACGT\n'],
    ['fastqsanger', FASTQ],
    ['txt', '@read1\nACGT\n+\nIII\n'],
    ['json', '{"a": [1, 2, {"b": null}]}\n'],
    ['json', ' [1, 2]'],
    ['json', `[${'"0123456789",'.repeat(200_000)}"end"]`],
    ['html', '<!DOCTYPE html>\n<html></html>'],
    ['html', '  <html lang="en"><body></body></html>'],
    ['xml', '<?xml version="1.0"?>\n<a/>'],
    ['csv', 'name,age\nAnn,3\n"Lee, Bo",4\n'],
    ['vcf', VCF],
    ['gff3', '##gff-version 3\nchr1\t.\tgene\t1\t2\t.\t+\t.\tID=1\n'],
    ['gtf', 'chr1\thavana\texon\t1\t2\t.\t+\t.\tgene_id "g"; transcript_id "t";\n'],
    ['sam', '@HD\tVN:1.6\tSO:coordinate\n'],
    ['data', Buffer.from([0, 1, 2, 3, 255, 254])],
    ['data', Buffer.from('text with a \0 in it')],
    ['txt', Buffer.from('caf\xe9 in latin-1\n', 'latin1')],
    ['png', Buffer.from('\x89PNG\r\n\x1a\n....', 'latin1')],
    ['pdf', '%PDF-1.7\n'],
    ['zip', Buffer.from('PK\x03\x04......', 'latin1')],
    ['h5', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1')],
    ['tar', Buffer.concat([Buffer.alloc(257, 'a'), Buffer.from('ustar')])],
    ['fastqsanger.gz', gzipSync(FASTQ)],
    ['fasta.gz', gzipSync(FASTA)],
    ['vcf.gz', gzipSync(VCF)],
    ['bam', gzipSync(Buffer.from('BAM\x01....', 'latin1'))],
    ['gz', gzipSync('prose')],
    ['data', Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(50, 0xff)])],
    ['fastqsanger.gz', gzipSync(FASTQ.repeat(200_000))],
  ])('%s (example %#)', async (extension, content) => {
    expect(await datatypes.sniff(await file(content))).toBe(extension);
  });

  it('something of any bytes, and inspecting never fails', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const path = await file(Buffer.from(bytes));
        const inspected = await datatypes.inspect(path, 'auto');
        expect(inspected.extension).toBe(await datatypes.sniff(path));
        expect(Buffer.byteLength(inspected.peek)).toBeLessThanOrEqual(4096);
      }),
      { numRuns: 100 },
    );
  });
});

describe('inspecting gives', () => {
  it('an empty file as empty', async () => {
    expect(await datatypes.inspect(await file(''), 'tabular')).toEqual({
      extension: 'tabular',
      state: 'empty',
      peek: '',
      blurb: 'empty',
      metadata: {},
    });
  });

  it('the lines of a text', async () => {
    expect(await datatypes.inspect(await file('1\n2\n\n#3\n5\n6\n7'), 'auto')).toEqual({
      extension: 'txt',
      state: 'ok',
      peek: '1\n2\n\n#3\n5',
      blurb: '7 lines',
      metadata: { data_lines: 5 },
    });
  });

  it('the columns of a table, their types and names', async () => {
    const text = '#id\tvalue\tnote\n1\t2.5\tx\n2\t\ty\n-3\t1e4\t7\n';
    expect(await datatypes.inspect(await file(text), 'tabular')).toMatchObject({
      blurb: '4 lines, 1 comments',
      metadata: {
        data_lines: 3,
        comment_lines: 1,
        columns: 3,
        column_types: ['int', 'float', 'str'],
        column_names: ['id', 'value', 'note'],
        delimiter: '\t',
      },
    });
  });

  it('the header of a CSV as names', async () => {
    expect((await datatypes.inspect(await file('name,age\n"Lee, Bo",4\n'), 'csv')).metadata).toMatchObject({
      columns: 2,
      column_names: ['name', 'age'],
      column_types: ['str', 'int'],
      delimiter: ',',
    });
  });

  it('the regions of a BED', async () => {
    expect(await datatypes.inspect(await file(BED), 'bed')).toMatchObject({
      blurb: '2 regions',
      metadata: { columns: 6, chromCol: 1, startCol: 2, endCol: 3, strandCol: 6 },
    });
  });

  it('the sequences of FASTA and FASTQ, compressed or not', async () => {
    expect(await datatypes.inspect(await file(FASTA), 'fasta')).toMatchObject({
      blurb: '2 sequences',
      metadata: { sequences: 2, data_lines: 5 },
    });
    expect(await datatypes.inspect(await file(FASTQ), 'fastqsanger')).toMatchObject({
      blurb: '2 sequences',
      metadata: { sequences: 2 },
    });
    expect(await datatypes.inspect(await file(gzipSync(FASTQ.repeat(1000))), 'auto')).toMatchObject({
      extension: 'fastqsanger.gz',
      blurb: '2,000 sequences',
      peek: '@read1\nACGT\n+\nIIII\n@read2',
      metadata: { sequences: 2000, data_lines: 8000 },
    });
  });

  it('a binary file by its size', async () => {
    expect(await datatypes.inspect(await file(Buffer.alloc(2048)), 'auto')).toMatchObject({
      extension: 'data',
      blurb: '2.0 KB',
      peek: 'binary data',
      metadata: {},
    });
    expect(await datatypes.inspect(await file(Buffer.alloc(10)), 'bam')).toMatchObject({
      blurb: '10 bytes',
      peek: 'bam file',
    });
  });

  it('a peek of bounded lines without control characters', async () => {
    const { peek } = await datatypes.inspect(await file(`${'é'.repeat(100_000)}\n\x1b[31mred\x07\tx\n`), 'txt');
    expect(peek.split('\n').map((line) => line.length)).toEqual([256, 11]);
    expect(peek).toContain('?[31mred?\tx');
    const wide = await datatypes.inspect(await file(`${'€'.repeat(300)}\n`.repeat(9)), 'txt');
    expect(Buffer.byteLength(wide.peek)).toBeLessThanOrEqual(4096);
  });

  it('counts across the chunks of a large file', async () => {
    const lines = 200_000;
    const { metadata, blurb } = await datatypes.inspect(await file('a\tb\r\n'.repeat(lines)), 'tabular');
    expect(metadata).toMatchObject({ data_lines: lines, columns: 2 });
    expect(blurb).toBe('200,000 lines');
    expect((await datatypes.inspect(await file('\n'.repeat(600_000)), 'txt')).blurb).toBe('600,000 lines');
  });

  it('the size instead of counts when a gzip file holds too much', async () => {
    const small = createDatatypes({ countedBytesMax: 1e9, decompressedBytesMax: 1000 });
    const packed = gzipSync(FASTQ.repeat(1000));
    const { blurb, metadata, peek } = await small.inspect(await file(packed), 'fastqsanger.gz');
    expect(blurb).toBe(niceSize(packed.length));
    expect(metadata).toEqual({});
    expect(peek).toMatch(/^@read1/);
  });

  it('metadata that stays small for very many columns', async () => {
    const { metadata } = await datatypes.inspect(await file(`${'1\t'.repeat(20_000)}1\n`), 'tabular');
    expect(metadata.columns).toBe(20_001);
    expect(JSON.stringify(metadata).length).toBeLessThan(8192);
  });
});

describe('the table of datatypes', () => {
  it('knows parents, nearest first', () => {
    expect(datatypes.get('bed')).toMatchObject({
      className: 'galaxy.datatypes.interval.Bed',
      parents: ['interval', 'tabular', 'txt', 'data'],
      edamFormat: 'format_3003',
      mimetype: 'text/plain',
    });
    expect(datatypes.get('FASTA')?.extension).toBe('fasta');
    expect(datatypes.get('constructor')).toBeUndefined();
  });

  it('has no extension twice and every parent in it', () => {
    const extensions = datatypes.all().map(({ extension }) => extension);
    expect(new Set(extensions).size).toBe(extensions.length);
    for (const { extension, parents } of datatypes.all()) {
      for (const parent of parents) expect(extensions, extension).toContain(parent);
      if (extension !== 'data') expect(parents.at(-1), extension).toBe('data');
    }
  });

  it.each<[formats: string[], extension: string, fits: boolean]>([
    [['data'], 'bed', true],
    [['data'], 'something-else', true],
    [['txt'], 'bed', true],
    [['tabular'], 'txt', false],
    [['tabular', 'fasta'], 'fasta', true],
    [['fastq'], 'fastqsanger', true],
    [['fastqsanger'], 'fastqsanger.gz', false],
    [['fastq.gz'], 'fastqsanger.gz', true],
    [['txt'], 'png', false],
    [['txt'], 'something-else', false],
    [['txt'], 'auto', true],
    [['Interval'], 'BED', true],
  ])('%j accepts %s: %s', (formats, extension, fits) => {
    expect(datatypes.accepts(formats, extension)).toBe(fits);
  });
});

it('sizes are written as Galaxy writes them', () => {
  expect([0, 1023, 1024, 1_500_000, 5 * 1024 ** 3].map(niceSize)).toEqual([
    '0 bytes',
    '1023 bytes',
    '1.0 KB',
    '1.4 MB',
    '5.0 GB',
  ]);
});
