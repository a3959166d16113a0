/** Expressions → closures: built once, run many times. No code is generated, and none is evaluated. */

import { converted, formatValue } from './brace-format.js';
import { holds } from './compare.js';
import { compileComprehension } from './compile-comprehension.js';
import { compileTarget } from './compile-target.js';
import { syntaxFault, typeError, unsupported } from './errors.js';
import { bind } from './functions.js';
import { iterate } from './iterate.js';
import type { Frame } from './machine.js';
import { ModuleValue } from './modules.js';
import { autocall, mappedAttribute, plainName, pythonAttribute, searchName } from './names.js';
import { arithmetic, unary } from './operators.js';
import { itemOf, sliceOf } from './subscript.js';
import type { Argument, Expression, FormatField, Parameter, Target } from './syntax.js';
import { type Arguments, Callable, Dict, PySet, Tuple, truth, typeName, type Value } from './values.js';

export type Eval = (frame: Frame) => Value;
export type Store = (frame: Frame, value: Value) => void;

const NO_NAMES: ReadonlyMap<string, Value> = new Map();

export class ExpressionCompiler {
  constructor(
    private readonly python: 2 | 3,
    /** Modules by the names under which the template imports them. */
    private readonly modules: ReadonlyMap<string, Value>,
  ) {}

  compile(e: Expression): Eval {
    const { at } = e;
    switch (e.kind) {
      case 'literal': {
        const { value } = e;
        return () => value;
      }
      case 'name':
        return name(e.name, e.search, e.auto, at);
      case 'attribute':
        return this.attribute(e);
      case 'call':
        return this.call(e);
      case 'index': {
        const [object, index] = [this.compile(e.object), this.compile(e.index)];
        return (frame) => {
          const held = object(frame);
          const key = index(frame);
          frame.machine.step();
          frame.machine.at = at;
          return itemOf(held, key, frame.machine);
        };
      }
      case 'slice': {
        const object = this.compile(e.object);
        const bounds = e.bounds.map((bound) => (bound ? this.compile(bound) : () => null));
        return (frame) => {
          const held = object(frame);
          const values = bounds.map((bound) => bound(frame));
          frame.machine.at = at;
          return sliceOf(held, values, frame.machine);
        };
      }
      case 'list':
        return this.items(e.items, (items) => items);
      case 'tuple':
        return this.items(e.items, (items) => new Tuple(items));
      case 'set':
        return this.items(e.items, (items) => new PySet(items));
      case 'star':
        throw syntaxFault("can't use a starred expression here", at);
      case 'dict':
        return this.dict(e.entries, at);
      case 'comprehension':
        return compileComprehension(e, this, this.python);
      case 'lambda':
        return this.lambda(e.parameters, this.compile(e.body));
      case 'sign': {
        const operand = this.compile(e.operand);
        const { operator } = e;
        return (frame) => {
          const value = operand(frame);
          frame.machine.at = at;
          return unary(operator, value);
        };
      }
      case 'not': {
        const operand = this.compile(e.operand);
        return (frame) => !truth(operand(frame));
      }
      case 'and':
      case 'or':
        return this.logical(e.items, e.kind === 'or');
      case 'if': {
        const [test, then, otherwise] = [this.compile(e.test), this.compile(e.then), this.compile(e.otherwise)];
        return (frame) => (truth(test(frame)) ? then(frame) : otherwise(frame));
      }
      case 'compare':
        return this.comparison(e);
      case 'binary':
        return this.binary(e);
      case 'format':
        return this.format(e.parts, at);
    }
  }

  private attribute(e: Extract<Expression, { kind: 'attribute' }>): Eval {
    const { name: attribute, mapped, auto, at } = e;
    const module = e.object.kind === 'name' ? this.modules.get(e.object.name) : undefined;
    if (module instanceof ModuleValue && module.attribute(attribute) === undefined) {
      throw unsupported(`${module.name}.${attribute}`, at);
    }
    const object = this.compile(e.object);
    return (frame) => {
      const held = object(frame);
      const { machine } = frame;
      machine.step();
      machine.at = at;
      if (!mapped) return pythonAttribute(held, attribute, machine);
      const found = mappedAttribute(held, attribute, machine);
      return auto ? autocall(found, machine) : found;
    };
  }

  private call(e: Extract<Expression, { kind: 'call' }>): Eval {
    const { at } = e;
    const callee = this.compile(e.callee);
    const args = this.args(e.args);
    return (frame) => {
      const { machine } = frame;
      const called = callee(frame);
      const given = args(frame);
      machine.step();
      machine.at = at;
      if (!(called instanceof Callable)) throw typeError(`'${typeName(called)}' object is not callable`);
      return called.call(given, machine);
    };
  }

  args(args: readonly Argument[]): (frame: Frame) => Arguments {
    if (args.every(({ name: key, spread }) => key === undefined && spread === undefined)) {
      const values = args.map(({ value }) => this.compile(value));
      return (frame) => ({ positional: values.map((value) => value(frame)), named: NO_NAMES as Map<string, Value> });
    }
    const parts = args.map((arg) => ({ ...arg, run: this.compile(arg.value) }));
    return (frame) => {
      const given: Arguments = { positional: [], named: new Map() };
      for (const { name: key, spread, run } of parts) {
        const value = run(frame);
        if (spread === 1) given.positional.push(...iterate(value, frame.machine));
        else if (spread === 2) spreadNames(value, given.named);
        else if (key === undefined) given.positional.push(value);
        else given.named.set(key, value);
      }
      return given;
    };
  }

