/**
 * A wrapper's help as HTML. reStructuredText is shown as far as tools use it (headings, lists, literal blocks, bold,
 * italics, code, rules, notes); everything is escaped first, so nothing that a wrapper wrote becomes markup by itself.
 * Rejected: a full reStructuredText parser, of which there is none for Node that would be worth its weight.
 */

const HELP_CHARS_MAX = 200_000;

export function helpHtml(help: string, format: string): string {
  const text = dedent(help.slice(0, HELP_CHARS_MAX));
  if (text.trim() === '') return '';
  if (format === 'plain_text') return `<pre>${escaped(text)}</pre>`;
  return blocks(text).map(render).join('\n');
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

function dedent(text: string): string {
  const lines = text.replace(/\r\n?/g, '\n').replace(/\t/g, '    ').split('\n');
  const indents = lines.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length);
  const indent = indents.reduce((least, one) => Math.min(least, one), Number.POSITIVE_INFINITY);
  return lines.map((line) => line.slice(Number.isFinite(indent) ? indent : 0).trimEnd()).join('\n');
}

type Block =
  | { kind: 'literal'; lines: string[] }
  | { kind: 'heading'; level: number; text: string }
  | { kind: 'rule' }
  | { kind: 'list'; items: string[] }
  | { kind: 'paragraph'; text: string };

const RULE = /^([-=~^"*+#`])\1{2,}$/;
const BULLET = /^\s*[-*+]\s+(.*)$/;
const INDENTED = /^\s+\S/;

function blocks(text: string): Block[] {
  const lines = text.split('\n');
  const result: Block[] = [];
  let at = 0;
  let literalNext = false;
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const next = lines[at + 1] ?? '';
    if (line.trim() === '') at++;
    else if (literalNext && INDENTED.test(line)) {
      const end = endOf(lines, at, (one) => one.trim() === '' || INDENTED.test(one));
      result.push({ kind: 'literal', lines: trimEnd(lines.slice(at, end)) });
      at = end;
      literalNext = false;
    } else if (/^\.\. /.test(line)) {
      at++;
    } else if (RULE.test(line)) {
      result.push({ kind: 'rule' });
      at++;
    } else if (/^#{1,4} /.test(line)) {
      result.push({ kind: 'heading', level: line.indexOf(' '), text: line.replace(/^#+ /, '') });
      at++;
    } else if (RULE.test(next.trim()) && next.trim().length >= Math.min(3, line.trim().length)) {
      result.push({ kind: 'heading', level: next.startsWith('=') ? 2 : 3, text: line.trim() });
      at += 2;
    } else if (BULLET.test(line)) {
      const end = endOf(lines, at, (one) => one.trim() !== '');
      result.push({ kind: 'list', items: listItems(lines.slice(at, end)) });
      at = end;
    } else {
      const end = endOf(lines, at, (one) => one.trim() !== '');
      const paragraph = lines.slice(at, end).join('\n').trim();
      literalNext = paragraph.endsWith('::');
      const shown = literalNext ? paragraph.replace(/\s*::$/, paragraph === '::' ? '' : ':') : paragraph;
      if (shown !== '') result.push({ kind: 'paragraph', text: shown });
      at = end;
    }
  }
  return result;
}

function endOf(lines: readonly string[], from: number, belongs: (line: string) => boolean): number {
  let end = from + 1;
  while (end < lines.length && belongs(lines[end] ?? '')) end++;
  return end;
}

function trimEnd(lines: string[]): string[] {
  let end = lines.length;
  while (end > 0 && (lines[end - 1] ?? '').trim() === '') end--;
  return lines.slice(0, end);
}

function listItems(lines: readonly string[]): string[] {
  const items: string[] = [];
  for (const line of lines) {
    const bullet = BULLET.exec(line)?.[1];
    if (bullet !== undefined) items.push(bullet);
    else items.push(`${items.pop() ?? ''} ${line.trim()}`);
  }
  return items;
}

function inline(text: string): string {
  return escaped(text)
    .replace(/``([^`]+)``/g, '<code>$1</code>')
    .replace(/`([^`&]+) &lt;(https?:[^&\s]+)&gt;`__?/g, '<a href="$2" target="_blank" rel="noopener">$1</a>')
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
    .replace(/(^|[^*\w])\*([^*\s][^*]*)\*(?!\w)/g, '$1<em>$2</em>');
}

function render(block: Block): string {
  switch (block.kind) {
    case 'literal':
      return `<pre>${escaped(dedent(block.lines.join('\n')))}</pre>`;
    case 'heading':
      return `<h${block.level + 1}>${inline(block.text)}</h${block.level + 1}>`;
    case 'rule':
      return '<hr>';
    case 'list':
      return `<ul>${block.items.map((item) => `<li>${inline(item)}</li>`).join('')}</ul>`;
    case 'paragraph':
      return `<p>${inline(block.text)}</p>`;
  }
}
