/**
 * The smallest parts of expressions: names, literals, brackets, and what is appended to them. `$name.a.b(…)[…]` follows
 * Cheetah: dots after it look into dictionaries, a function without `(` is called, and after a call only a dot goes on.
 */
import type { ParseContext } from './context.js';
import { limitFault, syntaxFault, unsupported } from './errors.js';
import { Lexer, type Token } from './lexer.js';
import type { FieldRange } from './literals.js';
import type { Argument, Clause, Expression, FormatField } from './syntax.js';
import type { Value } from './values.js';

/** What the atoms need of the parser of whole expressions. */
export interface AtomHost {
  readonly lexer: Lexer;
  readonly context: ParseContext;
  expression(): Expression;
  starred(): Expression;
  tupleFrom(first: Expression): Expression;
  parse(): Expression;
  clauses(): Clause[];
  /** A parser of the same template over another range. */
  over(lexer: Lexer): { parse(): Expression };
}

const CHAIN_MAX = 500;
const HARMLESS: ReadonlySet<string> = new Set(['__name__', '__str__', '__len__']);
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
/** Python's keywords that cannot be a name without a `$` or a dot before it. */
const KEYWORDS: ReadonlySet<string> = new Set([
  ...['and', 'as', 'assert', 'break', 'class', 'continue', 'def', 'del', 'elif', 'else', 'except', 'finally', 'for'],
  ...['from', 'global', 'if', 'import', 'in', 'is', 'lambda', 'not', 'or', 'pass', 'raise', 'return', 'try', 'while'],
  ...['with', 'yield', 'async', 'await', 'nonlocal'],
]);
const CONSTANTS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['None', null],
  ['True', true],
  ['False', false],
]);

export class Atoms {
  /** Where a name stands that is meant with a `$`: first in `${…}`. */
  dollarAt = -1;
  private plain = false;

  constructor(private readonly host: AtomHost) {}

  private get lexer(): Lexer {
    return this.host.lexer;
  }

  /** Within `work`, `$name` is a Python name: left of `=` and after `for`. */
  plainly<T>(work: () => T): T {
    const before = this.plain;
    this.plain = true;
    const result = work();
    this.plain = before;
    return result;
  }

  atom(): Expression {
    const token = this.lexer.peek();
    if (token.kind === 'string') return this.string();
    if (token.kind === 'number') {
      this.lexer.take();
      return { kind: 'literal', value: token.value, at: token.start };
    }
    if (token.kind === 'name') {
      if (!this.plain && (token.dollar || token.start === this.dollarAt)) return this.chain(this.lexer.take());
      if (!token.dollar && KEYWORDS.has(token.name)) {
        const known = ['yield', 'await', 'async'].includes(token.name);
        throw known ? unsupported(`'${token.name}'`, token.start) : syntaxFault(`'${token.name}' here`, token.start);
      }
      this.lexer.take();
      const constant = CONSTANTS.get(token.name);
      if (constant !== undefined) return { kind: 'literal', value: constant, at: token.start };
      if (this.lexer.isOperator('(')) this.host.context.call(token.name, token.start);
      return { kind: 'name', name: token.name, search: false, auto: false, at: token.start };
    }
    if (token.kind === 'operator') {
      if (token.text === '(') return this.parenthesis();
      if (token.text === '[') return this.list();
      if (token.text === '{') return this.dictOrSet();
      if (token.text === '`' && this.host.context.python === 2) return this.backticks();
    }
    throw syntaxFault(`expected a value, found ${this.lexer.found()}`, token.start);
  }

  /** Python's own way to go on: `.name`, `(…)`, `[…]`, spaces allowed. */
  postfix(start: Expression): Expression {
    let value = start;
    for (let count = 0; ; count++) {
      const token = this.lexer.peek();
      if (token.kind !== 'operator') return value;
      if (count > CHAIN_MAX) throw tooLong(token.start);
      if (token.text === '.') {
        this.lexer.take();
        const at = this.lexer.peek().start;
        const name = this.lexer.takeName('a name after the dot');
        value = { kind: 'attribute', object: value, name: allowed(name, at), mapped: false, auto: false, at };
      } else if (token.text === '(') value = this.call(value);
      else if (token.text === '[') value = this.index(value);
      else return value;
    }
  }

