/** Statements → closures, which say how they ended. */
import type { Eval, ExpressionCompiler, Store } from './compile-expression.js';
import { Fault, PythonError, syntaxFault, unsupported } from './errors.js';
import { catches, exceptionOf, keyError, raised } from './exceptions.js';
import { bind, wholeOf } from './functions.js';
import { iterate, iterator } from './iterate.js';
import type { Frame } from './machine.js';
import { plainName } from './names.js';
import { augmented } from './operators.js';
import { deleteItem, itemOf } from './subscript.js';
import type { Definition, Target, TemplateNode } from './syntax.js';
import { printed, str } from './text.js';
import { Callable, truth, type Value } from './values.js';

/** `return` has put its value into the frame; `stop` ends the function with what it has written. */
export type Flow = 'next' | 'break' | 'continue' | 'return' | 'stop';
export type Exec = (frame: Frame) => Flow;

export class StatementCompiler {
  constructor(private readonly expressions: ExpressionCompiler) {}

  body(nodes: readonly TemplateNode[], inLoop = false): Exec {
    const steps = nodes.filter(({ kind }) => kind !== 'pass').map((node) => this.one(node, inLoop));
    const [only] = steps;
    if (!only) return () => 'next';
    if (steps.length === 1) return only;
    return (frame) => {
      for (const step of steps) {
        const flow = step(frame);
        if (flow !== 'next') return flow;
      }
      return 'next';
    };
  }

  private one(node: TemplateNode, inLoop: boolean): Exec {
    const { at } = node;
    const { expressions } = this;
    switch (node.kind) {
      case 'text': {
        const { text } = node;
        return (frame) => {
          frame.out.write(text);
          return 'next';
        };
      }
      case 'print': {
        const value = expressions.compile(node.value);
        const extra = node.extra && expressions.args(node.extra);
        return (frame) => {
          const { machine } = frame;
          machine.step();
          const held = value(frame);
          extra?.(frame);
          machine.at = at;
          if (held !== null) frame.out.write(printed(held, machine.python));
          return 'next';
        };
      }
      case 'silent': {
        const value = expressions.compile(node.value);
        return (frame) => {
          frame.machine.step();
          value(frame);
          return 'next';
        };
      }
      case 'if': {
        const branches = node.branches.map(({ test, body }) => ({
          test: expressions.compile(test),
          body: this.body(body, inLoop),
        }));
        const otherwise = this.body(node.otherwise, inLoop);
        return (frame) => {
          frame.machine.step();
          for (const { test, body } of branches) if (truth(test(frame))) return body(frame);
          return otherwise(frame);
        };
      }
      case 'for':
      case 'repeat':
        return this.loop(node, inLoop);
      case 'while': {
        const test = expressions.compile(node.test);
        const [body, otherwise] = [this.body(node.body, true), this.body(node.otherwise, inLoop)];
        return (frame) => {
          while (truth(test(frame))) {
            frame.machine.step();
            frame.machine.at = at;
            const flow = body(frame);
            if (flow === 'break') return 'next';
            if (flow === 'return' || flow === 'stop') return flow;
          }
          return otherwise(frame);
        };
      }
      case 'set':
        return this.set(node);
      case 'delete':
        return this.delete(node.targets);
      case 'try':
        return this.attempt(node, inLoop);
      case 'raise':
        return this.raise(node);
      case 'assert': {
        const test = expressions.compile(node.test);
        const message = node.message && expressions.compile(node.message);
        return (frame) => {
          if (truth(test(frame))) return 'next';
          const text = message ? str(message(frame)) : '';
          frame.machine.at = at;
          throw new PythonError('AssertionError', text, undefined, 'raised');
        };
      }
      case 'return': {
        const value = node.value && expressions.compile(node.value);
        return (frame) => {
          frame.returned = value ? value(frame) : null;
          return 'return';
        };
      }
      case 'def':
        return this.closure(node.definition);
      case 'break':
      case 'continue': {
        if (!inLoop) throw syntaxFault(`'#${node.kind}' outside a loop`, at);
        const flow = node.kind;
        return () => flow;
      }
      case 'stop':
        return () => 'stop';
      case 'pass':
        return () => 'next';
    }
  }

