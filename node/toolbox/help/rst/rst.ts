/** reStructuredText → HTML. Everything that a wrapper wrote is escaped; the tags are ours. */
import { escapeHtml } from '../html.js';
import { type Block, parseRst } from './blocks.js';
import { inlineHtml, type References } from './inline.js';
import type { Cell } from './tables.js';

export function rstHtml(text: string): string {
  const { blocks, targets, substitutions } = parseRst(text);
  return new Renderer({ targets, substitutions }).blocks(blocks);
}

class Renderer {
  constructor(private readonly references: References) {}

  blocks(blocks: readonly Block[]): string {
    return blocks.map((block) => this.block(block)).join('\n');
  }

  private block(block: Block): string {
    switch (block.kind) {
      case 'heading':
        return `<h${block.level}>${this.inline(block.text)}</h${block.level}>`;
      case 'paragraph':
        return `<p${block.mark === undefined ? '' : ` class="${block.mark}"`}>${this.inline(block.text)}</p>`;
      case 'literal':
        return `<pre>${escapeHtml(block.text)}</pre>`;
      case 'lines':
        return `<p>${block.lines.map((line) => this.inline(line)).join('<br>')}</p>`;
      case 'bullets':
        return `<ul>${this.items(block.items)}</ul>`;
      case 'numbers': {
        const start = block.start === 1 ? '' : ` start="${block.start}"`;
        const type = block.style === '1' ? '' : ` type="${block.style}"`;
        return `<ol${start}${type}>${this.items(block.items)}</ol>`;
      }
      case 'definitions':
        return `<dl>${block.items
          .map(({ term, body }) => `<dt>${this.inline(term)}</dt><dd>${this.compact(body)}</dd>`)
          .join('')}</dl>`;
      case 'quote':
        return `<blockquote>${this.blocks(block.blocks)}</blockquote>`;
      case 'admonition':
        return `<div class="admonition ${block.type}"><p><strong>${this.inline(block.title)}</strong></p>${this.blocks(block.blocks)}</div>`;
      case 'footnote':
        return `<div class="footnote"><p>[${escapeHtml(block.label)}]</p>${this.blocks(block.blocks)}</div>`;
      case 'table':
        return this.table(block.table.head, block.table.body);
      case 'rule':
        return '<hr>';
    }
  }

  private items(items: readonly Block[][]): string {
    return items.map((item) => `<li>${this.compact(item)}</li>`).join('');
  }

  /** A paragraph alone needs no tag of its own. */
  private compact(blocks: readonly Block[]): string {
    const [first, ...rest] = blocks;
    if (first?.kind !== 'paragraph' || first.mark !== undefined) return this.blocks(blocks);
    const text = this.inline(first.text);
    const lists = rest.every(({ kind }) => kind === 'bullets' || kind === 'numbers' || kind === 'definitions');
    return lists ? text + this.blocks(rest) : this.blocks(blocks);
  }

  private table(head: readonly Cell[][], body: readonly Cell[][]): string {
    const rows = (cells: readonly Cell[][], tag: 'th' | 'td') =>
      cells.map((row) => `<tr>${row.map((cell) => this.cell(cell, tag)).join('')}</tr>`).join('');
    const top = head.length === 0 ? '' : `<thead>${rows(head, 'th')}</thead>`;
    return `<table class="table">${top}<tbody>${rows(body, 'td')}</tbody></table>`;
  }

  private cell({ lines, columns }: Cell, tag: 'th' | 'td'): string {
    const span = columns === 1 ? '' : ` colspan="${columns}"`;
    const { blocks } = parseRst(dedent(lines).join('\n'));
    return `<${tag}${span}>${this.compact(blocks)}</${tag}>`;
  }

  private inline(text: string): string {
    return inlineHtml(text, this.references);
  }
}

function dedent(lines: readonly string[]): string[] {
  let indent = Number.POSITIVE_INFINITY;
  for (const line of lines) if (line.trim() !== '') indent = Math.min(indent, line.length - line.trimStart().length);
  return lines.map((line) => line.slice(Number.isFinite(indent) ? indent : 0).trimEnd());
}
