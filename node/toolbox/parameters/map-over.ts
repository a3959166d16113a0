/**
 * What makes several jobs of one request: a batch of values, or a collection given where a part of it is taken. Each is
 * an axis; linked axes advance together, the others multiply. A collection's shape is kept, so that what the jobs make
 * can be put together as their inputs were.
 */
import type { JsonValue } from '../../../protocol/log/entry.js';
import type { LoadedParameter } from '../loaded.js';
import type { MapOver, ToolCollection, ToolContext, ToolElement } from '../tool.js';
import { batchOf, type Reference, readReferences, referenceState } from './data-reference.js';

export const JOBS_MAX = 1000;

export interface Axis {
  path: string;
  values: JsonValue[];
  linked: boolean;
  /** When the values are the places of one collection. */
  shape?: { id: string; collectionType: string; identifiers: string[][] };
}

export type Combined =
  | { chosen: ReadonlyMap<string, JsonValue>[]; mapOver?: MapOver }
  | { path: string; wrong: string };

/** The axis that a parameter's value is; undefined when it is for one job. */
export function axisOf(
  path: string,
  parameter: LoadedParameter,
  raw: JsonValue | undefined,
  context: ToolContext,
): Axis | undefined {
  const batch = batchOf(raw);
  if (!isData(parameter)) return batch && { path, ...batch };
  if (batch) {
    const [only] = batch.values;
    const reference = batch.values.length === 1 ? collectionIn(only, context) : undefined;
    const one = reference && mapped(path, parameter, reference, context, true);
    if (one) return { ...one, linked: batch.linked };
    return { path, values: batch.values.flatMap((value) => valuesOf(parameter, value, context)), linked: batch.linked };
  }
  const reference = collectionIn(raw, context);
  return reference && mapped(path, parameter, reference, context, false);
}

function isData({ type }: LoadedParameter): boolean {
  return type === 'data' || type === 'hidden_data' || type === 'data_collection';
}

function collectionIn(raw: JsonValue | undefined, context: ToolContext): Reference | undefined {
  const read = readReferences(raw);
  const [only] = 'references' in read && read.references.length === 1 ? read.references : [];
  return only && only.src !== 'hda' && collectionOf(only, context) ? only : undefined;
}

/** A collection by its own id, or by the place in another that it has. */
export function collectionOf({ src, id }: Reference, context: ToolContext): ToolCollection | undefined {
  const found = context.collection(id);
  if (found || src !== 'dce') return found;
  const element = context.element?.(id);
  return element && !('dataset' in element) ? context.collection(element.id) : undefined;
}

function valuesOf(parameter: LoadedParameter, value: JsonValue, context: ToolContext): JsonValue[] {
  const reference = collectionIn(value, context);
  const axis = reference && mapped('', parameter, reference, context, true);
  return axis ? axis.values : [value];
}

/** The parts of a collection that one job each gets; undefined when one job takes all of it. */
function mapped(
  path: string,
  parameter: LoadedParameter,
  reference: Reference,
  context: ToolContext,
  batch: boolean,
): Axis | undefined {
  const collection = collectionOf(reference, context);
  if (!collection) return undefined;
  const part = partTaken(parameter, collection.collectionType, reference.mapOver, batch);
  if (part === undefined) return undefined;
  const depth = ranks(collection.collectionType) - ranks(part);
  if (depth <= 0) return undefined;
  const places = placesAt(collection.tree ?? collection.elements, depth, []);
  return {
    path,
    values: places.map(({ element, identifiers }) => partState(element, identifiers.at(-1) ?? '')),
    linked: true,
    shape: {
      id: collection.id,
      collectionType: collection.collectionType.split(':').slice(0, depth).join(':'),
      identifiers: places.map(({ identifiers }) => identifiers),
    },
  };
}

function ranks(type: string): number {
  return type === '' ? 0 : type.split(':').length;
}

