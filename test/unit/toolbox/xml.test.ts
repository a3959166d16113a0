import { DOMParser, type Node as DomNode, type Element } from '@xmldom/xmldom';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isElement,
  parseXml,
  textOf,
  WRAPPER_BYTES_MAX,
  type XmlElement,
} from '../../../node/toolbox/wrapper/wrapper-xml.js';
import { XML_LIMITS } from '../../../node/toolbox/wrapper/xml-reader.js';

const FILE = '/tools/a.xml';
const parse = (source: string | Uint8Array) => parseXml(source, FILE);

/** What a refusal says: `line:column reason`. */
function refusal(source: string | Uint8Array): string {
  try {
    parse(source);
  } catch (error) {
    const { data } = error as { data: { line: number; column?: number; reason: string; file: string } };
    expect(data.file).toBe(FILE);
    return `${data.line}:${data.column ?? '-'} ${data.reason}`;
  }
  throw new Error('it was not refused');
}

describe('what XML says', () => {
  it('elements, attributes, text, CDATA and references, with line and column', () => {
    const root = parse(
      '<?xml version="1.0"?>\r\n<!-- c -->\n<tool id = \'a\' name="x&amp;&#9;&#x41;&lt;">\n  <help format="a\n b"><![CDATA[<b> & ]]>&gt;</help>\n</tool>\n<!-- end -->\n',
    );
    expect(root).toMatchObject({ name: 'tool', line: 3, column: 1, attributes: { id: 'a', name: 'x&\tA<' } });
    const [help] = root.children.filter(isElement);
    expect(help).toMatchObject({ name: 'help', line: 4, column: 3, attributes: { format: 'a  b' } });
    expect(textOf(help)).toBe('<b> & >');
  });

  it('a bare DOCTYPE and processing instructions say nothing', () => {
    expect(parse('<!DOCTYPE tool><?x y?><tool id="a"><?z?></tool>').attributes).toEqual({ id: 'a' });
  });

  it('blanks between elements are dropped, blanks alone in an element are kept', () => {
    const root = parse('<a>\n <b> </b>\n <c/>\n</a>');
    expect(root.children.map((child) => isElement(child) && child.name)).toEqual(['b', 'c']);
    expect(textOf(root.children[0] as XmlElement)).toBe(' ');
  });

  it('names may hold letters of any alphabet', () => {
    expect(parse('<tööl größe="1"/>')).toMatchObject({ name: 'tööl', attributes: { größe: '1' } });
  });
});

describe('bytes', () => {
  it('with a byte order mark, in UTF-8 and UTF-16', () => {
    const text = '<tool name="é"/>';
    expect(parse(Buffer.from(`\ufeff${text}`)).attributes).toEqual({ name: 'é' });
    expect(parse(Buffer.from(`\ufeff${text}`, 'utf16le')).attributes).toEqual({ name: 'é' });
    expect(parse(Buffer.from(text)).attributes).toEqual({ name: 'é' });
  });

  it('in the encoding that the declaration names', () => {
    const latin = Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><tool name="é"/>', 'latin1');
    expect(parse(latin).attributes).toEqual({ name: 'é' });
  });

  it.each([
    [Buffer.from('<tool name="é"/>', 'latin1'), 'its bytes are not utf-8'],
    [Buffer.from('<?xml version="1.0" encoding="EBCDIC-X"?><tool/>'), 'it is encoded in EBCDIC-X'],
    [Buffer.from([0, 0, 0xfe, 0xff, 0, 0, 0, 0x3c]), 'UTF-32'],
    [Buffer.from([0xfe, 0xff, 0, 0x3c]), 'UTF-16BE'],
    [Buffer.alloc(WRAPPER_BYTES_MAX + 1, 0x20), 'it is larger than'],
  ])('that are something else are refused (%#)', (bytes, reason) => {
    expect(refusal(bytes)).toContain(reason);
  });
});

