/**
 * Expressions: Python's grammar as far as tools use it, with `$name` anywhere a name can stand. What the grammar has
 * and this does not is refused here, by name, when the template is compiled.
 */
import { Fault } from './errors.js';
import type { Lexer } from './lexer.js';
import type { BinaryOperator, Clause, Comparison, Expression, Target } from './syntax.js';

const DEPTH_MAX = 200;
/** Python's keywords that an expression may meet; none can be a plain name. */
const KEYWORDS = new Set(['and', 'or', 'not', 'in', 'is', 'if', 'else', 'for', 'lambda', 'yield', 'await', 'async']);
/** Python functions that reach files, code or the interpreter, or that are not there yet. */
const REFUSED_FUNCTIONS = new Set([
  '__import__',
  'eval',
  'exec',
  'execfile',
  'compile',
  'open',
  'file',
  'input',
  'raw_input',
  'globals',
  'locals',
  'vars',
  'dir',
  'getattr',
  'setattr',
  'delattr',
  'super',
  'object',
  'property',
  'classmethod',
  'staticmethod',
  'memoryview',
  'bytes',
  'bytearray',
  'iter',
  'next',
  'id',
  'hash',
  'help',
  'exit',
  'quit',
  'breakpoint',
  'callable',
  'issubclass',
  'print',
  'unichr',
  'reduce',
  'complex',
  'divmod',
  'pow',
  'format',
]);

export class ExpressionParser {
  private depth = 0;

  constructor(readonly lexer: Lexer) {}

  /** A whole expression; a comma at the top makes a tuple. */
  parse(): Expression {
    const first = this.conditional();
    if (!this.lexer.isOperator(',')) return first;
    const items = [first];
    while (this.lexer.accept(',')) {
      if (this.endsHere()) break;
      items.push(this.conditional());
    }
    return { kind: 'tuple', items, at: first.at };
  }

  /** Like `parse`, but a first bare name is looked up as if it had a `$`: what `${name…}` means. */
  parseBraced(): Expression {
    const token = this.lexer.peek();
    if (token.kind === 'name' && !token.dollar && !KEYWORDS.has(token.name)) this.dollarAt = token.start;
    return this.parse();
  }

  /** `${…}`, `$(…)` or `$[…]`, up to the closing bracket. */
  parseEnclosed(): Expression {
    return this.bracketed(this.lexer.found().slice(1, 3), () => this.parseBraced());
  }

  /** `$name` with its attributes, calls and indexes, nothing after a space. */
  parsePlaceholder(): Expression {
    return this.postfix(this.atom(), true);
  }

  /** What stands left of `in` or `=`. */
  parseTarget(): Target {
    const first = this.oneTarget();
    if (!this.lexer.isOperator(',')) return first;
    const targets = [first];
    while (this.lexer.accept(',')) {
      if (this.lexer.isWord('in') || this.lexer.isOperator('=')) break;
      targets.push(this.oneTarget());
    }
    return { kind: 'unpack', targets, at: first.at };
  }

  private dollarAt = -1;

  private oneTarget(): Target {
    const token = this.lexer.peek();
    if (token.kind === 'operator' && (token.text === '(' || token.text === '[')) {
      return this.bracketed(token.text, () => this.parseTarget());
    }
    const expression = this.postfix(this.atom(), false);
    if (expression.kind === 'name') return { kind: 'name', name: expression.name, at: expression.at };
    if (expression.kind === 'index') {
      return { kind: 'item', object: expression.object, index: expression.index, at: expression.at };
    }
    throw new Fault('unsupported', 'assignment to anything but a name or an item', token.start);
  }

  private endsHere(): boolean {
    const token = this.lexer.peek();
    if (token.kind === 'end') return true;
    return token.kind === 'operator' && [')', ']', '}', ':', '='].includes(token.text);
  }