  private loop(node: Extract<TemplateNode, { kind: 'for' | 'repeat' }>, inLoop: boolean): Exec {
    const { at } = node;
    const [body, otherwise] = [this.body(node.body, true), this.body(node.otherwise, inLoop)];
    const source = this.expressions.compile(node.kind === 'for' ? node.source : node.times);
    const store: Store = node.kind === 'for' ? this.expressions.store(node.target) : () => {};
    return (frame) => {
      const { machine } = frame;
      const held = source(frame);
      machine.at = at;
      const next = node.kind === 'for' ? iterator(held) : counter(wholeOf(held, '#repeat'));
      for (let item = next(); item !== undefined; item = next()) {
        machine.step();
        machine.at = at;
        store(frame, item);
        const flow = body(frame);
        if (flow === 'break') return 'next';
        if (flow === 'return' || flow === 'stop') return flow;
      }
      return otherwise(frame);
    };
  }

  private set(node: Extract<TemplateNode, { kind: 'set' }>): Exec {
    const value = this.expressions.compile(node.value);
    const { operator, at, global } = node;
    const target = global ? globalTarget(node.target) : node.target;
    const globally = global && target.kind === 'name';
    const store: Store = globally
      ? (frame, held) => void frame.machine.globals.set(target.name, held)
      : this.expressions.store(target);
    const before: Eval | undefined = operator && this.current(target, global);
    return (frame) => {
      const { machine } = frame;
      machine.step();
      if (!operator || !before) {
        store(frame, value(frame));
        return 'next';
      }
      const old = before(frame);
      const held = value(frame);
      machine.at = at;
      store(
        frame,
        augmented(operator, old, held, machine, () => iterate(held, machine)),
      );
      return 'next';
    };
  }

  private current(target: Target, global: boolean): Eval {
    if (target.kind === 'name') {
      const { name, at } = target;
      if (!global) return (frame) => localName(frame, name, at);
      return (frame) => {
        const held = frame.machine.globals.get(name);
        frame.machine.at = at;
        if (held === undefined) throw keyError(name);
        return held;
      };
    }
    if (target.kind !== 'item')
      throw syntaxFault('an augmented assignment to anything but a name or an item', target.at);
    const [object, index] = [this.expressions.compile(target.object), this.expressions.compile(target.index)];
    return (frame) => {
      const held = object(frame);
      const key = index(frame);
      frame.machine.at = target.at;
      return itemOf(held, key, frame.machine);
    };
  }

  private delete(targets: readonly Target[]): Exec {
    const runs = targets.map((target): Exec => {
      const { at } = target;
      if (target.kind === 'name') {
        return (frame) => {
          frame.machine.at = at;
          if (!frame.locals.delete(target.name)) {
            throw new PythonError('NameError', `name '${target.name}' is not defined`);
          }
          return 'next';
        };
      }
      if (target.kind !== 'item') throw syntaxFault('#del of anything but a name or an item', at);
      const [object, index] = [this.expressions.compile(target.object), this.expressions.compile(target.index)];
      return (frame) => {
        const held = object(frame);
        const key = index(frame);
        frame.machine.at = at;
        deleteItem(held, key, frame.machine);
        return 'next';
      };
    });
    return (frame) => {
      for (const run of runs) run(frame);
      return 'next';
    };
  }

