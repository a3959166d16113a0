import { beforeAll, describe, expect, it } from 'vitest';
import { catalogue, codesIn, type DeclaredError, declaringFiles } from './catalogue.js';
import { cell, expectSection, HOW, section, table } from './markdown.js';

const FILE = 'docs/ERRORS.md';

function render(errors: readonly DeclaredError[]): string {
  const parts: string[] = [];
  for (const area of new Set(errors.map(areaOf))) {
    const members = errors.filter((error) => areaOf(error) === area);
    const files = [...new Set(members.map(({ file }) => file))].sort();
    parts.push(
      `## ${area}`,
      `Declared in ${files.map((file) => `[\`${file}\`](../${file})`).join(' and ')}.`,
      table(
        ['code', 'kind', 'what it says', 'what to do'],
        members.map(({ code, kind, say, mend }) => [`\`${code}\``, kind, cell(say), cell(mend)]),
      ),
    );
  }
  return parts.join('\n\n');
}

function areaOf({ code }: DeclaredError): string {
  return code.split('/')[0] as string;
}

describe('docs/ERRORS.md', () => {
  let errors: DeclaredError[];
  beforeAll(async () => {
    errors = await catalogue();
  });

  it('is made of every error that the programs declare', () => {
    expect(errors.length).toBeGreaterThan(100);
    expectSection(FILE, 'errors', render(errors));
  });

  it('names no error that is gone, and lacks none', () => {
    const written = [...section(FILE, 'errors').matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] as string);
    const declared = errors.map(({ code }) => code);
    expect(
      written.filter((code) => !declared.includes(code)),
      HOW,
    ).toEqual([]);
    expect(
      declared.filter((code) => !written.includes(code)),
      HOW,
    ).toEqual([]);
  });

  it('every declaration is written out, so that it can be found by its code', () => {
    const found = new Set(declaringFiles().flatMap((file) => codesIn(file).map(({ code }) => code)));
    expect(errors.filter(({ code }) => !found.has(code)).map(({ code }) => code)).toEqual([]);
    expect(errors.filter(({ file }) => file === '').map(({ code }) => code)).toEqual([]);
  });

  it('every error says something in a sentence', () => {
    expect(
      errors.filter(({ say }) => !/^(?:--|[A-Z"{]).*[.?!})]$/.test(say)).map(({ code, say }) => `${code}: ${say}`),
    ).toEqual([]);
  });
});
