/**
 * A strict XML reader for wrappers: one pass over the text, no recursion, a bound on everything, and line and column
 * of every element. A DOCTYPE may name the root and nothing more, so no entity is ever declared, and nothing outside the
 * text is ever read.
 *
 * Rejected: @xmldom/xmldom, which builds a whole DOM (several times slower, and start-up reads thousands of wrappers),
 * tells no place for some errors, and has depth and entities as somebody else's policy. Tests compare the two.
 */
import { printable } from '../../../protocol/runtime/errors.js';
import type { XmlElement, XmlText } from './wrapper-xml.js';

export const XML_LIMITS = {
  depthMax: 100,
  elementsMax: 200_000,
  attributesMax: 256,
  nameCharsMax: 256,
};

/** Where and why a text is not a wrapper's XML. */
export class XmlFault extends Error {
  constructor(
    readonly reason: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(reason);
    this.name = 'XmlFault';
  }
}

interface Open {
  element: XmlElement & { attributes: Record<string, string>; children: (XmlElement | XmlText)[] };
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

const NAME = /[A-Za-z_:][\w:.-]*/y;
const NAME_ANY = /[\p{L}_:][\p{L}\p{N}\p{M}_:.·-]*/uy;
const PLAIN_VALUE = /^[^&\t\n<]*$/;
/** What is no `Char` of XML 1.0, section 2.2; the halves of surrogate pairs are looked at when bytes become text. */
const FORBIDDEN = /[^\t\n\r\u0020-\ufffd]/;

/** The root element. Throws XmlFault. */
export function readXml(given: string, file: string): XmlElement {
  const source = given.includes('\r') ? given.replace(/\r\n?/g, '\n') : given;
  return new Reader(source, file).read();
}

class Reader {
  private at = 0;
  private line = 1;
  /** Offset of the first character of `line`. */
  private lineStart = 0;
  private elements = 0;
  /** Offset of the next line end; found once each, so that one long line costs no more than many short ones. */
  private newline: number;

  constructor(
    private readonly source: string,
    private readonly file: string,
  ) {
    this.newline = this.lineEnd(0);
  }

  read(): XmlElement {
    const { source } = this;
    const forbidden = FORBIDDEN.exec(source);
    if (forbidden) {
      this.moveTo(forbidden.index);
      throw this.fault(`it holds the character ${codeName(forbidden[0])}, which XML does not allow`);
    }
    if (source.startsWith('<?xml') && /\s/.test(source[5] ?? '')) this.skipTo('?>', 'the XML declaration');
    const open: Open[] = [];
    let root: XmlElement | undefined;
    let doctype = false;
    while (this.at < source.length) {
      const current = open.at(-1)?.element;
      if (source.charCodeAt(this.at) !== 0x3c) {
        this.text(current);
        continue;
      }
      const next = source[this.at + 1];
      if (next === '!') {
        if (source.startsWith('<!--', this.at)) this.comment();
        else if (source.startsWith('<![CDATA[', this.at)) this.cdata(current);
        else if (source.startsWith('<!DOCTYPE', this.at)) {
          if (root || doctype || current) throw this.fault('a DOCTYPE stands where none may be');
          doctype = true;
          this.doctype();
        } else throw this.fault('unknown markup after <!');
      } else if (next === '?') {
        if (/^<\?xml\s/i.test(source.slice(this.at, this.at + 6)))
          throw this.fault('an XML declaration must come first');
        this.skipTo('?>', 'a processing instruction');
      } else if (next === '/') {
        const closed = open.pop();
        this.endTag(closed?.element);
      } else {
        if (root && !current) throw this.fault('there is more than one root element');
        const { element, empty } = this.startTag();
        (current?.children as (XmlElement | XmlText)[] | undefined)?.push(element);
        root ??= element;
        if (!empty) {
          open.push({ element });
          if (open.length > XML_LIMITS.depthMax) {
            throw this.fault(`elements are nested more than ${XML_LIMITS.depthMax} deep`);
          }
        }
      }
    }
    const unclosed = open.at(-1)?.element;
    if (unclosed) {
      throw new XmlFault(`<${unclosed.name}> is never closed`, unclosed.line, unclosed.column ?? 1);
    }
    if (!root) throw this.fault('there is no root element');
    return root;
  }