  conditional(): Expression {
    if (++this.depth > DEPTH_MAX) throw new Fault('limit', 'an expression nested too deeply', this.lexer.peek().start);
    try {
      if (this.lexer.isWord('lambda')) throw new Fault('unsupported', 'lambda', this.lexer.peek().start);
      const then = this.or();
      if (!this.lexer.acceptWord('if')) return then;
      const test = this.or();
      if (!this.lexer.acceptWord('else')) {
        throw new Fault('syntax', `expected 'else', found ${this.lexer.found()}`, this.lexer.peek().start);
      }
      return { kind: 'if', test, then, otherwise: this.conditional(), at: then.at };
    } finally {
      this.depth--;
    }
  }

  or(): Expression {
    let left = this.and();
    while (this.lexer.acceptWord('or')) left = { kind: 'or', left, right: this.and(), at: left.at };
    return left;
  }

  private and(): Expression {
    let left = this.not();
    while (this.lexer.acceptWord('and')) left = { kind: 'and', left, right: this.not(), at: left.at };
    return left;
  }

  private not(): Expression {
    const at = this.lexer.peek().start;
    if (!this.lexer.acceptWord('not')) return this.comparison();
    if (++this.depth > DEPTH_MAX) throw new Fault('limit', 'an expression nested too deeply', at);
    const operand = this.not();
    this.depth--;
    return { kind: 'not', operand, at };
  }

  private comparison(): Expression {
    const first = this.sum();
    const rest: { operator: Comparison; right: Expression }[] = [];
    for (let operator = this.comparisonOperator(); operator; operator = this.comparisonOperator()) {
      rest.push({ operator, right: this.sum() });
    }
    return rest.length === 0 ? first : { kind: 'compare', first, rest, at: first.at };
  }

  private comparisonOperator(): Comparison | undefined {
    const token = this.lexer.peek();
    if (token.kind === 'operator') {
      if (token.text === '<>') throw new Fault('unsupported', "the operator '<>' (write !=)", token.start);
      if (!['==', '!=', '<', '<=', '>', '>='].includes(token.text)) return undefined;
      this.lexer.take();
      return token.text as Comparison;
    }
    if (this.lexer.acceptWord('in')) return 'in';
    if (this.lexer.acceptWord('is')) return this.lexer.acceptWord('not') ? 'is not' : 'is';
    if (!this.lexer.isWord('not')) return undefined;
    this.lexer.take();
    if (!this.lexer.acceptWord('in')) {
      throw new Fault('syntax', `expected 'in' after 'not', found ${this.lexer.found()}`, token.start);
    }
    return 'not in';
  }

  private sum(): Expression {
    return this.binary(['+', '-'], () => this.binary(['*', '/', '//', '%'], () => this.unary()));
  }

  private binary(operators: readonly string[], operand: () => Expression): Expression {
    let left = operand();
    while (true) {
      const token = this.lexer.peek();
      if (token.kind !== 'operator') return left;
      if (['|', '&', '^', '~', '<<', '>>', '@', ':=', '`'].includes(token.text)) {
        throw new Fault('unsupported', `the operator '${token.text}'`, token.start);
      }
      if (!operators.includes(token.text)) return left;
      this.lexer.take();
      left = { kind: 'binary', operator: token.text as BinaryOperator, left, right: operand(), at: left.at };
    }
  }

  private unary(): Expression {
    const token = this.lexer.peek();
    if (token.kind === 'operator' && (token.text === '-' || token.text === '+')) {
      if (++this.depth > DEPTH_MAX) throw new Fault('limit', 'an expression nested too deeply', token.start);
      this.lexer.take();
      const operand = this.unary();
      this.depth--;
      return { kind: token.text === '-' ? 'negate' : 'plus', operand, at: token.start };
    }
    const base = this.postfix(this.atom(), false);
    if (!this.lexer.accept('**')) return base;
    return { kind: 'binary', operator: '**', left: base, right: this.unary(), at: base.at };
  }

