/** Every directive: what it reads after its name, and what it hangs into the tree. */
import type { BlockName } from './blocks.js';
import { syntaxFault, unsupported } from './errors.js';
import { ExpressionParser } from './expression.js';
import { readImports } from './imports.js';
import { Lexer } from './lexer.js';
import type { TemplateParser } from './parser.js';
import type { BinaryOperator, Definition, Expression, Handler, Import, Target, TemplateNode } from './syntax.js';

const REFUSED: ReadonlySet<string> = new Set([
  ...['@', 'arg', 'attr', 'block', 'breakpoint', 'cache', 'call', 'capture', 'closure', 'compiler'],
  ...['compiler-settings', 'defmacro', 'errorCatcher', 'extends', 'filter', 'i18n', 'implements', 'include'],
  ...['shBang', 'super', 'transform', 'yield'],
]);
const KNOWN: ReadonlySet<string> = new Set([
  ...['assert', 'break', 'continue', 'def', 'del', 'echo', 'elif', 'else', 'encoding', 'end', 'except', 'finally'],
  ...['for', 'from', 'if', 'import', 'pass', 'raise', 'raw', 'repeat', 'return', 'set', 'silent', 'slurp', 'stop'],
  ...['try', 'unless', 'while'],
]);
export const DIRECTIVES: ReadonlySet<string> = new Set([...KNOWN, ...REFUSED]);
const ENDINGS = ['def', 'while', 'for', 'if', 'try', 'repeat', 'unless'] as const;

export class Directives {
  readonly imports: Import[] = [];
  /** Of the directive at hand: where it starts, whether it stands alone on its line, where that line ends. */
  private at = 0;
  private clear = false;
  private firstLineEnd = 0;

  private readonly readers: ReadonlyMap<string, () => void>;

  constructor(private readonly template: TemplateParser) {
    this.readers = new Map<string, () => void>([
      ['if', () => this.ifDirective()],
      ['unless', () => this.unlessDirective()],
      ['for', () => this.loop('for')],
      ['while', () => this.loop('while')],
      ['repeat', () => this.loop('repeat')],
      ['try', () => this.tryDirective()],
      ['else', () => this.continuation('else')],
      ['elif', () => this.continuation('elif')],
      ['except', () => this.continuation('except')],
      ['finally', () => this.continuation('finally')],
      ['end', () => this.end()],
      ['def', () => this.definition()],
      ['set', () => this.set()],
      ['import', () => this.importing('import')],
      ['from', () => this.importing('from')],
      ['raw', () => this.raw()],
      ['slurp', () => this.slurp()],
      ['encoding', () => this.encoding()],
    ]);
  }

  read(word: string, at: number): void {
    if (REFUSED.has(word)) throw unsupported(`the directive #${word}`, at);
    const { template } = this;
    this.at = at;
    this.clear = template.clearBefore(at);
    this.firstLineEnd = template.lineEnd(at);
    template.position = at + 1 + word.length;
    const reader = this.readers.get(word);
    if (reader) reader();
    else this.simple(word);
  }

  /** Reads an expression at the current position and moves past it. */
  private expression<T>(read: (parser: ExpressionParser, lexer: Lexer) => T): T {
    const { template } = this;
    const lexer = new Lexer(template.source, template.position, template.limit, template.context.python);
    const result = read(new ExpressionParser(lexer, template.context), lexer);
    template.position = lexer.position;
    template.skipBlanks();
    return result;
  }

  private optional(read: (parser: ExpressionParser, lexer: Lexer) => Expression): Expression | undefined {
    return this.expression((parser, lexer) => {
      const token = lexer.peek();
      return token.kind === 'end' || lexer.isOperator(':') ? undefined : read(parser, lexer);
    });
  }

  private finish(): void {
    this.template.finishLine(this.clear, this.firstLineEnd);
  }

  /** Whether text follows on the same line after a colon; then it is that of a one-line directive. */
  private isShort(): boolean {
    const { template } = this;
    if (template.source[template.position] !== ':' || template.position >= template.limit) return false;
    const rest = template.source.slice(template.position + 1, template.lineEnd(template.position)).trim();
    return rest !== '' && !rest.startsWith('##');
  }

  private endOfHead(): void {
    const { template } = this;
    if (template.source[template.position] === ':' && template.position < template.limit) template.position++;
    template.skipBlanks();
    this.finish();
  }

  /** Reads the rest of a one-line directive, after `open` has opened its block. */
  private line(open: () => void, end: number): void {
    const { template, at } = this;
    template.position++;
    open();
    const { depth } = template.blocks;
    template.skipBlanks(1);
    template.runLine(end, at);
    if (template.blocks.depth !== depth) {
      throw syntaxFault('a directive that is opened in a one-line directive must be closed there', at);
    }
    template.blocks.leave();
  }

  /** A directive with a body: on its line after a colon, or up to its `#end`. */
  private block(open: () => void): void {
    if (this.isShort()) this.line(open, this.template.nextLine(this.template.position));
    else {
      this.endOfHead();
      open();
    }
  }

