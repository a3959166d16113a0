/**
 * Templates: text with `$placeholders` and `#directives`, with Cheetah's rules for what belongs to a directive's line.
 * A directive alone on its line takes the white space before it and the line's end with it; `#` ends a directive early;
 * `#if test: text` on one line needs no end. A `#word` that is no directive is text, as is a `$` before anything that
 * cannot start a name.
 */
import { Fault } from './errors.js';
import { ExpressionParser } from './expression.js';
import { Lexer } from './lexer.js';
import type { BinaryOperator, Expression, TemplateNode } from './syntax.js';

const DEPTH_MAX = 100;
const KNOWN = new Set([
  'if',
  'elif',
  'else',
  'unless',
  'for',
  'while',
  'set',
  'silent',
  'echo',
  'end',
  'break',
  'continue',
  'pass',
  'slurp',
  'raw',
]);
const REFUSED = new Set([
  'import',
  'from',
  'extends',
  'implements',
  'def',
  'block',
  'closure',
  'defmacro',
  'attr',
  'call',
  'arg',
  'cache',
  'filter',
  'i18n',
  'encoding',
  'compiler',
  'compiler-settings',
  'include',
  'errorCatcher',
  'breakpoint',
  'assert',
  'raise',
  'del',
  'return',
  'yield',
  'try',
  'except',
  'finally',
  'with',
  'stop',
  'global',
  'super',
  'transform',
]);
const WORD = /[A-Za-z0-9_-]+/y;

interface Ending {
  word: string;
  at: number;
}

/** White space before an `#end` or `#else`: gone when that directive takes its whole line, else text of the body. */
interface HeldBlank {
  at: number;
  text: string;
  body: TemplateNode[];
}

export class TemplateParser {
  private position = 0;
  private depth = 0;
  private nodes: TemplateNode[] = [];
  private text = '';
  private textAt = 0;
  private held: HeldBlank | undefined;

  constructor(
    private readonly source: string,
    private limit: number = source.length,
  ) {}

  parse(): TemplateNode[] {
    const { nodes, ending } = this.block();
    if (ending) throw new Fault('syntax', `'#${ending.word}' without its beginning`, ending.at);
    return nodes;
  }

  /** Reads up to a directive that ends or divides a block, and past its name. */
  private block(): { nodes: TemplateNode[]; ending: Ending | undefined } {
    if (++this.depth > DEPTH_MAX) throw new Fault('limit', `more than ${DEPTH_MAX} nested directives`, this.position);
    const outer = this.nodes;
    this.flush();
    this.nodes = [];
    let ending: Ending | undefined;
    while (this.position < this.limit && !ending) ending = this.next();
    const blank = ending && this.clearBefore(ending.at) ? (/[ \t]+$/.exec(this.text)?.[0] ?? '') : '';
    this.text = this.text.slice(0, this.text.length - blank.length);
    this.flush();
    const nodes = this.nodes;
    this.held = ending && blank !== '' ? { at: ending.at, text: blank, body: nodes } : undefined;
    this.nodes = outer;
    this.depth--;
    return { nodes, ending };
  }

  private next(): Ending | undefined {
    const char = this.source[this.position] ?? '';
    const after = this.source[this.position + 1] ?? '';
    if (char === '\\' && (after === '$' || after === '#')) this.literal(after, 2);
    else if (char === '$') this.placeholder(after);
    else if (char === '#' && after === '#') this.comment();
    else if (char === '#' && after === '*') this.blockComment();
    else if (char === '#') return this.hash();
    else if (char === '<' && after === '%') throw new Fault('unsupported', 'Python between <% and %>', this.position);
    else this.plain();
    return undefined;
  }

