/**
 * A tool's command with values in it → a script in which no value is ever part of what the shell reads as code. What a
 * user wrote is assigned to variables, once, between single quotes, and stands in the command as a reference; a shell
 * does not look into what a reference gives. See docs/decisions/017-user-tool-expressions.md.
 */
import { type Spot, toolErrors } from '../errors.js';
import type { Piece } from './marks.js';
import type { Place } from './shell-frames.js';
import { ShellScanner } from './shell-scanner.js';

export type ShellPart = { text: string } | { pieces: readonly Piece[]; spot: Spot };

export interface ShellText {
  /** Assignments and command. */
  script: string;
  /** The command with the values in it, quoted: for people to read, and never run. */
  shown: string;
}

const VALUES_MAX = 20_000;
const CHARS_MAX = 4 * 1024 * 1024;

/** What an author's expression gives and no here-document ends with. */
const SCALAR = /^(?:-?\d+(?:\.\d+)?(?:e[-+]?\d+)?|true|false|null)$/i;

/** Throws `toolbox/expression` for a value in a place where it would be read as code. */
export function shellText(parts: readonly ShellPart[]): ShellText {
  const scanner = new ShellScanner();
  const names = new Map<string, string>();
  const spots: Spot[] = [];
  let script = '';
  let shown = '';
  const author = (text: string) => {
    scanner.read(text);
    script += text;
    shown += text;
  };
  for (const part of parts) {
    if ('text' in part) {
      author(part.text);
      continue;
    }
    const fail = (reason: string) => refusal(part.spot, reason);
    for (const { by, text } of part.pieces) {
      if (text.includes('\u0000')) throw fail('its value holds a NUL character');
      // A line of a here-document that an expression gives must not be the word that ends it.
      if (by === 'author' && (!scanner.isInDocument() || SCALAR.test(text))) {
        author(text);
        continue;
      }
      const place = scanner.value(text);
      spots.push(part.spot);
      if ('refused' in place) throw fail(`a value cannot stand ${place.refused}`);
      const name = names.get(text) ?? `galaxy_value_${names.size + 1}`;
      names.set(text, name);
      if (names.size > VALUES_MAX) throw fail(`the command has more than ${VALUES_MAX} values`);
      script += reference(name, place.quotes);
      shown += visible(text, place.quotes);
      if (script.length > CHARS_MAX) throw fail(`the command is longer than ${CHARS_MAX} characters`);
    }
  }
  const late = scanner.end();
  const spot = spots[late?.value ?? -1];
  if (late && spot) throw refusal(spot, `a value cannot stand ${late.refused}`);
  const assignments = [...names].map(([text, name]) => `${name}=${singleQuoted(text)}\n`).join('');
  return { script: `${assignments}${script}`, shown };
}

function refusal({ file, line }: Spot, reason: string): Error {
  return toolErrors('expression', { file, line, reason });
}

type Quotes = Extract<Place, { quotes: unknown }>['quotes'];

function reference(name: string, quotes: Quotes): string {
  switch (quotes) {
    case 'none':
      return `"\${${name}}"`;
    case 'double':
    case 'here-document':
      return `\${${name}}`;
    case 'single':
      return `'"\${${name}}"'`;
    case 'ansi':
      return `'"\${${name}}"$'`;
    case 'comment':
      return '';
  }
}

function visible(text: string, quotes: Quotes): string {
  switch (quotes) {
    case 'none':
      return singleQuoted(text);
    case 'single':
      return text.replace(/'/g, `'\\''`);
    case 'ansi':
      return text.replace(/['\\]/g, '\\$&');
    case 'double':
      return text.replace(/["\\$`]/g, '\\$&');
    case 'here-document':
      return text.replace(/[\\$`]/g, '\\$&');
    case 'comment':
      return '';
  }
}

function singleQuoted(text: string): string {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}
