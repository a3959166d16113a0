import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Comparison, checkSums, compareFiles } from '../../../node/tool-test/compare.js';
import { ProducedFile } from '../../../node/tool-test/produced.js';

const PLAIN: Comparison = {
  compare: 'diff',
  linesDiff: 0,
  delta: 10_000,
  deltaFrac: undefined,
  sort: false,
  decompress: false,
};

function compared(expected: string | Buffer, produced: string | Buffer, how: Partial<Comparison> = {}, name = 'e.txt') {
  const file = (content: string | Buffer, label: string) => new ProducedFile(Buffer.from(content), label);
  return compareFiles(file(expected, name), file(produced, 'out'), { ...PLAIN, ...how });
}

describe('diff', () => {
  it('takes the same bytes, and other line ends', () => {
    expect(compared('a\nb\n', 'a\nb\n')).toEqual({});
    expect(compared('a\nb\n', 'a\r\nb\r\n')).toEqual({});
  });

  it('says in how many lines two texts differ, and shows them', () => {
    const { problem } = compared('a\nb\nc\n', 'a\nx\nc\n');
    expect(problem).toBe('out differs from e.txt in 2 lines\n@@ line 2 @@\n-b\n+x');
  });

  it('takes as many differing lines as lines_diff allows: a changed line is two', () => {
    expect(compared('a\nb\n', 'a\nx\n', { linesDiff: 2 })).toEqual({});
    expect(compared('a\nb\n', 'a\nx\n', { linesDiff: 1 }).problem).toContain('in 2 lines, 1 may');
  });

  it('takes another order when the test sorts', () => {
    expect(compared('a\nb\n', 'b\na\n').problem).toBeDefined();
    expect(compared('a\nb\n', 'b\na\n', { sort: true })).toEqual({});
  });

  it('looks into gzip files when the test says decompress', () => {
    const [one, two] = [gzipSync('a\n', { level: 1 }), gzipSync('a\n', { level: 9 })];
    two[8] = 9;
    expect(compared(one, two).problem).toContain('is not text');
    expect(compared(one, two, { decompress: true })).toEqual({});
    expect(compared('a\n', two, { decompress: true })).toEqual({});
  });

  it('shows no bytes of what is not text', () => {
    expect(compared('a\0b', 'a\0c').problem).toBe('out is not text and differs from e.txt (3 bytes, 3 expected)');
  });

  it('lets dates and ids of a PDF differ, and nothing else', () => {
    const page = (date: string, text: string) => `%PDF-1.4\n/CreationDate (${date})\n${text}\n`;
    expect(compared(page('1', 'Tj\0'), page('2', 'Tj\0'), {}, 'e.pdf')).toEqual({});
    expect(compared(page('1', 'Tj\0'), page('2', 'Other\0'), {}, 'e.pdf').problem).toContain(
      'in 2 lines that hold more',
    );
    expect(compared(page('1', 'Tj\0'), page('2', 'Tj\0')).problem).toBeDefined();
  });
});

describe('sim_size', () => {
  const how = { compare: 'sim_size' } as const;
  it.each([
    [100, 110, { delta: 10 }, true],
    [100, 111, { delta: 10 }, false],
    [100, 90, { delta: 10 }, true],
    [100, 106, { delta: 10, deltaFrac: 0.05 }, false],
    [100, 105, { delta: 10, deltaFrac: 0.05 }, true],
  ])('of %i and %i bytes with %o is %s', (expected, produced, bounds, fits) => {
    const { problem } = compared('x'.repeat(expected), 'x'.repeat(produced), { ...how, ...bounds });
    expect(problem === undefined).toBe(fits);
  });
});

describe('contains', () => {
  const how = { compare: 'contains' } as const;
  it('wants each line of the test somewhere in what came out, also within a line', () => {
    expect(compared('b\na\n', 'xxa\nbyy\n', how)).toEqual({});
    expect(compared('a\nq\n', 'a\n', how).problem).toBe('out lacks 1 lines of e.txt\n-q');
    expect(compared('a\nq\n', 'a\n', { ...how, linesDiff: 1 })).toEqual({});
  });
});

describe('re_match', () => {
  const how = { compare: 're_match' } as const;
  it('matches line by line, from the start of each', () => {
    expect(compared('a\\d+\n.*\n', 'a12 and more\nanything\n', how)).toEqual({});
    expect(compared('\\d\n', 'a1\n', how).problem).toContain('1 lines of out do not match');
  });

  it('wants as many lines as there are patterns', () => {
    expect(compared('.*\n', 'a\nb\n', how).problem).toBe('out has 2 lines, e.txt has 1 patterns');
  });

  it('says that a pattern is none', () => {
    expect(compared('(\n', 'a\n', how).problem).toContain('is not a regular expression');
  });
});

describe('re_match_multiline', () => {
  const how = { compare: 're_match_multiline' } as const;
  it('takes the whole file as one pattern', () => {
    expect(compared('a\\d\nb$', 'a1\nb\nrest\n', how)).toEqual({});
    expect(compared('a\nc', 'a\nb\n', how).problem).toBe('out does not match the pattern in e.txt');
  });

  it('sorts what came out, not the pattern', () => {
    expect(compared('a\nb', 'b\na\n', { ...how, sort: true })).toEqual({});
  });
});

it('a comparison of images is not made here, and says what it needs', () => {
  expect(compared('a', 'b', { compare: 'image_diff' })).toEqual({
    needs: 'compare="image_diff" needs an image library',
  });
});

describe('sums', () => {
  const file = new ProducedFile(Buffer.from('abc'), 'out');
  const sum = (algorithm: string) => createHash(algorithm).update('abc').digest('hex');

  it('are taken as md5 and as checksum with its algorithm', () => {
    expect(checkSums(file, { md5: sum('md5'), checksum: undefined })).toBeUndefined();
    for (const algorithm of ['sha1', 'sha256', 'sha512']) {
      expect(checkSums(file, { md5: undefined, checksum: `${algorithm}$${sum(algorithm)}` })).toBeUndefined();
    }
  });

  it('that differ are said with both values', () => {
    expect(checkSums(file, { md5: 'aa', checksum: undefined })).toBe(`the md5 of out is ${sum('md5')}, not aa`);
    expect(checkSums(file, { md5: undefined, checksum: 'odd$1' })).toBe('the checksum "odd" is not known');
  });
});
