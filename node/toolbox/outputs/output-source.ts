/** Which input an output takes its format, build or shape from: `input1`, `cond|pair['forward']`, `list[0]`, `a.b`. */
import type { ExpandedJob, ToolContext, ToolDataset, ToolElement } from '../tool.js';

export interface SourceCollection {
  collectionType: string;
  leaves: { identifiers: string[]; dataset: ToolDataset }[];
}

/** The dataset input of that name, or one element of a collection; its first where none is named. */
export function datasetAt(source: string, job: ExpandedJob, context: ToolContext): ToolDataset | undefined {
  const { name, keys } = split(source);
  const [first, ...more] = references(name, job);
  if (!first) return undefined;
  if (first.kind === 'dataset') {
    const [key] = keys;
    const at = typeof key === 'number' ? [first, ...more].at(key) : first;
    return context.dataset((at ?? first).id);
  }
  const leaves = leavesOf(first.id, context);
  return (leaves.find(({ identifiers }) => fits(identifiers, keys)) ?? leaves[0])?.dataset;
}

export function collectionAt(source: string, job: ExpandedJob, context: ToolContext): SourceCollection | undefined {
  const { name } = split(source);
  const [first] = references(name, job);
  const found = first?.kind === 'collection' ? context.collection(first.id) : undefined;
  return found && { collectionType: found.collectionType, leaves: leavesOf(found.id, context) };
}

/** Datasets of a collection with all that leads to them. */
export function leavesOf(id: string, context: ToolContext): SourceCollection['leaves'] {
  const found = context.collection(id);
  return found ? inside(found.tree ?? found.elements, []) : [];
}

function inside(elements: readonly ToolElement[], outer: readonly string[]): SourceCollection['leaves'] {
  return elements.flatMap((element) => {
    const identifiers = [...outer, element.identifier];
    return 'dataset' in element ? [{ identifiers, dataset: element.dataset }] : inside(element.elements, identifiers);
  });
}

function fits(identifiers: readonly string[], keys: readonly (string | number)[]): boolean {
  return keys.length > 0 && keys.every((key, index) => typeof key === 'number' || identifiers[index] === key);
}

function split(source: string): { name: string; keys: (string | number)[] } {
  const at = source.indexOf('[');
  const name = (at < 0 ? source : source.slice(0, at)).trim().replace(/\./g, '|');
  const keys: (string | number)[] = [];
  const rest = at < 0 ? '' : source.slice(at);
  for (const [, quoted, number] of rest.matchAll(/\[\s*(?:['"](.*?)['"]|(-?\d+))\s*\]/g)) {
    keys.push(number === undefined ? (quoted ?? '') : Number(number));
  }
  return { name, keys };
}

/** By the whole path, or by its last part: `input1` finds `cond|input1`. */
function references(name: string, job: ExpandedJob): ExpandedJob['inputs'][string] {
  const paths = Object.keys(job.inputs);
  const path = paths.find((candidate) => candidate === name) ?? paths.find((one) => one.split('|').at(-1) === name);
  return path === undefined ? [] : (job.inputs[path] ?? []);
}
