/** The modules that a template may import, and what of each there is. Everything else is refused by name. */
import { unsupported } from './errors.js';
import { EXCEPTIONS } from './exceptions.js';
import { COLLECTIONS, COPY, FUNCTOOLS, OPERATOR } from './module-collections.js';
import { ITERTOOLS } from './module-itertools.js';
import { JSON_MEMBERS } from './module-json.js';
import { MATH } from './module-math.js';
import { OS_PATH } from './module-os.js';
import { reMembers } from './module-re.js';
import { SHLEX, STRING, SYS, TEXTWRAP } from './module-text.js';
import type { Import } from './syntax.js';
import { PyObject, type Value } from './values.js';

export class ModuleValue extends PyObject {
  readonly typeName = 'module';
  private readonly members: ReadonlyMap<string, Value>;

  constructor(
    readonly name: string,
    members: readonly (readonly [string, Value])[],
  ) {
    super();
    this.members = new Map(members);
  }
  override repr(): string {
    return `<module '${this.name}'>`;
  }
  attribute(name: string): Value | undefined {
    return name === '__name__' ? this.name : this.members.get(name);
  }
}

const osPath = new ModuleValue('posixpath', OS_PATH);
const json = new ModuleValue('json', [...JSON_MEMBERS, ['JSONDecodeError', EXCEPTIONS.get('JSONDecodeError') ?? null]]);
const os = new ModuleValue('os', [
  ['path', osPath],
  ['sep', '/'],
  ['linesep', '\n'],
  ['extsep', '.'],
  ['pathsep', ':'],
  ['curdir', '.'],
  ['pardir', '..'],
  ['devnull', '/dev/null'],
  ['name', 'posix'],
]);

const MODULES: ReadonlyMap<string, ModuleValue> = new Map([
  ['collections', new ModuleValue('collections', COLLECTIONS)],
  ['copy', new ModuleValue('copy', COPY)],
  ['functools', new ModuleValue('functools', FUNCTOOLS)],
  ['itertools', new ModuleValue('itertools', ITERTOOLS)],
  ['json', json],
  ['math', new ModuleValue('math', MATH)],
  ['operator', new ModuleValue('operator', OPERATOR)],
  ['os', os],
  ['os.path', osPath],
  ['pipes', new ModuleValue('pipes', SHLEX)],
  ['posixpath', osPath],
  ['re', new ModuleValue('re', reMembers(EXCEPTIONS.get('error') ?? null))],
  ['shlex', new ModuleValue('shlex', SHLEX)],
  ['simplejson', json],
  ['string', new ModuleValue('string', STRING)],
  ['sys', new ModuleValue('sys', SYS)],
  ['textwrap', new ModuleValue('textwrap', TEXTWRAP)],
]);

/** What Cheetah's own imports leave among the names of every template. */
export const PRELOADED: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['os', os],
  ['sys', MODULES.get('sys') ?? null],
  ['exists', osPath.attribute('exists') ?? null],
]);

/** Throws when there is no such module, or nothing of that name in it. */
export function imported({ module, member, at }: Import): Value {
  const found = MODULES.get(module);
  if (!found) throw unsupported(`the module ${module}`, at);
  if (member === undefined) return found;
  const held = found.attribute(member) ?? MODULES.get(`${module}.${member}`);
  if (held === undefined) throw unsupported(`${module}.${member}`, at);
  return held;
}
