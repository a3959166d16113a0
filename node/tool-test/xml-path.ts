/**
 * XML that a tool wrote, and the paths by which tests name its elements: those of Python's ElementTree (`./a/b`, `.//b`,
 * `*`, `..`, `[@x]`, `[@x='1']`, `[b]`, `[b='text']`, `[.='text']`, `[2]`, `[last()]`, `{namespace}b`).
 */

import { elements, isElement, type XmlElement } from '../toolbox/wrapper/wrapper-xml.js';
import { readXml, XmlFault } from '../toolbox/wrapper/xml-reader.js';

export class XmlTestFault extends Error {}

export interface XmlNode {
  /** `{namespace}name`. */
  tag: string;
  attributes: Readonly<Record<string, string>>;
  /** What stands before the first child, as ElementTree has it. */
  text: string;
  children: XmlNode[];
  parent: XmlNode | undefined;
  source: XmlElement;
}

/** A DOCTYPE is left out: what it refers to is never read, and what it declares is not needed to find elements. */
export function parseOutputXml(text: string): XmlNode {
  try {
    const root = readXml(withoutDoctype(text.replace(/^\ufeff/, '')), 'output');
    return build(root, undefined, new Map());
  } catch (error) {
    if (!(error instanceof XmlFault)) throw error;
    throw new XmlTestFault(`it is not valid XML: ${error.reason} (line ${error.line})`);
  }
}

/** The element itself as text, for assertions inside `xml_element`. */
export function xmlText(node: XmlNode): string {
  const { source } = node;
  const attributes = Object.entries(source.attributes).map(([name, value]) => ` ${name}="${escaped(value)}"`);
  const inner = source.children.map((child, index) => {
    if (!isElement(child)) return escaped(child.text);
    const at = source.children.slice(0, index).filter(isElement).length;
    return xmlText(node.children[at] as XmlNode);
  });
  return `<${source.name}${attributes.join('')}>${inner.join('')}</${source.name}>`;
}

export function findAll(root: XmlNode, path: string): XmlNode[] {
  let current: XmlNode[] = [root];
  // An absolute path means the same from the root here, as ElementTree has it.
  const steps = splitSteps(path.replace(/^\/(?!\/)/, ''));
  for (const step of steps) {
    if (step === '' || step === '.') continue;
    if (step === '//') {
      current = unique(current.flatMap((node) => [node, ...descendants(node)]));
      continue;
    }
    if (step === '..') {
      current = unique(current.flatMap(({ parent }) => parent ?? []));
      continue;
    }
    const found = /^((?:\{[^}]*\})?[^[\]]+)((?:\[[^\]]*\])*)$/.exec(step);
    if (!found) throw new XmlTestFault(`the path "${path}" cannot be read at "${step}"`);
    const [, name = '', predicates = ''] = found;
    const tests = [...predicates.matchAll(/\[([^\]]*)\]/g)].map(([, inner = '']) => inner.trim());
    current = unique(
      current.flatMap((node) => {
        let matching = node.children.filter((child) => sameTag(child.tag, name));
        for (const test of tests) matching = filtered(matching, test, path);
        return matching;
      }),
    );
  }
  return current;
}

function splitSteps(path: string): string[] {
  const steps: string[] = [];
  let step = '';
  let depth = 0;
  let quote = '';
  for (let i = 0; i < path.length; i++) {
    const char = path[i] as string;
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if (depth > 0 && (char === "'" || char === '"')) quote = char;
    else if (char === '[' || char === '{') depth += 1;
    else if (char === ']' || char === '}') depth -= 1;
    else if (char === '/' && depth === 0) {
      steps.push(step);
      step = '';
      if (path[i + 1] === '/') {
        steps.push('//');
        i += 1;
      }
      continue;
    }
    step += char;
  }
  return [...steps, step];
}

function filtered(nodes: XmlNode[], test: string, path: string): XmlNode[] {
  if (/^\d+$/.test(test)) return nodes.slice(Number(test) - 1, Number(test));
  const last = /^last\(\)(?:\s*-\s*(\d+))?$/.exec(test);
  if (last) return nodes.slice(nodes.length - 1 - Number(last[1] ?? 0)).slice(0, 1);
  const found = /^(@?)([^=!\s]+)\s*(?:(!?=)\s*(?:'([^']*)'|"([^"]*)"))?$/.exec(test);
  if (!found) throw new XmlTestFault(`the path "${path}" cannot be read at "[${test}]"`);
  const [, at, name = '', operator, single, double] = found;
  const wanted = single ?? double;
  return nodes.filter((node) => {
    const values = at ? valuesOf(node.attributes[name]) : name === '.' ? [innerText(node)] : texts(node, name);
    if (operator === undefined) return values.length > 0;
    return operator === '=' ? values.includes(wanted as string) : values.some((value) => value !== wanted);
  });
}

function valuesOf(value: string | undefined): string[] {
  return value === undefined ? [] : [value];
}

function texts(node: XmlNode, name: string): string[] {
  return node.children.filter((child) => sameTag(child.tag, name)).map(innerText);
}

function innerText(node: XmlNode): string {
  let text = '';
  let index = 0;
  for (const child of node.source.children) {
    text += isElement(child) ? innerText(node.children[index++] as XmlNode) : child.text;
  }
  return text;
}

function sameTag(tag: string, name: string): boolean {
  if (name === '*' || name === tag) return true;
  return name.startsWith('{*}') && tag.replace(/^\{[^}]*\}/, '') === name.slice(3);
}

function descendants(node: XmlNode): XmlNode[] {
  return node.children.flatMap((child) => [child, ...descendants(child)]);
}

function unique(nodes: XmlNode[]): XmlNode[] {
  return [...new Set(nodes)];
}

function build(source: XmlElement, parent: XmlNode | undefined, outer: ReadonlyMap<string, string>): XmlNode {
  const spaces = new Map(outer);
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(source.attributes)) {
    if (name === 'xmlns') spaces.set('', value);
    else if (name.startsWith('xmlns:')) spaces.set(name.slice(6), value);
    else attributes[name] = value;
  }
  const qualified = (name: string, bare: boolean) => {
    const colon = name.indexOf(':');
    const space = spaces.get(colon < 0 ? '' : name.slice(0, colon));
    if (space === undefined || space === '' || (colon < 0 && !bare)) return name;
    return `{${space}}${name.slice(colon + 1)}`;
  };
  const first = source.children[0];
  const node: XmlNode = {
    tag: qualified(source.name, true),
    attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [qualified(name, false), value])),
    text: first !== undefined && !isElement(first) ? first.text : '',
    children: [],
    parent,
    source,
  };
  node.children = elements(source).map((child) => build(child, node, spaces));
  return node;
}

function withoutDoctype(text: string): string {
  const found = /^(?:\s*<\?[\s\S]*?\?>|\s*<!--[\s\S]*?-->)*\s*<!DOCTYPE/i.exec(text);
  if (!found) return text;
  const start = found[0].length;
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    if (text[i] === '[') depth += 1;
    else if (text[i] === ']') depth -= 1;
    else if (text[i] === '>' && depth <= 0) {
      return text.slice(0, start - '<!DOCTYPE'.length) + text.slice(i + 1);
    }
  }
  return text;
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
