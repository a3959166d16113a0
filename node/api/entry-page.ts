/** The small page between two nodes, when the way does not go on at once. Pure. */

export interface EntryPage {
  title: string;
  /** Paragraphs. */
  text: readonly string[];
  link: { url: string; text: string };
  /** Goes on by itself. */
  retrySeconds?: number;
}

export function entryPage({ title, text, link, retrySeconds }: EntryPage): string {
  const url = escapeHtml(link.url);
  // By script first: only a script takes along what follow.js noted behind the address.
  const again =
    retrySeconds === undefined
      ? ''
      : `<script src="/static/galaxy-node/again.js" data-seconds="${retrySeconds}" defer></script>
<noscript><meta http-equiv="refresh" content="${retrySeconds};url=${url}"></noscript>`;
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">
<link rel="icon" href="/static/favicon.svg" type="image/svg+xml"><link rel="stylesheet" href="/static/pages.css">${again}</head>
<body>
<main role="status"><h1>${escapeHtml(title)}</h1>
${text.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`).join('\n')}
<p><a href="${url}">${escapeHtml(link.text)}</a></p></main>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (char) => names[char] as string);
}
