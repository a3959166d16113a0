/**
 * Reads what a shell reads, character by character, to know where a value is about to stand: between which quotes, in a
 * here-document, within `$(…)`, in which command. It need not be right about everything: a value is put there as a
 * reference to a variable (shell-text.ts), and a reference in the wrong place is a wrong word and never a command. Where
 * even a variable's content would be read as code (arithmetic, `eval`, `bash <<EOF`; shell-readers.ts), a value is refused.
 */
import {
  type Delimiter,
  type Frame,
  type HereDocument,
  type Mode,
  newDelimiter,
  newStage,
  type Place,
  readDelimiter,
  runs,
  type Stage,
  VALUE_IN_LINE,
} from './shell-frames.js';
import { type Reading, readingOf } from './shell-readers.js';

export class ShellScanner {
  private values = 0;
  private readonly modes: Frame[] = [];
  private escaped = false;
  private before = '';
  /** The last characters outside of quotes. */
  private recent = '';
  /** Within `[[ … ]]`, where bash reads words as arithmetic. */
  private isTest = false;
  /** `&` was read: an end, unless `>` comes next. */
  private isAmpersand = false;
  private announced: HereDocument[] = [];
  /** One in another when the outer one holds `$(…)`. */
  private readonly documents: { document: HereDocument; base: number; next: HereDocument[] }[] = [];
  private line = '';
  /** While the word after `<<` is read. */
  private delimiter: Delimiter | undefined;
  /** Values that turned out to be read as code only by what came later. */
  private late: { value: number; refused: string } | undefined;

  constructor() {
    this.enter('plain');
  }

  /** The shell's text goes on. */
  read(text: string): void {
    for (const char of text) this.char(char);
  }

  isInDocument(): boolean {
    return this.documents.length > 0;
  }

  /** Where the next value would stand. Afterwards it is as if a word without meaning stood there. */
  value(text = ''): Place {
    this.flush('x');
    const place = this.place(text);
    const { stage } = this.shell();
    if (this.top().mode !== 'comment' && this.top().mode !== 'document') this.append('x');
    if (stage.word?.isTarget && stage.redirected === 'here-string') stage.texts.push(this.values);
    for (const { document } of this.documents) document.pipeline.document ??= this.values;
    this.values += 1;
    this.before = 'x';
    this.line += VALUE_IN_LINE;
    return place;
  }

  /** The text has ended: the number of a value that may not stand where it does, and why. */
  end(): { value: number; refused: string } | undefined {
    for (const frame of this.modes) this.endPipeline(frame);
    return this.late;
  }

  private place(text: string): Place {
    if (this.delimiter) return { refused: 'as the word of a here-document' };
    const inherited = this.modes.find(({ refused }) => refused !== undefined)?.refused;
    if (inherited !== undefined) return { refused: inherited };
    for (const { document } of this.documents) {
      if (document.quoted) return { refused: 'in a here-document whose word is quoted' };
      const runBy = document.stage.runBy ?? document.pipeline.runBy;
      if (runBy !== undefined) return { refused: runs(runBy) };
    }
    if (this.escaped) return { refused: 'after a backslash' };
    if (this.modes.some(({ mode }) => mode === 'arithmetic')) return { refused: 'in arithmetic' };
    if (this.modes.some(({ mode }) => mode === 'backquote')) return { refused: 'between back quotes' };
    if (this.modes.some(({ mode }) => mode === 'braces')) return { refused: 'within braces of the shell' };
    const { mode } = this.top();
    if (this.before === '$' && mode !== 'single' && mode !== 'comment') return { refused: 'after a dollar sign' };
    if (mode === 'comment') return { quotes: 'comment' };
    if (mode === 'document') return { quotes: 'here-document' };
    if (this.isTest) return { refused: 'within [[ … ]]; write [ … ]' };
    const { refused } = this.reading(text);
    if (refused !== undefined) return { refused };
    return { quotes: mode === 'plain' ? 'none' : (mode as 'single' | 'double' | 'ansi') };
  }

  /** Of the command that is being read. */
  private reading(text: string): Reading {
    const { stage } = this.shell();
    return readingOf(stage.words, stage.word ?? { text: '', isTarget: stage.redirected !== '' }, text);
  }

  private top(): Frame {
    return this.modes.at(-1) as Frame;
  }

  /** The innermost in which commands stand. */
  private shell(): Frame {
    return this.modes.findLast(({ mode }) => mode === 'plain' || mode === 'arithmetic') as Frame;
  }

  private char(char: string): void {
    const isLine = char === '\n';
    if (isLine && this.endsDocument()) return;
    this.line = isLine ? '' : this.line + char;
    if (this.documents.at(-1)?.document.quoted) return;
    if (this.delimiter) this.inDelimiter(char, this.delimiter);
    else this.inCode(char);
  }

