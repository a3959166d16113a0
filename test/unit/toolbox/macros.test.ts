import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importBoundary, SourceLibrary } from '../../../node/toolbox/wrapper/sources.js';
import { expandWrapper } from '../../../node/toolbox/wrapper/wrapper-file.js';
import { element, elements, isElement, textOf, type XmlElement } from '../../../node/toolbox/wrapper/wrapper-xml.js';
import { temporaryFolder } from './run-tool.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

async function put(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, name)), { recursive: true });
    await writeFile(join(folder.path, name), text);
  }
}

async function expandFile(name: string, boundary = folder.path) {
  const library = new SourceLibrary();
  return expandWrapper(await library.read(join(folder.path, name)), boundary, library);
}

/** A wrapper with macros in it, expanded. */
async function expanded(macros: string, rest: string, files: Record<string, string> = {}) {
  await put({ ...files, 'tool.xml': `<tool id="t">\n<macros>${macros}</macros>\n${rest}\n</tool>` });
  return expandFile('tool.xml');
}

/** `<a x="1"><b/>text</a>` without blanks around texts. */
function shown(given: XmlElement): string {
  const attributes = Object.entries(given.attributes).map(([key, value]) => ` ${key}="${value}"`);
  const inside = given.children.map((child) => (isElement(child) ? shown(child) : child.text.trim())).join('');
  return `<${given.name}${attributes.join('')}>${inside}</${given.name}>`;
}
const inner = (given: XmlElement) => given.children.map((child) => (isElement(child) ? shown(child) : '')).join('');
const code = (wanted: string, data: object = {}) =>
  expect.objectContaining({ code: wanted, data: expect.objectContaining(data) });

describe('expand and yield', () => {
  it('a macro gives way to what it holds, as <xml> and as <macro>', async () => {
    const { root } = await expanded(
      '<xml name="a"><x/></xml><macro name="b"><y/></macro><macro name="c" type="xml"><z/></macro>',
      '<expand macro="a"/><expand macro="b"/><expand macro="c"/>',
    );
    expect(inner(root)).toBe('<x></x><y></y><z></z>');
  });

  it('an unnamed yield takes what is inside the expand, as often as it stands there', async () => {
    const { root } = await expanded(
      '<xml name="a"><x><yield/></x><yield/></xml>',
      '<expand macro="a"><p/><q/></expand><expand macro="a"/>',
    );
    expect(inner(root)).toBe('<x><p></p><q></q></x><p></p><q></q><x></x>');
  });

  it('a named yield takes its token, an unnamed one the rest', async () => {
    const { root } = await expanded(
      '<xml name="a"><x><yield/></x><yield name="one"/><y><yield/><yield name="two"/></y></xml>',
      '<expand macro="a"><token name="one"><p/></token><q/><token name="two"><r/><s/></token></expand>',
    );
    expect(inner(root)).toBe('<x><q></q></x><p></p><y><q></q><r></r><s></s></y>');
  });

  it('a token may hold the yield of a later token, and that the unnamed one', async () => {
    const { root } = await expanded(
      '<xml name="a"><x><yield name="one"/></x></xml>',
      '<expand macro="a"><token name="one"><y><yield name="two"/></y></token><token name="two"><z><yield/></z></token><p/></expand>',
    );
    expect(inner(root)).toBe('<x><y><z><p></p></z></y></x>');
  });

  it('macros expand macros, and hand on what was yielded to them', async () => {
    const { root } = await expanded(
      '<xml name="outer"><c><expand macro="inner"><yield/></expand></c></xml><xml name="inner"><w><yield/></w><w><yield/></w></xml>',
      '<expand macro="outer"><p/></expand>',
    );
    expect(inner(root)).toBe('<c><w><p></p></w><w><p></p></w></c>');
  });

  it('what is yielded may expand macros itself', async () => {
    const { root } = await expanded(
      '<xml name="a"><x><yield/></x></xml><xml name="b"><expand macro="c"/><y/></xml><xml name="c"><z/></xml>',
      '<expand macro="a"><p/><expand macro="b"/></expand>',
    );
    expect(inner(root)).toBe('<x><p></p><z></z><y></y></x>');
  });

  it('a parameter may name the macro to expand', async () => {
    const { root } = await expanded(
      '<xml name="a" token_which="one"><expand macro="@WHICH@"/></xml><xml name="one"><x/></xml><xml name="two"><y/></xml>',
      '<expand macro="a"/><expand macro="a" which="two"/>',
    );
    expect(inner(root)).toBe('<x></x><y></y>');
  });

  it('a macro that is not there is refused, with the name that is meant', async () => {
    await expect(expanded('<xml name="inputs"><x/></xml>', '<expand macro="input"/>')).rejects.toThrow(
      /line 3.*there is no macro "input"; is "inputs" meant\?/,
    );
  });

  it('a macro that comes back to itself is refused with the way', async () => {
    await expect(
      expanded(
        '<xml name="a"><expand macro="b"/></xml><xml name="b"><x><expand macro="a"/></x></xml>',
        '<expand macro="a"/>',
      ),
    ).rejects.toThrow(code('toolbox/recursion', { chain: 'a → b → a', line: 2 }));
  });

  it('a macro that nobody expands may be as wrong as it likes', async () => {
    expect(inner((await expanded('<xml name="a"><expand macro="none"/></xml>', '<x/>')).root)).toBe('<x></x>');
  });
});

