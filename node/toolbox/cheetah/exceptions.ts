/** Python's exceptions: their classes, the objects, and how the interpreter's own errors become them. */
import { PythonError, typeError } from './errors.js';
import { repr, str } from './text.js';
import { Callable, PyObject, plain, Tuple, type Value } from './values.js';

/** Each class and the one it derives from. */
const PARENTS: ReadonlyMap<string, string> = new Map([
  ['Exception', 'BaseException'],
  ['ArithmeticError', 'Exception'],
  ['AssertionError', 'Exception'],
  ['AttributeError', 'Exception'],
  ['EOFError', 'Exception'],
  ['FileNotFoundError', 'OSError'],
  ['FloatingPointError', 'ArithmeticError'],
  ['ImportError', 'Exception'],
  ['IndexError', 'LookupError'],
  ['JSONDecodeError', 'ValueError'],
  ['KeyError', 'LookupError'],
  ['LookupError', 'Exception'],
  ['ModuleNotFoundError', 'ImportError'],
  ['NameError', 'Exception'],
  ['NotFound', 'LookupError'],
  ['NotImplementedError', 'RuntimeError'],
  ['OSError', 'Exception'],
  ['OverflowError', 'ArithmeticError'],
  ['RecursionError', 'RuntimeError'],
  ['RuntimeError', 'Exception'],
  ['StopIteration', 'Exception'],
  ['SyntaxError', 'Exception'],
  ['SystemExit', 'BaseException'],
  ['TypeError', 'Exception'],
  ['UnboundLocalError', 'NameError'],
  ['UnicodeDecodeError', 'UnicodeError'],
  ['UnicodeEncodeError', 'UnicodeError'],
  ['UnicodeError', 'ValueError'],
  ['UserWarning', 'Exception'],
  ['ValueError', 'Exception'],
  ['ZeroDivisionError', 'ArithmeticError'],
  ['error', 'Exception'],
]);

export function derives(type: string, from: string): boolean {
  for (let name: string | undefined = type; name !== undefined; name = PARENTS.get(name)) {
    if (name === from) return true;
  }
  return false;
}

export class ExceptionValue extends PyObject {
  constructor(
    readonly typeName: string,
    readonly args: readonly Value[],
  ) {
    super();
  }
  override text(): string {
    const [first] = this.args;
    if (first === undefined) return '';
    if (this.args.length > 1) return repr(new Tuple(this.args));
    return this.typeName === 'KeyError' ? repr(first) : str(first);
  }
  override repr(): string {
    return `${this.typeName}(${this.args.map((arg) => repr(arg)).join(', ')})`;
  }
  attribute(name: string): Value | undefined {
    if (name === 'args') return new Tuple(this.args);
    return name === 'message' ? (this.args[0] ?? '') : undefined;
  }
}

export const EXCEPTIONS: ReadonlyMap<string, Callable> = new Map(
  ['BaseException', ...PARENTS.keys()].map((name) => [
    name,
    new Callable(name, ({ positional }) => new ExceptionValue(name, positional), true),
  ]),
);

/** A key that is not there: the exception holds the key itself. */
export function keyError(given: Value): PythonError {
  const key = plain(given);
  return new PythonError('KeyError', repr(key), new ExceptionValue('KeyError', [key]));
}

/** The object of an error that is caught. */
export function exceptionOf(error: PythonError): ExceptionValue {
  if (error.value instanceof ExceptionValue) return error.value;
  const made = new ExceptionValue(error.type, [error.reason]);
  error.value = made;
  return made;
}

/** What `#raise value` throws. */
export function raised(value: Value): PythonError {
  const made =
    value instanceof Callable && EXCEPTIONS.get(value.name) === value ? new ExceptionValue(value.name, []) : value;
  if (!(made instanceof ExceptionValue)) throw typeError('exceptions must derive from BaseException');
  return new PythonError(made.typeName, made.text(), made, 'raised');
}

/** Whether `#except types` catches it. */
export function catches(types: Value, error: PythonError): boolean {
  const all = types instanceof Tuple ? types.items : [types];
  return all.some((one) => {
    if (!(one instanceof Callable) || EXCEPTIONS.get(one.name) !== one) {
      throw typeError('catching classes that do not inherit from BaseException is not allowed');
    }
    return derives(error.type, one.name);
  });
}
