/**
 * Templates: text with `$placeholders` and `#directives`, with Cheetah's rules for what belongs to a directive's line.
 * A directive alone on its line takes the white space before it and the line's end with it; `#` ends a directive early;
 * `#if test: text` on one line needs no end. A `#word` that is no directive is text, as is a `$` before anything that
 * cannot start a name. The directives themselves are read in directives.ts.
 */
import { Blocks } from './blocks.js';
import type { ParseContext } from './context.js';
import { DIRECTIVES, Directives } from './directives.js';
import { limitFault, syntaxFault, unsupported } from './errors.js';
import { ExpressionParser } from './expression.js';
import { Lexer } from './lexer.js';
import type { Program } from './syntax.js';

const NESTED_LINES_MAX = 50;
const SPECIAL = /[\\$#<]/g;
const WORD = /[A-Za-z0-9_@-]+/y;
/** `$`, a mark of a cache or of silence, perhaps a bracket, and a name. */
const MARKED = /\$(!?)((?:\*[0-9.]+[smhdw]?\*|\*)?)(?:[{([][ \t\f]*)?(?=[A-Za-z_])/y;
const BRACKETED = /\$((?:\*[0-9.]+[smhdw]?\*|\*)?)[{([][ \t\f]*(?=[^)}\]])/y;
const LINE_SWALLOW = /#[ \t\f]*(?:\r\n|\n|\r)/y;
const LINE_END = /\r\n|\n|\r/g;
/** Bars, and comments that Cheetah keeps elsewhere. */
const OTHER_COMMENT = /^(?:#+\n?$|[A-z_]+@|doc:|doc-method:|doc-module:|doc-class:|header:)/;

export class TemplateParser {
  position = 0;
  /** Where reading stops: the end, or that of a directive's own line. */
  limit: number;
  readonly blocks = new Blocks();
  private readonly directives: Directives;
  private nestedLines = 0;

  constructor(
    readonly source: string,
    readonly context: ParseContext,
  ) {
    this.limit = source.length;
    this.directives = new Directives(this);
  }

  parse(): Program {
    const indent = this.source.indexOf('#indent');
    if (indent >= 0) throw unsupported('the directive #indent', indent);
    this.run();
    const body = this.blocks.finish();
    this.context.finish();
    return { body, definitions: this.blocks.definitions, imports: this.directives.imports };
  }

  run(): void {
    while (this.position < this.limit) this.next();
  }

  /** Reads on up to `end` as the text of a one-line directive. */
  runLine(end: number, at: number): void {
    if (++this.nestedLines > NESTED_LINES_MAX) {
      const fault = limitFault(`more than ${NESTED_LINES_MAX} directives within each other on a line`);
      fault.offset = at;
      throw fault;
    }
    const { limit } = this;
    this.limit = Math.min(end, limit);
    this.run();
    this.limit = limit;
    this.nestedLines--;
  }

  private next(): void {
    const free = this.position === 0 || this.source[this.position - 1] !== '\\';
    if (!(free && this.construct()) && !this.swallow()) this.plain();
  }

  /** Reads what is no text and not escaped, if it is there. */
  private construct(): boolean {
    const { source, position } = this;
    const char = source[position];
    const after = source[position + 1];
    if (char === '$') return this.placeholder();
    if (char === '<' && after === '%') throw unsupported('Python between <% and %>', position);
    if (char !== '#') return false;
    if (after === '#') this.comment();
    else if (after === '*') this.blockComment();
    else {
      const word = this.directiveAt(position);
      if (word === undefined) return false;
      this.directives.read(word, position);
    }
    return true;
  }

  /** The name of the directive that starts at `at`, if one does. */
  directiveAt(at: number): string | undefined {
    if (this.source[at] !== '#') return undefined;
    WORD.lastIndex = at + 1;
    const word = WORD.exec(this.source)?.[0];
    if (word === undefined || !/^[A-Za-z_@]/.test(word)) return undefined;
    if (/^@[A-Za-z_]/.test(word)) return '@';
    return DIRECTIVES.has(word) ? word : undefined;
  }

  /** Text up to the next character that may begin something. */
  private plain(): void {
    const start = this.position;
    SPECIAL.lastIndex = start + 1;
    const found = SPECIAL.exec(this.source);
    this.position = Math.min(found?.index ?? this.limit, this.limit);
    const text = this.source.slice(start, this.position);
    // The backslash of '\$' and '\#' ends one piece of text, its sign begins the next.
    const escapes =
      text.endsWith('\\') && this.position < this.limit && '$#'.includes(this.source[this.position] ?? '');
    if (!escapes || this.swallowsAt(this.position)) this.blocks.text(text, start);
    else {
      const sign = this.source[this.position] ?? '';
      this.position++;
      this.blocks.text(text.slice(0, -1) + sign, start);
    }
  }

  /** A '#' at the end of a line swallows it, backslash or not. */
  private swallowsAt(at: number): boolean {
    LINE_SWALLOW.lastIndex = at;
    return LINE_SWALLOW.test(this.source);
  }

  private placeholder(): boolean {
    const { source, position } = this;
    MARKED.lastIndex = position;
    BRACKETED.lastIndex = position;
    const marked = MARKED.exec(source);
    const found = marked ?? BRACKETED.exec(source);
    if (!found) return false;
    if (marked?.[1] === '!') throw unsupported('a silent placeholder ($!name)', position);
    if ((marked ? marked[2] : found[1]) !== '') throw unsupported('a cached placeholder ($*name)', position);
    const lexer = new Lexer(source, position, this.limit, this.context.python);
    const parser = new ExpressionParser(lexer, this.context);
    const open = source[position + 1] ?? '';
    if ('{(['.includes(open)) {
      lexer.moveTo(position + 2);
      const close = open === '{' ? '}' : open === '(' ? ')' : ']';
      const { value, extra } = parser.parseEnclosed(close);
      this.blocks.push({ kind: 'print', value, at: position, ...(extra.length > 0 ? { extra } : {}) });
    } else this.blocks.push({ kind: 'print', value: parser.parsePlaceholder(), at: position });
    this.position = lexer.position;
    return true;
  }

  lineEnd(from: number): number {
    LINE_END.lastIndex = from;
    return LINE_END.exec(this.source)?.index ?? this.source.length;
  }

  /** The start of the line after the one of `from`. */
  nextLine(from: number): number {
    LINE_END.lastIndex = from;
    const found = LINE_END.exec(this.source);
    return found ? found.index + found[0].length : this.source.length;
  }

  /** Whether only white space stands before `at` on its line. */
  clearBefore(at: number): boolean {
    for (let i = at - 1; i >= 0; i--) {
      const char = this.source[i];
      if (char === '\n' || char === '\r') return true;
      if (char !== ' ' && char !== '\t' && !/\s/.test(char ?? '')) return false;
    }
    return true;
  }

  /** A '#' at the end of a line takes the line's end with it. */
  private swallow(): boolean {
    if (!this.swallowsAt(this.position)) return false;
    if (this.clearBefore(this.position)) this.blocks.dropLine();
    this.blocks.commit();
    this.position = Math.min(this.nextLine(this.position), this.limit);
    return true;
  }

  private comment(): void {
    const clear = this.clearBefore(this.position);
    if (clear) this.blocks.dropLine();
    const start = this.position + 2;
    this.position = Math.min(clear ? this.nextLine(start) : this.lineEnd(start), this.limit);
    this.noted(this.source.slice(start, this.position));
  }

  /** Cheetah writes a comment down as a line of Python, which fixes the text before it. Few are of another kind. */
  private noted(text: string): void {
    if (text !== '' && !OTHER_COMMENT.test(text)) this.blocks.commit();
  }

  private blockComment(): void {
    const start = this.position;
    const clear = this.clearBefore(start);
    const firstLineEnd = this.lineEnd(start);
    const marks = /(?<!\\)(?:#\*|\*#)/g;
    marks.lastIndex = start;
    let open = 0;
    do {
      const found = marks.exec(this.source);
      // One that is not closed goes on to the end, as in Cheetah.
      open += !found ? -open : found[0] === '#*' ? 1 : -1;
      this.position = found ? Math.min(found.index + 2, this.limit) : this.limit;
    } while (open > 0);
    const comment = this.source.slice(start + 2, Math.max(start + 2, this.position - 2));
    if (this.position < this.limit) {
      const end = this.lineEnd(this.position);
      if (this.source.slice(this.position, end).trim() === '') {
        this.position = Math.min(clear ? this.nextLine(this.position) : end, this.limit);
      }
      if (clear && (this.position >= this.limit || this.position > firstLineEnd)) this.blocks.dropLine();
    }
    this.noted(comment);
  }

  /** After a directive: its closing `#`, or the rest of its line when it stands alone there. */
  finishLine(clear: boolean, firstLineEnd: number): void {
    const { source } = this;
    let commented = false;
    if (source.startsWith('##', this.position) && this.directiveAt(this.position + 1) === undefined) {
      commented = true;
      const start = this.position + 2;
      this.position = Math.min(this.lineEnd(start), this.limit);
      this.noted(this.source.slice(start, this.position));
    }
    const char = this.position < this.limit ? source[this.position] : undefined;
    if (!commented && char === '#') this.position++;
    else if (clear && (char === '\n' || char === '\r')) {
      this.position = Math.min(this.nextLine(this.position), this.limit);
    } else if (!commented && char !== undefined && char !== '\n' && char !== '\r') {
      throw syntaxFault(
        `unexpected '${source.slice(this.position, this.position + 20).split(/[\r\n]/)[0]}'`,
        this.position,
      );
    }
    if (clear && (this.position >= this.limit || this.position > firstLineEnd)) this.blocks.dropLine();
  }

  skipBlanks(most = Number.POSITIVE_INFINITY): void {
    for (let i = 0; i < most && this.position < this.limit; i++) {
      if (!' \t\f'.includes(this.source[this.position] ?? '')) return;
      this.position++;
    }
  }
}
