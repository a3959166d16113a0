/**
 * How names are found. A `$name` is looked for as Cheetah's NameMapper does: variables of the function, `#set global`,
 * the template's own functions, what the node hands in, imports, Python's builtins. A plain name is Python's own.
 */
import { BUILTINS } from './builtins.js';
import { attributeError, PythonError, typeError, unsupported } from './errors.js';
import { define } from './functions.js';
import type { Frame, Machine } from './machine.js';
import { methodOf } from './methods.js';
import { PRELOADED } from './modules.js';
import { lengthOf } from './string-methods.js';
import { itemOf } from './subscript.js';
import { str } from './text.js';
import {
  Callable,
  Dict,
  firstOf,
  type Meter,
  PyObject,
  TemplateObject,
  truth,
  typeName,
  type Value,
} from './values.js';

const NO_ARGUMENTS = { positional: [], named: new Map<string, Value>() };

/** Calls a function that stands after a `$` without brackets; a type is not called. */
export function autocall(value: Value, machine: Machine): Value {
  if (!(value instanceof Callable) || value.isType) return value;
  machine.step();
  return value.call(NO_ARGUMENTS, machine);
}

export function searchName(frame: Frame, name: string): Value {
  const { machine } = frame;
  const local = frame.locals.get(name);
  if (local !== undefined) return local;
  const found = firstOf(searchList(machine, name), pythonGlobal(machine, name));
  if (found !== undefined) return found;
  // Of a function around it, or around a comprehension: Galaxy mends templates that rely on it in the same way.
  for (let outer = frame.parent; outer; outer = outer.parent) {
    const held = outer.locals.get(name);
    if (held !== undefined) return held;
  }
  if (name === 'self') return selfOf(machine);
  throw new PythonError('NotFound', `cannot find '${name}'`);
}

/** What varExists() and getVar() know: no variables of the function. */
function searchList(machine: Machine, name: string): Value | undefined {
  return firstOf(
    machine.globals.get(name),
    machine.functions.get(name) ?? reflective(machine, name),
    machine.names.get(name),
  );
}

function pythonGlobal(machine: Machine, name: string): Value | undefined {
  return firstOf(machine.modules.get(name), PRELOADED.get(name), builtin(machine, name));
}

function builtin(machine: Machine, name: string): Value | undefined {
  const found = BUILTINS.get(name);
  return found && (found.python === undefined || found.python === machine.python) ? found.value : undefined;
}

export function plainName(frame: Frame, name: string): Value {
  for (let outer: Frame | undefined = frame; outer; outer = outer.parent) {
    const held = outer.locals.get(name);
    if (held !== undefined) return held;
  }
  const { machine } = frame;
  const given = machine.bareNames ? machine.names.get(name) : undefined;
  const found = firstOf(given, pythonGlobal(machine, name));
  if (found !== undefined) return found;
  if (name === 'self') return selfOf(machine);
  throw new PythonError('NameError', `name '${name}' is not defined`);
}

/** Cheetah's `varExists('a.b')` and `getVar('a.b', otherwise)`. */
function reflective(machine: Machine, name: string): Value | undefined {
  if (name !== 'varExists' && name !== 'hasVar' && name !== 'getVar') return undefined;
  return new Callable(name, ({ positional, named }) => {
    const path = firstOf(positional[0], named.get('varName'));
    const otherwise = firstOf(positional[1], named.get('default'));
    const auto = truth(positional[name === 'getVar' ? 2 : 1] ?? named.get('autoCall') ?? true);
    if (typeof path !== 'string') throw typeError(`${name}() needs the name of a variable as a string`);
    try {
      const found = byPath(machine, path.replaceAll('$', ''), auto);
      return name === 'getVar' ? found : true;
    } catch (error) {
      if (!(error instanceof PythonError) || error.type !== 'NotFound') throw error;
      if (name !== 'getVar') return false;
      if (otherwise === undefined) throw error;
      return otherwise;
    }
  });
}

function byPath(machine: Machine, path: string, auto: boolean): Value {
  const [first = '', ...rest] = path.split('.');
  const found = searchList(machine, first);
  if (found === undefined) throw new PythonError('NotFound', `cannot find '${first}'`);
  let value = auto ? autocall(found, machine) : found;
  for (const part of rest) {
    const next = mappedAttribute(value, part, machine);
    value = auto ? autocall(next, machine) : next;
  }
  return value;
}

class Self extends PyObject {
  readonly typeName = 'Template';
  constructor(private readonly machine: Machine) {
    super();
  }
  attribute(name: string): Value | undefined {
    return this.machine.functions.get(name) ?? reflective(this.machine, name);
  }
}

function selfOf(machine: Machine): Value {
  return new Self(machine);
}

/** After a `$`: a key of a dictionary counts before its attributes. */
export function mappedAttribute(object: Value, name: string, machine: Machine): Value {
  if (object instanceof Dict) {
    // Cheetah asks for the key, so that a Counter or a defaultdict has every key.
    const held = object.missing ? itemOf(object, name, machine) : object.get(name);
    if (held !== undefined) return held;
  }
  const found = findAttribute(object, name, machine);
  if (found === undefined) throw new PythonError('NotFound', `cannot find '${name}'`);
  return found;
}

export function pythonAttribute(object: Value, name: string, machine: Machine): Value {
  const found = findAttribute(object, name, machine);
  if (found !== undefined) return found;
  const what =
    object instanceof Callable && object.isType ? `type object '${object.name}'` : `'${typeName(object)}' object`;
  throw attributeError(`${what} has no attribute '${name}'`);
}

/** Undefined: there is none. Nothing is ever read from a JavaScript object by a name that a template gives. */
export function findAttribute(object: Value, name: string, machine: Meter): Value | undefined {
  if (object instanceof TemplateObject) {
    const found = object.attribute(name);
    if (found !== undefined) return found;
    if (name === '__str__') return define(name, '', () => str(object));
    const held = object.plain();
    return held instanceof TemplateObject ? undefined : findAttribute(held, name, machine);
  }
  if (name === '__str__') return define(name, '', () => str(object, machine.python));
  if (name === '__len__') return define(name, '', (_, meter) => lengthOf(object, meter));
  if (/^__.*__$/.test(name) && name !== '__name__') throw unsupported(`the attribute '${name}'`);
  if (object instanceof Callable) {
    if (name === '__name__') return object.name;
    return object.attribute?.(name);
  }
  return methodOf(object, name, machine);
}
