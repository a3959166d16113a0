/** `itertools`: lazily where Python is lazy; what has no end is ended by the limit on steps. */
import { equal } from './compare.js';
import { valueError } from './errors.js';
import { call, define, wholeOf } from './functions.js';
import { iterate, iterator, type Next, pulled } from './iterate.js';
import { arithmetic } from './operators.js';
import { Callable, type Meter, PyIterator, Tuple, truth, type Value } from './values.js';

const made = (kind: string, next: Next) => new PyIterator(`itertools.${kind}`, next);

function counted(meter: Meter, next: Next): Next {
  return () => {
    meter.step();
    return next();
  };
}

function* flat(sources: Next): Generator<Value, undefined> {
  for (let source = sources(); source !== undefined; source = sources()) {
    const next = iterator(source);
    for (let item = next(); item !== undefined; item = next()) yield item;
  }
}

function fromGenerator(kind: string, generator: Generator<Value, undefined>, meter: Meter): Value {
  return made(kind, counted(meter, pulled(generator)));
}

function* product(pools: readonly (readonly Value[])[]): Generator<Value, undefined> {
  if (pools.some((pool) => pool.length === 0)) return;
  const at = pools.map(() => 0);
  while (true) {
    yield new Tuple(pools.map((pool, i) => pool[at[i] ?? 0] ?? null));
    let i = pools.length - 1;
    for (; i >= 0; i--) {
      at[i] = (at[i] ?? 0) + 1;
      if ((at[i] ?? 0) < (pools[i]?.length ?? 0)) break;
      at[i] = 0;
    }
    if (i < 0) return;
  }
}

/** The choices of `size` items; `ordered`: each order counts, `again`: an item may come twice. */
function* choices(
  items: readonly Value[],
  size: number,
  ordered: boolean,
  again: boolean,
  meter: Meter,
  taken: number[] = [],
): Generator<Value, undefined> {
  if (taken.length === size) {
    yield new Tuple(taken.map((index) => items[index] ?? null));
    return;
  }
  const last = taken.at(-1) ?? -1;
  for (let i = ordered ? 0 : again ? Math.max(0, last) : last + 1; i < items.length; i++) {
    meter.step();
    if (ordered && taken.includes(i)) continue;
    yield* choices(items, size, ordered, again, meter, [...taken, i]);
  }
}

function chooser(name: string, ordered: boolean, again: boolean): [string, Value] {
  return [
    name,
    define(name, 'iterable r?', ([items = null, size], meter) => {
      const all = iterate(items, meter);
      const count = size === undefined || size === null ? all.length : wholeOf(size, 'r');
      if (count < 0) throw valueError('r must be non-negative');
      meter.fits(count * 1000);
      return fromGenerator(name, choices([...all], count, ordered, again, meter), meter);
    }),
  ];
}

function open(
  name: string,
  body: (values: Value[], named: ReadonlyMap<string, Value>, meter: Meter) => Value,
): Callable {
  return new Callable(name, ({ positional, named }, meter) => {
    meter.step();
    return body(positional, named, meter);
  });
}

const chain = new Callable(
  'chain',
  ({ positional }, meter) => fromGenerator('chain', flat(iterator(positional)), meter),
  false,
  (name) =>
    name === 'from_iterable'
      ? define('from_iterable', 'iterable', ([items = null], meter) =>
          fromGenerator('chain', flat(iterator(items)), meter),
        )
      : undefined,
);

function zipLongest(name: string): [string, Value] {
  return [
    name,
    open(name, (sources, named, meter) => {
      const fill = named.get('fillvalue') ?? null;
      const nexts = sources.map((source) => iterator(source));
      return made(
        name,
        counted(meter, () => {
          const items = nexts.map((next) => next());
          return items.every((item) => item === undefined)
            ? undefined
            : new Tuple(items.map((item) => (item === undefined ? fill : item)));
        }),
      );
    }),
  ];
}

function sliced([source = null, ...bounds]: Value[], meter: Meter): Value {
  const next = iterator(source);
  const [a, b, c] = bounds.map((one) => (one === null ? undefined : wholeOf(one, 'islice()')));
  const [start = 0, stop = Number.POSITIVE_INFINITY] = bounds.length === 1 ? [0, a] : [a, b];
  const step = c ?? 1;
  if (start < 0 || stop < 0 || step < 1) throw valueError('Stop argument for islice() must be None or an integer');
  let at = 0;
  let wanted = start;
  return made('islice', () => {
    if (wanted >= stop) return undefined;
    for (; ; at++) {
      meter.step();
      const item = next();
      if (item === undefined) return undefined;
      if (at !== wanted) continue;
      at++;
      wanted += step;
      return item;
    }
  });
}

