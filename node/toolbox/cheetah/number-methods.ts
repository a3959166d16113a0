/** The few methods that numbers have. */
import { take } from './functions.js';
import type { Method, Methods } from './methods.js';
import { Float, type Value } from './values.js';

const table = new Map<string, Method<number | bigint | Float>>([
  [
    'is_integer',
    (self, args) => {
      take('is_integer', args, [], 0);
      return !(self instanceof Float) || Number.isInteger(self.value);
    },
  ],
  [
    'bit_length',
    (self, args) => {
      take('bit_length', args, [], 0);
      if (self instanceof Float || self === 0) return 0;
      const size = BigInt(self < 0 ? -self : self);
      return size.toString(2).length;
    },
  ],
  ['conjugate', (self): Value => self],
]);

export const NUMBER_METHODS = table as unknown as Methods<never>;
