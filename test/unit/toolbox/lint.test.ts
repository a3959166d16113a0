import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lintFile, lintWrapper } from '../../../node/toolbox/lint/lint.js';
import { temporaryFolder } from './run-tool.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const GOOD = `<tool id="good" name="Good" version="1.0" profile="21.05">
  <description>does good</description>
  <macros><token name="@V@">1</token></macros>
  <command detect_errors="exit_code"><![CDATA[
    #set $n = len($in.files)
    #for $i, $x in enumerate($in.files)
      cat '$x' '$text' $n $i > '$out' && echo \\$HOME \\\${GALAXY_SLOTS:-1} @V@
    #end for
  ]]></command>
  <inputs>
    <section name="in" title="In"><param name="files" type="data" multiple="true" format="txt" label="Files"/></section>
    <param name="text" type="text" value="" label="Text"/>
  </inputs>
  <outputs><data name="out" format="txt"/></outputs>
  <tests><test expect_num_outputs="1"><param name="text" value="x"/><output name="out"><assert_contents><has_text text="a@b.de"/></assert_contents></output></test></tests>
  <help>Help</help>
  <citations><citation type="doi">10.1000/1</citation></citations>
</tool>
`;
const lint = async (text: string) => {
  const findings = await lintWrapper(text, join(folder.path, 'tool.xml'));
  return findings.map(({ level, line, code, message, mend }) => ({ level, line, code, message, mend }));
};
/** `code line` of what a change to the good wrapper brings. */
const changed = async (from: string, to: string) => {
  expect(GOOD).toContain(from);
  return lint(GOOD.replace(from, to));
};

it('a good wrapper has nothing to be said of', async () => {
  expect(await lint(GOOD)).toEqual([]);
});

describe('one slip', () => {
  it.each([
    [
      'an unknown attribute, with what is meant',
      'detect_errors=',
      'detect_error=',
      4,
      'warning',
      'unknown-attribute',
      'Write detect_errors=.',
    ],
    [
      'an unknown element, with what is meant',
      '<help>Help</help>',
      '<help>Help</help><citation/>',
      16,
      'warning',
      'unknown-element',
      'Write <citations>.',
    ],
    [
      'an unknown element in a parameter',
      'label="Text"/>',
      'label="Text"><option_s/></param>',
      12,
      'warning',
      'unknown-element',
      '',
    ],
    ['an unknown assertion', '<has_text', '<has_texts', 15, 'warning', 'unknown-assertion', 'Write <has_text>.'],
    ['no tests', '<tests>', '<tests/><!--', undefined, undefined, undefined, ''],
    ['no help', '<help>Help</help>', '', 1, 'warning', 'no-help', ''],
    ['no citations', '<citation type="doi">10.1000/1</citation>', '', 1, 'warning', 'no-citations', ''],
    ['no description', '<description>does good</description>', '', 1, 'warning', 'no-description', ''],
    ['no version', ' version="1.0"', '', 1, 'error', 'no-version', ''],
    [
      'no version, where the profile asks for none',
      ' version="1.0" profile="21.05"',
      '',
      1,
      'warning',
      'no-version',
      '',
    ],
    ['no profile', ' profile="21.05"', '', 1, 'info', 'old-profile', 'set -e'],
    ['an id with a blank', 'id="good"', 'id="so good"', 1, 'warning', 'id-blank', ''],
    ['a token that nobody defines', '@V@\n', '@W_X@\n', 7, 'warning', 'token-left', 'Add <token name="@W_X@">'],
    ['a name that nobody declares', "'$text'", "'$texd'", 7, 'error', 'undeclared', 'Write $text.'],
    ['a name that the shell shall read', '\\$HOME', '$HOME', 7, 'error', 'undeclared', '\\$HOME'],
    ['text outside quotes', "'$text'", '$text', 7, 'warning', 'unquoted-text', "Write '$text'."],
    ['a parameter without a name', '<param name="text"', '<param', 12, 'error', 'no-name', ''],
    ['a parameter without a type', 'name="text" type="text"', 'name="text"', 12, 'error', 'no-type', ''],
    [
      'a parameter that is there twice',
      '</inputs>',
      '<param name="text" type="text"/></inputs>',
      13,
      'error',
      'name-twice',
      '',
    ],
    ['an output without a name', '<data name="out"', '<data', 14, 'error', 'no-name', ''],
    [
      'an output that is there twice',
      '</outputs>',
      '<data name="out" format="txt"/></outputs>',
      14,
      'error',
      'name-twice',
      '',
    ],
    [
      'an output named like a parameter',
      '</outputs>',
      '<data name="text" format="txt"/></outputs>',
      14,
      'warning',
      'name-of-input',
      '',
    ],
    ['an element that is there twice', '<help>', '<help>x</help><help>', 16, 'error', 'twice', ''],
    ['a test that expects nothing', '<assert_contents>', '<!--<assert_contents>', undefined, undefined, undefined, ''],
    ['a template that is wrong', '#end for', '', 6, 'error', undefined, ''],
    ['what is refused', '<help>', '<code file="a.py"/><help>', 16, 'error', 'unsupported', ''],
    ['a citation that is none', '10.1000/1', 'me', 17, 'info', 'no-effect', ''],
  ])('%s', async (_, from, to, line, level, code, mend) => {
    const found = await changed(from, to);
    if (line === undefined) {
      expect(found.length).toBeGreaterThan(0);
      return;
    }
    const wanted = { line, level, ...(code === undefined ? {} : { code }), mend: expect.stringContaining(mend) };
    expect(found).toContainEqual(expect.objectContaining(wanted));
  });

  it('a <when> that is missing, one too many, and one without a value', async () => {
    const conditional =
      '<conditional name="c"><param name="k" type="select"><option value="a">A</option><option value="b">B</option></param>\n<when value="a"/>\n<when value="z"/>\n<when/></conditional>';
    const found = await changed('</inputs>', `${conditional}</inputs>`);
    expect(found.map(({ code, line }) => `${code} ${line}`)).toEqual(
      expect.arrayContaining(['no-when 13', 'unknown-when 15', 'no-value 16']),
    );
  });

  it('a text with the path of its section', async () => {
    const nested = '<section name="s" title="S"><param name="deep" type="text"/></section></inputs>';
    const text = GOOD.replace('</inputs>', nested).replace("'$text'", "'$text' ${s.deep}");
    expect(await lint(text)).toMatchObject([{ code: 'unquoted-text', message: expect.stringContaining('$s.deep') }]);
  });
});

describe('all of it in one go', () => {
  it('several slips are told in the order of their lines, each once', async () => {
    const found = await lint(
      GOOD.replace("'$text'", '$txet')
        .replace('<help>', '<hlep/><help>')
        .replace('label="Text"', 'lable="Text"')
        .replace('type="data"', 'type="file"'),
    );
    expect(found.map(({ code, line }) => `${line} ${code}`)).toEqual([
      '7 undeclared',
      '11 unsupported',
      '12 unknown-attribute',
      '16 unknown-element',
    ]);
  });

  it('one refusal does not hide the next', async () => {
    const found = await changed(
      '<param name="text"',
      '<param name="a" type="file"/>\n<param name="b" type="drill"/>\n<param name="text"',
    );
    expect(found.filter(({ code }) => code === 'unsupported').map(({ line }) => line)).toEqual([12, 13]);
  });

  it('what stands in a macro file is told there, once for all its uses', async () => {
    await writeFile(
      join(folder.path, 'm.xml'),
      '<macros>\n<xml name="p"><param name="@N@" type="integer" valeu="1"/></xml></macros>',
    );
    const text = GOOD.replace('<macros>', '<macros><import>m.xml</import>')
      .replace('</inputs>', '<expand macro="p"/><expand macro="p"/></inputs>')
      .replaceAll('@N@', 'n');
    const findings = await lintWrapper(text, join(folder.path, 'tool.xml'));
    const slips = findings.filter(({ code }) => code === 'unknown-attribute');
    expect(slips).toMatchObject([{ file: join(folder.path, 'm.xml'), line: 2, mend: 'Write value=.' }]);
  });

  it('what cannot be read at all is one error with its place', async () => {
    expect(await lint('<tool>\n<a></tool>')).toMatchObject([
      { level: 'error', line: 2, code: 'wrapper', message: expect.stringContaining('not well-formed') },
    ]);
    expect(await lint('<macros><xml name="a"><expand macro="b"/></xml></macros>')).toMatchObject([{ code: 'no-tool' }]);
    expect(await lint(GOOD.replace('<macros>', '<macros><import>none.xml</import>'))).toMatchObject([
      { code: 'import', line: 3 },
    ]);
    expect(await lint(GOOD.replace('profile="21.05"', 'profile="99.1"'))).toMatchObject([{ code: 'profile', line: 1 }]);
  });

  it('columns are told where they are known', async () => {
    const [finding] = await lintWrapper(GOOD.replace("'$text'", '$text'), join(folder.path, 'tool.xml'));
    expect(finding).toMatchObject({ line: 7, column: 16 });
  });
});

describe('every wrapper', () => {
  const tools = resolve(import.meta.dirname, '../../../node/toolbox/tools');
  const own = readdirSync(tools, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.xml'));

  it('that this product brings has no error', async () => {
    const found = [];
    for (const name of own) {
      const text = readFileSync(join(tools, name), 'utf8');
      if (!/<tool\b/.test(text) || text.includes('tool_type="node"')) continue;
      found.push(...(await lintFile(join(tools, name))).filter(({ level }) => level === 'error'));
    }
    expect(found).toEqual([]);
  });

  it('however it is spoiled, is told of and does not throw', async () => {
    const places = fc.array(
      fc.tuple(
        fc.nat(GOOD.length),
        fc.nat(20),
        fc.constantFrom('', '<', '>', '"', '$', '#', '@A_B@', '</', ']]>', '&amp;'),
      ),
      { minLength: 1, maxLength: 4 },
    );
    await fc.assert(
      fc.asyncProperty(places, async (changes) => {
        let text = GOOD;
        for (const [at, length, instead] of changes) text = text.slice(0, at) + instead + text.slice(at + length);
        for (const finding of await lintWrapper(text, join(folder.path, 'tool.xml'))) {
          expect(finding.line).toBeGreaterThan(0);
          expect(finding.message).not.toBe('');
          expect(finding.mend).not.toBe('');
        }
      }),
      { numRuns: 150 },
    );
  });
});
