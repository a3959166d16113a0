/**
 * reStructuredText → blocks: the part of the language that tool help uses: sections, paragraphs, lists of all kinds,
 * literal blocks, quotations, line blocks, tables, admonitions, classes, code, substitutions, footnotes, targets. What is not
 * understood becomes a paragraph or is shown as it stands, never an error: help is read by people who did not write it.
 */
import { nameOf } from './inline.js';
import { countWhile, directiveParts, indentedFrom, withRest } from './lines.js';
import { GRID_BORDER, gridTable, SIMPLE_BORDER, simpleTable, type Table } from './tables.js';

export type Block =
  | { kind: 'heading'; level: number; text: string }
  | { kind: 'paragraph'; text: string; mark?: string }
  | { kind: 'literal'; text: string }
  | { kind: 'lines'; lines: string[] }
  | { kind: 'bullets'; items: Block[][] }
  | { kind: 'numbers'; start: number; style: '1' | 'a' | 'A' | 'i' | 'I'; items: Block[][] }
  | { kind: 'definitions'; items: { term: string; body: Block[] }[] }
  | { kind: 'quote'; blocks: Block[] }
  | { kind: 'admonition'; type: string; title: string; blocks: Block[] }
  | { kind: 'footnote'; label: string; blocks: Block[] }
  | { kind: 'table'; table: Table }
  | { kind: 'rule' };

export interface Parsed {
  blocks: Block[];
  targets: Map<string, string>;
  substitutions: Map<string, string>;
}

