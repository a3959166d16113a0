import fc from 'fast-check';
import { expect, it } from 'vitest';
import { planFetch, planLegacyUpload } from '../../../node/api/fetch-request.js';
import { isDomainError } from '../../../protocol/runtime/errors.js';

const hdas = { destination: { type: 'hdas' } };
const none = () => false;

it('files are counted over all targets, as the form numbers them', () => {
  const items = planFetch({
    targets: JSON.stringify([
      { ...hdas, elements: [{ src: 'files', name: 'a' }, { src: 'pasted', paste_content: 'x' }, { src: 'files' }] },
      { ...hdas, items: [{ src: 'files', ext: 'bed', dbkey: 'hg19' }] },
    ]),
  });
  expect(items.map(({ source }) => ('index' in source ? source.index : source.text))).toEqual([0, 'x', 1, 2]);
  expect(items.map(({ name }) => name)).toEqual(['a', 'Pasted Entry', '', '']);
  expect(items[3]).toMatchObject({ extension: 'bed', genomeBuild: 'hg19' });
});

it('a wish for one element wins over that for its target, and that over the request', () => {
  const pasted = { src: 'pasted', paste_content: 'x' };
  const [one, two, three] = planFetch({
    auto_decompress: true,
    targets: [
      { ...hdas, auto_decompress: false, elements: [{ ...pasted, auto_decompress: 'true' }, pasted] },
      { ...hdas, elements: [pasted] },
    ],
  });
  expect([one, two, three].map((item) => item?.autoDecompress)).toEqual([true, false, true]);
});

it('the flat inputs of upload1 name several items, each with its own type', () => {
  const items = planLegacyUpload(
    {
      file_type: 'txt',
      dbkey: 'hg19',
      'files_0|url_paste': 'a\n',
      'files_0|to_posix_lines': false,
      'files_2|NAME': 'third',
      'files_2|file_type': 'bed',
      'files_1|url_paste': 'b\n',
      'files_1|space_to_tab': 'Yes',
    },
    (index) => index === 2,
  );
  expect(items).toMatchObject([
    { name: 'Pasted Entry', extension: 'txt', genomeBuild: 'hg19', toPosixLines: false, spaceToTab: false },
    { source: { kind: 'text', text: 'b\n' }, toPosixLines: true, spaceToTab: true },
    { name: 'third', extension: 'bed', source: { kind: 'upload', index: 2 } },
  ]);
  expect(() => planLegacyUpload({ 'files_0|ftp_files': 'x' }, none)).toThrow('FTP');
  expect(() => planLegacyUpload({}, none)).toThrow('neither a file nor a text');
});

it('a URL is only one where Galaxy takes it for one', () => {
  const paste = (text: string) =>
    planFetch({ targets: [{ ...hdas, elements: [{ src: 'pasted', paste_content: text }] }] });
  for (const text of ['http://a/b', '\n  HTTPS://a/b\nx', 's3://bucket/x'])
    expect(() => paste(text)).toThrow('Fetching by URL');
  for (const text of ['see http://a/b', 'a\nhttp://a/b', 'http:', '>seq1\nACGT', ''])
    expect(paste(text)).toHaveLength(1);
});

it('whatever a client sends is taken or refused in words, never a crash', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (targets, inputs) => {
      for (const attempt of [
        () => planFetch({ targets }),
        () => planFetch(targets),
        () => planLegacyUpload(inputs, none),
      ]) {
        try {
          expect(attempt().length).toBeGreaterThan(0);
        } catch (error) {
          expect(isDomainError(error)).toBe(true);
        }
      }
    }),
  );
});
