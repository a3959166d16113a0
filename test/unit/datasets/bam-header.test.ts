import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bamMetadata } from '../../../node/datasets/bam-header.js';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';

type Sequence = [name: string, length: number];

function header(sequences: Sequence[], text = '@HD\tVN:1.6\n'): Buffer {
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  return Buffer.concat([
    Buffer.from('BAM\u0001', 'latin1'),
    number(text.length),
    Buffer.from(text),
    number(sequences.length),
    ...sequences.flatMap(([name, length]) => [number(name.length + 1), Buffer.from(`${name}\0`), number(length)]),
  ]);
}

const TWO: Sequence[] = [
  ['chr1', 248_956_422],
  ['chrM', 16_569],
];
const KNOWN = { reference_names: ['chr1', 'chrM'], reference_lengths: [248_956_422, 16_569] };

describe('the header of a BAM file', () => {
  it('says the sequences and how long they are', () => {
    expect(bamMetadata(header(TWO))).toEqual(KNOWN);
    expect(bamMetadata(header([]))).toEqual({ reference_names: [], reference_lengths: [] });
  });

  it('that is cut, or is none, says nothing', () => {
    const whole = header(TWO);
    for (let length = 0; length < whole.length; length++) expect(bamMetadata(whole.subarray(0, length))).toEqual({});
    expect(bamMetadata(Buffer.from('CRAM and more of it'))).toEqual({});
    const endless = header(TWO);
    endless.writeUInt32LE(0xffffffff, 4);
    expect(bamMetadata(endless)).toEqual({});
    const many = header([]);
    many.writeUInt32LE(0xffffffff, many.length - 4);
    expect(bamMetadata(many)).toEqual({});
  });

  it('with more than an entry has room for says nothing of it, instead of a part', () => {
    expect(bamMetadata(header(Array.from({ length: 2000 }, (_, index): Sequence => [`contig_${index}`, 1])))).toEqual({
      reference_lengths: Array.from({ length: 2000 }, () => 1),
    });
  });

  it.each([
    ['bam', KNOWN],
    ['qname_sorted.bam', KNOWN],
    ['data', {}],
  ])('is read when a %s file is looked at, through its blocks', async (extension, metadata) => {
    const folder = mkdtempSync(join(tmpdir(), 'galaxy-bam-'));
    try {
      const bytes = header(TWO);
      const file = join(folder, 'a.bam');
      writeFileSync(file, Buffer.concat([gzipSync(bytes.subarray(0, 20)), gzipSync(bytes.subarray(20))]));
      expect(await createDatatypes().inspect(file, extension)).toMatchObject({ state: 'ok', extension, metadata });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
