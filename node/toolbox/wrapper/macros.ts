/**
 * Macros: `<expand macro="x">` gives way to the text of the macro of that name. The rules are Galaxy's:
 *
 * - `<yield name="a"/>` in a macro gives way to what is inside `<token name="a">` of the `<expand>`, in the order of
 *   these tokens; then every `<yield/>` that is left to the rest of what is inside the `<expand>`.
 * - Parameters (`tokens="x"` are required, `token_x="…"` has a default) are replaced in the macro's text after that, so
 *   in what was yielded too; `token_quote` says what stands around their names.
 * - Then the `<expand>`s in the result are expanded. A macro that comes back to itself is refused.
 * - Definitions of imported files come first, a later definition of the same name wins.
 *
 * All is done before a wrapper is read, into new trees whose elements keep the file and line that they came from.
 * Rejected: macros as functions that are called while reading: a yield may stand anywhere, even in a token.
 */
import { malformed, toolErrors } from '../errors.js';
import { nearMiss } from './near-miss.js';
import { type Budget, nestedTokens, TOKEN_CHARS_MAX, type Token, TokenReplacer } from './tokens.js';
import { elements, isElement, spotOfLine, textOf, type XmlElement, type XmlText } from './wrapper-xml.js';

const ELEMENTS_MAX = 100_000;
/** Elements looked at while tokens are replaced. */
const STEPS_MAX = 2_000_000;
const DEPTH_MAX = 200;

type Nodes = readonly (XmlElement | XmlText)[];

export interface Definitions {
  macros: Map<string, XmlElement>;
  tokens: Map<string, Token>;
  /** `<template>`: text that a template includes by its name. */
  templates: Map<string, string>;
}

export interface Expanded {
  root: XmlElement;
  templates: ReadonlyMap<string, string>;
}

/** The `<macros>` of the file that an `<import>` names. Throws when it cannot be had. */
export type Imported = (importing: XmlElement) => XmlElement;

/** The wrapper without macros. */
export function expandMacros(root: XmlElement, imported: Imported): Expanded {
  const definitions: Definitions = { macros: new Map(), tokens: new Map(), templates: new Map() };
  const own = elements(root, 'macros');
  for (const macros of own) define(macros, definitions, imported, [root.file]);
  const budget: Budget = { elements: ELEMENTS_MAX, steps: STEPS_MAX, chars: TOKEN_CHARS_MAX };
  const expander = new Expander(definitions.macros, budget);
  const rest = root.children.filter((child) => !isElement(child) || child.name !== 'macros');
  const replacer = new TokenReplacer(nestedTokens([...definitions.tokens.values()], budget), budget);
  const expanded = replacer.element({ ...root, children: expander.children(rest, []) });
  const templates = new Map<string, string>();
  for (const [name, text] of definitions.templates) {
    const [replaced] = replacer.nodes([{ text, file: root.file, line: root.line }]) as XmlText[];
    templates.set(name, replaced?.text ?? text);
  }
  return { root: expanded, templates };
}

/** What `<macros>` defines, what it imports first. Elements that are no definitions say nothing, as in Galaxy. */
export function define(macros: XmlElement, definitions: Definitions, imported: Imported, stack: string[]): void {
  for (const importing of elements(macros, 'import')) {
    const found = imported(importing);
    if (stack.includes(found.file)) {
      throw toolErrors('import', {
        file: importing.file,
        line: importing.line,
        name: textOf(importing).trim(),
        reason: 'it imports itself',
      });
    }
    define(found, definitions, imported, [...stack, found.file]);
  }
  // Galaxy reads <macro> first, then the short forms.
  const all = elements(macros);
  for (const child of all) if (child.name === 'macro') defineOne(child, child.attributes.type ?? 'xml', definitions);
  for (const type of ['template', 'xml', 'token']) {
    for (const child of all) if (child.name === type) defineOne(child, type, definitions);
  }
}

function defineOne(child: XmlElement, type: string, definitions: Definitions): void {
  const { name } = child.attributes;
  if (name === undefined || name === '') throw malformed(`<${child.name}> in <macros> needs a name`, child);
  if (type === 'xml') definitions.macros.set(name, child);
  else if (type === 'token') definitions.tokens.set(name, tokenOf(child, name));
  else if (type === 'template') definitions.templates.set(name, textOf(child));
  else throw malformed(`a macro of type "${type}"; it is xml, token or template`, child);
}

function tokenOf(child: XmlElement, name: string): Token {
  const text = textOf(child);
  const lines = text.split('\n').map((_, index) => spotOfLine(child, index));
  return { name, text, file: child.file, line: lines[0]?.line ?? child.line, ...(lines.length > 1 ? { lines } : {}) };
}

