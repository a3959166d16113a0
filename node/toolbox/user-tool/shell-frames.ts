/** What a reader of a shell's text keeps in mind: what stands within what, and the commands that are being read. */
import type { Word } from './shell-readers.js';

export type Mode =
  | 'plain'
  | 'single'
  | 'double'
  | 'ansi'
  | 'comment'
  | 'backquote'
  | 'arithmetic'
  | 'braces'
  | 'document';

/** What is known of a simple command. `<<` after it may make a document its input. */
export interface Stage {
  words: Word[];
  word: Word | undefined;
  /** The next word is the target of a redirection. */
  redirected: '' | 'other' | 'here-string';
  /** It has a standard input of its own. */
  hasInput: boolean;
  isPiped: boolean;
  /** Values in its here-strings, by number. */
  texts: number[];
  /** The first value in it, by number. */
  from: number;
  /** Who runs what it reads. */
  runBy?: string;
}

/** Commands between `|`. */
export interface Pipeline {
  from: number;
  /** The first value in its documents, by number. */
  document?: number;
  runBy?: string;
}

export interface Frame {
  mode: Mode;
  depth: number;
  /** Why no value may stand in it, whatever it holds. */
  refused: string | undefined;
  stage: Stage;
  pipeline: Pipeline;
  /** The first value in it, by number. */
  from: number;
  /** `case` that has not ended. */
  cases: number;
  /** A `)` or `done` has just ended what a `|` would take together. */
  isCompound: boolean;
}

export interface HereDocument {
  delimiter: string;
  quoted: boolean;
  /** `<<-`: tabs before lines do not count. */
  tabs: boolean;
  stage: Stage;
  pipeline: Pipeline;
}

export type Place =
  | { quotes: 'none' | 'single' | 'ansi' | 'double' | 'here-document' | 'comment' }
  | { refused: string };

/** No text holds it, so that a line with a value is never the word that ends a document. */
export const VALUE_IN_LINE = '\u0000';

/** The word after `<<`, while it is read. */
export interface Delimiter {
  tabs: boolean;
  text: string;
  begun: boolean;
  quoted: boolean;
  quote: string;
}

export function runs(name: string): string {
  return `in what ${name} reads as its program`;
}

export function newStage(from: number, isPiped: boolean): Stage {
  return { words: [], word: undefined, redirected: '', hasInput: false, isPiped, texts: [], from };
}

export function newDelimiter(): Delimiter {
  return { tabs: false, text: '', begun: false, quoted: false, quote: '' };
}

/** `text`: it is `<<<`; `none`: no document begins; `end`: the word has ended before this character. */
export function readDelimiter(char: string, reading: Delimiter): 'more' | 'text' | 'none' | 'end' {
  const isFirst = !reading.begun && reading.text === '';
  if (isFirst && char === '<' && !reading.tabs) return 'text';
  if (isFirst && char === '(') return 'none';
  if (isFirst && char === '-' && !reading.tabs) reading.tabs = true;
  else if (isFirst && (char === ' ' || char === '\t')) return 'more';
  else if (reading.quote !== '' && char === reading.quote) reading.quote = '';
  else if (reading.quote === '' && /['"\\]/.test(char)) {
    reading.begun = true;
    reading.quoted = true;
    if (char !== '\\') reading.quote = char;
  } else if (reading.quote === '' && /[\s;&|<>()]/.test(char)) return 'end';
  else {
    reading.begun = true;
    reading.text += char;
  }
  return 'more';
}