  private text(parent: Open['element'] | undefined): void {
    const { source } = this;
    const end = source.indexOf('<', this.at);
    const to = end < 0 ? source.length : end;
    const raw = source.slice(this.at, to);
    if (!parent) {
      const stray = /\S/.exec(raw.replace(/^\ufeff/, ' '));
      if (stray) {
        this.moveTo(this.at + stray.index);
        throw this.fault('there is text outside the root element');
      }
      this.moveTo(to);
      return;
    }
    // Between elements it says nothing, and would be half of the tree.
    const next = source[to + 1];
    const between = next !== '!' && !(next === '/' && parent.children.length === 0);
    if (between && !/\S/.test(raw)) {
      this.moveTo(to);
      return;
    }
    const wrong = raw.indexOf(']]>');
    if (wrong >= 0) {
      this.moveTo(this.at + wrong);
      throw this.fault(']]> stands outside a CDATA section');
    }
    const { line } = this;
    const text = raw.includes('&') ? this.decoded(raw, this.at) : raw;
    this.moveTo(to);
    parent.children.push({ text, file: this.file, line });
  }

  private comment(): void {
    const end = this.source.indexOf('--', this.at + 4);
    if (end < 0) throw this.fault('a comment is never closed');
    if (this.source[end + 2] !== '>') {
      this.moveTo(end);
      throw this.fault('a comment holds --');
    }
    this.moveTo(end + 3);
  }

  private cdata(parent: Open['element'] | undefined): void {
    if (!parent) throw this.fault('there is text outside the root element');
    const end = this.source.indexOf(']]>', this.at + 9);
    if (end < 0) throw this.fault('a CDATA section is never closed');
    const { line } = this;
    const text = this.source.slice(this.at + 9, end);
    this.moveTo(end + 3);
    parent.children.push({ text, file: this.file, line });
  }

  private doctype(): void {
    const end = this.source.indexOf('>', this.at);
    const inside = this.source.slice(this.at + 9, end < 0 ? undefined : end);
    if (inside.includes('[')) throw this.fault('it declares entities of its own in a DOCTYPE');
    if (/\b(?:SYSTEM|PUBLIC)\b/.test(inside)) throw this.fault('its DOCTYPE refers to something outside the file');
    if (end < 0) throw this.fault('the DOCTYPE is never closed');
    this.moveTo(end + 1);
  }

  private startTag(): { element: Open['element']; empty: boolean } {
    if (++this.elements > XML_LIMITS.elementsMax) {
      throw this.fault(`it holds more than ${XML_LIMITS.elementsMax} elements`);
    }
    const { line } = this;
    const column = this.at - this.lineStart + 1;
    const from = this.at++;
    const name = this.name();
    if (name === '') throw this.fault('a < stands where no element begins; write &lt;');
    const attributes: Record<string, string> = {};
    const element = { name, attributes, children: [] as (XmlElement | XmlText)[], file: this.file, line, column };
    let count = 0;
    for (;;) {
      const before = this.at;
      this.space();
      const next = this.source[this.at];
      if (next === '>') {
        this.at++;
        return { element, empty: false };
      }
      if (next === '/' && this.source[this.at + 1] === '>') {
        this.at += 2;
        return { element, empty: true };
      }
      if (next === undefined) {
        this.at = from;
        throw new XmlFault(`the tag <${name} is never closed`, line, column);
      }
      if (before === this.at) throw this.fault(`${printable(next)} stands where a space, / or > must be in <${name}>`);
      if (++count > XML_LIMITS.attributesMax) {
        throw this.fault(`<${name}> has more than ${XML_LIMITS.attributesMax} attributes`);
      }
      this.attribute(name, attributes);
    }
  }