describe('parameters of macros', () => {
  it('with a default, without one, and with other marks', async () => {
    const { root } = await expanded(
      '<xml name="a" tokens="one, two" token_three="3"><x v="@ONE@-@TWO@-@THREE@">@ONE@</x></xml>' +
        '<xml name="b" tokens="bar" token_quote="$$"><y v="is $$BAR$$"/></xml>',
      '<expand macro="a" one="1" two="2"/><expand macro="a" one="a" two="b" three="c"/><expand macro="b" bar="me"/>',
    );
    expect(inner(root)).toBe('<x v="1-2-3">1</x><x v="a-b-c">a</x><y v="is me"></y>');
  });

  it('one without default that is not given is refused', async () => {
    await expect(expanded('<xml name="a" tokens="one"><x/></xml>', '<expand macro="a"/>')).rejects.toThrow(
      /<expand macro="a"> needs one="…"/,
    );
  });

  it('are replaced in what is yielded and in what is expanded inside', async () => {
    const { root } = await expanded(
      '<xml name="a" token_foo="default"><expand macro="b" foo="@FOO@"><cow>@FOO@</cow></expand></xml>' +
        '<xml name="b" token_foo="none"><x v="@FOO@"><yield/></x></xml>',
      '<expand macro="a" foo="hello"/><expand macro="a"/>',
    );
    expect(inner(root)).toBe('<x v="hello"><cow>hello</cow></x><x v="default"><cow>default</cow></x>');
  });

  it.each(['constructor', 'toString', 'hasOwnProperty'])(
    'a parameter called %s is not taken from elsewhere',
    async (name) => {
      await expect(expanded(`<xml name="a" tokens="${name}"><x/></xml>`, '<expand macro="a"/>')).rejects.toThrow(
        /needs/,
      );
    },
  );
});