  private inCode(char: string): void {
    this.flush(char);
    const before = this.before;
    this.before = char;
    const { mode } = this.top();
    if (this.escaped) {
      this.escaped = false;
      this.before = 'x';
      // A line that goes on.
      if (char === '\n') this.before = before === '\\' ? ' ' : before;
      else this.append(char);
      return;
    }
    if (char === '\\' && mode !== 'single' && mode !== 'comment') {
      this.escaped = true;
      return;
    }
    switch (mode) {
      case 'single':
      case 'ansi':
        if (char === "'") this.leave();
        else this.append(char);
        break;
      case 'comment':
        if (char !== '\n') return;
        this.leave();
        this.lineEnd();
        break;
      case 'double':
        if (char === '"') this.leave();
        else if (!this.expansion(char, before)) this.append(char);
        break;
      case 'document':
        this.expansion(char, before);
        break;
      case 'plain':
        this.plain(char, before);
        break;
      default:
        this.within(char, before);
    }
  }

  private plain(char: string, before: string): void {
    const top = this.top();
    this.recent = `${this.recent}${char}`.slice(-4);
    if (/(?:^|[\s;&|(!])\[\[\s$/.test(this.recent)) this.isTest = true;
    if (/\s\]\]$/.test(this.recent)) this.isTest = false;
    if (char === "'") this.quote(before === '$' ? 'ansi' : 'single');
    else if (char === '"') this.quote('double');
    else if (char === '#' && /^[\s;&|(]?$/.test(before)) this.enter('comment');
    else if (char === ')') this.close();
    else if (char === '(' && /[<>]/.test(before)) this.substitution();
    else if (char === '(' && before !== '$') {
      top.depth += 1;
      // `((` begins arithmetic, with and without a dollar sign before it.
      if (before === '(') top.mode = 'arithmetic';
      else if (before !== '=') this.restart(top);
    } else if (char === '<' && before === '<') this.delimiter = newDelimiter();
    else if (char === '&' && /[<>|]/.test(before)) return;
    else if (char === '|' && before === '>') return;
    else if (/[<>]/.test(char)) this.redirection(char);
    else if (char === '&') this.isAmpersand = true;
    else if (char === '|') this.pipe(top, before);
    else if (char === ';') this.endPipeline(top);
    else if (char === '\n') this.lineEnd();
    else if (/\s/.test(char)) this.endWord(top.stage);
    else if (!this.expansion(char, before)) this.append(char);
  }

  /** Between back quotes, in arithmetic and in `${…}`: no value stands there, it is only looked for the end. */
  private within(char: string, before: string): void {
    const top = this.top();
    this.append(char);
    if (char === "'" && top.mode !== 'braces') this.enter(before === '$' ? 'ansi' : 'single');
    else if (char === '"') this.enter('double');
    else if (char === '`' && top.mode === 'backquote') this.leave();
    else if (char === '}' && top.mode === 'braces') this.leave();
    else if (char === ')') this.close();
    else if (char === '(' && (before !== '$' || top.mode === 'arithmetic')) top.depth += 1;
    else this.expansion(char, before);
  }

  /** What begins within double quotes and here-documents too. */
  private expansion(char: string, before: string): boolean {
    if (char === '`') this.enter('backquote');
    else if (char === '{' && before === '$') {
      this.append('{');
      this.enter('braces');
    } else if (char === '(' && before === '$') {
      // What it prints stands where it stands: in a program, what is printed is code.
      const refused = this.top().mode === 'document' ? undefined : this.reading('').refused;
      this.append('x');
      this.enter('plain', refused === 'as the name of a command' ? undefined : refused);
      this.before = '(';
    } else return false;
    return true;
  }

  /** `<(…)`: a file whose content the command reads, perhaps as its program. */
  private substitution(): void {
    const { stage } = this.shell();
    stage.redirected = '';
    const { input, name } = readingOf(stage.words);
    const isSource = stage.words.some(({ text }) => text === '.' || text === 'source');
    this.append('x');
    this.enter('plain', input || isSource ? runs(name) : undefined);
    this.before = '(';
  }

  private close(): void {
    const top = this.top();
    if (top.mode === 'plain') {
      this.endWord(top.stage);
      const isCase = top.cases > 0 || top.stage.words.some(({ text }) => text === 'case');
      if (isCase && top.depth === 0 && top.stage.words[0]?.text !== 'esac') {
        if (top.stage.words.some(({ text }) => text === 'case')) top.cases += 1;
        this.restart(top);
        return;
      }
      this.endPipeline(top);
      top.isCompound = true;
    }
    if (top.depth > 0) top.depth -= 1;
    else if (this.modes.length > 1 && (top.mode === 'plain' || top.mode === 'arithmetic')) this.leave();
    if (top.mode === 'arithmetic' && top.depth === 0) top.mode = 'plain';
  }

  private quote(mode: 'single' | 'ansi' | 'double'): void {
    this.append('');
    // `$'…'` and `$"…"`: the dollar sign is no part of the word.
    const { word } = this.shell().stage;
    if (word?.text.endsWith('$')) word.text = word.text.slice(0, -1);
    this.enter(mode);
  }

  private append(text: string): void {
    const { stage } = this.shell();
    stage.word ??= { text: '', isTarget: stage.redirected !== '' };
    stage.word.text += text;
  }

  private endWord(stage: Stage): void {
    if (stage.word === undefined) return;
    if (stage.word.isTarget) stage.redirected = '';
    stage.words.push(stage.word);
    stage.word = undefined;
  }

  private redirection(char: string): void {
    const { stage } = this.shell();
    // `2>`: the number is no word.
    if (stage.word && /^\d+$/.test(stage.word.text)) stage.word = undefined;
    this.endWord(stage);
    stage.redirected = 'other';
    if (char === '<') stage.hasInput = true;
  }

  /** `&` has ended the command, if it was no part of `&>`. */
  private flush(char: string): void {
    if (!this.isAmpersand) return;
    this.isAmpersand = false;
    if (char !== '>') this.endPipeline(this.shell());
  }

  private pipe(frame: Frame, before: string): void {
    if (before === '|') {
      this.endPipeline(frame);
      return;
    }
    this.endStage(frame);
    const isCompound = frame.isCompound || /^(?:\}|done|fi|esac)$/.test(frame.stage.words[0]?.text ?? '');
    if (isCompound) frame.pipeline.from = frame.from;
    frame.isCompound = false;
    frame.stage = newStage(this.values, true);
  }

  private endPipeline(frame: Frame): void {
    this.endStage(frame);
    frame.isCompound = false;
    this.restart(frame);
  }

  private restart(frame: Frame): void {
    frame.stage = newStage(this.values, false);
    frame.pipeline = { from: this.values };
  }

  private endStage(frame: Frame): void {
    const { stage, pipeline } = frame;
    this.endWord(stage);
    if (stage.words[0]?.text === 'esac') frame.cases -= 1;
    const { input, isOwn, name } = readingOf(stage.words);
    if (!input) return;
    stage.runBy = name;
    for (const value of stage.texts) this.refuseLate(value, name);
    if (stage.hasInput) return;
    if (stage.isPiped) {
      pipeline.runBy = name;
      const first = stage.from > pipeline.from ? pipeline.from : pipeline.document;
      if (first !== undefined) this.refuseLate(first, name);
    } else if (isOwn) {
      // It reads what a group of commands is given, which may be anything: `echo … | (cd there && sh)`.
      const root = this.modes[0] as Frame;
      root.refused ??= runs(name);
      if (this.values > 0) this.refuseLate(0, name);
    }
  }

  private refuseLate(value: number, name: string): void {
    this.late ??= { value, refused: runs(name) };
  }

  private inDelimiter(char: string, reading: Delimiter): void {
    const what = readDelimiter(char, reading);
    if (what === 'more') return;
    const { stage, pipeline } = this.shell();
    this.delimiter = undefined;
    if (what === 'text') {
      stage.redirected = 'here-string';
      this.before = ' ';
      return;
    }
    if (what === 'end') {
      this.announced.push({ delimiter: reading.text, quoted: reading.quoted, tabs: reading.tabs, stage, pipeline });
      stage.redirected = '';
      this.before = 'x';
    }
    this.inCode(char);
  }

  private lineEnd(): void {
    const frame = this.shell();
    this.endWord(frame.stage);
    // After `|` the pipeline goes on in the next line; its documents come first.
    if (!(frame.stage.isPiped && frame.stage.words.length === 0)) this.endPipeline(frame);
    const next = this.announced;
    this.announced = [];
    this.begin(next);
  }

  private begin([document, ...next]: HereDocument[]): void {
    this.line = '';
    if (document === undefined) return;
    this.documents.push({ document, base: this.modes.length, next });
    this.enter('document');
  }

  /** True when the line that ends here was the word that ends a document. */
  private endsDocument(): boolean {
    for (const [index, { document, base, next }] of this.documents.entries()) {
      const line = document.tabs ? this.line.replace(/^\t+/, '') : this.line;
      if (line !== document.delimiter) continue;
      this.documents.length = index;
      this.modes.length = base;
      this.escaped = false;
      this.isAmpersand = false;
      this.delimiter = undefined;
      this.announced = [];
      this.before = '\n';
      const frame = this.shell();
      if (frame.stage.words.length === 0 && !frame.stage.isPiped) this.restart(frame);
      this.begin(next);
      return true;
    }
    return false;
  }

  private enter(mode: Mode, refused?: string): void {
    const from = this.values;
    const stage = newStage(from, false);
    this.modes.push({ mode, depth: 0, refused, stage, pipeline: { from }, from, cases: 0, isCompound: false });
  }

  private leave(): void {
    this.modes.pop();
  }
}
