import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import { vcfMetadata } from '../../../node/datasets/vcf-header.js';

const HEADER = [
  '##fileformat=VCFv4.2',
  '##contig=<ID=chr1,length=100>',
  '##contig=<length=5,ID=chr2>',
  '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">',
].join('\n');
const FIXED = '#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT';
const RECORD = 'chr1\t5\t.\tA\tC\t50\t.\tDP=4\tGT\t1\t0';

describe('the header of a VCF file', () => {
  it('names the samples and the sequences', () => {
    expect(vcfMetadata(`${HEADER}\n${FIXED}\tmother\ta child\n${RECORD}\n`)).toEqual({
      sample_names: ['mother', 'a child'],
      contigs: ['chr1', 'chr2'],
    });
  });

  it('without genotypes has no samples, and without declared sequences says nothing of them', () => {
    expect(vcfMetadata('##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n')).toEqual({
      sample_names: [],
    });
  });

  it('that is cut off, or is none, says only what stands there in whole lines', () => {
    expect(vcfMetadata(`${HEADER}\n${FIXED}\tmoth`)).toEqual({ contigs: ['chr1', 'chr2'] });
    expect(vcfMetadata(`${RECORD}\n${FIXED}\tlate\n`)).toEqual({});
    expect(vcfMetadata('')).toEqual({});
  });

  it('with more names than travel in a log says none of them, and control characters are replaced', () => {
    const many = Array.from({ length: 251 }, (_, index) => `s${index}`).join('\t');
    expect(vcfMetadata(`${HEADER}\n${FIXED}\t${many}\n`)).toEqual({ contigs: ['chr1', 'chr2'] });
    expect(vcfMetadata(`${FIXED}\ta\u0007b\n`)).toEqual({ sample_names: ['a?b'] });
  });

  it('is metadata of the dataset, compressed or not', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vcf-'));
    try {
      const text = `${HEADER}\n${FIXED}\tmother\n${RECORD}\n`;
      await writeFile(join(folder, 'plain'), text);
      await writeFile(join(folder, 'packed'), gzipSync(text));
      for (const [name, extension] of [
        ['plain', 'vcf'],
        ['packed', 'vcf_bgzip'],
      ] as const) {
        const { metadata } = await createDatatypes().inspect(join(folder, name), extension);
        expect(metadata).toMatchObject({ sample_names: ['mother'], contigs: ['chr1', 'chr2'] });
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