describe('tokens', () => {
  it('in texts, attributes, names of attributes, CDATA and other tokens', async () => {
    const { root } = await expanded(
      '<token name="@A@">x@B@</token><token name="@B@"><![CDATA[<b>]]></token><token name="__KEY">name</token><macro name="@C@" type="token">c</macro><token name="@E@"/>',
      '<help>1 @A@ 2</help><z __KEY="@A@@C@@E@"/>',
    );
    expect(textOf(element(root, 'help'))).toBe('1 x<b> 2');
    expect(element(root, 'z')?.attributes).toEqual({ name: 'x<b>c' });
  });

  it('of several lines keep the lines of their file for whoever asks', async () => {
    await put({ 'm.xml': '<macros>\n<token name="@T@"><![CDATA[\n  two\n  three\n]]></token>\n</macros>' });
    const { root } = await expanded('<import>m.xml</import>', '<command>a\n@T@b\nc</command>');
    const { spotOfLine } = await import('../../../node/toolbox/wrapper/wrapper-xml.js');
    const command = element(root, 'command') as XmlElement;
    expect(textOf(command)).toBe('a\n\n  two\n  three\nb\nc');
    const places = [0, 1, 2, 3, 4, 5]
      .map((line) => spotOfLine(command, line))
      .map((spot) => `${spot.file.split('/').at(-1)}:${spot.line}`);
    expect(places).toEqual(['tool.xml:3', 'tool.xml:4', 'm.xml:3', 'm.xml:4', 'm.xml:5', 'tool.xml:5']);
  });

  it.each([
    ['<token name="@A@">a @A@</token>'],
    ['<token name="@A@">a @B@</token><token name="@B@">b @C@</token><token name="@C@">c @A@</token>'],
  ])('one that holds itself is refused (%#)', async (macros) => {
    await expect(expanded(macros, '<help>@A@</help>')).rejects.toThrow(/the token "@[ABC]@" holds itself/);
  });

  it('a definition of the wrapper wins over an imported one, a later over an earlier', async () => {
    const { root } = await expanded(
      '<token name="@A@">own</token><import>m.xml</import><token name="@C@">1</token><token name="@C@">2</token>',
      '<x a="@A@" b="@B@" c="@C@"/>',
      { 'm.xml': '<macros><token name="@A@">imported</token><token name="@B@">imported</token></macros>' },
    );
    expect(element(root, 'x')?.attributes).toEqual({ a: 'own', b: 'imported', c: '2' });
  });

  it('template macros are kept for the templates, with their tokens replaced', async () => {
    const { templates } = await expanded(
      '<token name="@V@">3</token><template name="one">-a @V@</template><macro name="two" type="template">-b</macro>',
      '<x/>',
    );
    expect(Object.fromEntries(templates)).toEqual({ one: '-a 3', two: '-b' });
  });
});

describe('import', () => {
  it('several files, nested, from sub-folders; imported ones are looked up beside the wrapper first', async () => {
    const { root, sources } = await expanded(
      '<import>a.xml</import><import>sub/b.xml</import>',
      '<expand macro="a"/><expand macro="b"/><expand macro="c"/><expand macro="d"/>',
      {
        'a.xml': '<macros><xml name="a"><a/></xml></macros>',
        'sub/b.xml': '<macros><import>c.xml</import><import>d.xml</import><xml name="b"><b/></xml></macros>',
        'c.xml': '<macros><xml name="c"><c from="wrapper"/></xml></macros>',
        'sub/c.xml': '<macros><xml name="c"><c from="sub"/></xml></macros>',
        'sub/d.xml': '<macros><xml name="d"><d/></xml></macros>',
      },
    );
    expect(inner(root)).toBe('<a></a><b></b><c from="wrapper"></c><d></d>');
    expect([...sources.imports.values()].map(({ path }) => path.slice(folder.path.length + 1))).toEqual([
      'a.xml',
      'sub/b.xml',
      'c.xml',
      'sub/d.xml',
    ]);
    expect(sources.absent).toEqual([join(folder.path, 'd.xml')]);
  });

  it('a cycle of files is refused', async () => {
    await expect(
      expanded('<import>a.xml</import>', '<x/>', {
        'a.xml': '<macros><import>b.xml</import></macros>',
        'b.xml': '<macros><import>a.xml</import></macros>',
      }),
    ).rejects.toThrow(code('toolbox/import', { reason: 'it imports itself' }));
  });

  it.each([
    ['none.xml', 'there is no such file'],
    ['../outside.xml', 'it leaves the tool folder'],
    ['sub/../../outside.xml', 'it leaves the tool folder'],
    ['/etc/passwd', 'an import is relative to the wrapper'],
    ['', 'no file is named'],
    ['tool.xml', 'it holds <tool> instead of <macros>'],
    ['.', 'EISDIR'],
  ])('of "%s" is refused: %s', async (name, reason) => {
    await expect(expanded(`\n<import>${name}</import>`, '<x/>')).rejects.toThrow(
      code('toolbox/import', { reason, line: 3 }),
    );
  });

  it('a link that leads out is refused, one that stays inside is followed', async () => {
    const other = await temporaryFolder();
    try {
      await writeFile(join(other.path, 'm.xml'), '<macros/>');
      await put({ 'real.xml': '<macros><xml name="a"><x/></xml></macros>' });
      await symlink(join(other.path, 'm.xml'), join(folder.path, 'out.xml'));
      await symlink(join(folder.path, 'real.xml'), join(folder.path, 'in.xml'));
      await expect(expanded('<import>out.xml</import>', '<x/>')).rejects.toThrow(
        /leaves the tool folder through a link/,
      );
      expect(inner((await expanded('<import>in.xml</import>', '<expand macro="a"/>')).root)).toBe('<x></x>');
    } finally {
      await other.remove();
    }
  });

  it('more files than the bound are refused', async () => {
    const files = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`m${index}.xml`, '<macros/>']));
    const macros = Object.keys(files)
      .map((name) => `<import>${name}</import>`)
      .join('');
    await expect(expanded(macros, '<x/>', files)).rejects.toThrow(/more than 50 imports/);
  });

  it('elements of a macro file that are no definitions say nothing', async () => {
    const { root } = await expanded('<import>m.xml</import>', '<x/>', {
      'm.xml': '<macros>text<note/><xml name="a"><y/></xml></macros>',
    });
    expect(inner(root)).toBe('<x></x>');
  });
});

