/**
 * reStructuredText within a paragraph → HTML: emphasis, strong, literals, references, links. One pass; a mark without
 * its end is text. Whatever is not one of these is escaped.
 */
import { anchor, escapeHtml } from '../html.js';

/** What explicit markup elsewhere in the text has defined. */
export interface References {
  /** Lower-case name → address. */
  targets: ReadonlyMap<string, string>;
  /** `|name|` → its text. */
  substitutions: ReadonlyMap<string, string>;
}

const BEFORE = /[\s'"([{<\-/:]/;
const AFTER = /[\s'")\]}>\-/:.,;!?\\]/;
const URL = /\b(?:https?:\/\/|mailto:)[^\s<>"`]{1,2000}/y;
const EMAIL = /[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}/y;
const WORD = /[A-Za-z0-9](?:[A-Za-z0-9.+:-]*[A-Za-z0-9])?/y;
const FOOTNOTE = /\[(\d+|[#*]|[A-Za-z][\w-]*)\]_/y;
const ROLE = /:([A-Za-z][\w-]*):(?=`)/y;
const SUBSTITUTIONS_DEEP = 3;

export function inlineHtml(text: string, references: References, depth = 0): string {
  return new Scanner(text, references, depth).run();
}

class Scanner {
  private at = 0;
  private html = '';
  /** Marks that have no end in the rest of the text: not looked for again, or a text of marks takes for ever. */
  private readonly endless = new Set<string>();

  constructor(
    private readonly text: string,
    private readonly references: References,
    private readonly depth: number,
  ) {}

  run(): string {
    const { text } = this;
    while (this.at < text.length) {
      const next = text[this.at] as string;
      if (next === '\\') this.escape();
      else if (!this.special(next)) {
        this.html += next === '\n' ? ' ' : escapeHtml(next);
        this.at++;
      }
    }
    return this.html;
  }

  private escape(): void {
    const next = this.text[this.at + 1];
    // A backslash before a blank joins; before anything else it stands for that.
    if (next !== undefined && !/\s/.test(next)) this.html += escapeHtml(next);
    this.at += 2;
  }

  private special(next: string): boolean {
    switch (next) {
      case '`':
        return this.literal() || this.quoted('');
      case '*':
        return this.marked('**', 'strong') || this.marked('*', 'em');
      case ':':
        return this.role();
      case '|':
        return this.substitution();
      case '[':
        return this.footnote();
      default:
        return /[A-Za-z0-9]/.test(next) && this.word();
    }
  }

  private literal(): boolean {
    const inside = this.between('``', '``');
    if (inside === undefined) return false;
    this.html += `<code>${escapeHtml(inside)}</code>`;
    return true;
  }

  private marked(mark: string, tag: string): boolean {
    if (mark === '*' && this.text.startsWith('**', this.at)) return false;
    const inside = this.between(mark, mark);
    if (inside === undefined) return false;
    this.html += `<${tag}>${escapeHtml(unescaped(inside))}</${tag}>`;
    return true;
  }

  /** `text`, `text <address>`_, `name`_. */
  private quoted(role: string): boolean {
    if (this.text.startsWith('``', this.at)) return false;
    const from = this.at;
    const inside = this.between('`', '`', /[\s'")\]}>\-/:.,;!?\\_]/);
    if (inside === undefined) return false;
    const ending = /^__?(?!\w)/.exec(this.text.slice(this.at, this.at + 3))?.[0];
    const shown = unescaped(inside);
    if (ending === undefined) {
      if (/^_/.test(this.text.slice(this.at, this.at + 1))) {
        this.at = from;
        return false;
      }
      this.html += roleHtml(role, shown);
      return true;
    }
    this.at += ending.length;
    const embedded = /^([\s\S]*?)\s*<([^<>]+)>$/.exec(shown);
    const label = (embedded?.[1] || embedded?.[2]) ?? shown;
    const target = embedded?.[2] ?? this.references.targets.get(nameOf(shown));
    this.html += anchor(this.resolved(target), escapeHtml(label.replace(/\s+/g, ' ')));
    return true;
  }

  /** A target may name another one: `name_`. */
  private resolved(target: string | undefined): string | undefined {
    const name = /^(.*[^_])_$/.exec(target ?? '')?.[1];
    if (target === undefined || name === undefined || /^[a-z]+:/i.test(target)) return target?.replace(/\s+/g, '');
    return this.references.targets.get(nameOf(name));
  }

  private role(): boolean {
    ROLE.lastIndex = this.at;
    const role = ROLE.exec(this.text);
    if (!role) return false;
    const from = this.at;
    this.at = ROLE.lastIndex;
    if (this.quoted(role[1] ?? '')) return true;
    this.at = from;
    return false;
  }

  private substitution(): boolean {
    const from = this.at;
    const name = this.between('|', '|', /[\s'")\]}>\-/:.,;!?\\_]/);
    const text = name === undefined ? undefined : this.references.substitutions.get(nameOf(name));
    if (text === undefined || this.depth >= SUBSTITUTIONS_DEEP) {
      this.at = from;
      return false;
    }
    if (this.text[this.at] === '_') this.at++;
    this.html += inlineHtml(text, this.references, this.depth + 1);
    return true;
  }

  private footnote(): boolean {
    FOOTNOTE.lastIndex = this.at;
    const found = FOOTNOTE.exec(this.text);
    if (!found) return false;
    this.at = FOOTNOTE.lastIndex;
    this.html += `<sup>[${escapeHtml(found[1] ?? '')}]</sup>`;
    return true;
  }

  /** An address, an e-mail address, `name_`, or just a word. */
  private word(): boolean {
    URL.lastIndex = this.at;
    const url = URL.exec(this.text)?.[0].replace(/[.,;:!?'")\]}>*]+$/, '');
    if (url !== undefined && url.length > 8) {
      this.at += url.length;
      this.html += anchor(url, escapeHtml(url));
      return true;
    }
    EMAIL.lastIndex = this.at;
    const email = EMAIL.exec(this.text)?.[0];
    if (email !== undefined) {
      this.at += email.length;
      this.html += anchor(`mailto:${email}`, escapeHtml(email));
      return true;
    }
    WORD.lastIndex = this.at;
    const word = WORD.exec(this.text)?.[0] ?? (this.text[this.at] as string);
    this.at += word.length;
    const rest = /^__?(?![A-Za-z0-9_])/.exec(this.text.slice(this.at, this.at + 3))?.[0];
    const target = rest === undefined ? undefined : this.references.targets.get(nameOf(word));
    if (rest !== undefined && target !== undefined) {
      this.at += rest.length;
      this.html += anchor(this.resolved(target), escapeHtml(word));
    } else this.html += escapeHtml(word);
    // The rest of a word with an underscore or a star in it is no mark.
    while (/[_*`|]/.test(this.text[this.at] ?? ' ') && rest === undefined) {
      this.html += escapeHtml(this.text[this.at] as string);
      this.at++;
    }
    return true;
  }

  /** The text between two marks, when both stand as marks must; moves behind the second. */
  private between(open: string, close: string, after = AFTER): string | undefined {
    const { text, at } = this;
    if (!text.startsWith(open, at) || this.endless.has(open)) return undefined;
    const first = text[at + open.length];
    if (first === undefined || /\s/.test(first)) return undefined;
    const before = text[at - 1];
    if (before !== undefined && !BEFORE.test(before) && at > 0 && !/[`:]/.test(before)) return undefined;
    let end = at + open.length;
    for (;;) {
      end = text.indexOf(close, end + (end === at + open.length ? 1 : 0));
      if (end < 0) {
        this.endless.add(open);
        return undefined;
      }
      const last = text[end - 1] as string;
      const next = text[end + close.length];
      const escaped = last === '\\' && open !== '``';
      if (!/\s/.test(last) && !escaped && (next === undefined || after.test(next))) break;
      end++;
    }
    this.at = end + close.length;
    return text.slice(at + open.length, end);
  }
}

function roleHtml(role: string, text: string): string {
  const shown = escapeHtml(text);
  switch (role) {
    case 'sub':
    case 'subscript':
      return `<sub>${shown}</sub>`;
    case 'sup':
    case 'superscript':
      return `<sup>${shown}</sup>`;
    case 'strong':
      return `<strong>${shown}</strong>`;
    case 'code':
    case 'literal':
    case 'math':
      return `<code>${shown}</code>`;
    default:
      return `<em>${shown}</em>`;
  }
}

function unescaped(text: string): string {
  return text.replace(/\\(\s|[\s\S])/g, (_, next: string) => (/\s/.test(next) ? '' : next));
}

/** References are found without regard to case and blanks. */
export function nameOf(text: string): string {
  return text.replace(/\s+/g, ' ').trim().toLowerCase();
}