  private ifDirective(): void {
    const { at } = this;
    const test = this.expression((parser) => parser.parse());
    const ternary = this.expression((parser, lexer): Expression | undefined => {
      if (!lexer.acceptWord('then')) return undefined;
      const then = parser.or();
      lexer.expectWord('else');
      return { kind: 'if', test, then, otherwise: parser.parse(), at };
    });
    if (ternary) {
      this.finish();
      this.template.blocks.push({ kind: 'print', value: ternary, at });
    } else this.branch('if', test);
  }

  private unlessDirective(): void {
    const operand = this.expression((parser) => parser.parse());
    this.branch('unless', { kind: 'not', operand, at: this.at });
  }

  private branch(name: BlockName, test: Expression): void {
    const body: TemplateNode[] = [];
    const node: TemplateNode = { kind: 'if', branches: [{ test, body }], otherwise: [], at: this.at };
    this.block(() => this.template.blocks.open(name, node, body));
  }

  private loop(word: 'for' | 'while' | 'repeat'): void {
    const { at } = this;
    const body: TemplateNode[] = [];
    const rest = { body, otherwise: [], at };
    const node = this.expression((parser, lexer): TemplateNode => {
      if (word === 'while') return { kind: 'while', test: parser.parse(), ...rest };
      if (word === 'repeat') return { kind: 'repeat', times: parser.parse(), ...rest };
      const target = parser.parseTarget();
      lexer.expectWord('in');
      return { kind: 'for', target, source: parser.parse(), ...rest };
    });
    this.block(() => this.template.blocks.open(word, node, body));
  }

  private tryDirective(): void {
    this.template.skipBlanks();
    const body: TemplateNode[] = [];
    const node: TemplateNode = { kind: 'try', body, handlers: [], otherwise: [], last: [], at: this.at };
    this.block(() => this.template.blocks.open('try', node, body));
  }

  private continuation(word: 'else' | 'elif' | 'except' | 'finally'): void {
    const { template, at } = this;
    let test: Expression | undefined;
    let handler: Handler | undefined;
    template.skipBlanks();
    if (word === 'elif') test = this.expression((parser) => parser.parse());
    else if (word === 'else') {
      const alsoIf = /if(?![A-Za-z0-9_])/y;
      alsoIf.lastIndex = template.position;
      if (alsoIf.test(template.source)) {
        template.position += 2;
        test = this.expression((parser) => parser.parse());
      }
    } else if (word === 'except') handler = this.handler();
    const details = { test, ...(handler ? { handler } : {}) };
    if (this.isShort()) {
      const end = template.nextLine(template.position);
      this.line(() => template.blocks.continue(word, at, true, details), end);
    } else {
      this.endOfHead();
      template.blocks.continue(word, at, false, details);
    }
  }

  private handler(): Handler {
    const { context } = this.template;
    return this.expression((parser, lexer): Handler => {
      if (lexer.peek().kind === 'end' || lexer.isOperator(':')) return { type: undefined, name: undefined, body: [] };
      const type = parser.expression();
      const named = lexer.acceptWord('as') || (context.python === 2 && lexer.accept(','));
      const name = named ? lexer.takeName('a name for the exception') : undefined;
      if (name !== undefined) context.make(name);
      return { type, name, body: [] };
    });
  }

  private end(): void {
    const { template, at } = this;
    template.skipBlanks();
    const name = ENDINGS.find((ending) => template.source.startsWith(ending, template.position));
    if (!name) {
      const found = /^[A-Za-z-]*/.exec(template.source.slice(template.position, template.position + 30))?.[0];
      throw syntaxFault(`'#end ${found}' ends nothing that there is`, at);
    }
    this.skipRest();
    this.finish();
    template.blocks.close(name, at);
    this.chooseNames();
  }

  /** What stands behind a name that is all that counts. */
  private skipRest(): void {
    this.expression((_, lexer) => lexer.skipRest());
  }

  private definition(): void {
    const { template, at } = this;
    const { blocks, context } = template;
    const head = this.expression((parser, lexer): Definition => {
      const name = lexer.takeName('the name of the function');
      context.make(name);
      if (!lexer.isOperator('(')) return { name, parameters: [], body: [], at };
      lexer.take();
      lexer.enter();
      const parameters = parser.parameters(')', true).filter((one, index) => index > 0 || one.name !== 'self');
      lexer.expect(')', 'after the names of the parameters');
      lexer.leave();
      return { name, parameters, body: [], at };
    });
    if (this.isShort()) {
      const { clear, firstLineEnd } = this;
      this.line(() => {
        blocks.openDefinition(head);
        this.chooseNames();
      }, firstLineEnd);
      this.chooseNames();
      template.finishLine(clear, firstLineEnd);
      return;
    }
    if (template.source[template.position] === ':' && template.position < template.limit) template.position++;
    this.skipRest();
    this.firstLineEnd = template.lineEnd(template.position);
    this.finish();
    blocks.openDefinition(head);
    this.chooseNames();
  }

  /** Within a function in a function, `$name` is a name of Python's. */
  private chooseNames(): void {
    this.template.context.search = this.template.blocks.definitionDepth < 2;
  }

