/**
 * A wrapper's help as HTML: reStructuredText (the default) by our own renderer, of which there is none for Node that
 * would be worth its weight; Markdown by markdown-it. Nothing that a wrapper wrote becomes markup by itself: no script,
 * no handler, no picture, and links go to the web or to a mailbox.
 */
import { escapeHtml } from './html.js';
import { markdownHtml } from './markdown.js';
import { rstHtml } from './rst/rst.js';

const HELP_CHARS_MAX = 200_000;

export function helpHtml(help: string, format: string): string {
  const text = dedent(help.slice(0, HELP_CHARS_MAX));
  if (text.trim() === '') return '';
  switch (format.toLowerCase()) {
    case 'markdown':
      return markdownHtml(text);
    case 'restructuredtext':
    case 'rst':
      return rstHtml(text);
    default:
      return `<pre>${escapeHtml(text)}</pre>`;
  }
}

function dedent(text: string): string {
  const lines = text.replace(/\r\n?/g, '\n').replace(/\t/g, '        ').split('\n');
  let indent = Number.POSITIVE_INFINITY;
  for (const line of lines) if (line.trim() !== '') indent = Math.min(indent, line.length - line.trimStart().length);
  return lines.map((line) => line.slice(Number.isFinite(indent) ? indent : 0).trimEnd()).join('\n');
}