  private attempt(node: Extract<TemplateNode, { kind: 'try' }>, inLoop: boolean): Exec {
    if (node.handlers.length === 0 && node.last.length === 0) {
      throw syntaxFault("'#try' without '#except' or '#finally'", node.at);
    }
    const body = this.body(node.body, inLoop);
    const otherwise = this.body(node.otherwise, inLoop);
    const last = this.body(node.last, inLoop);
    const handlers = node.handlers.map(({ type, name, body: inner }) => ({
      type: type && this.expressions.compile(type),
      name,
      body: this.body(inner, inLoop),
    }));
    const guarded = (frame: Frame): Flow => {
      const { machine } = frame;
      try {
        const flow = body(frame);
        if (flow !== 'next') return flow;
      } catch (error) {
        if (!(error instanceof PythonError)) throw error;
        error.offset ??= machine.at;
        const handler = handlers.find(({ type }) => !type || catches(type(frame), error));
        if (!handler) throw error;
        if (handler.name !== undefined) frame.locals.set(handler.name, exceptionOf(error));
        machine.handling.push(error);
        try {
          return handler.body(frame);
        } finally {
          machine.handling.pop();
          if (handler.name !== undefined && machine.python === 3) frame.locals.delete(handler.name);
        }
      }
      return otherwise(frame);
    };
    if (node.last.length === 0) return guarded;
    return (frame) => {
      let flow: Flow;
      try {
        flow = guarded(frame);
      } catch (error) {
        // What ended the whole template is not to be held up.
        if (!(error instanceof PythonError)) throw error;
        error.offset ??= frame.machine.at;
        const ended = last(frame);
        if (ended !== 'next') return ended;
        throw error;
      }
      const { returned } = frame;
      const ended = last(frame);
      if (ended !== 'next') return ended;
      frame.returned = returned;
      return flow;
    };
  }

  private raise(node: Extract<TemplateNode, { kind: 'raise' }>): Exec {
    const value = node.value && this.expressions.compile(node.value);
    const message = node.message && this.expressions.compile(node.message);
    const { at } = node;
    return (frame) => {
      const { machine } = frame;
      let held = value?.(frame);
      if (message && held instanceof Callable)
        held = held.call({ positional: [message(frame)], named: new Map() }, machine);
      machine.at = at;
      if (held !== undefined) throw raised(held);
      const handled = machine.handling.at(-1);
      throw handled instanceof Fault ? handled : new PythonError('RuntimeError', 'No active exception to reraise');
    };
  }

  /** A function of the template: it has variables of its own and gives back what it writes. */
  method(definition: Definition): (frame: Frame) => Callable {
    const { name } = definition;
    const body = this.body(definition.body);
    const parameters = this.expressions.parameters(definition.parameters);
    return (outer) => {
      const bound = parameters(outer);
      const { machine } = outer;
      return new Callable(name, (args) => {
        machine.enter();
        const frame: Frame = {
          machine,
          locals: bind(name, bound, args, true),
          parent: undefined,
          out: machine.output(),
          returned: null,
        };
        try {
          return body(frame) === 'return' ? frame.returned : frame.out.text();
        } finally {
          machine.leave();
        }
      });
    };
  }

  /** A function within a function: it sees the variables around it and writes where they write. */
  private closure(definition: Definition): Exec {
    const { name } = definition;
    const body = this.body(definition.body);
    const parameters = this.expressions.parameters(definition.parameters);
    return (outer) => {
      const bound = parameters(outer);
      const { machine, out } = outer;
      const made = new Callable(name, (args) => {
        machine.enter();
        const frame: Frame = { machine, locals: bind(name, bound, args, false), parent: outer, out, returned: null };
        try {
          if (body(frame) === 'stop') throw unsupported('#stop in a function within a function');
          return frame.returned;
        } finally {
          machine.leave();
        }
      });
      outer.locals.set(name, made);
      return 'next';
    };
  }
}

/** `#set global $d['k']`: the dictionary is looked for where `#set global` put it. */
function globalTarget(target: Target): Target {
  if (target.kind !== 'item' || target.object.kind !== 'name') return target;
  return { ...target, object: { ...target.object, search: true } };
}

/** A variable that is changed must be one of the function itself. */
function localName(frame: Frame, name: string, at: number): Value {
  const held = frame.locals.get(name);
  if (held !== undefined) return held;
  frame.machine.at = at;
  if (frame.machine.bareNames) return plainName(frame, name);
  throw new PythonError(
    'UnboundLocalError',
    `cannot access local variable '${name}' where it is not associated with a value`,
  );
}

function counter(times: number): () => Value | undefined {
  let i = 0;
  return () => (i < times ? i++ : undefined);
}
