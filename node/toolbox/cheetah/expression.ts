/**
 * Expressions: Python's grammar as far as expressions go, with `$name` anywhere a name can stand. What the grammar has
 * and this does not is refused here, by name, when the template is compiled. Atoms are in atoms.ts.
 */
import { type AtomHost, Atoms } from './atoms.js';
import type { ParseContext } from './context.js';
import { limitFault, syntaxFault, unsupported } from './errors.js';
import type { Lexer } from './lexer.js';
import type { Argument, BinaryOperator, Clause, Comparison, Expression, Parameter, Target } from './syntax.js';

const DEPTH_MAX = 100;
const CLAUSES_MAX = 20;
const LEVELS: ReadonlyMap<string, number> = new Map([
  ['|', 1],
  ['^', 2],
  ['&', 3],
  ['<<', 4],
  ['>>', 4],
  ['+', 5],
  ['-', 5],
  ['*', 6],
  ['/', 6],
  ['//', 6],
  ['%', 6],
]);
const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);
const CLOSERS: ReadonlySet<string> = new Set([')', ']', '}', ':', '=', ';']);

export class ExpressionParser implements AtomHost {
  private depth = 0;
  private readonly atoms: Atoms;

  constructor(
    readonly lexer: Lexer,
    readonly context: ParseContext,
  ) {
    this.atoms = new Atoms(this);
  }

  over(lexer: Lexer): ExpressionParser {
    return new ExpressionParser(lexer, this.context);
  }

  /** A whole expression; a comma at the top makes a tuple. */
  parse(): Expression {
    return this.tupleFrom(this.starred());
  }

  tupleFrom(first: Expression): Expression {
    if (!this.lexer.isOperator(',')) {
      if (first.kind === 'star') throw syntaxFault("can't use a starred expression here", first.at);
      return first;
    }
    const items = [first];
    while (this.lexer.accept(',')) {
      if (this.endsHere()) break;
      items.push(this.starred());
    }
    return { kind: 'tuple', items, at: first.at };
  }

  /** `$name` in a text: with its attributes, calls and indexes, nothing after a space. */
  parsePlaceholder(): Expression {
    return this.atoms.chain(this.lexer.take());
  }

  /** `${…}`, `$(…)` or `$[…]`, after the opening bracket. A name that comes first is meant with a `$`. */
  parseEnclosed(close: string): { value: Expression; extra: Argument[] } {
    this.lexer.enter();
    const token = this.lexer.peek();
    if (token.kind === 'name' && !token.dollar) this.atoms.dollarAt = token.start;
    const first = this.expression();
    let value = first;
    const extra: Argument[] = [];
    if (token.kind === 'name' && !token.dollar && first.at === token.start && this.lexer.isOperator(',')) {
      this.lexer.take();
      if (!this.lexer.isOperator(close)) extra.push(...this.atoms.argumentList(close));
    } else value = this.tupleFrom(first);
    this.lexer.expect(close, 'at the end of the placeholder');
    this.lexer.leave();
    return { value, extra };
  }

  starred(): Expression {
    const token = this.lexer.peek();
    if (!this.lexer.isOperator('*')) return this.expression();
    this.lexer.take();
    return { kind: 'star', value: this.binary(1), at: token.start };
  }

  /** What stands left of `in` or `=`. */
  parseTarget(): Target {
    const first = this.oneTarget();
    if (!this.lexer.isOperator(',')) {
      if (first.kind === 'star') throw syntaxFault('starred assignment target must be in a list or tuple', first.at);
      return first;
    }
    const targets = [first];
    while (this.lexer.accept(',')) {
      if (this.lexer.isWord('in') || this.endsHere()) break;
      targets.push(this.oneTarget());
    }
    if (targets.filter(({ kind }) => kind === 'star').length > 1) {
      throw syntaxFault('multiple starred expressions in assignment', first.at);
    }
    return { kind: 'unpack', targets, at: first.at };
  }

  private oneTarget(): Target {
    const token = this.lexer.peek();
    if (this.lexer.accept('*')) return { kind: 'star', target: this.oneTarget(), at: token.start };
    if (token.kind === 'operator' && (token.text === '(' || token.text === '[')) {
      const inner = this.atoms.bracketed(token.text, () => this.deeper(token.start, () => this.parseTarget()));
      return inner.kind === 'unpack' || token.text === '('
        ? inner
        : { kind: 'unpack', targets: [inner], at: token.start };
    }
    const expression = this.atoms.plainly(() => this.atoms.postfix(this.atoms.atom()));
    const { at } = expression;
    if (expression.kind === 'name') {
      this.context.make(expression.name);
      return { kind: 'name', name: expression.name, at };
    }
    if (expression.kind === 'index') return { kind: 'item', object: expression.object, index: expression.index, at };
    if (expression.kind === 'attribute') {
      return { kind: 'attribute', object: expression.object, name: expression.name, at };
    }
    throw unsupported('assignment to anything but a name, an item or an attribute', token.start);
  }

  private endsHere(): boolean {
    const token = this.lexer.peek();
    return token.kind === 'end' || (token.kind === 'operator' && CLOSERS.has(token.text));
  }

  private deeper<T>(at: number, work: () => T): T {
    if (++this.depth > DEPTH_MAX) {
      const fault = limitFault(`an expression nested more than ${DEPTH_MAX} levels deep`);
      fault.offset = at;
      throw fault;
    }
    const result = work();
    this.depth--;
    return result;
  }

