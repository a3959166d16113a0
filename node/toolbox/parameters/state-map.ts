/** A job's state as another object of the same shape: groups as they are nested, of a conditional the case that was chosen. */
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import type { LoadedParameter } from '../loaded.js';
import { isObject } from './data-reference.js';

/** What a plain parameter becomes; undefined leaves it out. */
export type Leaf = (parameter: LoadedParameter, held: JsonValue) => JsonValue | undefined;

export function mapState(parameters: readonly LoadedParameter[], state: JsonObject, leaf: Leaf): JsonObject {
  const one = (parameter: LoadedParameter, held: JsonValue): JsonValue | undefined => {
    const inner = isObject(held) ? held : {};
    switch (parameter.type) {
      case 'conditional':
        return mapState(chosenInputs(parameter, inner), inner, leaf);
      case 'section':
        return mapState(parameter.inputs ?? [], inner, leaf);
      case 'repeat':
        return listOf(held).map((item) => mapState(parameter.inputs ?? [], isObject(item) ? item : {}, leaf));
      default:
        return leaf(parameter, held);
    }
  };
  const mapped: [string, JsonValue][] = [];
  for (const parameter of parameters) {
    const value = one(parameter, state[parameter.name] ?? null);
    if (value !== undefined) mapped.push([parameter.name, value]);
  }
  return Object.fromEntries(mapped);
}

/** Of a conditional: what is asked, and what belongs to the answer. */
export function chosenInputs(parameter: LoadedParameter, state: JsonObject): LoadedParameter[] {
  const index = state.__current_case__;
  const inner = typeof index === 'number' ? (parameter.cases?.[index]?.inputs ?? []) : [];
  return [...(parameter.test ? [parameter.test] : []), ...inner];
}

function listOf(held: JsonValue): JsonValue[] {
  return Array.isArray(held) ? held : [];
}