function* grouped(next: Next, key: Value, meter: Meter): Generator<Value, undefined> {
  const keyOf = (item: Value) => (key === null ? item : call(key, [item], meter));
  let items: Value[] = [];
  let current: Value | undefined;
  for (let item = next(); item !== undefined; item = next()) {
    const itemKey = keyOf(item);
    if (current !== undefined && !equal(current, itemKey, meter)) {
      yield new Tuple([current, new PyIterator('itertools._grouper', iterator(items))]);
      items = [];
    }
    current = itemKey;
    meter.fits(items.length + 1);
    items.push(item);
  }
  if (current !== undefined) yield new Tuple([current, new PyIterator('itertools._grouper', iterator(items))]);
}

function lazily(name: string): [string, Value] {
  // Python 2's izip, imap and ifilter are what zip, map and filter became.
  const old = name.slice(1);
  return [
    name,
    open(name, (values, _, meter) => {
      const [callee = null, ...sources] = old === 'zip' ? [null, ...values] : values;
      const nexts = sources.map((source) => iterator(source));
      return made(
        name,
        counted(meter, () => {
          while (true) {
            const items = nexts.map((next) => next());
            if (items.length === 0 || items.some((item) => item === undefined)) return undefined;
            const all = items as Value[];
            if (old === 'zip') return new Tuple(all);
            if (old === 'map') return call(callee, all, meter);
            const [item = null] = all;
            if (truth(callee === null ? item : call(callee, [item], meter))) return item;
          }
        }),
      );
    }),
  ];
}

export const ITERTOOLS: readonly [string, Value][] = [
  ['chain', chain],
  chooser('combinations', false, false),
  chooser('combinations_with_replacement', false, true),
  chooser('permutations', true, false),
  zipLongest('zip_longest'),
  zipLongest('izip_longest'),
  lazily('izip'),
  lazily('imap'),
  lazily('ifilter'),
  [
    'product',
    open('product', (sources, named, meter) => {
      const times = wholeOf(named.get('repeat') ?? 1, 'repeat');
      meter.fits(sources.length * times * 1000);
      const pools = sources.map((source) => iterate(source, meter));
      const all = Array.from({ length: Math.max(0, times) }, () => pools).flat();
      return fromGenerator('product', product(all), meter);
    }),
  ],
  [
    'count',
    define('count', 'start? step?', ([start = 0, step = 1], meter) => {
      let value: Value = start;
      return made(
        'count',
        counted(meter, () => {
          const now = value;
          value = arithmetic('+', value, step, meter);
          return now;
        }),
      );
    }),
  ],
  [
    'cycle',
    define('cycle', 'iterable', ([items = null], meter) => {
      const all = [...iterate(items, meter)];
      let at = 0;
      return made(
        'cycle',
        counted(meter, () => (all.length === 0 ? undefined : all[at++ % all.length])),
      );
    }),
  ],
  [
    'repeat',
    define('repeat', 'object times?', ([item = null, times], meter) => {
      let left = times === undefined ? Number.POSITIVE_INFINITY : wholeOf(times, 'times');
      return made(
        'repeat',
        counted(meter, () => (left-- > 0 ? item : undefined)),
      );
    }),
  ],
  ['islice', open('islice', (values, _, meter) => sliced(values, meter))],
  [
    'groupby',
    define('groupby', 'iterable key?', ([items = null, key = null], meter) =>
      fromGenerator('groupby', grouped(iterator(items), key, meter), meter),
    ),
  ],
  [
    'takewhile',
    define('takewhile', 'predicate iterable', ([callee = null, items = null], meter) => {
      const next = iterator(items);
      let ended = false;
      return made(
        'takewhile',
        counted(meter, () => {
          const item = ended ? undefined : next();
          ended = item === undefined || !truth(call(callee, [item], meter));
          return ended ? undefined : item;
        }),
      );
    }),
  ],
  [
    'dropwhile',
    define('dropwhile', 'predicate iterable', ([callee = null, items = null], meter) => {
      const next = iterator(items);
      let started = false;
      return made('dropwhile', () => {
        for (let item = next(); item !== undefined; item = next()) {
          meter.step();
          started ||= !truth(call(callee, [item], meter));
          if (started) return item;
        }
        return undefined;
      });
    }),
  ],
  [
    'starmap',
    define('starmap', 'function iterable', ([callee = null, items = null], meter) => {
      const next = iterator(items);
      return made('starmap', () => {
        const item = next();
        return item === undefined ? undefined : call(callee, [...iterate(item, meter)], meter);
      });
    }),
  ],
  [
    'accumulate',
    define('accumulate', 'iterable func?', ([items = null, callee = null], meter) => {
      const next = iterator(items);
      let total: Value | undefined;
      return made('accumulate', () => {
        const item = next();
        if (item === undefined) return undefined;
        meter.step();
        if (total === undefined) total = item;
        else total = callee === null ? arithmetic('+', total, item, meter) : call(callee, [total, item], meter);
        return total;
      });
    }),
  ],
];