  private items(expressions: readonly Expression[], make: (items: Value[]) => Value): Eval {
    if (!expressions.some(({ kind }) => kind === 'star')) {
      const runs = expressions.map((one) => this.compile(one));
      return (frame) => {
        frame.machine.step(1 + runs.length);
        return make(runs.map((run) => run(frame)));
      };
    }
    const runs = expressions.map((one) => {
      const star = one.kind === 'star';
      return { star, run: this.compile(star ? one.value : one) };
    });
    return (frame) => {
      const items: Value[] = [];
      for (const { star, run } of runs) {
        const value = run(frame);
        if (star) items.push(...iterate(value, frame.machine));
        else items.push(value);
        frame.machine.fits(items.length);
      }
      return make(items);
    };
  }

  private dict(entries: readonly { key: Expression | undefined; value: Expression }[], at: number): Eval {
    const runs = entries.map(({ key, value }) => ({ key: key && this.compile(key), value: this.compile(value) }));
    return (frame) => {
      const dict = new Dict();
      for (const { key, value } of runs) {
        frame.machine.step();
        if (key) {
          const held = key(frame);
          const item = value(frame);
          frame.machine.at = at;
          dict.set(held, item);
        } else {
          const more = value(frame);
          if (!(more instanceof Dict)) throw typeError(`'${typeName(more)}' object is not a mapping`);
          for (const [held, item] of more.entries.values()) dict.set(held, item);
        }
      }
      return dict;
    };
  }

  private lambda(parameters: readonly Parameter[], body: Eval): Eval {
    const bound = this.parameters(parameters);
    return (frame) => {
      const given = bound(frame);
      return new Callable('<lambda>', (args, meter) => {
        const { machine } = frame;
        machine.enter();
        meter.step();
        const inner: Frame = {
          machine,
          locals: bind('<lambda>', given, args, false),
          parent: frame,
          out: frame.out,
          returned: null,
        };
        try {
          return body(inner);
        } finally {
          machine.leave();
        }
      });
    };
  }

  /** Parameters whose defaults are worked out when the function is made. */
  parameters(parameters: readonly Parameter[]) {
    const runs = parameters.map(({ initial, ...rest }) => ({ ...rest, run: initial && this.compile(initial) }));
    return (frame: Frame) => runs.map(({ run, ...rest }) => ({ ...rest, initial: run?.(frame) }));
  }

  private logical(items: readonly Expression[], stopAt: boolean): Eval {
    const runs = items.map((item) => this.compile(item));
    const last = runs.pop() as Eval;
    return (frame) => {
      for (const run of runs) {
        const value = run(frame);
        if (truth(value) === stopAt) return value;
      }
      return last(frame);
    };
  }

  private comparison(e: Extract<Expression, { kind: 'compare' }>): Eval {
    const first = this.compile(e.first);
    const rest = e.rest.map(({ operator, right }) => ({ operator, right: this.compile(right) }));
    const { at } = e;
    return (frame) => {
      const { machine } = frame;
      let left = first(frame);
      for (const { operator, right } of rest) {
        const value = right(frame);
        machine.step();
        machine.at = at;
        if (!holds(operator, left, value, machine)) return false;
        left = value;
      }
      return true;
    };
  }

  private binary(e: Extract<Expression, { kind: 'binary' }>): Eval {
    const first = this.compile(e.first);
    const rest = e.rest.map(({ operator, right, at }) => ({ operator, right: this.compile(right), at }));
    return (frame) => {
      const { machine } = frame;
      let left = first(frame);
      for (const { operator, right, at } of rest) {
        const value = right(frame);
        machine.step();
        machine.at = at;
        left = arithmetic(operator, left, value, machine);
      }
      return left;
    };
  }

  private format(parts: readonly (string | FormatField)[], at: number): (frame: Frame) => string {
    const runs = parts.map((part) => {
      if (typeof part === 'string') return () => part;
      const [value, spec] = [this.compile(part.value), this.format(part.spec, at)];
      return (frame: Frame) => {
        const { machine } = frame;
        const held = converted(value(frame), part.conversion, machine);
        const how = spec(frame);
        machine.at = at;
        return formatValue(held, how, machine);
      };
    });
    return (frame) => {
      const text = runs.map((run) => run(frame)).join('');
      frame.machine.size(text.length);
      return text;
    };
  }

  store(target: Target): Store {
    return compileTarget(target, this);
  }
}

function name(key: string, search: boolean, auto: boolean, at: number): Eval {
  if (!search) {
    return (frame) => {
      const local = frame.locals.get(key);
      if (local !== undefined) return local;
      frame.machine.at = at;
      return plainName(frame, key);
    };
  }
  if (!auto) {
    return (frame) => {
      frame.machine.at = at;
      return searchName(frame, key);
    };
  }
  return (frame) => {
    const { machine } = frame;
    machine.step();
    machine.at = at;
    return autocall(searchName(frame, key), machine);
  };
}

function spreadNames(value: Value, named: Map<string, Value>): void {
  if (!(value instanceof Dict)) throw typeError(`argument after ** must be a mapping, not ${typeName(value)}`);
  for (const [key, held] of value.entries.values()) {
    if (typeof key !== 'string') throw typeError('keywords must be strings');
    named.set(key, held);
  }
}
