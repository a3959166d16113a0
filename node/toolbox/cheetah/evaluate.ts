/**
 * Runs what the parser gave, by walking it: no eval, no generated code, nothing reachable but the names handed in, the
 * builtins and the methods in this folder. Every step, every built value and the output are counted against limits.
 */
import { BUILTINS } from './builtins.js';
import { Fault } from './errors.js';
import { methodOf } from './methods.js';
import { arithmetic, holds } from './operators.js';
import type { BinaryOperator, Clause, Comparison, Expression, Target, TemplateNode } from './syntax.js';
import {
  Callable,
  Dict,
  Float,
  integer,
  isSequence,
  iterate,
  type Meter,
  numeric,
  PySet,
  plain,
  printed,
  repr,
  TemplateObject,
  Tuple,
  truth,
  typeName,
  type Value,
} from './values.js';

export type Names = ReadonlyMap<string, Value>;

export interface Limits {
  stepsMax: number;
  outputCharsMax: number;
  /** Characters of one string, items of one list. */
  valueUnitsMax: number;
}

type Flow = 'next' | 'break' | 'continue';

export class Machine implements Meter {
  private steps = 0;
  private printedChars = 0;
  private readonly out: string[] = [];
  private readonly locals = new Map<string, Value>();

  constructor(
    private readonly names: Names,
    private readonly limits: Limits,
    /** An output filter's bare names are parameters first, a template's are Python's first. */
    private readonly namesFirst: boolean,
  ) {}

  step(count = 1): void {
    this.steps += count;
    if (this.steps > this.limits.stepsMax) throw new Fault('limit', `more than ${this.limits.stepsMax} steps`);
  }

  size(units: number): void {
    if (units > this.limits.valueUnitsMax) {
      throw new Fault('limit', `a value of more than ${this.limits.valueUnitsMax} characters or items`);
    }
    this.step(Math.ceil(units / 100));
  }

  output(): string {
    return this.out.join('');
  }

  run(nodes: readonly TemplateNode[]): Flow {
    for (const node of nodes) {
      const flow = this.one(node);
      if (flow !== 'next') return flow;
    }
    return 'next';
  }

  private print(text: string): void {
    this.printedChars += text.length;
    if (this.printedChars > this.limits.outputCharsMax) {
      throw new Fault('limit', `more than ${this.limits.outputCharsMax} characters of output`);
    }
    this.out.push(text);
  }

  private one(node: TemplateNode): Flow {
    this.step();
    switch (node.kind) {
      case 'text':
        this.print(node.text);
        return 'next';
      case 'print':
        this.print(printed(this.evaluate(node.value)));
        return 'next';
      case 'silent':
        this.evaluate(node.value);
        return 'next';
      case 'set':
        this.set(node.target, node.operator, this.evaluate(node.value), node.at);
        return 'next';
      case 'if': {
        const taken = node.branches.find(({ test }) => truth(this.evaluate(test)));
        return this.run(taken?.body ?? node.otherwise);
      }
      case 'for':
        return this.loop(
          this.at(node.at, () => [...iterate(this.evaluate(node.source))]),
          node,
        );
      case 'while':
        while (truth(this.evaluate(node.test))) if (this.run(node.body) === 'break') break;
        return 'next';
      default:
        return node.kind;
    }
  }

  private loop(items: readonly Value[], node: Extract<TemplateNode, { kind: 'for' }>): Flow {
    for (const item of items) {
      this.assign(node.target, item);
      if (this.run(node.body) === 'break') break;
    }
    return 'next';
  }

  private set(target: Target, operator: BinaryOperator | undefined, value: Value, at: number): void {
    if (operator === undefined) {
      this.assign(target, value);
      return;
    }
    if (target.kind === 'unpack') throw new Fault('type', `'${operator}=' with several targets`, at);
    const before: Value =
      target.kind === 'name'
        ? this.lookup(target.name, true, at)
        : this.item(this.evaluate(target.object), this.evaluate(target.index));
    this.assign(
      target,
      this.at(at, () => arithmetic(operator, before, value, this)),
    );
  }

  private assign(target: Target, value: Value): void {
    this.step();
    this.at(target.at, () => {
      if (target.kind === 'name') this.locals.set(target.name, value);
      else if (target.kind === 'unpack') {
        const items = iterate(value);
        if (items.length !== target.targets.length) {
          throw new Fault('type', `${items.length} values for ${target.targets.length} names`);
        }
        for (const [index, inner] of target.targets.entries()) this.assign(inner, items[index] ?? null);
      } else this.store(this.evaluate(target.object), this.evaluate(target.index), value);
    });
  }

