import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchItem, TextLines } from '../../../node/jobs/fetch.js';
import type { RunFetch } from '../../../node/jobs/run-spec.js';
import { FakeDatatypes } from './fakes.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'galaxy-fetch-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function fetched(
  bytes: Uint8Array | string,
  options: Partial<RunFetch> & { extension?: string; bytesMax?: number } = {},
) {
  const source = join(folder, 'source');
  const file = join(folder, 'dataset.dat');
  writeFileSync(source, bytes);
  const result = await fetchItem(
    { datatypes: new FakeDatatypes() },
    {
      name: 'my file',
      source,
      toPosixLines: true,
      spaceToTab: false,
      autoDecompress: true,
      output: { name: 'output0', file, extension: options.extension ?? 'auto' },
      ...options,
    },
    { bytesMax: options.bytesMax ?? 1_000_000, signal: new AbortController().signal },
  );
  const text = result.file === undefined ? undefined : readFileSync(file, 'utf8');
  return { result, text, sourceText: readFileSync(source) };
}

async function convert(chunks: string[], how: { posix: boolean; tabs: boolean }): Promise<string> {
  const out: Buffer[] = [];
  const source = Readable.from(chunks.filter((chunk) => chunk !== '').map((chunk) => Buffer.from(chunk)));
  for await (const chunk of source.pipe(new TextLines(how))) out.push(chunk as Buffer);
  return Buffer.concat(out).toString('utf8');
}

describe('an uploaded file', () => {
  it('of a type that is not known here keeps its compression', async () => {
    const bytes = gzipSync('matrix\n');
    const { result } = await fetched(bytes, { extension: 'lab_matrix_archive' });
    expect(readFileSync(result.file ?? '')).toEqual(bytes);
  });

  it('gets Unix line ends and a last one', async () => {
    const { result, text, sourceText } = await fetched('one\r\ntwo\rthree');
    expect(text).toBe('one\ntwo\nthree\n');
    expect(result).toMatchObject({ state: 'ok', extension: 'txt' });
    expect(sourceText.toString()).toBe('one\r\ntwo\rthree');
  });

  it('keeps its line ends when that is asked for', async () => {
    expect((await fetched('one\r\ntwo', { toPosixLines: false })).text).toBe('one\r\ntwo');
  });

  it('has runs of blanks turned into tabs when that is asked for', async () => {
    expect((await fetched('a  b \tc\nd e\n', { spaceToTab: true })).text).toBe('a\tb\tc\nd\te\n');
  });

  it('that needs no change is not copied', async () => {
    const { text } = await fetched('fine\n');
    expect(text).toBe('fine\n');
    expect(statSync(join(folder, 'dataset.dat')).ino).toBe(statSync(join(folder, 'source')).ino);
  });

  it('that is no text is left as it is, whatever its type is said to be', async () => {
    const bytes = Buffer.from([0x41, 0x0d, 0x00, 0x0d, 0x0a]);
    expect((await fetched(bytes, { extension: 'txt' })).text).toBe(bytes.toString('utf8'));
    expect((await fetched(bytes)).result).toMatchObject({ extension: 'data' });
  });

  it('in gzip is decompressed and then looked at', async () => {
    const { result, text } = await fetched(gzipSync('>a\r\nACGT'));
    expect(result).toMatchObject({ extension: 'fasta', info: 'The file was decompressed.' });
    expect(text).toBe('>a\nACGT\n');
  });

  it('in gzip stays so when its type is, or when that is asked for', async () => {
    const reads = gzipSync('@r\nA\n+\nI\n');
    expect((await fetched(reads)).result).toMatchObject({ extension: 'fastqsanger.gz' });
    expect((await fetched(reads, { extension: 'fastqsanger.gz' })).result.extension).toBe('fastqsanger.gz');
    const { sourceText } = await fetched(gzipSync('>a\n'), { autoDecompress: false });
    expect(readFileSync(join(folder, 'dataset.dat'))).toEqual(sourceText);
  });

  it('in gzip whose type is said to be plain is decompressed', async () => {
    const { text, result } = await fetched(gzipSync('@r\nA\n+\nI\n'), { extension: 'fastqsanger' });
    expect(text).toBe('@r\nA\n+\nI\n');
    expect(result.extension).toBe('fastqsanger');
  });

  it('that is said to be compressed and is not is refused', async () => {
    const { result } = await fetched('@r\nA\n+\nI\n', { extension: 'fastqsanger.gz' });
    expect(result).toMatchObject({ state: 'error', info: expect.stringContaining('is not compressed') });
  });

  it('in a zip archive is refused as a text and kept as itself otherwise, with a word', async () => {
    const zip = Buffer.from('PK\u0003\u0004\u0000rest of an archive');
    expect((await fetched(zip, { extension: 'fasta' })).result).toMatchObject({
      state: 'error',
      info: 'my file is a zip archive, not fasta. Unpack it and upload the files in it.',
    });
    expect((await fetched(zip)).result).toMatchObject({ state: 'ok', info: expect.stringContaining('kept as it is') });
  });

  it('that is damaged, or a bomb, says so and leaves nothing', async () => {
    const damaged = gzipSync('x'.repeat(1000)).subarray(0, 20);
    expect((await fetched(damaged)).result).toMatchObject({ state: 'error', info: expect.stringContaining('damaged') });
    const bomb = gzipSync(Buffer.alloc(2_000_000, 'x\n'));
    const { result } = await fetched(bomb);
    expect(result).toMatchObject({ state: 'error', info: expect.stringContaining('larger than 1000000 bytes') });
    expect(result.file).toBeUndefined();
  });

  it('that is empty is an empty dataset', async () => {
    expect((await fetched('')).result).toMatchObject({ state: 'empty', info: 'The uploaded file is empty.' });
  });
});

describe('line ends', () => {
  it('come out the same however the bytes were cut', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', ' ', '\t', '\r', '\n', 'é'), maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.nat(40), { maxLength: 5 }), fc.boolean(), async (whole, cuts, tabs) => {
        const places = [0, ...cuts.filter((cut) => cut <= whole.length).sort((a, b) => a - b), whole.length];
        const chunks = places.slice(1).map((end, index) => whole.slice(places[index], end));
        let expected = whole.replace(/\r\n?/g, '\n');
        if (tabs) expected = expected.replace(/[ \t]+/g, '\t');
        if (expected !== '' && !expected.endsWith('\n')) expected += '\n';
        expect(await convert(chunks, { posix: true, tabs })).toBe(expected);
      }),
      { numRuns: 200 },
    );
  });
});
