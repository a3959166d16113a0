/** Arguments: how calls meet the parameters of functions, the template's and ours. */
import { typeError } from './errors.js';
import { type Arguments, Callable, Dict, firstOf, type Meter, plain, Tuple, typeName, type Value } from './values.js';

export interface BoundParameter {
  name: string;
  /** Undefined: the call must give it. */
  initial: Value | undefined;
  /** `*name` or `**name`. */
  spread: 0 | 1 | 2;
}

/** The variables of a call. `loose`: unknown names are dropped, as the functions of a template do. */
export function bind(
  name: string,
  parameters: readonly BoundParameter[],
  { positional, named }: Arguments,
  loose: boolean,
): Map<string, Value> {
  const locals = new Map<string, Value>();
  const rest = new Map(named);
  let used = 0;
  const missing: string[] = [];
  let gathering = false;
  for (const parameter of parameters) {
    if (parameter.spread === 1) {
      locals.set(parameter.name, new Tuple(positional.slice(used)));
      used = positional.length;
      gathering = true;
    } else if (parameter.spread === 0) {
      const given = gathering || used >= positional.length ? undefined : positional[used++];
      const byName = rest.get(parameter.name);
      if (given !== undefined && byName !== undefined) {
        throw typeError(`${name}() got multiple values for argument '${parameter.name}'`);
      }
      rest.delete(parameter.name);
      const value = firstOf(given, byName, parameter.initial);
      if (value === undefined) missing.push(`'${parameter.name}'`);
      else locals.set(parameter.name, value);
    }
  }
  if (missing.length > 0) {
    const plural = missing.length === 1 ? 'argument' : 'arguments';
    throw typeError(`${name}() missing ${missing.length} required positional ${plural}: ${missing.join(' and ')}`);
  }
  if (used < positional.length) {
    throw typeError(`${name}() takes ${used} positional arguments but ${positional.length} were given`);
  }
  const last = parameters.find(({ spread }) => spread === 2);
  if (last) locals.set(last.name, new Dict(rest));
  else if (!loose && rest.size > 0) {
    throw typeError(`${name}() got an unexpected keyword argument '${[...rest.keys()][0]}'`);
  }
  return locals;
}

/** The arguments of a function of ours, by place or by name; the first `required` must be there. */
export function take(
  name: string,
  { positional, named }: Arguments,
  names: readonly string[],
  required: number,
): (Value | undefined)[] {
  if (positional.length > names.length) {
    throw typeError(`${name}() takes at most ${names.length} arguments (${positional.length} given)`);
  }
  for (const key of named.keys()) {
    if (!names.includes(key)) throw typeError(`${name}() got an unexpected keyword argument '${key}'`);
  }
  const values = names.map((one, index) => firstOf(positional[index], named.get(one)));
  for (let i = 0; i < required; i++) {
    if (values[i] === undefined) throw typeError(`${name}() missing a required argument: '${names[i]}'`);
  }
  return values;
}

export type Body = (args: (Value | undefined)[], meter: Meter) => Value;

/** `'a b? c?'`: names, of which those with a question mark need not be given. */
export function readSignature(signature: string): { names: string[]; required: number } {
  const words = signature.split(' ').filter((word) => word !== '');
  return {
    names: words.map((word) => word.replace('?', '')),
    required: words.filter((word) => !word.endsWith('?')).length,
  };
}

/** A function with named parameters: `'a b? c?'`, where a question mark ends what need not be given. */
export function define(name: string, signature: string, body: Body, isType = false): Callable {
  const { names, required } = readSignature(signature);
  return new Callable(
    name,
    (args, meter) => {
      meter.step();
      return body(take(name, args, names, required), meter);
    },
    isType,
  );
}

export function call(callee: Value, positional: Value[], meter: Meter): Value {
  if (!(callee instanceof Callable)) throw typeError(`'${typeName(callee)}' object is not callable`);
  meter.step();
  return callee.call({ positional, named: new Map() }, meter);
}

export function textOf(given: Value | undefined, what: string): string {
  const value = plain(given ?? null);
  if (typeof value !== 'string') throw typeError(`${what} must be str, not ${typeName(value)}`);
  return value;
}

/** An integer that fits an index or a count. */
export function wholeOf(given: Value | undefined, what: string): number {
  const value = plain(given ?? null, 0);
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'bigint') return value > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
  if (typeof value !== 'number')
    throw typeError(`${what}: '${typeName(value)}' object cannot be interpreted as an integer`);
  return value;
}