describe('what is no XML, or wants too much, is refused with its place', () => {
  const deep = (count: number) => '<a>'.repeat(count) + '</a>'.repeat(count);
  it.each([
    ['', '1:1', 'there is no root element'],
    ['hello', '1:1', 'text outside the root element'],
    ['<a/>\nx', '2:1', 'text outside the root element'],
    ['<a/><b/>', '1:5', 'more than one root element'],
    ['<a>\n<b>\n</a>', '3:1', '</a> stands where <b> of line 2 is still open'],
    ['</a>', '1:1', 'nothing is open'],
    ['<a>\n <b>', '2:2', '<b> is never closed'],
    ['<a', '1:1', 'the tag <a is never closed'],
    ['<a b="1"c="2"/>', '1:9', 'stands where a space'],
    ['<a b="1" b="2"/>', '1:11', 'has the attribute b twice'],
    ['<a b/>', '1:5', 'has no value'],
    ['<a b=1/>', '1:6', 'not in quotes'],
    ['<a b="1>', '1:6', 'never closed'],
    ['<a\n b="<"/>', '2:5', 'holds <; write &lt;'],
    ['<a>x & y</a>', '1:6', 'an & stands alone; write &amp;'],
    ['<a>&nbsp;</a>', '1:4', '&nbsp; is no entity'],
    ['<a>&#0;</a>', '1:4', 'is no entity'],
    ['<a>&#xD800;</a>', '1:4', 'is no entity'],
    ['<a>\n\u0000</a>', '2:1', 'the character U+0000'],
    ['<a>\u001b[0m</a>', '1:4', 'the character U+001B'],
    ['<a>]]></a>', '1:4', ']]>'],
    ['<a><![CDATA[x</a>', '1:4', 'a CDATA section is never closed'],
    ['<a><!-- x</a>', '1:4', 'a comment is never closed'],
    ['<a><!-- x -- y --></a>', '1:11', 'a comment holds --'],
    ['<a><?x </a>', '1:4', 'a processing instruction is never closed'],
    ['<a><?xml version="1.0"?></a>', '1:4', 'must come first'],
    ['<a>< b/></a>', '1:5', 'where no element begins'],
    ['<a __proto__="x"/>', '1:13', '__proto__'],
    ['<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', '1:1', 'declares entities of its own'],
    ['<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', '1:1', 'refers to something outside the file'],
    ['<!DOCTYPE a PUBLIC "x" "https://example.org/x.dtd"><a/>', '1:1', 'refers to something outside'],
    ['<a><!DOCTYPE a></a>', '1:4', 'where none may be'],
    ['<a><!ELEMENT b></a>', '1:4', 'unknown markup'],
    [deep(XML_LIMITS.depthMax + 1), `1:${3 * (XML_LIMITS.depthMax + 1) + 1}`, 'nested more than'],
    [`<${'a'.repeat(300)}/>`, '1:2', 'a name is too long'],
  ])('%#', (source, place, reason) => {
    const said = refusal(source);
    expect(said).toContain(reason);
    expect(said.slice(0, said.indexOf(' '))).toBe(place);
  });

  it('the depth that is allowed is read', () => {
    expect(parse(deep(XML_LIMITS.depthMax)).name).toBe('a');
  });

  it('four megabytes of nesting end at the bound, without a stack', () => {
    expect(refusal('<a>'.repeat(1_300_000))).toContain('nested more than');
  });

  it('a flood of attributes ends at the bound', () => {
    const many = Array.from({ length: 100_000 }, (_, index) => `a${index}=""`).join(' ');
    expect(refusal(`<a ${many}/>`)).toContain('attributes');
  });

  it('a flood of elements ends at the bound', () => {
    expect(refusal(`<a>${'<b/>'.repeat(XML_LIMITS.elementsMax + 1)}</a>`)).toContain('elements');
  });

  it('long lines, long texts and marks without an end are read once', () => {
    expect(parse(`<a>${'<b c="d"/>'.repeat(150_000)}</a>`).children).toHaveLength(150_000);
    expect(refusal(`<a>${'<!- '.repeat(500_000)}</a>`)).toContain('unknown markup');
    expect(refusal(`<a b="${'&'.repeat(1_000_000)}"/>`)).toContain('an & stands alone');
    expect(textOf(parse(`<a>${'&amp;'.repeat(500_000)}</a>`))).toHaveLength(500_000);
    expect(refusal(`<a>${' '.repeat(3_000_000)}`)).toContain('never closed');
  });
});