  private plain(): void {
    const pattern = /[\\$#<]/g;
    pattern.lastIndex = this.position + 1;
    const found = pattern.exec(this.source);
    const end = Math.min(found?.index ?? this.limit, this.limit);
    this.literal(this.source.slice(this.position, end), end - this.position);
  }

  private literal(text: string, length: number): void {
    if (this.text === '') this.textAt = this.position;
    this.text += text;
    this.position += length;
  }

  private flush(): void {
    if (this.text !== '') this.nodes.push({ kind: 'text', text: this.text, at: this.textAt });
    this.text = '';
  }

  private push(node: TemplateNode): void {
    this.flush();
    this.nodes.push(node);
  }

  private placeholder(after: string): void {
    const at = this.position;
    if (/^\$(?:\*[0-9.]*[smhdw]?\*?|!)[A-Za-z_{]/.test(this.source.slice(at, at + 20)) && after === '!') {
      throw new Fault('unsupported', 'a silent placeholder ($!name)', at);
    }
    if (/[A-Za-z_]/.test(after)) {
      const lexer = new Lexer(this.source, at, this.limit);
      const value = new ExpressionParser(lexer).parsePlaceholder();
      this.push({ kind: 'print', value, at });
      this.position = lexer.position;
    } else if (after === '{' || after === '(' || after === '[') {
      const lexer = new Lexer(this.source, at, this.limit);
      const value = new ExpressionParser(lexer).parseEnclosed();
      this.push({ kind: 'print', value, at });
      this.position = lexer.position;
    } else this.literal('$', 1);
  }

  private lineEnd(from: number): number {
    const end = this.source.indexOf('\n', from);
    return end < 0 || end > this.limit ? this.limit : end;
  }

  /** Whether only white space stands before `at` on its line. */
  private clearBefore(at: number): boolean {
    const start = this.source.lastIndexOf('\n', at - 1) + 1;
    return /^[ \t]*$/.test(this.source.slice(start, at));
  }

  private dropSpaceBefore(): void {
    this.text = this.text.replace(/[ \t]+$/, '');
  }

  private comment(): void {
    const clear = this.clearBefore(this.position);
    const end = this.lineEnd(this.position);
    this.position = clear ? Math.min(end + 1, this.limit) : end;
    if (!clear && this.source[end - 1] === '\r') this.position = end - 1;
    if (clear) this.dropSpaceBefore();
  }

  private blockComment(): void {
    const start = this.position;
    const clear = this.clearBefore(start);
    let open = 0;
    do {
      if (this.source.startsWith('#*', this.position)) {
        open++;
        this.position += 2;
      } else if (this.source.startsWith('*#', this.position)) {
        open--;
        this.position += 2;
      } else this.position++;
    } while (open > 0 && this.position < this.limit);
    if (open > 0) throw new Fault('syntax', "a comment '#*' without its '*#'", start);
    const end = this.lineEnd(this.position);
    if (clear && /^[ \t\r]*$/.test(this.source.slice(this.position, end))) {
      this.position = Math.min(end + 1, this.limit);
      this.dropSpaceBefore();
    }
  }

  private hash(): Ending | undefined {
    const at = this.position;
    const restOfLine = this.source.slice(at + 1, this.lineEnd(at));
    if (/^[ \t\r]*$/.test(restOfLine)) {
      // A lone '#' at the end of a line swallows the line's end.
      if (this.clearBefore(at)) this.dropSpaceBefore();
      this.position = Math.min(this.lineEnd(at) + 1, this.limit);
      return undefined;
    }
    WORD.lastIndex = at + 1;
    const word = WORD.exec(this.source)?.[0] ?? '';
    if (REFUSED.has(word) || /^@[A-Za-z_]/.test(restOfLine)) {
      throw new Fault('unsupported', `the directive #${word || '@'}`, at);
    }
    if (!KNOWN.has(word)) {
      this.literal('#', 1);
      return undefined;
    }
    this.position = at + 1 + word.length;
    if (word === 'end' || word === 'else' || word === 'elif') return { word, at };
    this.directive(word, at);
    return undefined;
  }

  private directive(word: string, at: number): void {
    if (word === 'if') this.ifDirective(at);
    else if (word === 'unless') this.unless(at);
    else if (word === 'for' || word === 'while') this.loop(word, at);
    else if (word === 'set') this.setDirective(at);
    else if (word === 'raw') this.raw(at);
    else if (word === 'pass') this.finishLine(at);
    else if (word === 'slurp') {
      if (this.clearBefore(at)) this.dropSpaceBefore();
      this.position = Math.min(this.lineEnd(this.position) + 1, this.limit);
    } else if (word === 'break' || word === 'continue') {
      this.finishLine(at);
      this.push({ kind: word, at });
    } else {
      const value = this.expression((parser) => parser.parse());
      this.finishLine(at);
      this.push(word === 'echo' ? { kind: 'print', value, at } : { kind: 'silent', value, at });
    }
  }

  /** Reads an expression at the current position and moves past it. */
  private expression<T>(read: (parser: ExpressionParser, lexer: Lexer) => T): T {
    const lexer = new Lexer(this.source, this.position, this.limit);
    const result = read(new ExpressionParser(lexer), lexer);
    this.position = lexer.position;
    return result;
  }

  private skipBlanks(): void {
    while (this.position < this.limit && /[ \t\f]/.test(this.source[this.position] ?? '')) this.position++;
  }

  /** After a directive: its closing `#`, or the rest of its line when it stands alone there. */
  private finishLine(at: number): void {
    const clear = this.clearBefore(at);
    const firstLineEnd = this.lineEnd(at);
    this.skipBlanks();
    const rest = this.source.slice(this.position, this.limit);
    if (rest.startsWith('##') && !this.directiveAt(this.position + 1)) {
      this.position = this.lineEnd(this.position);
      if (clear) this.position = Math.min(this.position + 1, this.limit);
    } else if (rest.startsWith('#')) this.position++;
    else if (this.position < this.limit && !/^[\r\n]/.test(rest)) {
      const found = rest.slice(0, 30).split('\n')[0];
      throw new Fault('syntax', `unexpected '${found}' after the directive`, this.position);
    } else if (clear && this.position < this.limit)
      this.position = Math.min(this.lineEnd(this.position) + 1, this.limit);
    if (clear && (this.position >= this.limit || this.position > firstLineEnd)) this.dropSpaceBefore();
    else this.restoreBlank(at);
  }

  /** `##if`: the end of one directive and the start of the next, and no comment. */
  private directiveAt(at: number): boolean {
    WORD.lastIndex = at + 1;
    const word = WORD.exec(this.source)?.[0] ?? '';
    return this.source[at] === '#' && (KNOWN.has(word) || REFUSED.has(word));
  }

  private restoreBlank(at: number): void {
    if (this.held?.at === at) this.held.body.push({ kind: 'text', text: this.held.text, at });
    this.held = undefined;
  }

  /** After a block's head: the text of a one-line form, or undefined when the block ends with an `#end`. */
  private oneLine(at: number): TemplateNode[] | undefined {
    this.skipBlanks();
    if (this.source[this.position] === ':' && this.position < this.limit) {
      this.position++;
      const end = this.lineEnd(this.position);
      const rest = this.source.slice(this.position, end).trim();
      if (rest !== '' && !rest.includes('##')) {
        if (/[ \t]/.test(this.source[this.position] ?? '')) this.position++;
        this.restoreBlank(at);
        const outer = this.limit;
        this.limit = Math.min(end + 1, outer);
        const { nodes, ending } = this.block();
        this.limit = outer;
        if (ending) throw new Fault('syntax', `'#${ending.word}' in a one-line directive`, ending.at);
        return nodes;
      }
    }
    this.finishLine(at);
    return undefined;
  }

  private ifDirective(at: number): void {
    const test = this.expression((parser) => parser.parse());
    const ternary = this.expression((parser, lexer): Expression | undefined => {
      if (!lexer.acceptWord('then')) return undefined;
      const then = parser.or();
      if (!lexer.acceptWord('else')) throw new Fault('syntax', `expected 'else', found ${lexer.found()}`, at);
      return { kind: 'if', test, then, otherwise: parser.conditional(), at };
    });
    if (ternary) {
      this.finishLine(at);
      this.push({ kind: 'print', value: ternary, at });
    } else this.branches({ test, line: this.oneLine(at) }, 'if', at);
  }

  private unless(at: number): void {
    const operand = this.expression((parser) => parser.parse());
    this.branches({ test: { kind: 'not', operand, at }, line: this.oneLine(at) }, 'unless', at);
  }

  /** What follows the head of `#if` or `#unless`: bodies, `#elif`s, an `#else`, the `#end`. */
  private branches(head: { test: Expression; line: TemplateNode[] | undefined }, word: string, at: number): void {
    const branches: { test: Expression; body: TemplateNode[] }[] = [];
    let otherwise: TemplateNode[] = [];
    let test: Expression | undefined = head.test;
    let line = head.line;
    const before = this.nodes;
    this.flush();
    while (true) {
      const inner: { nodes: TemplateNode[]; ending: Ending | undefined } = line
        ? { nodes: line, ending: this.continuation() }
        : this.block();
      if (test) branches.push({ test, body: inner.nodes });
      else otherwise = inner.nodes;
      const { ending } = inner;
      if (!ending) {
        if (line) break;
        throw new Fault('syntax', `'#${word}' without '#end ${word}'`, at);
      }
      if (ending.word === 'end') {
        this.endOf(word, ending.at);
        break;
      }
      if (!test) throw new Fault('syntax', `'#${ending.word}' after '#else'`, ending.at);
      test = this.nextTest(ending);
      line = this.oneLine(ending.at);
    }
    this.nodes = before;
    this.push({ kind: 'if', branches, otherwise, at });
  }

  /** After a one-line branch: an `#elif` or `#else` that starts the next line belongs to it. */
  private continuation(): Ending | undefined {
    const found = /^[ \t]*#(elif|else)(?![A-Za-z0-9_-])/.exec(this.source.slice(this.position, this.limit));
    if (!found) return undefined;
    const at = this.position + found[0].indexOf('#');
    this.position += found[0].length;
    return { word: found[1] ?? '', at };
  }

  private nextTest(ending: Ending): Expression | undefined {
    if (ending.word === 'else') {
      const alsoIf = /^[ \t]+if(?![A-Za-z0-9_-])/.exec(this.source.slice(this.position, this.limit));
      if (!alsoIf) return undefined;
      this.position += alsoIf[0].length;
    }
    return this.expression((parser) => parser.parse());
  }

  private endOf(word: string, at: number): void {
    const found = /^[ \t]*([A-Za-z-]+)/.exec(this.source.slice(this.position, this.limit));
    if (found?.[1] !== word) throw new Fault('syntax', `expected '#end ${word}', found '#end ${found?.[1] ?? ''}'`, at);
    this.position += found[0].length;
    this.skipBlanks();
    if (this.source[this.position] === ':') this.position++;
    this.finishLine(at);
  }

  private loop(word: 'for' | 'while', at: number): void {
    const head = this.expression((parser, lexer) => {
      if (word === 'while') return { test: parser.parse() };
      const target = parser.parseTarget();
      if (!lexer.acceptWord('in'))
        throw new Fault('syntax', `expected 'in', found ${lexer.found()}`, lexer.peek().start);
      return { target, source: parser.parse() };
    });
    let body = this.oneLine(at);
    if (!body) {
      const { nodes, ending } = this.block();
      if (ending?.word !== 'end') throw new Fault('syntax', `'#${word}' without '#end ${word}'`, ending?.at ?? at);
      this.endOf(word, ending.at);
      body = nodes;
    }
    if (head.target) this.push({ kind: 'for', target: head.target, source: head.source, body, at });
    else this.push({ kind: 'while', test: head.test, body, at });
  }

  private setDirective(at: number): void {
    const scope = /^[ \t]+(global|module)[ \t]+[$A-Za-z_]/.exec(this.source.slice(this.position, this.limit));
    if (scope) throw new Fault('unsupported', `#set ${scope[1]}`, at);
    const local = /^[ \t]+local[ \t]+(?=[$A-Za-z_])/.exec(this.source.slice(this.position, this.limit));
    if (local) this.position += local[0].length;
    const node = this.expression((parser, lexer): TemplateNode => {
      const target = parser.parseTarget();
      const token = lexer.peek();
      const found = token.kind === 'operator' ? /^(\+|-|\*|\/|%|\/\/|\*\*)?=$/.exec(token.text) : null;
      if (!found) throw new Fault('syntax', `expected '=', found ${lexer.found()}`, token.start);
      lexer.take();
      return { kind: 'set', target, operator: found[1] as BinaryOperator | undefined, value: parser.parse(), at };
    });
    this.finishLine(at);
    this.push(node);
  }

  private raw(at: number): void {
    this.skipBlanks();
    if (this.source[this.position] === ':') this.position++;
    this.finishLine(at);
    const found = /#end[ \t]+raw/g;
    found.lastIndex = this.position;
    const end = found.exec(this.source);
    if (!end || end.index > this.limit) throw new Fault('syntax', "'#raw' without '#end raw'", at);
    this.literal(this.source.slice(this.position, end.index), end.index - this.position);
    this.position = end.index + end[0].length;
    this.finishLine(end.index);
  }
}