  /** `tight`: only what follows without a space belongs to it, as in text. */
  private postfix(start: Expression, tight: boolean): Expression {
    let expression = start;
    let dollar = expression.kind === 'name' && expression.dollar;
    let called = false;
    while (true) {
      // In text, what follows need not be an expression at all, so look before reading a token.
      if (tight && !this.goesOn(called)) return expression;
      if (this.lexer.isOperator('(')) {
        if (expression.kind === 'name' || expression.kind === 'attribute') expression.auto = false;
        if (expression.kind === 'name' && REFUSED_FUNCTIONS.has(expression.name)) {
          throw new Fault('unsupported', `the function ${expression.name}()`, expression.at);
        }
        called = expression.kind === 'name' || expression.kind === 'attribute';
        expression = this.call(expression);
      } else if (this.lexer.isOperator('[')) expression = this.index(expression);
      else if (this.lexer.isOperator('.')) {
        this.lexer.take();
        const token = this.lexer.take();
        if (token.kind !== 'name') throw new Fault('syntax', "expected a name after '.'", token.start);
        dollar ||= token.dollar;
        called = false;
        expression = { kind: 'attribute', object: expression, name: token.name, auto: dollar, dollar, at: token.start };
      } else return expression;
    }
  }

  /** In text: whether the very next characters belong to the placeholder. After `$f(x)` a bracket does not. */
  private goesOn(called: boolean): boolean {
    const { source, position, limit } = this.lexer;
    if (position >= limit) return false;
    const next = source.slice(position, position + 2);
    return called ? /^\.[A-Za-z_]/.test(next) : /^(?:[([]|\.[A-Za-z_])/.test(next);
  }

  private call(callee: Expression): Expression {
    const positional: Expression[] = [];
    const named: { name: string; value: Expression }[] = [];
    this.bracketed('(', () => {
      while (!this.lexer.isOperator(')')) {
        const token = this.lexer.peek();
        if (token.kind === 'operator' && (token.text === '*' || token.text === '**')) {
          throw new Fault('unsupported', `${token.text}arguments`, token.start);
        }
        const value = this.conditional();
        if (value.kind === 'name' && this.lexer.accept('='))
          named.push({ name: value.name, value: this.conditional() });
        else if (this.lexer.isWord('for')) positional.push(this.comprehension(value));
        else positional.push(value);
        if (!this.lexer.accept(',')) break;
      }
    });
    return { kind: 'call', callee, positional, named, at: callee.at };
  }

  private index(object: Expression): Expression {
    return this.bracketed('[', (): Expression => {
      const at = object.at;
      const part = () => (this.lexer.isOperator(':') || this.lexer.isOperator(']') ? undefined : this.conditional());
      const start = part();
      if (!this.lexer.accept(':')) {
        if (start === undefined) throw new Fault('syntax', 'an empty index', at);
        if (this.lexer.isOperator(',')) throw new Fault('unsupported', 'an index of several values', at);
        return { kind: 'index', object, index: start, at };
      }
      const stop = part();
      const step = this.lexer.accept(':') ? part() : undefined;
      return { kind: 'slice', object, start, stop, step, at };
    });
  }

  /** Runs `inside` between `open` and its closing bracket, where line ends do not count. */
  private bracketed<T>(open: string, inside: () => T): T {
    const close = open.endsWith('(') ? ')' : open.endsWith('[') ? ']' : '}';
    this.lexer.expect(open, 'here');
    this.lexer.enter();
    const result = inside();
    if (!this.lexer.isOperator(close)) {
      throw new Fault('syntax', `expected '${close}', found ${this.lexer.found()}`, this.lexer.peek().start);
    }
    this.lexer.take();
    this.lexer.leave();
    return result;
  }

  private atom(): Expression {
    const token = this.lexer.peek();
    if (token.kind === 'literal') return this.literal();
    if (token.kind === 'name') {
      if (!token.dollar && KEYWORDS.has(token.name)) {
        throw new Fault(
          ['lambda', 'yield', 'await', 'async'].includes(token.name) ? 'unsupported' : 'syntax',
          `'${token.name}' here`,
          token.start,
        );
      }
      this.lexer.take();
      const at = token.start;
      if (token.name === 'None') return { kind: 'literal', value: null, at };
      if (token.name === 'True' || token.name === 'False') {
        return { kind: 'literal', value: token.name === 'True', at };
      }
      const dollar = token.dollar || token.start === this.dollarAt;
      return { kind: 'name', name: token.name, dollar, auto: dollar, at };
    }
    if (token.kind === 'operator') {
      if (token.text === '(') return this.parenthesis();
      if (token.text === '[') return this.listOrComprehension();
      if (token.text === '{') return this.dictOrSet();
      if (token.text.startsWith('$')) return this.bracketed(token.text, () => this.parseBraced());
      if (token.text === '`' || token.text === '~') {
        throw new Fault('unsupported', `the operator '${token.text}'`, token.start);
      }
    }
    throw new Fault('syntax', `expected a value, found ${this.lexer.found()}`, token.start);
  }

  private literal(): Expression {
    const token = this.lexer.take();
    if (token.kind !== 'literal') throw new Fault('syntax', 'expected a value', token.start);
    let value = token.value;
    for (
      let next = this.lexer.peek();
      token.isString && next.kind === 'literal' && next.isString;
      next = this.lexer.peek()
    ) {
      this.lexer.take();
      value = `${value as string}${next.value as string}`;
    }
    return { kind: 'literal', value, at: token.start };
  }

  private parenthesis(): Expression {
    const at = this.lexer.peek().start;
    return this.bracketed('(', (): Expression => {
      if (this.lexer.isOperator(')')) return { kind: 'tuple', items: [], at };
      const first = this.conditional();
      if (this.lexer.isWord('for')) return this.comprehension(first);
      if (!this.lexer.isOperator(',')) return first;
      return { kind: 'tuple', items: this.items(first, ')'), at };
    });
  }

  private listOrComprehension(): Expression {
    const at = this.lexer.peek().start;
    return this.bracketed('[', (): Expression => {
      if (this.lexer.isOperator(']')) return { kind: 'list', items: [], at };
      const first = this.conditional();
      if (this.lexer.isWord('for')) return this.comprehension(first);
      return { kind: 'list', items: this.items(first, ']'), at };
    });
  }

  private items(first: Expression, close: string): Expression[] {
    const items = [first];
    while (this.lexer.accept(',')) {
      if (this.lexer.isOperator(close)) break;
      items.push(this.conditional());
    }
    return items;
  }

  private dictOrSet(): Expression {
    const at = this.lexer.peek().start;
    return this.bracketed('{', (): Expression => {
      if (this.lexer.isOperator('}')) return { kind: 'dict', entries: [], at };
      const first = this.conditional();
      if (this.lexer.isWord('for')) throw new Fault('unsupported', 'a set comprehension', at);
      if (!this.lexer.isOperator(':')) return { kind: 'set', items: this.items(first, '}'), at };
      const entries: { key: Expression; value: Expression }[] = [];
      let key = first;
      while (true) {
        this.lexer.expect(':', 'in a dictionary');
        entries.push({ key, value: this.conditional() });
        if (this.lexer.isWord('for')) throw new Fault('unsupported', 'a dictionary comprehension', at);
        if (!this.lexer.accept(',') || this.lexer.isOperator('}')) break;
        key = this.conditional();
      }
      return { kind: 'dict', entries, at };
    });
  }

  private comprehension(item: Expression): Expression {
    const clauses: Clause[] = [];
    while (this.lexer.acceptWord('for')) {
      const target = this.parseTarget();
      if (!this.lexer.acceptWord('in')) {
        throw new Fault('syntax', `expected 'in', found ${this.lexer.found()}`, this.lexer.peek().start);
      }
      const source = this.or();
      const tests: Expression[] = [];
      while (this.lexer.acceptWord('if')) tests.push(this.or());
      clauses.push({ target, source, tests });
    }
    return { kind: 'comprehension', item, clauses, at: item.at };
  }
}
