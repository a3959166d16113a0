/** Comprehensions → closures. Each runs in a frame of its own, as in Python 3. */
import type { Eval, ExpressionCompiler, Store } from './compile-expression.js';
import { syntaxFault } from './errors.js';
import { iterator, pulled } from './iterate.js';
import type { Frame } from './machine.js';
import { storeItem } from './subscript.js';
import type { Expression } from './syntax.js';
import { Dict, PyIterator, PySet, truth, type Value } from './values.js';

interface CompiledClause {
  target: Store;
  source: Eval;
  tests: Eval[];
}

export function compileComprehension(
  e: Extract<Expression, { kind: 'comprehension' }>,
  compiler: ExpressionCompiler,
  python: 2 | 3,
): Eval {
  const [first] = e.clauses;
  if (!first) throw syntaxFault('a comprehension without a for', e.at);
  const source = compiler.compile(first.source);
  const clauses = e.clauses.map(
    (clause): CompiledClause => ({
      target: compiler.store(clause.target),
      source: compiler.compile(clause.source),
      tests: clause.tests.map((test) => compiler.compile(test)),
    }),
  );
  const item = compiler.compile(e.item);
  const value = e.value && compiler.compile(e.value);
  // Python 2's lists are made among the variables of the function itself.
  const shared = python === 2 && e.of === 'list';
  const { at } = e;
  return (frame) => {
    const { machine } = frame;
    const outer = source(frame);
    machine.at = at;
    const next = iterator(outer);
    const inner = shared ? frame : machine.frame(frame);
    if (e.of === 'generator') return new PyIterator('generator', pulled(generate(clauses, inner, item, next)));
    if (e.of === 'dict') {
      const dict = new Dict();
      each(clauses, 0, inner, next, () => {
        const key = item(inner);
        storeItem(dict, key, value ? value(inner) : null, machine);
      });
      return dict;
    }
    const items: Value[] = [];
    each(clauses, 0, inner, next, () => {
      machine.fits(items.length + 1);
      items.push(item(inner));
    });
    return e.of === 'set' ? new PySet(items) : items;
  };
}

function each(
  clauses: readonly CompiledClause[],
  depth: number,
  frame: Frame,
  next: () => Value | undefined,
  work: () => void,
): void {
  const clause = clauses[depth];
  if (!clause) return;
  const { machine } = frame;
  for (let item = next(); item !== undefined; item = next()) {
    machine.step();
    clause.target(frame, item);
    if (!clause.tests.every((test) => truth(test(frame)))) continue;
    const inner = clauses[depth + 1];
    if (inner) each(clauses, depth + 1, frame, iterator(inner.source(frame)), work);
    else work();
  }
}

function* generate(
  clauses: readonly CompiledClause[],
  frame: Frame,
  item: Eval,
  next: () => Value | undefined,
  depth = 0,
): Generator<Value, undefined> {
  const clause = clauses[depth];
  if (!clause) return;
  for (let one = next(); one !== undefined; one = next()) {
    frame.machine.step();
    clause.target(frame, one);
    if (!clause.tests.every((test) => truth(test(frame)))) continue;
    const inner = clauses[depth + 1];
    if (inner) yield* generate(clauses, frame, item, iterator(inner.source(frame)), depth + 1);
    else yield item(frame);
  }
}