describe('as @xmldom/xmldom reads it', () => {
  const name = fc.stringMatching(/^[a-zA-Z_][\w.-]{0,6}$/).filter((one) => one !== '__proto__' && !/^xml/i.test(one));
  const text = fc.string({ maxLength: 12 }).map((one) => one.replace(/[^\x20-\x7e\n\tàé→]/g, ''));
  const escaped = (one: string) =>
    one.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
  const { node } = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      text.map(escaped),
      text.map((one) => `<![CDATA[${one.replace(/]]>/g, '')}]]>`),
      text.map((one) => `<!--${one.replace(/-/g, '')}-->`),
      fc
        .tuple(name, fc.dictionary(name, text, { maxKeys: 3 }), fc.array(tie('node'), { maxLength: 4 }))
        .map(([tag, attributes, inside]) => {
          const said = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`);
          return inside.length > 0
            ? `<${tag}${said.join('')}>${inside.join('')}</${tag}>`
            : `<${tag}${said.join('')} />`;
        }),
    ),
  }));

  /** Texts joined, blanks between elements left out: what both can agree on. */
  const shape = (given: XmlElement): unknown => {
    const own = textOf(given);
    return [
      given.name,
      { ...given.attributes },
      own.trim() === '' ? '' : own.replace(/\s+/g, ' ').trim(),
      given.children.filter(isElement).map(shape),
    ];
  };
  const domShape = (given: Element): unknown => {
    const children: DomNode[] = [];
    for (let child = given.firstChild; child; child = child.nextSibling) children.push(child);
    const own = children.map((child) => (child.nodeType === 3 || child.nodeType === 4 ? child.nodeValue : '')).join('');
    const attributes = Object.fromEntries([...given.attributes].map((one) => [one.name, one.value]));
    const inside = children.filter((child) => child.nodeType === 1).map((child) => domShape(child as Element));
    return [given.tagName, attributes, own.trim() === '' ? '' : own.replace(/\s+/g, ' ').trim(), inside];
  };

  it('a well-formed document is the same tree', () => {
    fc.assert(
      fc.property(fc.array(node, { maxLength: 5 }), (nodes) => {
        const source = `<tool>${nodes.join('')}</tool>`;
        const dom = new DOMParser({ onError: () => {} }).parseFromString(source, 'text/xml').documentElement as Element;
        // Blanks between elements are dropped by one of them; ends of texts may differ by them.
        expect(JSON.stringify(shape(parse(source))).replace(/ /g, '')).toBe(
          JSON.stringify(domShape(dom)).replace(/ /g, ''),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('whatever is given is read or refused with a place, and nothing else', () => {
    const piece = fc.constantFrom(
      '<',
      '>',
      '/',
      '<a',
      '<a ',
      '</a>',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '&',
      '&#',
      ';',
      '"',
      "'",
      '=',
      '<?',
      '?>',
      '<!DOCTYPE',
      '[',
      'b="c"',
      '\n',
      '\u0000',
      'é',
      '\ud800',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 30 }), (pieces) => {
        const source = pieces.join('');
        try {
          expect(parse(source).line).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toMatchObject({ code: 'toolbox/wrapper', data: { file: FILE } });
          expect((error as { data: { line: number } }).data.line).toBeLessThanOrEqual(source.split(/\r\n?|\n/).length);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