  private store(object: Value, index: Value, value: Value): void {
    if (object instanceof Dict) {
      this.size(object.entries.size + 1);
      object.set(index, value);
    } else if (Array.isArray(object)) {
      const at = indexIn(object.length, index);
      if (at === undefined) throw new Fault('missing', 'list index out of range');
      object[at] = value;
    } else throw new Fault('type', `'${typeName(object)}' does not support item assignment`);
  }

  /** Puts the place to a fault that has none yet. */
  private at<T>(offset: number, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof Fault && error.offset === undefined) throw new Fault(error.fault, error.reason, offset);
      throw error;
    }
  }

  evaluate(expression: Expression): Value {
    this.step();
    return this.at(expression.at, () => this.value(expression));
  }

  private value(e: Expression): Value {
    switch (e.kind) {
      case 'literal':
        return e.value;
      case 'name':
        return this.autocall(this.lookup(e.name, e.dollar, e.at), e.auto);
      case 'attribute':
        return this.autocall(this.attribute(this.evaluate(e.object), e.name, e.dollar), e.auto);
      case 'call':
        return this.call(e);
      case 'index':
        return this.item(this.evaluate(e.object), this.evaluate(e.index));
      case 'slice':
        return this.slice(e);
      case 'list':
        return e.items.map((item) => this.evaluate(item));
      case 'tuple':
        return new Tuple(e.items.map((item) => this.evaluate(item)));
      case 'set':
        return new PySet(e.items.map((item) => this.evaluate(item)));
      case 'dict':
        return new Dict(e.entries.map(({ key, value }): [Value, Value] => [this.evaluate(key), this.evaluate(value)]));
      case 'comprehension':
        return this.comprehension(e.item, e.clauses);
      case 'not':
        return !truth(this.evaluate(e.operand));
      case 'negate':
      case 'plus': {
        const operand = plain(this.evaluate(e.operand));
        const number = numeric(operand);
        if (number === undefined) throw new Fault('type', `bad operand for a sign: '${typeName(operand)}'`);
        const signed = e.kind === 'negate' ? -number : number;
        return operand instanceof Float ? new Float(signed) : integer(signed);
      }
      case 'and': {
        const left = this.evaluate(e.left);
        return truth(left) ? this.evaluate(e.right) : left;
      }
      case 'or': {
        const left = this.evaluate(e.left);
        return truth(left) ? left : this.evaluate(e.right);
      }
      case 'if':
        return this.evaluate(truth(this.evaluate(e.test)) ? e.then : e.otherwise);
      case 'compare':
        return this.comparison(e.first, e.rest);
      case 'binary':
        return arithmetic(e.operator, this.evaluate(e.left), this.evaluate(e.right), this);
    }
  }

  private lookup(name: string, dollar: boolean, at: number): Value {
    const local = this.locals.get(name);
    if (local !== undefined) return local;
    if (name === 'varExists' || name === 'getVar') return this.reflect(name);
    const given = this.names.get(name);
    const builtin = BUILTINS.get(name);
    const namesWin = (dollar || this.namesFirst) && given !== undefined;
    const found = namesWin ? given : (builtin ?? given);
    if (found === undefined) throw new Fault('missing', `there is no '${name}'`, at);
    return found;
  }

  /** Cheetah's `varExists('a.b')` and `getVar('a.b', otherwise)`. */
  private reflect(name: 'varExists' | 'getVar'): Callable {
    return new Callable(name, ({ positional: [path, otherwise] }) => {
      if (typeof path !== 'string') throw new Fault('type', `${name}() needs a name as a string`);
      try {
        const [first = '', ...rest] = path.split('.');
        const found = rest.reduce((value, part) => this.attribute(value, part, true), this.lookup(first, true, 0));
        return name === 'varExists' ? true : found;
      } catch (error) {
        if (!(error instanceof Fault) || error.fault !== 'missing') throw error;
        if (name === 'varExists') return false;
        if (otherwise === undefined) throw error;
        return otherwise;
      }
    });
  }

  private autocall(value: Value, auto: boolean): Value {
    if (!auto || !(value instanceof Callable) || value.isType) return value;
    return value.call({ positional: [], named: new Map() }, this);
  }

  private attribute(object: Value, name: string, dollar: boolean): Value {
    if (dollar && object instanceof Dict) {
      const held = object.get(name);
      if (held !== undefined) return held;
    }
    if (object instanceof TemplateObject) {
      const found = object.attribute(name) ?? methodOf(object.plain(), name);
      if (found !== undefined) return found;
    } else {
      const method = methodOf(object, name);
      if (method) return method;
    }
    throw new Fault('missing', `'${typeName(object)}' has no attribute '${name}'`);
  }

  private call(e: Extract<Expression, { kind: 'call' }>): Value {
    const callee = this.evaluate(e.callee);
    if (!(callee instanceof Callable)) throw new Fault('type', `'${typeName(callee)}' object is not callable`);
    const positional = e.positional.map((argument) => this.evaluate(argument));
    const named = new Map(e.named.map(({ name, value }) => [name, this.evaluate(value)]));
    return callee.call({ positional, named }, this);
  }

  private item(object: Value, key: Value): Value {
    if (object instanceof Dict) {
      const held = object.get(key);
      if (held === undefined) throw new Fault('missing', `no key ${repr(key)}`);
      return held;
    }
    if (object instanceof TemplateObject) {
      const held = object.item(key);
      if (held !== undefined) return held;
      return this.item(object.iterate() ?? object.plain(), key);
    }
    const items = typeof object === 'string' ? [...object] : isSequence(object) ? iterate(object) : undefined;
    if (items === undefined) throw new Fault('type', `'${typeName(object)}' object cannot be indexed`);
    const at = indexIn(items.length, key);
    const found = at === undefined ? undefined : items[at];
    if (found === undefined) throw new Fault('missing', `${typeName(object)} index out of range`);
    return found;
  }

  private slice(e: Extract<Expression, { kind: 'slice' }>): Value {
    const given = this.evaluate(e.object);
    const object = given instanceof TemplateObject ? (given.iterate() ?? given.plain()) : given;
    const items = typeof object === 'string' ? [...object] : isSequence(object) ? iterate(object) : undefined;
    if (items === undefined) throw new Fault('type', `'${typeName(object)}' object cannot be sliced`);
    const bound = (part: Expression | undefined) => {
      const value = part === undefined ? null : plain(this.evaluate(part));
      if (value === null) return undefined;
      if (typeof value !== 'number') throw new Fault('type', 'slice indices must be integers');
      return value;
    };
    const [start, stop, step = 1] = [bound(e.start), bound(e.stop), bound(e.step)];
    if (step === 0) throw new Fault('type', 'slice step must not be zero');
    const clip = (index: number, low: number, high: number) =>
      Math.min(high, Math.max(low, index < 0 ? index + items.length : index));
    const picked: Value[] = [];
    if (step > 0) {
      const end = stop === undefined ? items.length : clip(stop, 0, items.length);
      for (let i = start === undefined ? 0 : clip(start, 0, items.length); i < end; i += step)
        picked.push(items[i] ?? null);
    } else {
      const end = stop === undefined ? -1 : clip(stop, -1, items.length - 1);
      const from = start === undefined ? items.length - 1 : clip(start, -1, items.length - 1);
      for (let i = from; i > end; i += step) picked.push(items[i] ?? null);
    }
    if (typeof object === 'string') return picked.join('');
    return Array.isArray(object) ? picked : new Tuple(picked);
  }

  private comprehension(item: Expression, clauses: readonly Clause[]): Value {
    const saved = new Map(this.locals);
    const result: Value[] = [];
    const nest = (depth: number) => {
      const clause = clauses[depth];
      if (!clause) {
        this.size(result.length + 1);
        result.push(this.evaluate(item));
        return;
      }
      for (const element of [...iterate(this.evaluate(clause.source))]) {
        this.assign(clause.target, element);
        if (clause.tests.every((test) => truth(this.evaluate(test)))) nest(depth + 1);
      }
    };
    nest(0);
    this.locals.clear();
    for (const [name, value] of saved) this.locals.set(name, value);
    return result;
  }

  private comparison(first: Expression, rest: { operator: Comparison; right: Expression }[]): boolean {
    let left = this.evaluate(first);
    for (const { operator, right: expression } of rest) {
      const right = this.evaluate(expression);
      if (!holds(operator, left, right, this)) return false;
      left = right;
    }
    return true;
  }
}

function indexIn(length: number, given: Value): number | undefined {
  const index = plain(given);
  if (typeof index !== 'number') throw new Fault('type', `an index must be an integer, not '${typeName(index)}'`);
  const at = index < 0 ? index + length : index;
  return at >= 0 && at < length ? at : undefined;
}
