/**
 * A wrapper's XML as a light tree that knows, for every element and text, file and line, so that macros can be expanded
 * by making new trees and a refusal can still name the place.
 */
import { malformed, type Spot } from '../errors.js';
import { decodeXml, WRAPPER_BYTES_MAX } from './xml-bytes.js';
import { readXml, XmlFault } from './xml-reader.js';

export { WRAPPER_BYTES_MAX } from './xml-bytes.js';

export interface XmlText extends Spot {
  text: string;
  /** Where each line of the text comes from, when tokens of several lines have been put into it. */
  lines?: readonly Spot[];
}

export interface XmlElement extends Spot {
  name: string;
  column?: number;
  attributes: Readonly<Record<string, string>>;
  children: readonly (XmlElement | XmlText)[];
}

export function isElement(node: XmlElement | XmlText): node is XmlElement {
  return 'name' in node;
}

/** The root element. Throws `toolbox/wrapper`. */
export function parseXml(source: string | Uint8Array, file: string): XmlElement {
  const text = typeof source === 'string' ? source : decodeXml(source, file);
  if (text.length > WRAPPER_BYTES_MAX) {
    throw malformed(`it is larger than ${WRAPPER_BYTES_MAX} bytes`, { file, line: 1 });
  }
  try {
    return readXml(text, file);
  } catch (error) {
    if (!(error instanceof XmlFault)) throw error;
    const { line, column, reason } = error;
    throw malformed(`it is not well-formed XML: ${reason}`, { file, line, column });
  }
}

export function elements(parent: XmlElement | undefined, name?: string): XmlElement[] {
  const found: XmlElement[] = [];
  for (const child of parent?.children ?? []) {
    if (isElement(child) && (name === undefined || child.name === name)) found.push(child);
  }
  return found;
}

export function element(parent: XmlElement | undefined, name: string): XmlElement | undefined {
  for (const child of parent?.children ?? []) if (isElement(child) && child.name === name) return child;
  return undefined;
}

/** All text directly inside, CDATA included. */
export function textOf(parent: XmlElement | undefined): string {
  let text = '';
  for (const child of parent?.children ?? []) if (!isElement(child)) text += child.text;
  return text;
}

/** The text as a template and the place of its first character. */
export function templateOf(parent: XmlElement): { text: string; place: Spot } {
  const first = parent.children.find((child): child is XmlText => !isElement(child));
  return { text: textOf(parent), place: { file: first?.file ?? parent.file, line: first?.line ?? parent.line } };
}

/** Where line `index` (from 0) of an element's text stands, tokens and comments in it considered. */
export function spotOfLine(parent: XmlElement, index: number): Spot {
  let left = index;
  let last: Spot = parent;
  for (const child of parent.children) {
    if (isElement(child)) continue;
    const count = child.text.split('\n').length - 1;
    if (left <= count) return child.lines?.[left] ?? { file: child.file, line: child.line + left };
    left -= count;
    last = child;
  }
  return { file: last.file, line: last.line + Math.max(0, left) };
}

/** Galaxy's reading of a yes-or-no attribute. */
export function flag(value: string | undefined, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  return ['true', 'yes', 'on', '1'].includes(value.trim().toLowerCase());
}
