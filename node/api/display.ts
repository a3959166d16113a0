/**
 * The bytes of a dataset: /datasets/{id}/display and its API forms.
 *
 * A dataset is foreign content in our origin. It is sent with `nosniff` and a sandboxing Content-Security-Policy, so
 * that an HTML page or SVG in a dataset runs no script and reads nothing of the user's; types that a browser would run
 * or render as a document of ours stay plain.
 */
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { OpenDataset } from '../datasets/datasets.js';
import type { ApiDeps, Routes } from './context.js';
import { parseRange, type Range } from './ranges.js';
import { niceSize } from './serializers/time.js';
import { entityId, entityIdParam, flag, parse } from './validation.js';

const displayQuery = z.object({
  preview: flag.optional(),
  to_ext: z.string().max(255).optional(),
  filename: z.string().max(4096).optional(),
  raw: flag.optional(),
  offset: z.coerce.number().int().nonnegative().optional(),
  ck_size: z.coerce.number().int().positive().optional(),
});

/** What a preview shows of a text; the rest is one click away. */
const PREVIEW_BYTES_MAX = 1_000_000;
const CHUNK_BYTES_MAX = 1_000_000;

const SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:";

/** Shown in the browser as what they are; everything else that is not text is offered as a download. */
const INLINE =
  /^(text\/(plain|html|csv|tab-separated-values)|application\/(json|pdf|xml)|image\/(png|jpeg|gif|bmp|tiff|webp|svg\+xml)|text\/xml)/;
const TEXTUAL = /^(text\/|application\/(json|xml|xhtml\+xml)|image\/svg\+xml)/;

type Uses = 'histories' | 'datasets';

export const displayRoutes: Routes<Uses> = (app, deps) => {
  const paths = [
    '/datasets/:id/display',
    '/api/datasets/:id/display',
    '/api/histories/:history/contents/:id/display',
    '/api/histories/:history/contents/datasets/:id/display',
  ];
  for (const url of paths) {
    app.route({
      method: ['GET', 'HEAD'],
      url,
      handler: (request, reply) => display(deps, request, reply, entityIdParam(request.params)),
    });
  }
  // An index that was made with the dataset: from the client's list of downloads, and as `meta_files` says.
  for (const path of ['/api/datasets/:id', '/api/histories/:history/contents/:id']) {
    app.get(`${path}/metadata_file`, (request, reply) => metadataFile(deps, request, reply));
  }
  // Where the client shows an image or the next lines of a table.
  app.get('/dataset/display', (request, reply) => {
    const { dataset_id: id } = parse(z.object({ dataset_id: entityId }), request.query);
    return display(deps, request, reply, id);
  });
};

async function display(
  deps: Pick<ApiDeps, Uses>,
  request: FastifyRequest,
  reply: FastifyReply,
  id: string,
): Promise<unknown> {
  const query = parse(displayQuery, request.query);
  const view = deps.datasets.held(await deps.histories.holderOf(request.caller, id), id);
  const history = (request.params as { history?: string }).history;
  if (history !== undefined) deps.datasets.get(view, id, entityIdParam(request.params, 'history'));
  const signal = closedSignal(reply);
  const open = await deps.datasets.open(view, id, { ...(query.filename ? { file: query.filename } : {}), signal });
  const attached = query.to_ext !== undefined;
  foreign(reply);
  if (query.offset !== undefined) return chunk(open, query.offset, query.ck_size ?? CHUNK_BYTES_MAX);
  const type = contentType(open.mimetype, query.raw ?? false);
  if (query.preview && !attached) {
    if (!TEXTUAL.test(open.mimetype) && !INLINE.test(open.mimetype)) return binaryNotice(open, reply);
    if (TEXTUAL.test(open.mimetype) && open.size > PREVIEW_BYTES_MAX) {
      reply.header('x-content-truncated', String(PREVIEW_BYTES_MAX));
      return send(request, reply, open, type, { start: 0, end: PREVIEW_BYTES_MAX }, 200);
    }
  }
  const inline = !attached && INLINE.test(open.mimetype);
  reply.header('content-disposition', disposition(open, inline ? 'inline' : 'attachment', query.to_ext));
  reply.header('accept-ranges', 'bytes');
  const etag = `"${open.file.blob}"`;
  reply.header('etag', etag);
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  // A range of another version of the dataset would be spliced into this one.
  const ifRange = request.headers['if-range'];
  const range = ifRange === undefined || ifRange === etag ? parseRange(request.headers.range, open.size) : undefined;
  if (range === 'unsatisfiable') {
    return reply.code(416).header('content-range', `bytes */${open.size}`).send();
  }
  if (range) reply.header('content-range', `bytes ${range.start}-${range.end - 1}/${open.size}`);
  return send(request, reply, open, type, range ?? { start: 0, end: open.size }, range ? 206 : 200);
}

