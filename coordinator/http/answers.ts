/**
 * How the gateway says no: Galaxy's error shape to programs, a small page that tries again by itself to people. Statuses
 * and codes are Galaxy's (lib/galaxy/exceptions/error_codes.json).
 */
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { type DomainError, type ErrorKind, isDomainError, printable } from '../../protocol/runtime/errors.js';

const STATUS: Partial<Record<ErrorKind, { status: number; code: number }>> = {
  'bad-request': { status: 400, code: 400008 },
  unauthenticated: { status: 401, code: 401001 },
  forbidden: { status: 403, code: 403002 },
  'not-found': { status: 404, code: 404001 },
  'too-many': { status: 429, code: 429001 },
  unavailable: { status: 503, code: 503001 },
  timeout: { status: 503, code: 503001 },
};
const INTERNAL = { status: 500, code: 500001 };

export interface Refusal {
  status: number;
  body: { err_msg: string; err_code: number };
  /** Seconds. */
  retryAfter: number | undefined;
}

/** Only errors of the domain speak to the outside; everything else is our bug and says nothing of itself. */
export function refusalOf(error: unknown, retryAfterMs = 2000): Refusal {
  const known: DomainError | undefined = isDomainError(error) ? error : undefined;
  const { status, code } = (known && STATUS[known.kind]) ?? INTERNAL;
  const text = known ? `${known.message} ${known.mend}`.trim() : 'The coordinator failed; its log says why.';
  const again = status === 503 || status === 429;
  return {
    status,
    body: { err_msg: text, err_code: code },
    retryAfter: again ? Math.min(60, Math.max(1, Math.ceil(retryAfterMs / 1000))) : undefined,
  };
}

export function sendRefusal(reply: FastifyReply, refusal: Refusal, asPage: boolean): void {
  reply.code(refusal.status).header('cache-control', 'no-store').header('x-galaxy-node', 'coordinator');
  if (refusal.retryAfter !== undefined) reply.header('retry-after', String(refusal.retryAfter));
  if (asPage) reply.type('text/html; charset=utf-8').send(page(refusal));
  else reply.send(refusal.body);
}

/** For a reply that the proxy has taken over: written by hand. */
export function writeRefusal(response: ServerResponse, refusal: Refusal): void {
  const body = JSON.stringify(refusal.body);
  response.writeHead(refusal.status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-galaxy-node': 'coordinator',
    ...(refusal.retryAfter === undefined ? {} : { 'retry-after': String(refusal.retryAfter) }),
  });
  response.end(body);
}

export function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (char) => names[char] as string);
}

function page({ body, retryAfter }: Refusal): string {
  const again = retryAfter === undefined ? '' : `<meta http-equiv="refresh" content="${retryAfter}">`;
  const heading = retryAfter === undefined ? 'This did not work' : 'Please wait a moment';
  const after = `<p>${retryAfter === undefined ? '<a href="/">Go to your Galaxy</a>' : 'This page tries again by itself.'}</p>`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Galaxy</title>${again}
<meta name="viewport" content="width=device-width"><style>body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:36em;padding:0 1em;color:#25303d}</style></head>
<body><h1>${heading}</h1><p>${escapeHtml(printable(body.err_msg))}</p>${after}</body></html>`;
}
