/** Markdown help → HTML, by markdown-it with everything off that could bring markup or addresses of its own. */
import MarkdownIt from 'markdown-it';
import { escapeHtml, safeAddress } from './html.js';

const markdown = new MarkdownIt('default', { html: false, linkify: true, typographer: false });

// Both writing an address and finding one in a text go through this.
markdown.validateLink = (address) => safeAddress(address) !== undefined;
// Pictures lie in a folder of the wrapper that nobody serves, or would tell another site who reads help.
markdown.renderer.rules.image = (tokens, index) => {
  const token = tokens[index];
  return `[image: ${escapeHtml(token?.content || (token?.attrGet('src') ?? '').split('/').at(-1) || '')}]`;
};
markdown.renderer.rules.link_open = (tokens, index) =>
  `<a href="${escapeHtml(tokens[index]?.attrGet('href') ?? '')}" target="_blank" rel="noopener noreferrer">`;
// Without the class, which is what the author wrote behind the fence.
markdown.renderer.rules.fence = (tokens, index) =>
  `<pre><code>${escapeHtml(tokens[index]?.content ?? '')}</code></pre>\n`;

// Without the style attribute that aligns a column.
markdown.renderer.rules.th_open = () => '<th>';
markdown.renderer.rules.td_open = () => '<td>';

export function markdownHtml(text: string): string {
  return markdown.render(text);
}