describe('the boundary of imports', () => {
  it('is the repository that a folder or a wrapper is in', async () => {
    await put({ '.git/HEAD': '', 'tools/a/t.xml': '', 'tools/macros.xml': '<macros/>' });
    expect(importBoundary(join(folder.path, 'tools/a'), 'folder')).toBe(folder.path);
    expect(importBoundary(join(folder.path, 'tools/a/t.xml'), 'file')).toBe(folder.path);
  });

  it('without a repository is the folder, and for a single wrapper two levels more', async () => {
    await put({ 'a/b/c/t.xml': '' });
    expect(importBoundary(join(folder.path, 'a/b/c'), 'folder')).toBe(join(folder.path, 'a/b/c'));
    expect(importBoundary(join(folder.path, 'a/b/c/t.xml'), 'file')).toBe(join(folder.path, 'a'));
    expect(importBoundary('/x/t.xml', 'file')).toBe('/x');
  });
});

describe('macros that grow without end are stopped', () => {
  it('elements that multiply', async () => {
    const laughs = Array.from({ length: 10 }, (_, index) => {
      const next = index === 9 ? '<x/>' : `<expand macro="m${index + 1}"/>`;
      return `<xml name="m${index}">${next.repeat(10)}</xml>`;
    }).join('');
    await expect(expanded(laughs, '<expand macro="m0"/>')).rejects.toThrow(
      code('toolbox/growth', { what: 'more than 100000 elements' }),
    );
  });

  it('yields that multiply', async () => {
    const many = '<yield/>'.repeat(1000);
    await expect(
      expanded(
        `<xml name="a" token_x="1">${many}</xml><xml name="b"><expand macro="a">${'<x v="@X@"/>'.repeat(1000)}</expand></xml>`,
        '<expand macro="b"/>',
      ),
    ).rejects.toThrow(code('toolbox/growth'));
  });

  it('tokens that multiply', async () => {
    const laughs = Array.from({ length: 12 }, (_, index) => {
      const text = index === 11 ? 'ha' : `@T${index + 1}@`.repeat(10);
      return `<token name="@T${index}@">${text}</token>`;
    }).join('');
    await expect(expanded(laughs, '<help>@T0@</help>')).rejects.toThrow(code('toolbox/growth'));
  });

  it('one long token that stands everywhere', async () => {
    await expect(
      expanded(`<token name="@T@">${'x'.repeat(500_000)}</token>`, '<help>@T@@T@@T@@T@</help>'.repeat(20)),
    ).rejects.toThrow(code('toolbox/growth', { what: expect.stringContaining('characters') }));
  });

  it('macros nested deeper than elements may be', async () => {
    const chain = Array.from(
      { length: 300 },
      (_, index) => `<xml name="m${index}"><x><expand macro="m${index + 1}"/></x></xml>`,
    );
    await expect(expanded(`${chain.join('')}<xml name="m300"/>`, '<expand macro="m0"/>')).rejects.toThrow(
      code('toolbox/growth'),
    );
  });

  it('what is large and reasonable is expanded', async () => {
    const { root } = await expanded(
      '<xml name="a"><x><yield/></x></xml>',
      `<expand macro="a">${'<y/>'.repeat(50)}</expand>`.repeat(100),
    );
    expect(elements(root)).toHaveLength(100);
  });
});
