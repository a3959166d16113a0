/** Prose without meaning, for labels and help of generated wrappers. */
import type { Seeded } from './seeded.js';

const WORDS = [
  ...['alignment', 'reads', 'coverage', 'quality', 'threshold', 'sequence', 'genome', 'variant', 'sample', 'column'],
  ...[
    'window',
    'score',
    'filter',
    'report',
    'summary',
    'index',
    'reference',
    'length',
    'minimum',
    'maximum',
    'mapping',
  ],
  ...[
    'each',
    'every',
    'input',
    'output',
    'of',
    'the',
    'with',
    'for',
    'by',
    'from',
    'is',
    'are',
    'in',
    'and',
    'a',
    'to',
  ],
  ...['computes', 'writes', 'keeps', 'removes', 'counts', 'sorts', 'compares', 'format', 'table', 'line', 'value'],
];

export function phrase(random: Seeded, least: number, most: number): string {
  const words = Array.from({ length: random.between(least, most) }, () => random.pick(WORDS)).join(' ');
  return words[0]?.toUpperCase() + words.slice(1);
}

export function sentences(random: Seeded, count: number): string {
  return Array.from({ length: count }, () => `${phrase(random, 6, 18)}.`).join(' ');
}

/** A help text in reStructuredText, as most wrappers have it. */
export function helpText(random: Seeded): string {
  const parts = ['**What it does**', sentences(random, random.between(2, 8))];
  for (let count = random.between(0, 8); count > 0; count--) {
    parts.push(`**${phrase(random, 1, 4)}**`, sentences(random, random.between(1, 7)));
    if (random.next() < 0.4) parts.push(bullets(random));
    if (random.next() < 0.2) parts.push(`::\n\n    ${phrase(random, 4, 10)}\n    ${phrase(random, 4, 10)}`);
  }
  return parts.join('\n\n');
}

function bullets(random: Seeded): string {
  return Array.from({ length: random.between(2, 6) }, () => `- ${phrase(random, 3, 12)}`).join('\n');
}