  /** `$name` and what follows it without a space. */
  chain(token: Token): Expression {
    if (token.kind !== 'name') throw syntaxFault('expected a name', token.start);
    const { source, limit } = this.lexer;
    const { search } = this.host.context;
    const called = source[token.end] === '(' && token.end < limit;
    if (called) this.host.context.call(token.name, token.start);
    const at = token.start;
    let value: Expression = { kind: 'name', name: token.name, search, auto: search && !called, at };
    value = this.brackets(value);
    for (let count = 0; ; count++) {
      const dot = this.lexer.position;
      if (dot >= limit || source[dot] !== '.' || !/[A-Za-z_]/.test(source[dot + 1] ?? '')) return value;
      if (count > CHAIN_MAX) throw tooLong(dot);
      NAME.lastIndex = dot + 1;
      const name = NAME.exec(source)?.[0] ?? '';
      this.lexer.moveTo(dot + 1 + name.length);
      const auto = source[this.lexer.position] !== '(' || this.lexer.position >= limit;
      value = { kind: 'attribute', object: value, name: allowed(name, dot + 1), mapped: true, auto, at: dot + 1 };
      value = this.brackets(value);
    }
  }

  /** After a name: one call, or any brackets when the first is an index. */
  private brackets(start: Expression): Expression {
    const { source, limit } = this.lexer;
    const next = () => (this.lexer.position < limit ? (source[this.lexer.position] ?? '') : '');
    if (next() === '(') return this.call(start);
    let value = start;
    if (next() !== '[') return value;
    for (let count = 0; ; count++) {
      if (count > CHAIN_MAX) throw tooLong(this.lexer.position);
      if (next() === '[') value = this.index(value);
      else if (next() === '(') value = this.call(value);
      else if (next() === '{') throw syntaxFault("'{' after an index", this.lexer.position);
      else return value;
    }
  }

  bracketed<T>(open: string, work: () => T): T {
    const close = open === '(' ? ')' : open === '[' ? ']' : '}';
    const token = this.lexer.expect(open, '');
    this.lexer.enter();
    const result = work();
    if (this.lexer.peek().kind === 'end') throw syntaxFault(`'${open}' without its '${close}'`, token.start);
    this.lexer.expect(close, `for the '${open}'`);
    this.lexer.leave();
    return result;
  }

  private call(callee: Expression): Expression {
    const at = this.lexer.peek().start;
    return { kind: 'call', callee, args: this.bracketed('(', () => this.argumentList(')')), at };
  }

  argumentList(close: string): Argument[] {
    const args: Argument[] = [];
    while (!this.lexer.isOperator(close) && this.lexer.peek().kind !== 'end') {
      args.push(this.argument(args));
      if (!this.lexer.accept(',')) break;
    }
    return args;
  }

  private argument(before: readonly Argument[]): Argument {
    if (this.lexer.accept('**')) return { value: this.host.expression(), spread: 2 };
    if (this.lexer.accept('*')) return { value: this.host.expression(), spread: 1 };
    const token = this.lexer.peek();
    if (token.kind === 'name') {
      // A name before a single '=' is the name of an argument, with or without a '$'.
      const found = /\s*=(?!=)/y;
      found.lastIndex = token.end;
      if (found.test(this.lexer.source)) {
        this.lexer.take();
        this.lexer.expect('=', 'after the name of an argument');
        return { name: token.name, value: this.host.expression() };
      }
    }
    const value = this.host.expression();
    if (this.lexer.isWord('for')) {
      return {
        value: { kind: 'comprehension', of: 'generator', item: value, clauses: this.host.clauses(), at: value.at },
      };
    }
    if (before.some(({ name }) => name !== undefined)) {
      throw syntaxFault('positional argument follows keyword argument', value.at);
    }
    return { value };
  }

  private index(object: Expression): Expression {
    const at = this.lexer.peek().start;
    return this.bracketed('[', (): Expression => {
      const first = this.lexer.isOperator(':') ? undefined : this.host.starred();
      if (!this.lexer.isOperator(':')) {
        if (!first) throw syntaxFault('an empty index', at);
        return { kind: 'index', object, index: this.host.tupleFrom(first), at };
      }
      const bounds: (Expression | undefined)[] = [first];
      while (bounds.length < 3 && this.lexer.accept(':')) {
        const empty = this.lexer.isOperator(':') || this.lexer.isOperator(']');
        bounds.push(empty ? undefined : this.host.expression());
      }
      return { kind: 'slice', object, bounds, at };
    });
  }