class Expander {
  constructor(
    private readonly macros: ReadonlyMap<string, XmlElement>,
    private readonly budget: Budget,
  ) {}

  /** `active`: the macros whose text this is, outermost first. */
  children(nodes: Nodes, active: readonly string[], depth = 0): Nodes {
    const result: (XmlElement | XmlText)[] = [];
    for (const node of nodes) {
      if (!isElement(node)) {
        result.push(node);
        continue;
      }
      if (--this.budget.elements < 0) this.tooMuch(node, `more than ${ELEMENTS_MAX} elements`);
      if (depth > DEPTH_MAX) this.tooMuch(node, `elements that are nested more than ${DEPTH_MAX} deep`);
      if (node.name === 'expand') result.push(...this.expand(node, active, depth));
      else if (node.children.length === 0) result.push(node);
      else result.push({ ...node, children: this.children(node.children, active, depth + 1) });
    }
    return result;
  }

  private expand(node: XmlElement, active: readonly string[], depth: number): Nodes {
    const name = node.attributes.macro;
    if (name === undefined) throw malformed('an <expand> without macro', node);
    if (active.includes(name)) {
      throw toolErrors('recursion', { file: node.file, line: node.line, chain: [...active, name].join(' → ') });
    }
    const macro = this.macros.get(name);
    if (!macro) throw malformed(`there is no macro "${name}"${nearest(name, this.macros.keys())}`, node);
    const body = this.yielded(macro.children, node);
    const parameters = parametersOf(macro, node);
    const replaced = parameters.length === 0 ? body : new TokenReplacer(parameters, this.budget).nodes(body);
    return this.children(replaced, [...active, name], depth + 1);
  }

  /** The macro's text with its yields filled. */
  private yielded(macro: Nodes, expand: XmlElement): Nodes {
    let body = macro;
    const isToken = (child: XmlElement | XmlText) => isElement(child) && child.name === 'token';
    for (const token of expand.children) {
      if (!isElement(token) || token.name !== 'token') continue;
      const { name } = token.attributes;
      if (name === undefined) throw malformed('a <token> in an <expand> without a name', token);
      body = this.filled(body, token.children, (at) => at.attributes.name === name);
    }
    return this.filled(
      body,
      expand.children.filter((child) => !isToken(child)),
      () => true,
    );
  }

  private filled(nodes: Nodes, content: Nodes, fits: (at: XmlElement) => boolean): Nodes {
    if (!nodes.some(isElement)) return nodes;
    const result: (XmlElement | XmlText)[] = [];
    let changed = false;
    for (const node of nodes) {
      if (!isElement(node)) result.push(node);
      else if (node.name === 'yield' && fits(node)) {
        this.budget.elements -= content.length;
        if (this.budget.elements < 0) this.tooMuch(node, `more than ${ELEMENTS_MAX} elements`);
        result.push(...content);
        changed = true;
      } else {
        const children = this.filled(node.children, content, fits);
        result.push(children === node.children ? node : { ...node, children });
        changed ||= children !== node.children;
      }
    }
    return changed ? result : nodes;
  }

  private tooMuch({ file, line }: XmlElement, what: string): never {
    throw toolErrors('growth', { file, line, what });
  }
}

/** Parameters of a macro as tokens: what `<expand x="…">` says, else the macro's default. */
function parametersOf(macro: XmlElement, expand: XmlElement): Token[] {
  const defaults = new Map<string, string | undefined>();
  let quote = '@';
  for (const [key, value] of Object.entries(macro.attributes)) {
    if (key === 'token_quote') quote = value;
    else if (key === 'tokens') {
      for (const name of value.split(',')) if (name.trim() !== '') defaults.set(name.trim(), defaults.get(name.trim()));
    } else if (key.startsWith('token_')) defaults.set(key.slice('token_'.length), value);
  }
  return [...defaults].map(([name, fallback]) => {
    const text = Object.hasOwn(expand.attributes, name) ? expand.attributes[name] : fallback;
    if (text === undefined) {
      throw malformed(
        `<expand macro="${expand.attributes.macro ?? ''}"> needs ${name}="…", a parameter of that macro`,
        expand,
      );
    }
    return { name: `${quote}${name.toUpperCase()}${quote}`, text, file: expand.file, line: expand.line };
  });
}

/** `; is it "…"?` when there is a name that differs little. */
function nearest(name: string, names: Iterable<string>): string {
  const near = nearMiss(name, names);
  return near === undefined ? '' : `; is "${near}" meant?`;
}