  private attribute(tag: string, attributes: Record<string, string>): void {
    const key = this.name();
    if (key === '') {
      throw this.fault(`${printable(this.source[this.at] ?? '')} cannot begin an attribute of <${tag}>`);
    }
    if (key === '__proto__') throw this.fault('an attribute may not be called __proto__');
    if (Object.hasOwn(attributes, key)) throw this.fault(`<${tag}> has the attribute ${key} twice`);
    this.space();
    if (this.source[this.at] !== '=') throw this.fault(`the attribute ${key} of <${tag}> has no value`);
    this.at++;
    this.space();
    const quote = this.source[this.at];
    if (quote !== '"' && quote !== "'") throw this.fault(`the value of ${key} in <${tag}> is not in quotes`);
    const from = this.at + 1;
    const end = this.source.indexOf(quote, from);
    if (end < 0) throw this.fault(`the value of ${key} in <${tag}> is never closed`);
    const raw = this.source.slice(from, end);
    if (PLAIN_VALUE.test(raw)) attributes[key] = raw;
    else {
      const wrong = raw.indexOf('<');
      if (wrong >= 0) {
        this.moveTo(from + wrong);
        throw this.fault(`the value of ${key} in <${tag}> holds <; write &lt;`);
      }
      attributes[key] = this.decoded(raw.replace(/[\t\n]/g, ' '), from);
    }
    this.moveTo(end + 1);
  }

  private endTag(open: XmlElement | undefined): void {
    const at = this.at;
    this.at += 2;
    const name = this.name();
    this.space();
    if (name === '' || this.source[this.at] !== '>') throw this.fault('an end tag is not closed');
    if (open?.name !== name) {
      this.at = at;
      const instead = open ? `<${open.name}> of line ${open.line} is still open` : 'nothing is open';
      throw this.fault(`</${name}> stands where ${instead}`);
    }
    this.at++;
  }

  private name(): string {
    NAME.lastIndex = this.at;
    let found = NAME.exec(this.source)?.[0] ?? '';
    if (this.source.charCodeAt(this.at + found.length) > 0x7f) {
      NAME_ANY.lastIndex = this.at;
      found = NAME_ANY.exec(this.source)?.[0] ?? '';
    }
    if (found.length > XML_LIMITS.nameCharsMax) throw this.fault('a name is too long');
    this.at += found.length;
    return found;
  }

  private space(): void {
    let { at } = this;
    for (;;) {
      const code = this.source.charCodeAt(at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x09) break;
      at++;
    }
    if (at > this.at) this.moveTo(at);
  }

  private skipTo(mark: string, what: string): void {
    const end = this.source.indexOf(mark, this.at);
    if (end < 0) throw this.fault(`${what} is never closed`);
    this.moveTo(end + mark.length);
  }

  /** References replaced. `from`: where `raw` begins, for the place of a fault. */
  private decoded(raw: string, from: number): string {
    return raw.replace(
      /&(#x?[0-9a-fA-F]+|[\w:.-]+)?(;?)/g,
      (whole, name: string | undefined, end: string, offset: number) => {
        const known = name === undefined || end === '' ? undefined : reference(name);
        if (known !== undefined) return known;
        this.moveTo(from + offset);
        if (name === undefined || end === '') throw this.fault('an & stands alone; write &amp;');
        throw this.fault(`${whole} is no entity that is declared here`);
      },
    );
  }

  /** Moves on, counting lines. */
  private moveTo(to: number): void {
    while (this.newline < to) {
      this.line++;
      this.lineStart = this.newline + 1;
      this.newline = this.lineEnd(this.lineStart);
    }
    this.at = to;
  }

  private lineEnd(from: number): number {
    const end = this.source.indexOf('\n', from);
    return end < 0 ? Number.POSITIVE_INFINITY : end;
  }

  private fault(reason: string): XmlFault {
    return new XmlFault(reason, this.line, Math.max(1, this.at - this.lineStart + 1));
  }
}

function reference(name: string): string | undefined {
  if (!name.startsWith('#')) return ENTITIES.get(name);
  const code = name[1] === 'x' ? Number.parseInt(name.slice(2), 16) : Number.parseInt(name.slice(1), 10);
  const wrong = !Number.isInteger(code) || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
  if (wrong) return undefined;
  const character = String.fromCodePoint(code);
  return FORBIDDEN.test(character) ? undefined : character;
}

function codeName(character: string): string {
  return `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}
