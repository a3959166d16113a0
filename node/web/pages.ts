/**
 * The few pages of HTML that a node writes itself, as pure functions. The interface is Galaxy's own; these only start it,
 * or say why it is not there yet.
 */
import { CLIENT_ASSET } from '../../protocol/runtime/client-asset.js';

export interface ClientPage {
  /** Shown in the tab until the client sets its own. */
  title: string;
  /** The `options` of the client's `config.set`. */
  options: object;
  /** Paths of further scripts, loaded before Galaxy's. */
  scripts?: readonly string[];
  /** For follow.js, which is loaded in a network only. */
  network?: { url: string; account: string | null } | undefined;
}

export const FOLLOW_SCRIPT = '/static/galaxy-node/follow.js';
export const UPLOADS_SCRIPT = '/static/galaxy-node/uploads.js';

/** The one page of every client route. The client reads its root from the `index` link. */
export function clientPage({ title, options, scripts = [], network }: ClientPage): string {
  const config = embedJson({ options, bootstrapped: {}, form_input_auto_focus: false });
  const asset = (name: string) => `/static/dist/${name}?v=${CLIENT_ASSET.version}`;
  const started = network === undefined ? '' : `<script>window.galaxyNetwork=${embedJson(network)};</script>`;
  const paths = [...(network === undefined ? [] : [FOLLOW_SCRIPT]), UPLOADS_SCRIPT, ...scripts];
  const extra = started + paths.map((path) => `<script src="${escapeHtml(path)}"></script>`).join('');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="index" href="/">
<link rel="icon" href="/static/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${asset('base.css')}">
</head>
<body scroll="no" class="full-content">
<main><div id="app"></div></main>
<noscript><p>Galaxy needs JavaScript.</p></noscript>
${extra}<script src="${asset('libs.bundled.js')}"></script>
<script src="${asset('analysis.bundled.js')}"></script>
<script>config.set(${config});</script>
</body>
</html>
`;
}

/** Framed by the client in its middle; links leave the frame. */
export function welcomePage(node: { name: string }): string {
  return plainPage(
    'Welcome',
    `<h1>${escapeHtml(node.name)}</h1>
<p class="lead">This is a Galaxy node. It works on its own and as part of a network of nodes: there, what you make is
copied in the background, and when this node stops you go on at another one with all of it.</p>
<ul>
<li>Upload data with <b>Upload</b> on the left, then choose a tool.</li>
<li><a href="/node" target="_top">This node, its copies and its peers</a></li>
<li><a href="https://training.galaxyproject.org/" target="_blank" rel="noopener">Learn Galaxy: tutorials</a></li>
</ul>
<p class="quiet">The interface is the Galaxy web client ${CLIENT_ASSET.version} by the Galaxy community, unmodified.
This node is independent of, and not endorsed by, the Galaxy Project.</p>`,
  );
}

export interface Waiting {
  /** What is going on, in one sentence. */
  what: string;
  /** Why the last try failed and what to do. */
  problem?: string | undefined;
}

/** While the web client is not here yet. Tries again by itself. */
export function waitingPage(node: { name: string }, { what, problem }: Waiting, refreshSeconds: number): string {
  return plainPage(
    'Galaxy is being set up',
    `<h1>${escapeHtml(node.name)}</h1>
<p class="lead">The node is running; its web interface is not installed yet.</p>
<p>${escapeHtml(what)}</p>
${problem === undefined ? '' : `<p><b>${escapeHtml(problem)}</b></p>`}
<p>The API works meanwhile: <a href="/api/version">/api/version</a>. This page tries again by itself.</p>`,
    `<meta http-equiv="refresh" content="${refreshSeconds}">`,
  );
}

function plainPage(title: string, body: string, head = ''): string {
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/static/favicon.svg" type="image/svg+xml"><link rel="stylesheet" href="/static/pages.css">${head}</head>
<body>
${body}
</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (char) => names[char] as string);
}

/** JSON inside a script element: nothing in it can end the element or, in old engines, a line of the script. */
export function embedJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
