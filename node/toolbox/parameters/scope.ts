/**
 * Where a parameter finds the others that it speaks of (`ref`, `data_ref`): the groups around it, innermost first, or
 * from the top when the whole path is written. What stands further down in the form is looked for in what was said.
 */
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import { Effort } from '../cheetah/pattern.js';
import type { ToolContext, ToolDataset } from '../tool.js';
import { isObject, type Reference, readReferences } from './data-reference.js';

/** What was said of a name in one group, when its state does not hold it yet. */
export type Said = (name: string) => JsonValue | undefined;

interface Group {
  state: JsonObject;
  said: Said | undefined;
}

export interface Find {
  /** Undefined: nothing of that name is known. */
  find(reference: string): JsonValue | undefined;
  /** Steps that patterns and expressions of the whole request may take. */
  readonly effort?: Effort;
}

/** About a second. */
const STEPS_MAX = 2_000_000;

export function requestEffort(): Effort {
  return new Effort(STEPS_MAX);
}

/** For who has nothing around it. */
export const NO_SCOPE: Find = { find: () => undefined };

export class Scope implements Find {
  private readonly groups: Group[] = [];

  constructor(readonly effort: Effort = requestEffort()) {}

  enter(state: JsonObject, said?: Said): void {
    this.groups.push({ state, said });
  }

  leave(): void {
    this.groups.pop();
  }

  /** As it is now, for a question asked later. */
  copy(): Scope {
    const copy = new Scope(this.effort);
    copy.groups.push(...this.groups);
    return copy;
  }

  find(reference: string): JsonValue | undefined {
    const [first = '', ...rest] = reference.split('|');
    for (const { state, said } of [...this.groups].reverse()) {
      const held = Object.hasOwn(state, first) ? state[first] : said?.(first);
      if (held === undefined) continue;
      const found = rest.length === 0 ? held : within(held, rest);
      if (found !== undefined) return found;
    }
    // A whole path is also right where only its last part is within reach: the group that it names is the one we are in.
    const last = rest.at(-1);
    return last === undefined ? undefined : this.find(last);
  }
}

/** `a|b_0|c` below a value; a repeat is written with the number of its instance. */
function within(value: JsonValue, path: readonly string[]): JsonValue | undefined {
  let held: JsonValue | undefined = value;
  for (const name of path) {
    if (!isObject(held)) return undefined;
    if (Object.hasOwn(held, name)) {
      held = held[name];
      continue;
    }
    const instance = /^(.+)_(\d+)$/.exec(name);
    const list: JsonValue | undefined = instance?.[1] ? held[instance[1]] : undefined;
    held = Array.isArray(list) ? list[Number(instance?.[2])] : undefined;
  }
  return held;
}

/** The datasets that a data parameter's value names, those in collections included. */
export function datasetsIn(value: JsonValue | undefined, context: ToolContext | undefined): ToolDataset[] {
  const read = readReferences(value);
  if (!context || !('references' in read)) return [];
  return read.references.flatMap((reference) => datasetsOfReference(reference, context));
}

export function datasetsOfReference({ src, id }: Reference, context: ToolContext): ToolDataset[] {
  if (src === 'hda') {
    const dataset = context.dataset(id);
    return dataset ? [dataset] : [];
  }
  const collection = context.collection(id);
  if (collection) return collection.elements.map(({ dataset }) => dataset);
  const element = src === 'dce' ? context.element?.(id) : undefined;
  if (!element) return [];
  return 'dataset' in element
    ? [element.dataset]
    : (context.collection(element.id)?.elements ?? []).map((one) => one.dataset);
}