const DEPTH_MAX = 20;
const TABLE_LINES_MAX = 2000;
const ADORNMENT = /^([!-/:-@[-`{-~])\1*$/;
const BULLET = /^([-*+•‣])(?:\s+|$)/;
const NUMBER = /^\(?(?:(\d{1,9})|([A-Za-z])|([ivxlcdm]{1,10}|[IVXLCDM]{1,10})|(#))[.)](?:\s+|$)/;
const FIELD = /^:([^:\s`](?:[^:`]*[^:\s`])?):(?:\s+|$)/;
const OPTION =
  /^((?:--?[A-Za-z0-9][\w-]*(?:[ =][A-Za-z<][\w<>-]*)?)(?:, --?[A-Za-z0-9][\w-]*(?:[ =][A-Za-z<][\w<>-]*)?)*)(?: {2,}|$)/;
const DIRECTIVE = /^\.\. +(?:\|([^|]+)\| +)?([A-Za-z][\w-]*) ?::(?:\s+|$)/;
const ADMONITIONS = new Set([
  'attention',
  'caution',
  'danger',
  'error',
  'hint',
  'important',
  'note',
  'tip',
  'warning',
  'admonition',
]);
const LITERALS = new Set(['code', 'code-block', 'sourcecode', 'parsed-literal', 'math', 'highlight', 'csv-table']);
/** Classes with a meaning for Galaxy's style sheet. */
const MARKS = new Set(['infomark', 'warningmark', 'errormark']);
/** Would read files, run code or be raw HTML; or says something about the page alone. */
const NOTHING = new Set([
  'include',
  'raw',
  'contents',
  'sectnum',
  'role',
  'default-role',
  'meta',
  'target-notes',
  'title',
]);

export function parseRst(text: string): Parsed {
  const parser = new Parser();
  const blocks = parser.parse(text.split('\n'), 0);
  return { blocks, targets: parser.targets, substitutions: parser.substitutions };
}

class Parser {
  readonly targets = new Map<string, string>();
  readonly substitutions = new Map<string, string>();
  /** Kinds of underlines in the order in which they came: the first is the outermost heading. */
  private readonly adornments: string[] = [];

  parse(lines: readonly string[], depth: number): Block[] {
    if (depth > DEPTH_MAX) return [{ kind: 'literal', text: lines.join('\n') }];
    const blocks: Block[] = [];
    let mark: string | undefined;
    for (let at = 0; at < lines.length; ) {
      if ((lines[at] as string).trim() === '') {
        at++;
        continue;
      }
      const { used, found, nextMark } = this.block(lines, at, depth);
      at += Math.max(1, used);
      for (const block of found) {
        if (mark !== undefined && block.kind === 'paragraph') block.mark = mark;
        blocks.push(block);
      }
      if (found.length > 0) mark = undefined;
      mark = nextMark ?? mark;
    }
    return blocks;
  }

  private block(
    lines: readonly string[],
    at: number,
    depth: number,
  ): { used: number; found: Block[]; nextMark?: string } {
    const line = lines[at] as string;
    const next = lines[at + 1] ?? '';
    if (line.startsWith(' ')) {
      const body = indentedFrom(lines, at);
      return { used: body.used, found: [{ kind: 'quote', blocks: this.parse(body.lines, depth + 1) }] };
    }
    if (line.startsWith('..') && (line.length === 2 || line[2] === ' ')) return this.explicit(lines, at, depth);
    if (line.startsWith('__ ')) return { used: 1, found: [] };
    if (GRID_BORDER.test(line.trimEnd())) {
      const grid = gridTable(lines.slice(at, at + TABLE_LINES_MAX));
      if (grid) return { used: grid.used, found: [{ kind: 'table', table: grid.table }] };
      const drawn = countWhile(lines, at, (one) => one.trim() !== '');
      return { used: drawn, found: [{ kind: 'literal', text: lines.slice(at, at + drawn).join('\n') }] };
    }
    if (SIMPLE_BORDER.test(line)) {
      const simple = simpleTable(lines.slice(at, at + TABLE_LINES_MAX));
      if (simple) return { used: simple.used, found: [{ kind: 'table', table: simple.table }] };
    }
    const heading = this.heading(lines, at);
    if (heading) return heading;
    if (ADORNMENT.test(line.trimEnd()) && line.trimEnd().length >= 4 && next.trim() === '') {
      return { used: 1, found: [{ kind: 'rule' }] };
    }
    return this.list(lines, at, depth) ?? this.body(lines, at, depth);
  }

  private heading(lines: readonly string[], at: number): { used: number; found: Block[] } | undefined {
    const [first = '', second = '', third = ''] = [lines[at], lines[at + 1], lines[at + 2]].map((line) =>
      line?.trimEnd(),
    );
    const over = ADORNMENT.test(first) && first.length >= 2 && second.trim() !== '' && third === first;
    if (over && second.trim().length <= first.length) return this.headingOf(second.trim(), `${first[0]} over`, 3);
    const under = ADORNMENT.test(second) && (second.length >= 4 || second.length >= first.length);
    if (!under || ADORNMENT.test(first) || first === '' || second.length * 2 < first.length) return undefined;
    return this.headingOf(first.trim(), second[0] as string, 2);
  }

  private headingOf(text: string, adornment: string, used: number): { used: number; found: Block[] } {
    if (!this.adornments.includes(adornment)) this.adornments.push(adornment);
    const level = Math.min(6, this.adornments.indexOf(adornment) + 2);
    this.targets.set(nameOf(text), '');
    return { used, found: [{ kind: 'heading', level, text }] };
  }

  private list(lines: readonly string[], at: number, depth: number): { used: number; found: Block[] } | undefined {
    const line = lines[at] as string;
    const bullet = BULLET.exec(line);
    if (bullet) {
      const same = (one: string) => BULLET.exec(one)?.[1] === bullet[1];
      const { items, used } = this.items(lines, at, depth, same, (one) => BULLET.exec(one)?.[0] ?? '');
      return { used, found: [{ kind: 'bullets', items }] };
    }
    const number = NUMBER.exec(line);
    if (number && this.isNumbered(lines, at)) {
      const kind = numberKind(line);
      const same = (one: string) => [kind, `#${kind?.slice(1)}`].includes(numberKind(one));
      const { items, used } = this.items(lines, at, depth, same, (one) => NUMBER.exec(one)?.[0] ?? '');
      return { used, found: [{ kind: 'numbers', ...numbering(number), items }] };
    }
    if (FIELD.test(line)) return this.terms(lines, at, depth, FIELD);
    if (OPTION.test(line) && line.startsWith('-')) return this.terms(lines, at, depth, OPTION);
    if (line.startsWith('| ') || line === '|') {
      const used = countWhile(lines, at, (one) => one.startsWith('| ') || one === '|' || /^ {2,}\S/.test(one));
      return {
        used,
        found: [{ kind: 'lines', lines: lines.slice(at, at + used).map((one) => one.replace(/^\|? ?/, '')) }],
      };
    }
    if (line.startsWith('>>> ')) {
      const used = countWhile(lines, at, (one) => one.trim() !== '');
      return { used, found: [{ kind: 'literal', text: lines.slice(at, at + used).join('\n') }] };
    }
    return undefined;
  }

  /** "A. Nobody wrote" is no list: what follows must be blank, indented, or the next item. */
  private isNumbered(lines: readonly string[], at: number): boolean {
    const next = lines[at + 1] ?? '';
    return next.trim() === '' || next.startsWith(' ') || NUMBER.test(next);
  }

  private items(
    lines: readonly string[],
    at: number,
    depth: number,
    begins: (line: string) => boolean,
    markOf: (line: string) => string,
  ): { items: Block[][]; used: number } {
    const items: Block[][] = [];
    let to = at;
    while (to < lines.length) {
      const line = lines[to] as string;
      if (!begins(line)) break;
      const mark = markOf(line);
      const rest = indentedFrom(lines, to + 1);
      const own = line.slice(mark.length);
      items.push(this.parse(withRest(own, rest), depth + 1));
      to += 1 + rest.used;
      const blanks = countWhile(lines, to, (one) => one.trim() === '');
      if (!begins(lines[to + blanks] ?? '')) break;
      to += blanks;
    }
    return { items, used: to - at };
  }

  private terms(lines: readonly string[], at: number, depth: number, begins: RegExp): { used: number; found: Block[] } {
    const items: { term: string; body: Block[] }[] = [];
    let to = at;
    while (to < lines.length) {
      const line = lines[to] as string;
      const found = begins.exec(line);
      if (!found) break;
      const rest = indentedFrom(lines, to + 1);
      const own = line.slice(found[0].length);
      const body = this.parse(withRest(own, rest), depth + 1);
      items.push({ term: found[1] ?? '', body });
      to += 1 + rest.used;
      const blanks = countWhile(lines, to, (one) => one.trim() === '');
      if (!begins.test(lines[to + blanks] ?? '')) break;
      to += blanks;
    }
    return { used: to - at, found: [{ kind: 'definitions', items }] };
  }

  /** A paragraph with what may belong to it: a definition, a literal block. */
  private body(lines: readonly string[], at: number, depth: number): { used: number; found: Block[] } {
    const next = lines[at + 1] ?? '';
    const line = lines[at] as string;
    if (/^ +\S/.test(next) && !line.trimEnd().endsWith('::')) return this.definitions(lines, at, depth);
    const used = countWhile(lines, at, (one, index) => {
      if (index === 0) return true;
      const literal = one.startsWith(' ') && (lines[at + index - 1] as string).trimEnd().endsWith('::');
      return one.trim() !== '' && !literal && !/^\.\. /.test(one);
    });
    const text = lines
      .slice(at, at + used)
      .map((one) => one.trim())
      .join('\n');
    if (!text.endsWith('::')) return { used, found: [{ kind: 'paragraph', text }] };
    const shown = text === '::' ? '' : text.replace(/\s*::$/, /\s::$/.test(text) ? '' : ':');
    const found: Block[] = shown === '' ? [] : [{ kind: 'paragraph', text: shown }];
    const blanks = countWhile(lines, at + used, (one) => one.trim() === '');
    const from = at + used + blanks;
    const literal = indentedFrom(lines, from);
    if (literal.used > 0) {
      found.push({ kind: 'literal', text: literal.lines.join('\n') });
      return { used: used + blanks + literal.used, found };
    }
    // A quoted literal block: every line begins with the same sign.
    const sign = /^[!-/:-@[-`{-~]/.exec(lines[from] ?? '')?.[0];
    const quoted = sign === undefined ? 0 : countWhile(lines, from, (one) => one.startsWith(sign));
    if (quoted === 0) return { used, found };
    found.push({ kind: 'literal', text: lines.slice(from, from + quoted).join('\n') });
    return { used: used + blanks + quoted, found };
  }

  private definitions(lines: readonly string[], at: number, depth: number): { used: number; found: Block[] } {
    const items: { term: string; body: Block[] }[] = [];
    let to = at;
    while (to < lines.length && /^\S/.test(lines[to] as string) && /^ +\S/.test(lines[to + 1] ?? '')) {
      const body = indentedFrom(lines, to + 1);
      items.push({ term: (lines[to] as string).trim(), body: this.parse(body.lines, depth + 1) });
      to += 1 + body.used;
      const blanks = countWhile(lines, to, (one) => one.trim() === '');
      const more = lines[to + blanks] ?? '';
      if (BULLET.test(more) || more.startsWith('..') || (lines[to + blanks + 1] ?? '').trim() === '') break;
      to += blanks;
    }
    return { used: to - at, found: [{ kind: 'definitions', items }] };
  }

  private explicit(
    lines: readonly string[],
    at: number,
    depth: number,
  ): { used: number; found: Block[]; nextMark?: string } {
    const line = lines[at] as string;
    const rest = indentedFrom(lines, at + 1);
    const used = 1 + rest.used;
    const target = /^\.\. +_(?:`([^`]+)`|((?:\\:|[^:])+)):\s*(.*)$/.exec(line);
    if (target) {
      const address = [target[3] ?? '', ...rest.lines.map((one) => one.trim())].join('');
      this.targets.set(nameOf((target[1] ?? target[2] ?? '').replace(/\\/g, '')), address);
      return { used, found: [] };
    }
    const footnote = /^\.\. +\[([^\]\s]+)\]\s+(.*)$/.exec(line);
    if (footnote) {
      const blocks = this.parse(withRest(footnote[2] ?? '', rest), depth + 1);
      return { used, found: [{ kind: 'footnote', label: footnote[1] ?? '', blocks }] };
    }
    const directive = DIRECTIVE.exec(line);
    if (!directive) return { used, found: [] };
    const [whole, substituted, name = ''] = directive;
    const { args, options, content } = directiveParts(line.slice(whole.length), rest);
    if (substituted !== undefined) {
      const text = name === 'replace' ? [args, ...content].join(' ').trim() : imageText(args, options);
      this.substitutions.set(nameOf(substituted), text);
      return { used, found: [] };
    }
    return { used, ...this.directive(name.toLowerCase(), args, options, content, depth) };
  }

  private directive(
    name: string,
    args: string,
    options: ReadonlyMap<string, string>,
    content: readonly string[],
    depth: number,
  ): { found: Block[]; nextMark?: string } {
    if (name === 'class') {
      const nextMark = args.split(/\s+/).find((one) => MARKS.has(one));
      if (content.length > 0) {
        const found = this.parse(content, depth + 1);
        for (const block of found) if (block.kind === 'paragraph' && nextMark !== undefined) block.mark = nextMark;
        return { found };
      }
      return nextMark === undefined ? { found: [] } : { found: [], nextMark };
    }
    if (ADMONITIONS.has(name)) {
      const own = name === 'admonition' ? [] : [args];
      const title = name === 'admonition' ? args : `${name[0]?.toUpperCase()}${name.slice(1)}`;
      const blocks = this.parse([...own.filter((one) => one !== ''), ...content], depth + 1);
      return { found: [{ kind: 'admonition', type: name, title, blocks }] };
    }
    if (name === 'image') return { found: [{ kind: 'paragraph', text: imageText(args, options) }] };
    if (name === 'figure') {
      const image: Block = { kind: 'paragraph', text: imageText(args, options) };
      return { found: [image, ...this.parse(content, depth + 1)] };
    }
    if (LITERALS.has(name)) {
      const text = (content.length > 0 ? content : [args]).join('\n');
      return { found: text.trim() === '' ? [] : [{ kind: 'literal', text }] };
    }
    if (name === 'rubric') return { found: [{ kind: 'paragraph', text: `**${args}**` }] };
    if (name === 'topic' || name === 'sidebar') {
      return { found: [{ kind: 'admonition', type: 'topic', title: args, blocks: this.parse(content, depth + 1) }] };
    }
    if (NOTHING.has(name)) return { found: [] };
    // Containers, list tables and what nobody knows: what is inside is shown.
    return { found: this.parse(content, depth + 1) };
  }
}

/** What the numbers of one list have in common: digits, letters or #, and what stands around them. */
function numberKind(line: string): string | undefined {
  const found = NUMBER.exec(line);
  if (!found) return undefined;
  const kind = found[1] !== undefined ? '1' : found[4] !== undefined ? '#' : 'a';
  return `${kind}${found[0].startsWith('(') ? '(' : ''}${found[0].trimEnd().at(-1)}`;
}

function numbering(found: RegExpExecArray): { start: number; style: '1' | 'a' | 'A' | 'i' | 'I' } {
  const [, digits, letter, roman] = found;
  if (digits !== undefined) return { start: Number(digits), style: '1' };
  if (letter === 'i' || letter === 'I') return { start: 1, style: letter };
  if (letter !== undefined) {
    return { start: letter.toLowerCase().charCodeAt(0) - 96, style: letter === letter.toLowerCase() ? 'a' : 'A' };
  }
  if (roman !== undefined) return { start: 1, style: roman === roman.toLowerCase() ? 'i' : 'I' };
  return { start: 1, style: '1' };
}

/** Pictures lie in a folder of the wrapper that nobody serves; what they are is said in words. */
function imageText(path: string, options: ReadonlyMap<string, string>): string {
  const name =
    path
      .split('/')
      .at(-1)
      ?.replace(/[*`|\\]/g, '') ?? '';
  const alt = options.get('alt')?.replace(/[*`|\\]/g, '');
  return `[image: ${alt || name}]`;
}