  private parenthesis(): Expression {
    const at = this.lexer.peek().start;
    return this.bracketed('(', (): Expression => {
      if (this.lexer.isOperator(')')) return { kind: 'tuple', items: [], at };
      const first = this.host.starred();
      if (this.lexer.isWord('for')) {
        return { kind: 'comprehension', of: 'generator', item: first, clauses: this.host.clauses(), at };
      }
      return this.host.tupleFrom(first);
    });
  }

  private list(): Expression {
    const at = this.lexer.peek().start;
    return this.bracketed('[', (): Expression => {
      if (this.lexer.isOperator(']')) return { kind: 'list', items: [], at };
      const first = this.host.starred();
      if (this.lexer.isWord('for')) {
        return { kind: 'comprehension', of: 'list', item: first, clauses: this.host.clauses(), at };
      }
      return { kind: 'list', items: this.items(first, ']'), at };
    });
  }

  private items(first: Expression, close: string): Expression[] {
    const items = [first];
    while (this.lexer.accept(',')) {
      if (this.lexer.isOperator(close)) break;
      items.push(this.host.starred());
    }
    return items;
  }

  private dictOrSet(): Expression {
    const at = this.lexer.peek().start;
    return this.bracketed('{', (): Expression => {
      if (this.lexer.isOperator('}')) return { kind: 'dict', entries: [], at };
      if (!this.lexer.isOperator('**')) {
        const first = this.host.starred();
        if (!this.lexer.isOperator(':')) {
          if (this.lexer.isWord('for')) {
            return { kind: 'comprehension', of: 'set', item: first, clauses: this.host.clauses(), at };
          }
          return { kind: 'set', items: this.items(first, '}'), at };
        }
        this.lexer.take();
        const value = this.host.expression();
        if (this.lexer.isWord('for')) {
          return { kind: 'comprehension', of: 'dict', item: first, value, clauses: this.host.clauses(), at };
        }
        return { kind: 'dict', entries: this.entries([{ key: first, value }]), at };
      }
      return { kind: 'dict', entries: this.entries([]), at };
    });
  }

  private entries(entries: { key: Expression | undefined; value: Expression }[]) {
    while (entries.length === 0 || this.lexer.accept(',')) {
      if (this.lexer.isOperator('}')) break;
      if (this.lexer.accept('**')) entries.push({ key: undefined, value: this.host.expression() });
      else {
        const key = this.host.expression();
        this.lexer.expect(':', 'in a dictionary');
        entries.push({ key, value: this.host.expression() });
      }
    }
    return entries;
  }

  /** Python 2's `repr`. */
  private backticks(): Expression {
    const at = this.lexer.take().start;
    const value = this.host.parse();
    this.lexer.expect('`', 'after the expression');
    const callee: Expression = { kind: 'name', name: 'repr', search: false, auto: false, at };
    return { kind: 'call', callee, args: [{ value }], at };
  }

  /** Strings beside each other are one. */
  private string(): Expression {
    const at = this.lexer.peek().start;
    const parts: (string | FormatField)[] = [];
    let isFormat = false;
    for (let token = this.lexer.peek(); token.kind === 'string'; token = this.lexer.peek()) {
      this.lexer.take();
      if (typeof token.body === 'string') parts.push(token.body);
      else {
        isFormat = true;
        parts.push(...token.body.map((part) => this.field(part)));
      }
    }
    if (isFormat) return { kind: 'format', parts, at };
    return { kind: 'literal', value: parts.join(''), at };
  }

  private field(part: string | FieldRange): string | FormatField {
    if (typeof part === 'string') return part;
    const lexer = new Lexer(this.lexer.source, part.start, part.end, this.lexer.python);
    lexer.enter();
    const value = this.host.over(lexer).parse();
    const rest = lexer.peek();
    if (rest.kind !== 'end') throw syntaxFault(`unexpected ${lexer.found()} in an f-string`, rest.start);
    return { value, conversion: part.conversion, spec: part.spec.map((inner) => this.field(inner)) };
  }
}

function tooLong(at: number): Error {
  const fault = limitFault(`more than ${CHAIN_MAX} attributes, calls and indexes in a row`);
  fault.offset = at;
  return fault;
}

/** Python's doors into the interpreter itself. A few are harmless. */
function allowed(name: string, at: number): string {
  if (/^__.*__$/.test(name) && !HARMLESS.has(name)) throw unsupported(`the attribute '${name}'`, at);
  return name;
}