async function metadataFile(deps: Pick<ApiDeps, Uses>, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { metadata_file: file } = parse(z.object({ metadata_file: z.string().min(1).max(255) }), request.query);
  const id = entityIdParam(request.params);
  const view = deps.datasets.held(await deps.histories.holderOf(request.caller, id), id);
  const history = (request.params as { history?: string }).history;
  if (history !== undefined) deps.datasets.get(view, id, entityIdParam(request.params, 'history'));
  const open = await deps.datasets.open(view, id, { file, signal: closedSignal(reply) });
  foreign(reply);
  reply.header('content-disposition', disposition(open, 'attachment', undefined));
  return send(request, reply, open, open.mimetype, { start: 0, end: open.size }, 200);
}

/** What keeps a dataset from acting as a page of ours. */
function foreign(reply: FastifyReply): void {
  reply.header('content-security-policy', SANDBOX);
  reply.header('x-content-type-options', 'nosniff');
  reply.header('cache-control', 'private, no-cache');
}

function send(
  request: FastifyRequest,
  reply: FastifyReply,
  open: OpenDataset,
  type: string,
  range: Range,
  status: number,
): unknown {
  reply
    .code(status)
    .type(type)
    .header('content-length', String(range.end - range.start));
  if (request.method === 'HEAD') return reply.send();
  return reply.send(Readable.from(open.stream(range), { objectMode: false, highWaterMark: 256 * 1024 }));
}

/** A piece of a table for the client's viewer, whole lines. */
async function chunk(open: OpenDataset, offset: number, sizeMax: number): Promise<object> {
  const start = Math.min(offset, open.size);
  const end = Math.min(start + Math.min(sizeMax, CHUNK_BYTES_MAX), open.size);
  const parts: Uint8Array[] = [];
  if (end > start) for await (const part of open.stream({ start, end })) parts.push(part);
  const bytes = Buffer.concat(parts);
  const lastLine = end < open.size ? bytes.lastIndexOf(0x0a) + 1 : bytes.length;
  const used = lastLine > 0 ? lastLine : bytes.length;
  return { ck_data: bytes.subarray(0, used).toString('utf8'), offset: start + used, data_line_offset: 0 };
}

function binaryNotice(open: OpenDataset, reply: FastifyReply): string {
  reply.type('text/plain; charset=utf-8');
  return (
    `This dataset holds ${open.facts.extension} data of ${niceSize(open.size)}, which cannot be shown as text.\n` +
    'Download it, or use a tool that reads it.\n'
  );
}

function contentType(mimetype: string, raw: boolean): string {
  if (raw && TEXTUAL.test(mimetype)) return 'text/plain; charset=utf-8';
  return TEXTUAL.test(mimetype) && !mimetype.includes('charset') ? `${mimetype}; charset=utf-8` : mimetype;
}

/** `Galaxy3-[name].ext`, as Galaxy names downloads; the plain form first, because BioBlend reads only that. */
export function disposition(open: OpenDataset, kind: 'inline' | 'attachment', toExt: string | undefined): string {
  const { facts, file } = open;
  const extension = toExt && /^[\w.+-]+$/.test(toExt) && toExt !== 'data' ? toExt : facts.extension;
  const name =
    file.role !== 'extra'
      ? `Galaxy${facts.hid}-[${facts.record.name}].${file.role === 'primary' ? extension : file.path}`
      : (file.path.split('/').at(-1) ?? 'file');
  const plain = name.replace(/[^\x20-\x7e]|["\\/%;:*?<>|']/g, '_').slice(0, 200);
  // By way of bytes: half a character would make encodeURIComponent throw.
  const whole = Buffer.from(name.replace(/[/\\]/g, '_').slice(0, 200)).toString('utf8');
  const encoded = encodeURIComponent(whole).replace(/['()*]/g, hexEscape);
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

function hexEscape(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** Aborts when the caller has gone away. */
function closedSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort(new Error('the caller closed the connection')));
  return controller.signal;
}
