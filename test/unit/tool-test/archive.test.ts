import { deflateRawSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { archiveMembers } from '../../../node/tool-test/archive.js';
import { ContentFault } from '../../../node/tool-test/produced.js';
import { tarOf, zipOf } from './archives.js';

const named = (bytes: Buffer) =>
  archiveMembers(bytes, 'x')?.map(({ name, bytes: read }) => [name, read().toString('utf8')]);

describe('members of an archive', () => {
  it('of a zip, packed and plain', () => {
    const zip = zipOf([
      ['a/one.txt', 'one'],
      ['two', 'two '.repeat(100)],
    ]);
    expect(named(zip)).toEqual([
      ['a/one.txt', 'one'],
      ['two', 'two '.repeat(100)],
    ]);
  });

  it('of a tar, and of one in gzip, under the names that they were given', () => {
    const tar = tarOf([
      ['./a/one.txt', 'one'],
      ['empty/', ''],
    ]);
    const expected = [
      ['./a/one.txt', 'one'],
      ['empty', ''],
    ];
    expect(named(tar)).toEqual(expected);
    expect(named(gzipSync(tar))).toEqual(expected);
  });

  it('of what is no archive: there are none', () => {
    expect(archiveMembers(Buffer.from('text'), 'x')).toBeUndefined();
  });

  it('of a damaged archive: said by name', () => {
    const zip = zipOf([['a', 'b']]);
    expect(() => archiveMembers(zip.subarray(0, zip.length - 30), 'x')).toThrow(ContentFault);
    expect(() => archiveMembers(Buffer.concat([Buffer.from('PK'), Buffer.alloc(100)]), 'x')).toThrow(
      'x is a damaged zip archive',
    );
  });

  it('packed by a method that cannot be opened: said when it is read', () => {
    const zip = zipOf([['a', 'b']], { method: 12, pack: deflateRawSync });
    const [member] = archiveMembers(zip, 'x') ?? [];
    expect(() => member?.bytes()).toThrow('packed by a method (12)');
  });
});
