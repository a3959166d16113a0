/**
 * Reads what a shell reads, character by character, to know where a value is about to stand: between which quotes, in a
 * here-document, within `$(…)`. It need not be right about everything: a value is put there as a reference to a variable
 * (shell-text.ts), and a reference in the wrong place is a wrong word and never a command. Where even a variable's content
 * would be read as code (arithmetic, `eval`), a value is refused.
 */

type Mode = 'plain' | 'single' | 'double' | 'ansi' | 'comment' | 'backquote' | 'arithmetic' | 'braces';

interface HereDocument {
  delimiter: string;
  quoted: boolean;
  /** `<<-`: tabs before lines do not count. */
  tabs: boolean;
}

export type Place =
  | { quotes: 'none' | 'single' | 'ansi' | 'double' | 'here-document' | 'comment' }
  | { refused: string };

/** Builtins and programs that read their arguments as commands. */
const READS_CODE =
  /^\s*(?:(?:if|then|else|elif|do|while|until|!|\{|time|command|builtin|exec)\s+)*(?:eval|let|trap|alias)\s|(?:^|[\s/])(?:ba|da|k|z|a)?sh\s(?:.*\s)?-\w*c\b/s;

export class ShellScanner {
  private readonly modes: { mode: Mode; depth: number }[] = [{ mode: 'plain', depth: 0 }];
  private escaped = false;
  /** Of the simple command so far, as it is written. */
  private command = '';
  private before = '';
  /** The last characters outside of quotes. */
  private recent = '';
  /** Within `[[ … ]]`, where bash reads words as arithmetic. */
  private isTest = false;
  private readonly announced: HereDocument[] = [];
  private document: HereDocument | undefined;
  private line = '';
  /** While the word after `<<` is read. */
  private delimiter: { tabs: boolean; text: string; begun: boolean; quoted: boolean; quote: string } | undefined;

  /** The shell's text goes on. */
  read(text: string): void {
    for (const char of text) this.char(char);
  }

  isInDocument(): boolean {
    return this.document !== undefined;
  }

  /** Where the next value would stand. Afterwards it is as if a word without meaning stood there. */
  value(): Place {
    const place = this.place();
    this.command += 'x';
    this.before = 'x';
    this.line += 'x';
    return place;
  }

  private place(): Place {
    if (this.document) {
      if (this.document.quoted) return { refused: 'in a here-document whose word is quoted' };
      return { quotes: 'here-document' };
    }
    if (this.delimiter) return { refused: 'as the word of a here-document' };
    if (this.escaped) return { refused: 'after a backslash' };
    if (this.modes.some(({ mode }) => mode === 'arithmetic')) return { refused: 'in arithmetic' };
    if (this.modes.some(({ mode }) => mode === 'backquote')) return { refused: 'between back quotes' };
    if (this.modes.some(({ mode }) => mode === 'braces')) return { refused: 'within braces of the shell' };
    if (READS_CODE.test(this.command)) return { refused: 'in a command that reads its arguments as commands' };
    if (this.isTest) return { refused: 'within [[ … ]]; write [ … ]' };
    const { mode } = this.top();
    if (this.before === '$' && mode !== 'single' && mode !== 'comment') return { refused: 'after a dollar sign' };
    return { quotes: mode === 'plain' ? 'none' : (mode as 'single' | 'double' | 'ansi' | 'comment') };
  }

  private top(): { mode: Mode; depth: number } {
    return this.modes.at(-1) as { mode: Mode; depth: number };
  }

  private char(char: string): void {
    if (this.document) this.inDocument(char, this.document);
    else if (this.delimiter) this.inDelimiter(char, this.delimiter);
    else this.inCode(char);
  }

  private inCode(char: string): void {
    const before = this.before;
    this.before = char;
    const { mode } = this.top();
    if (this.escaped) {
      this.escaped = false;
      this.before = 'x';
      this.command += char;
      return;
    }
    if (char === '\\' && mode !== 'single' && mode !== 'comment') {
      this.escaped = true;
      this.command += char;
      return;
    }
    switch (mode) {
      case 'single':
      case 'ansi':
        if (char === "'") this.leave();
        break;
      case 'comment':
        if (char === '\n') {
          this.leave();
          this.lineEnd();
        }
        return;
      case 'double':
        if (char === '"') this.leave();
        else this.expansion(char, before);
        break;
      default:
        this.plain(char, before);
    }
    this.command += char;
  }

  private plain(char: string, before: string): void {
    const top = this.top();
    this.recent = `${this.recent}${char}`.slice(-4);
    if (/(?:^|[\s;&|(!])\[\[\s$/.test(this.recent)) this.isTest = true;
    if (/\s\]\]$/.test(this.recent)) this.isTest = false;
    if (char === "'") this.enter(before === '$' ? 'ansi' : 'single');
    else if (char === '"') this.enter('double');
    else if (char === '#' && top.mode === 'plain' && /^[\s;&|(]?$/.test(before)) this.enter('comment');
    else if (char === '`' && top.mode === 'backquote') this.leave();
    else if (char === '}' && top.mode === 'braces') this.leave();
    else if (char === ')') this.close();
    else if (char === '(' && (before !== '$' || top.mode === 'arithmetic')) {
      top.depth += 1;
      // `((` begins arithmetic, with and without a dollar sign before it.
      if (before === '(' && top.mode === 'plain') top.mode = 'arithmetic';
    } else if (char === '<' && before === '<' && top.mode === 'plain') this.redirection();
    else if (/[;&|\n]/.test(char) && top.mode === 'plain') {
      this.command = '';
      if (char === '\n') this.lineEnd();
    } else this.expansion(char, before);
  }

  /** What begins within double quotes too. */
  private expansion(char: string, before: string): void {
    if (char === '`') this.enter('backquote');
    else if (char === '{' && before === '$') this.enter('braces');
    else if (char === '(' && before === '$') {
      this.enter('plain');
      this.before = '(';
      this.command = '';
    }
  }

  private close(): void {
    const top = this.top();
    if (top.depth > 0) top.depth -= 1;
    else if (this.modes.length > 1 && (top.mode === 'plain' || top.mode === 'arithmetic')) this.leave();
    if (top.mode === 'arithmetic' && top.depth === 0) top.mode = 'plain';
  }

  private redirection(): void {
    // `<<<` is a text and no document.
    if (/<<$/.test(this.command)) return;
    this.delimiter = { tabs: false, text: '', begun: false, quoted: false, quote: '' };
  }

  private inDelimiter(char: string, reading: NonNullable<ShellScanner['delimiter']>): void {
    const isFirst = !reading.begun && reading.text === '';
    if (isFirst && (char === '<' || char === '(' || /[0-9=]/.test(char))) {
      this.delimiter = undefined;
      this.inCode(char);
    } else if (isFirst && char === '-' && !reading.tabs) reading.tabs = true;
    else if (isFirst && (char === ' ' || char === '\t')) return;
    else if (reading.quote !== '' && char === reading.quote) reading.quote = '';
    else if (reading.quote === '' && /['"\\]/.test(char)) {
      reading.begun = true;
      reading.quoted = true;
      if (char !== '\\') reading.quote = char;
    } else if (reading.quote === '' && /[\s;&|<>()]/.test(char)) {
      this.announced.push({ delimiter: reading.text, quoted: reading.quoted, tabs: reading.tabs });
      this.delimiter = undefined;
      this.inCode(char);
    } else {
      reading.begun = true;
      reading.text += char;
    }
  }

  private lineEnd(): void {
    this.command = '';
    this.document = this.announced.shift();
    this.line = '';
  }

  private inDocument(char: string, document: HereDocument): void {
    if (char !== '\n') {
      this.line += char;
      return;
    }
    const line = document.tabs ? this.line.replace(/^\t+/, '') : this.line;
    if (line === document.delimiter) this.document = this.announced.shift();
    this.line = '';
    this.before = '\n';
  }

  private enter(mode: Mode): void {
    this.modes.push({ mode, depth: 0 });
  }

  private leave(): void {
    this.modes.pop();
  }
}