/** The kind of collection that a job gets of this one; '' for a dataset, undefined for all of it. */
function partTaken(
  parameter: LoadedParameter,
  type: string,
  wanted: string | undefined,
  batch: boolean,
): string | undefined {
  if (wanted !== undefined && (type === wanted || type.endsWith(`:${wanted}`))) return wanted;
  if (parameter.type === 'data_collection') {
    const taken = parameter.collectionTypes ?? [];
    if (taken.length === 0 || taken.includes(type)) return undefined;
    return [...taken].sort((a, b) => ranks(b) - ranks(a)).find((one) => type.endsWith(`:${one}`));
  }
  if (!parameter.multiple) return '';
  if (!batch) return undefined;
  // Many datasets are taken at once: of lists of lists one list at a time, of one list each element.
  return type.includes(':') ? type.slice(type.lastIndexOf(':') + 1) : '';
}

interface Place {
  element: ToolElement;
  identifiers: string[];
}

function placesAt(elements: readonly ToolElement[], depth: number, above: readonly string[]): Place[] {
  return elements.flatMap((element) => {
    const identifiers = [...above, element.identifier];
    if (depth === 1 || 'dataset' in element) return [{ element, identifiers }];
    return placesAt(element.elements, depth - 1, identifiers);
  });
}

function partState(element: ToolElement, elementIdentifier: string): JsonValue {
  if ('dataset' in element) return referenceState({ src: 'hda', id: element.dataset.record.id, elementIdentifier });
  return referenceState({ src: 'dce', id: element.id, elementIdentifier });
}

/** One choice of values for each job, or the parameter that does not fit the others. */
export function combine(axes: readonly Axis[]): Combined {
  const empty = axes.find(({ values }) => values.length === 0);
  if (empty) return { path: empty.path, wrong: 'Nothing was chosen to run over.' };
  const linked = axes.filter((axis) => axis.linked);
  const free = axes.filter((axis) => !axis.linked);
  const length = linked[0]?.values.length ?? 1;
  const uneven = linked.find((axis) => axis.values.length !== length);
  if (uneven) {
    return { path: uneven.path, wrong: `${uneven.values.length} values cannot be matched one by one with ${length}.` };
  }
  const misfit = linked.find(
    (axis) =>
      !sameShape(
        axis,
        linked.find(({ shape }) => shape),
      ),
  );
  if (misfit) return { path: misfit.path, wrong: 'This collection is not nested as the other one is.' };
  if (free.reduce((product, axis) => product * axis.values.length, length) > JOBS_MAX) {
    return { path: axes[0]?.path ?? '', wrong: `One request may start at most ${JOBS_MAX} jobs.` };
  }
  let chosen = Array.from(
    { length },
    (_, index) => new Map(linked.map(({ path, values }): [string, JsonValue] => [path, values[index] ?? null])),
  );
  for (const { path, values } of free) {
    chosen = chosen.flatMap((base) => values.map((value) => new Map([...base, [path, value]])));
  }
  const mapOver = shapeOf(axes, linked, free);
  return { chosen, ...(mapOver ? { mapOver } : {}) };
}

function sameShape({ shape }: Axis, other: Axis | undefined): boolean {
  if (!shape || !other?.shape) return true;
  const deep = ({ identifiers }: NonNullable<Axis['shape']>) => identifiers.map((path) => path.length).join();
  return deep(shape) === deep(other.shape);
}

/** What the outputs will be: the linked collection's shape, with one more nesting for each that multiplies. */
function shapeOf(axes: readonly Axis[], linked: readonly Axis[], free: readonly Axis[]): MapOver | undefined {
  const first = linked.find(({ shape }) => shape);
  const shapes = [...(first ? [first] : []), ...free].flatMap(({ shape }) => (shape ? [shape] : []));
  // Single datasets that are run one by one are put together by nobody.
  if (shapes.length === 0 || (linked.length > 0 && !first) || free.some(({ shape }) => !shape)) return undefined;
  let identifiers: string[][] = [[]];
  for (const shape of shapes) {
    identifiers = identifiers.flatMap((above) => shape.identifiers.map((path) => [...above, ...path]));
  }
  return {
    collectionType: shapes.map(({ collectionType }) => collectionType).join(':'),
    identifiers,
    over: axes.flatMap(({ path, shape }) => (shape ? [{ path, id: shape.id }] : [])),
  };
}