  /** One expression: a conditional, a lambda, or what they are made of. */
  expression(): Expression {
    const at = this.lexer.peek().start;
    return this.deeper(at, () => {
      if (this.lexer.acceptWord('lambda')) return this.lambda(at);
      const then = this.or();
      if (!this.lexer.acceptWord('if')) return then;
      const test = this.or();
      this.lexer.expectWord('else');
      return { kind: 'if', test, then, otherwise: this.expression(), at: then.at };
    });
  }

  private lambda(at: number): Expression {
    const parameters = this.parameters(':');
    this.lexer.expect(':', 'after the names of a lambda');
    return { kind: 'lambda', parameters, body: this.expression(), at };
  }

  /** Names with their defaults, up to `close`, which is left. `plain`: a `$` in a default means nothing. */
  parameters(close: string, plain = false): Parameter[] {
    const initialValue = () => (plain ? this.atoms.plainly(() => this.expression()) : this.expression());
    const parameters: Parameter[] = [];
    while (!this.lexer.isOperator(close)) {
      const at = this.lexer.peek().start;
      const spread = this.lexer.accept('**') ? 2 : this.lexer.accept('*') ? 1 : 0;
      const name = this.lexer.takeName('the name of a parameter');
      if (parameters.some((other) => other.name === name)) {
        throw syntaxFault(`duplicate argument '${name}' in function definition`, at);
      }
      this.context.make(name);
      const initial = spread === 0 && this.lexer.accept('=') ? initialValue() : undefined;
      if (initial === undefined && spread === 0 && parameters.some((other) => other.initial)) {
        if (!parameters.some((other) => other.spread > 0)) {
          throw syntaxFault('non-default argument follows default argument', at);
        }
      }
      parameters.push({ name, initial, spread });
      if (!this.lexer.accept(',')) break;
    }
    return parameters;
  }

  or(): Expression {
    const first = this.and();
    if (!this.lexer.isWord('or')) return first;
    const items = [first];
    while (this.lexer.acceptWord('or')) items.push(this.and());
    return { kind: 'or', items, at: first.at };
  }

  private and(): Expression {
    const first = this.not();
    if (!this.lexer.isWord('and')) return first;
    const items = [first];
    while (this.lexer.acceptWord('and')) items.push(this.not());
    return { kind: 'and', items, at: first.at };
  }

  private not(): Expression {
    const at = this.lexer.peek().start;
    if (!this.lexer.acceptWord('not')) return this.comparison();
    return { kind: 'not', operand: this.deeper(at, () => this.not()), at };
  }

  private comparison(): Expression {
    const first = this.binary(1);
    const rest: { operator: Comparison; right: Expression }[] = [];
    for (let operator = this.comparisonOperator(); operator; operator = this.comparisonOperator()) {
      rest.push({ operator, right: this.binary(1) });
    }
    return rest.length === 0 ? first : { kind: 'compare', first, rest, at: first.at };
  }

  private comparisonOperator(): Comparison | undefined {
    const token = this.lexer.peek();
    if (token.kind === 'operator') {
      if (token.text === '<>') {
        if (this.context.python === 3) throw unsupported("the operator '<>' (write !=)", token.start);
        this.lexer.take();
        return '!=';
      }
      if (!COMPARISONS.has(token.text)) return undefined;
      this.lexer.take();
      return token.text as Comparison;
    }
    if (this.lexer.acceptWord('in')) return 'in';
    if (this.lexer.acceptWord('is')) return this.lexer.acceptWord('not') ? 'is not' : 'is';
    if (!this.lexer.acceptWord('not')) return undefined;
    this.lexer.expectWord('in');
    return 'not in';
  }

  binary(least: number): Expression {
    let left = this.unary();
    while (true) {
      const token = this.lexer.peek();
      if (token.kind !== 'operator') return left;
      if (token.text === '@' || token.text === ':=') throw unsupported(`the operator '${token.text}'`, token.start);
      const level = LEVELS.get(token.text);
      if (level === undefined || level < least) return left;
      this.lexer.take();
      const right = this.binary(level + 1);
      // A long sum is one node, not a tower of them.
      const step = { operator: token.text as BinaryOperator, right, at: token.start };
      if (left.kind === 'binary' && left.level === level) left.rest.push(step);
      else left = { kind: 'binary', level, first: left, rest: [step], at: left.at };
    }
  }

  private unary(): Expression {
    const token = this.lexer.peek();
    if (token.kind === 'operator' && (token.text === '-' || token.text === '+' || token.text === '~')) {
      this.lexer.take();
      const operand = this.deeper(token.start, () => this.unary());
      return { kind: 'sign', operator: token.text, operand, at: token.start };
    }
    const base = this.atoms.postfix(this.atoms.atom());
    const at = this.lexer.peek().start;
    if (!this.lexer.accept('**')) return base;
    const right = this.deeper(at, () => this.unary());
    return { kind: 'binary', level: 7, first: base, rest: [{ operator: '**', right, at }], at: base.at };
  }

  /** `for x in y if z …`, after the item. */
  clauses(): Clause[] {
    const clauses: Clause[] = [];
    while (this.lexer.acceptWord('for')) {
      if (clauses.length === CLAUSES_MAX) throw limitFault(`a comprehension with more than ${CLAUSES_MAX} 'for'`);
      const target = this.parseTarget();
      this.lexer.expectWord('in');
      const source = this.or();
      const tests: Expression[] = [];
      while (this.lexer.acceptWord('if')) tests.push(this.or());
      clauses.push({ target, source, tests });
    }
    return clauses;
  }
}
