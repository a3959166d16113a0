/** What many lists of the API take in their query, checked once. */
import { z } from 'zod';
import { flag, texts, whole } from './validation.js';

/** Rows one answer carries at most; more is paged. */
const ROWS_MAX = 100_000;

export const paging = {
  limit: whole({ min: 0, max: ROWS_MAX }).optional(),
  offset: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }).optional(),
};

export const filters = {
  q: texts.optional(),
  qv: texts.optional(),
  order: z.string().max(500).optional(),
};

/** `keys=id,name` and `view=summary|detailed`. */
export const shape = {
  view: z.string().max(50).optional(),
  keys: z
    .string()
    .max(5000)
    .transform((keys) => keys.split(',').map((key) => key.trim()))
    .optional(),
};

export const purgeFlag = z.object({ purge: flag.optional() });

/** `ids=a,b` as a list. */
export const commaList = z
  .string()
  .max(100_000)
  .transform((text) => text.split(',').map((part) => part.trim()))
  .transform((parts) => parts.filter((part) => part !== ''));
