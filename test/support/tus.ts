/** Single steps of a resumable upload (TUS 1.0), for tests that break off between them. */
import type { Readable } from 'node:stream';
import type { Answer, Visitor } from '../../bin/demo/visitor.js';

const PATH = '/api/upload/resumable_upload/';
const VERSION = { 'tus-resumable': '1.0.0' };

/** The path of the new upload; it ends in its id. */
export async function tusCreate(visitor: Visitor, size: number): Promise<string> {
  const created = await visitor.fetch(PATH, {
    method: 'POST',
    headers: { ...VERSION, 'upload-length': String(size), origin: visitor.base },
  });
  if (created.status !== 201) throw new Error(`no upload was begun: ${created.status} ${created.body}`);
  return new URL(String(created.headers.location), `${visitor.base}${PATH}`).pathname;
}

/** `length` is what the request promises, where that is more than what comes. */
export function tusSend(
  visitor: Visitor,
  upload: string,
  offset: number,
  body: Buffer | Readable,
  length?: number,
): Promise<Answer> {
  return visitor.fetch(upload, {
    method: 'PATCH',
    headers: {
      ...VERSION,
      'upload-offset': String(offset),
      'content-type': 'application/offset+octet-stream',
      origin: visitor.base,
      ...(length === undefined ? {} : { 'content-length': String(length) }),
    },
    body,
  });
}

export async function tusOffset(visitor: Visitor, upload: string): Promise<number> {
  const { headers } = await visitor.fetch(upload, { method: 'HEAD', headers: VERSION });
  return Number(headers['upload-offset']);
}

/** Makes a dataset of a whole upload; its id. */
export async function fetchUpload(visitor: Visitor, history: string, upload: string): Promise<string> {
  const element = {
    src: 'files',
    name: 'resumed',
    ext: 'auto',
    dbkey: '?',
    space_to_tab: false,
    to_posix_lines: false,
  };
  const made = await visitor.api<{ outputs: { id: string }[] }>('/api/tools/fetch', {
    method: 'POST',
    json: {
      history_id: history,
      targets: [{ destination: { type: 'hdas' }, elements: [element] }],
      auto_decompress: false,
      'files_0|file_data': { session_id: upload.slice(-32), name: 'resumed' },
    },
    headers: { origin: visitor.base },
  });
  return made.outputs[0]?.id as string;
}
