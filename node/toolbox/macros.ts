/**
 * Macros: `<import>`, `<xml name>` with tokens and `<yield/>`, `<expand macro>`, `<token>`. All are expanded before a
 * wrapper is read, into a new tree whose elements keep the file and line that they came from.
 *
 * Bounds: 50 levels of expansion, 100,000 elements, 50 imported files. Imports stay below the tool folder that the
 * wrapper belongs to.
 */
import { readFile, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { malformed, unsupported } from './errors.js';
import { element, elements, isElement, parseXml, textOf, type XmlElement, type XmlText } from './wrapper-xml.js';

const LEVELS_MAX = 50;
const ELEMENTS_MAX = 100_000;
const IMPORTS_MAX = 50;
const TOKEN_PASSES_MAX = 10;
const TOKEN_TEXT_MAX = 1_000_000;

interface Imports {
  total: { count: number };
  /** Files being imported, outermost first. */
  stack: string[];
}

interface Definitions {
  macros: Map<string, XmlElement>;
  tokens: Map<string, string>;
}

/** The wrapper without macros. `folder`: what imports may not leave. */
export async function expandMacros(root: XmlElement, folder: string): Promise<XmlElement> {
  const definitions: Definitions = { macros: new Map(), tokens: new Map() };
  const imported: Imports = { total: { count: 0 }, stack: [root.file] };
  for (const macros of elements(root, 'macros')) await define(macros, definitions, folder, imported);
  if (definitions.macros.size === 0 && definitions.tokens.size === 0 && !element(root, 'macros')) return root;
  const expander = new Expander(definitions.macros);
  const rest = root.children.filter((child) => !isElement(child) || child.name !== 'macros');
  const expanded = { ...root, children: expander.children(rest, undefined, 0) };
  return withTokens(expanded, definitions.tokens);
}

async function define(macros: XmlElement, definitions: Definitions, folder: string, imported: Imports): Promise<void> {
  for (const child of elements(macros)) {
    if (child.name === 'import') {
      const found = await importFile(child, folder, imported);
      await define(found, definitions, folder, { ...imported, stack: [...imported.stack, found.file] });
    }
  }
  // After the imports: a wrapper's own definition wins.
  for (const child of elements(macros)) {
    const name = child.attributes.name;
    if (child.name === 'import') continue;
    if (name === undefined) throw malformed(`<${child.name}> in <macros> needs a name`, child);
    if (child.name === 'token') definitions.tokens.set(name, textOf(child));
    else if (child.name === 'xml' || (child.name === 'macro' && (child.attributes.type ?? 'xml') === 'xml')) {
      definitions.macros.set(name, child);
    } else if (child.name === 'macro' && child.attributes.type === 'template') {
      throw unsupported('a macro of type template', child);
    } else throw unsupported(`<${child.name}> in <macros>`, child);
  }
}

async function importFile(importing: XmlElement, folder: string, imported: Imports): Promise<XmlElement> {
  const name = textOf(importing).trim();
  if (++imported.total.count > IMPORTS_MAX) throw malformed(`more than ${IMPORTS_MAX} imported files`, importing);
  const path = join(dirname(importing.file), name);
  const away = relative(folder, path);
  if (isAbsolute(name) || away.startsWith('..'))
    throw malformed(`the import ${name} leaves the tool folder`, importing);
  if (imported.stack.includes(path)) throw malformed(`the import ${name} imports itself`, importing);
  let source: string;
  try {
    const real = relative(await realpath(folder), await realpath(path));
    if (real.startsWith('..')) throw malformed(`the import ${name} leaves the tool folder`, importing);
    source = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw malformed(`the imported file ${name} does not exist`, importing);
  }
  const root = parseXml(source, path);
  if (root.name !== 'macros')
    throw malformed(`the imported file ${name} holds <${root.name}>, not <macros>`, importing);
  return root;
}

/** What an `<expand>` brings along. */
interface Frame {
  body: readonly (XmlElement | XmlText)[];
  named: ReadonlyMap<string, readonly (XmlElement | XmlText)[]>;
  outer: Frame | undefined;
}

class Expander {
  private made = 0;

  constructor(private readonly macros: ReadonlyMap<string, XmlElement>) {}

  children(
    nodes: readonly (XmlElement | XmlText)[],
    frame: Frame | undefined,
    level: number,
  ): (XmlElement | XmlText)[] {
    return nodes.flatMap((node) => {
      if (!isElement(node)) return [node];
      if (++this.made > ELEMENTS_MAX) throw malformed(`macros make more than ${ELEMENTS_MAX} elements`, node);
      if (node.name === 'expand') return this.expand(node, frame, level + 1);
      if (node.name === 'yield' && frame) {
        const name = node.attributes.name;
        return this.children(name === undefined ? frame.body : (frame.named.get(name) ?? []), frame.outer, level + 1);
      }
      return [{ ...node, children: this.children(node.children, frame, level) }];
    });
  }

  private expand(node: XmlElement, outer: Frame | undefined, level: number): (XmlElement | XmlText)[] {
    if (level > LEVELS_MAX) throw malformed(`macros are nested more than ${LEVELS_MAX} deep`, node);
    const name = node.attributes.macro ?? '';
    const macro = this.macros.get(name);
    if (!macro) throw malformed(`there is no macro "${name}"`, node);
    const named = new Map<string, readonly (XmlElement | XmlText)[]>();
    const body = node.children.filter((child) => {
      if (!isElement(child) || child.name !== 'token' || child.attributes.name === undefined) return true;
      named.set(child.attributes.name, child.children);
      return false;
    });
    const tokens = parameters(macro, node);
    const inner = tokens.size === 0 ? macro : withTokens(macro, tokens);
    return this.children(inner.children, { body, named, outer }, level);
  }
}

/** Tokens of a parametrised macro: its own `token_x="default"`, over them what `<expand x="…">` says. */
function parameters(macro: XmlElement, expand: XmlElement): Map<string, string> {
  const mark = macro.attributes.token_quote ?? '@';
  const values = new Map<string, string>();
  for (const name of (macro.attributes.tokens ?? '').split(',')) if (name.trim()) values.set(name.trim(), '');
  for (const [key, value] of Object.entries(macro.attributes)) {
    if (key.startsWith('token_') && key !== 'token_quote') values.set(key.slice(6), value);
  }
  for (const name of values.keys()) {
    const given = expand.attributes[name] ?? expand.attributes[`token_${name}`];
    if (given !== undefined) values.set(name, given);
  }
  return new Map([...values].map(([name, value]) => [`${mark}${name.toUpperCase()}${mark}`, value]));
}

function withTokens(root: XmlElement, tokens: ReadonlyMap<string, string>): XmlElement {
  if (tokens.size === 0) return root;
  // A token's value may name other tokens.
  const replaced = (text: string): string => {
    let current = text;
    for (let pass = 0; pass < TOKEN_PASSES_MAX; pass++) {
      let next = current;
      for (const [token, value] of tokens) if (next.includes(token)) next = next.split(token).join(value);
      if (next.length > TOKEN_TEXT_MAX) throw malformed('tokens make a text that is too long', root);
      if (next === current) break;
      current = next;
    }
    return current;
  };
  const walk = (node: XmlElement): XmlElement => {
    const attributes: Record<string, string> = Object.create(null) as Record<string, string>;
    for (const [key, value] of Object.entries(node.attributes)) attributes[key] = replaced(value);
    return {
      ...node,
      attributes,
      children: node.children.map((child) =>
        isElement(child) ? walk(child) : { ...child, text: replaced(child.text) },
      ),
    };
  };
  return walk(root);
}
