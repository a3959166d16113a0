/**
 * A wrapper's XML as a light tree that knows, for every element and text, file and line, so that macros can be expanded
 * by making new trees and a refusal can still name the place. Entities are never expanded from a DOCTYPE.
 */
import { DOMParser, type Element, type Node } from '@xmldom/xmldom';
import { printable } from '../../protocol/runtime/errors.js';
import { malformed, type Spot } from './errors.js';

export interface XmlText extends Spot {
  text: string;
}

export interface XmlElement extends Spot {
  name: string;
  attributes: Readonly<Record<string, string>>;
  children: readonly (XmlElement | XmlText)[];
}

export const WRAPPER_BYTES_MAX = 4 * 1024 * 1024;
const DEPTH_MAX = 100;

export function isElement(node: XmlElement | XmlText): node is XmlElement {
  return 'name' in node;
}

/** The root element. Throws `toolbox/wrapper`. */
export function parseXml(source: string, file: string): XmlElement {
  if (source.length > WRAPPER_BYTES_MAX)
    throw malformed(`it is larger than ${WRAPPER_BYTES_MAX} bytes`, { file, line: 1 });
  if (/<!DOCTYPE[^>[]*\[/i.test(source)) throw malformed('it declares entities of its own', { file, line: 1 });
  let message = '';
  let line = 1;
  const parser = new DOMParser({
    onError: (level, text, context) => {
      if (level === 'warning') return;
      message = printable(text.split('\n')[0] ?? text);
      line = (context as { locator?: { lineNumber?: number } } | undefined)?.locator?.lineNumber ?? line;
      throw new Error(message);
    },
  });
  try {
    const root = parser.parseFromString(source, 'text/xml').documentElement;
    if (root) return convert(root, file, 0);
    message = 'there is no root element';
  } catch (error) {
    if (message === '') message = printable(error instanceof Error ? error.message : String(error));
    line = errorLine(error) ?? line;
  }
  throw malformed(`it is not well-formed XML: ${message}`, { file, line });
}

function errorLine(error: unknown): number | undefined {
  const locator = (error as { locator?: { lineNumber?: unknown } } | undefined)?.locator;
  return typeof locator?.lineNumber === 'number' ? locator.lineNumber : undefined;
}

function convert(element: Element, file: string, depth: number): XmlElement {
  const line = lineOf(element) ?? 1;
  if (depth > DEPTH_MAX) throw malformed(`elements are nested more than ${DEPTH_MAX} deep`, { file, line });
  const attributes: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const { name, value } of element.attributes) attributes[name] = value;
  const children: (XmlElement | XmlText)[] = [];
  for (let child = element.firstChild; child; child = child.nextSibling) {
    // 1 element, 3 text, 4 CDATA section; comments and the rest say nothing.
    if (child.nodeType === 1) children.push(convert(child as Element, file, depth + 1));
    else if (child.nodeType === 3 || child.nodeType === 4) {
      children.push({ text: child.nodeValue ?? '', file, line: lineOf(child) ?? line });
    }
  }
  return { name: element.tagName, attributes, children, file, line };
}

function lineOf(node: Node): number | undefined {
  const { lineNumber } = node as Node & { lineNumber?: number };
  return lineNumber;
}

export function elements(parent: XmlElement | undefined, name?: string): XmlElement[] {
  const all = (parent?.children ?? []).filter(isElement);
  return name === undefined ? all : all.filter((child) => child.name === name);
}

export function element(parent: XmlElement | undefined, name: string): XmlElement | undefined {
  return elements(parent, name)[0];
}

/** All text directly inside, CDATA included. */
export function textOf(parent: XmlElement | undefined): string {
  return (parent?.children ?? []).map((child) => (isElement(child) ? '' : child.text)).join('');
}

/** The text as a template and the place of its first character. */
export function templateOf(parent: XmlElement): { text: string; place: Spot } {
  const first = parent.children.find((child): child is XmlText => !isElement(child));
  return { text: textOf(parent), place: { file: parent.file, line: first?.line ?? parent.line } };
}

/** Galaxy's reading of a yes-or-no attribute. */
export function flag(value: string | undefined, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  return ['true', 'yes', 'on', '1'].includes(value.trim().toLowerCase());
}