  private set(): void {
    const { template, at } = this;
    template.skipBlanks();
    const scope = /(local|global|module)[ \t\f]+(?=[$A-Za-z_(])/y;
    scope.lastIndex = template.position;
    const found = scope.exec(template.source);
    if (found?.[1] === 'module') throw unsupported('#set module', at);
    if (found) template.position += found[0].length;
    const global = found?.[1] === 'global';
    const node = this.expression((parser, lexer): TemplateNode => {
      const target = parser.parseTarget();
      const token = lexer.peek();
      const assignment = token.kind === 'operator' ? /^(\*\*|\/\/|<<|>>|[-+*/%&|^])?=$/.exec(token.text) : null;
      if (!assignment) throw syntaxFault(`expected '=', found ${lexer.found()}`, token.start);
      lexer.take();
      const operator = assignment[1] as BinaryOperator | undefined;
      if (operator && target.kind === 'unpack') throw syntaxFault('an augmented assignment to several names', at);
      if (global && !startsWithName(target)) throw unsupported('#set global with anything but one name', at);
      const value = parser.parse();
      if (lexer.isOperator('=')) throw unsupported('several assignments in one #set', lexer.peek().start);
      return { kind: 'set', target, operator, value, global, at };
    });
    this.finish();
    template.blocks.push(node);
  }

  private importing(word: 'import' | 'from'): void {
    const { at } = this;
    for (const one of this.expression((_, lexer) => readImports(word, lexer, at))) {
      this.template.context.make(one.name);
      this.imports.push(one);
    }
    this.finish();
  }

  private raw(): void {
    const { template } = this;
    const { source, blocks } = template;
    template.skipBlanks();
    if (this.isShort()) {
      template.position++;
      template.skipBlanks(1);
      const end = Math.min(template.lineEnd(template.position), template.limit);
      blocks.text(source.slice(template.position, end), template.position);
      template.position = end;
      return;
    }
    this.endOfHead();
    const start = template.position;
    const ending = /(?<!\\)#end[ \t\f]+raw[ \t\f]*/g;
    ending.lastIndex = start;
    const found = ending.exec(source);
    if (!found || found.index >= template.limit) throw syntaxFault("'#raw' without '#end raw'", this.at);
    const clear = template.clearBefore(found.index);
    const lineStart = Math.max(source.lastIndexOf('\n', found.index), source.lastIndexOf('\r', found.index)) + 1;
    const text = source.slice(start, clear ? Math.max(start, lineStart) : found.index);
    template.position = found.index + found[0].length;
    const char = source[template.position];
    const firstLineEnd = template.lineEnd(template.position);
    if (char === '#') template.position++;
    else if (clear && (char === '\n' || char === '\r')) template.position = template.nextLine(template.position);
    if (clear && template.position > firstLineEnd) blocks.dropLine();
    blocks.text(text, start);
  }

  private slurp(): void {
    const { template } = this;
    if (this.clear) template.blocks.dropLine();
    template.blocks.commit();
    template.position = Math.min(template.nextLine(template.position), template.limit);
  }

  private encoding(): void {
    const { template, at } = this;
    const end = template.lineEnd(template.position);
    const name = template.source.slice(template.position, end).trim();
    if (!/^(?:utf-?8|ascii|us-ascii)$/i.test(name)) throw unsupported(`#encoding ${name}`, at);
    template.position = Math.min(template.nextLine(template.position), template.limit);
  }

  /** Directives of one expression, or none. */
  private simple(word: string): void {
    const node = this.statement(word);
    this.finish();
    this.template.blocks.push(node);
  }

  private statement(word: string): TemplateNode {
    const { at } = this;
    switch (word) {
      case 'break':
      case 'continue':
      case 'pass':
      case 'stop':
        this.template.skipBlanks();
        return { kind: word, at };
      case 'silent':
        return { kind: 'silent', value: this.expression((parser) => parser.parse()), at };
      case 'echo':
        return { kind: 'print', value: this.expression((parser) => parser.parse()), at };
      case 'return':
        return { kind: 'return', value: this.optional((parser) => parser.parse()), at };
      case 'raise': {
        let message: Expression | undefined;
        const value = this.optional((parser, lexer) => {
          const raised = parser.expression();
          if (lexer.acceptWord('from')) parser.expression();
          else if (this.template.context.python === 2 && lexer.accept(',')) message = parser.expression();
          return raised;
        });
        return { kind: 'raise', value, message, at };
      }
      case 'assert':
        return this.expression((parser, lexer): TemplateNode => {
          const test = parser.expression();
          return { kind: 'assert', test, message: lexer.accept(',') ? parser.expression() : undefined, at };
        });
      default:
        return this.expression((parser): TemplateNode => {
          const target = parser.parseTarget();
          return { kind: 'delete', targets: target.kind === 'unpack' ? target.targets : [target], at };
        });
    }
  }
}

function startsWithName(target: Target): boolean {
  if (target.kind === 'name') return true;
  return target.kind === 'item' && target.object.kind === 'name';
}
