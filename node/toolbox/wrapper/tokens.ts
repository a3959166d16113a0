/**
 * Tokens: `@VERSION@` in a text, an attribute's value or an attribute's name gives way to what `<token>` or an
 * `<expand>` says. As in Galaxy they are replaced one after the other, in the order of their definition, and a token may
 * hold others, but not itself.
 *
 * A text remembers where each of its lines comes from, so that a refusal inside a token of a macro file names that file.
 */
import { malformed, type Spot, toolErrors } from '../errors.js';
import { isElement, type XmlElement, type XmlText } from './wrapper-xml.js';

/** Characters that the tokens of one wrapper may make. */
export const TOKEN_CHARS_MAX = 16 * 1024 * 1024;
const TOKEN_CHARS_EACH_MAX = 1024 * 1024;

export interface Token extends XmlText {
  name: string;
}

/** What is left of what one wrapper's macros may make. */
export interface Budget {
  elements: number;
  /** Elements that a replacement may still look at. */
  steps: number;
  chars: number;
}

/** Tokens with the tokens in their values replaced. Throws when one holds itself. */
export function nestedTokens(given: readonly Token[], budget: Budget): Token[] {
  const tokens = [...given];
  // In Galaxy's order: each token is put into all others, once. After that none holds another, or there is a ring.
  for (const inner of tokens.keys()) {
    const { name } = tokens[inner] as Token;
    for (const [index, outer] of tokens.entries()) {
      if (!outer.text.includes(name)) continue;
      if (index === inner) throw malformed(`the token "${name}" holds itself`, outer);
      const text = replaceIn(outer, [tokens[inner] as Token], budget);
      if (text.text.length > TOKEN_CHARS_EACH_MAX) throw tooMuch(outer, budget);
      tokens[index] = { ...text, name: outer.name };
    }
  }
  return tokens;
}

export class TokenReplacer {
  /** What any token begins with: a text without these characters holds none. */
  private readonly beginnings: string[];

  constructor(
    private readonly tokens: readonly Token[],
    private readonly budget: Budget,
  ) {
    this.beginnings = [...new Set(tokens.map(({ name }) => name[0] ?? ''))];
  }

  /** The very same nodes when there is no token in them. */
  nodes(nodes: readonly (XmlElement | XmlText)[]): readonly (XmlElement | XmlText)[] {
    if (this.tokens.length === 0) return nodes;
    let changed: (XmlElement | XmlText)[] | undefined;
    for (let index = 0; index < nodes.length; index++) {
      const node = nodes[index] as XmlElement | XmlText;
      const replaced = isElement(node) ? this.element(node) : this.text(node);
      if (replaced === node) continue;
      changed ??= [...nodes];
      changed[index] = replaced;
    }
    return changed ?? nodes;
  }

  element(given: XmlElement): XmlElement {
    if (this.tokens.length === 0) return given;
    if (--this.budget.steps < 0) throw tooMuch(given, this.budget);
    const attributes = this.attributes(given);
    const children = this.nodes(given.children);
    if (attributes === given.attributes && children === given.children) return given;
    return { ...given, attributes, children };
  }

  private text(given: XmlText): XmlText {
    return this.mayHold(given.text) ? replaceIn(given, this.tokens, this.budget) : given;
  }

  private attributes(given: XmlElement): Readonly<Record<string, string>> {
    let changed: Record<string, string> | undefined;
    for (const key in given.attributes) {
      const value = given.attributes[key] as string;
      if (!this.mayHold(value) && !this.mayHold(key)) continue;
      changed ??= { ...given.attributes };
      const newKey = this.plain(key, given);
      if (newKey !== key) delete changed[key];
      if (newKey === '__proto__') throw malformed('an attribute may not be called __proto__', given);
      changed[newKey] = this.plain(value, given);
    }
    return changed ?? given.attributes;
  }

  private plain(text: string, { file, line }: Spot): string {
    return replaceIn({ text, file, line }, this.tokens, this.budget).text;
  }

  private mayHold(text: string): boolean {
    for (const beginning of this.beginnings) if (text.includes(beginning)) return true;
    return false;
  }
}

function replaceIn(given: XmlText, tokens: readonly Token[], budget: Budget): XmlText {
  let current = given;
  for (const token of tokens) {
    if (token.name === '' || !current.text.includes(token.name)) continue;
    current = replaceOne(current, token, budget);
  }
  return current;
}

function replaceOne(given: XmlText, token: Token, budget: Budget): XmlText {
  const parts = given.text.split(token.name);
  const length = given.text.length + (parts.length - 1) * (token.text.length - token.name.length);
  budget.chars -= length;
  if (budget.chars < 0) throw tooMuch(given, budget);
  const text = parts.join(token.text);
  const { file, line } = given;
  if (!given.lines && !token.text.includes('\n')) return { text, file, line };
  return { text, file, line, lines: mappedLines(given, token, parts) };
}

/** Where each line of the new text comes from. */
function mappedLines(given: XmlText, token: Token, parts: readonly string[]): Spot[] {
  const inside = (text: XmlText, count: number): Spot =>
    text.lines?.[count] ?? { file: text.file, line: text.line + count };
  const lines: Spot[] = [inside(given, 0)];
  const tokenLines = token.text.split('\n').length - 1;
  let at = 0;
  for (const [index, part] of parts.entries()) {
    const count = part.split('\n').length - 1;
    for (let i = 1; i <= count; i++) lines.push(inside(given, at + i));
    at += count;
    if (index === parts.length - 1) break;
    for (let i = 1; i <= tokenLines; i++) lines.push(inside(token, i));
  }
  return lines;
}

function tooMuch({ file, line }: Spot, { chars, steps }: Budget) {
  const made = chars < 0 ? `more than ${TOKEN_CHARS_MAX} characters` : 'a token that is too long';
  const what = steps < 0 ? 'too many elements with tokens in them' : made;
  return toolErrors('growth', { file, line, what });
}
