/** What values are assigned to: names, items, several at once. */
import type { ExpressionCompiler, Store } from './compile-expression.js';
import { unsupported, valueError } from './errors.js';
import { iterate } from './iterate.js';
import { storeItem } from './subscript.js';
import type { Target } from './syntax.js';
import { typeName } from './values.js';

export function compileTarget(target: Target, compiler: ExpressionCompiler): Store {
  const { at } = target;
  switch (target.kind) {
    case 'name': {
      const { name } = target;
      return (frame, value) => {
        frame.locals.set(name, value);
      };
    }
    case 'item': {
      const [object, index] = [compiler.compile(target.object), compiler.compile(target.index)];
      return (frame, value) => {
        const held = object(frame);
        const key = index(frame);
        frame.machine.at = at;
        storeItem(held, key, value, frame.machine);
      };
    }
    case 'attribute': {
      // Only the node's values have attributes, and those are not to be changed.
      const object = compiler.compile(target.object);
      return (frame) => {
        const held = object(frame);
        frame.machine.at = at;
        throw unsupported(`setting the attribute '${target.name}' of a ${typeName(held)}`);
      };
    }
    case 'star':
      return compileTarget(target.target, compiler);
    case 'unpack':
      return unpack(target, compiler);
  }
}

function unpack({ targets, at }: Extract<Target, { kind: 'unpack' }>, compiler: ExpressionCompiler): Store {
  const stores = targets.map((target) => compileTarget(target, compiler));
  const star = targets.findIndex(({ kind }) => kind === 'star');
  const count = targets.length;
  return (frame, value) => {
    const { machine } = frame;
    machine.step(count);
    machine.at = at;
    const items = iterate(value, machine);
    if (items.length < (star < 0 ? count : count - 1)) {
      const least = star < 0 ? `expected ${count}` : `expected at least ${count - 1}`;
      throw valueError(`not enough values to unpack (${least}, got ${items.length})`);
    }
    if (star < 0 && items.length > count) throw valueError(`too many values to unpack (expected ${count})`);
    const after = count - star - 1;
    for (const [index, store] of stores.entries()) {
      if (star < 0 || index < star) store(frame, items[index] ?? null);
      else if (index === star) store(frame, items.slice(star, items.length - after));
      else store(frame, items[items.length - count + index] ?? null);
    }
  };
}
