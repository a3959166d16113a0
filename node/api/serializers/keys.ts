/**
 * Which part of an answer a client wants, as Galaxy reads `view` and `keys`: a view is a set of keys, `keys` adds to the
 * view that was asked for, and alone is all there is.
 */

export interface Wanted {
  view?: string | undefined;
  keys?: readonly string[] | undefined;
}

/** `usual`: which of the two when nothing is said. The id is always there, because no client can do without it. */
export function chooseKeys<S extends object, D extends object>(
  summary: S,
  detailed: () => D,
  wanted: Wanted,
  usual: 'summary' | 'detailed',
): S | D | Partial<S & D> {
  const { view, keys } = wanted;
  const named = view ?? (keys === undefined ? usual : undefined);
  const base = named === undefined ? {} : named === 'summary' ? summary : detailed();
  if (keys === undefined) return base as S | D;
  const all = { ...summary, ...detailed() } as Record<string, unknown>;
  const picked = ['id', ...keys].filter((key) => Object.hasOwn(all, key)).map((key) => [key, all[key]]);
  return { ...base, ...Object.fromEntries(picked) } as Partial<S & D>;
}
