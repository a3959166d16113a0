/** What is refused before all of it was sent is answered all the same: over a real socket, and without looking early. */
import { connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { closeTestApis, openTestApi } from './data-api.js';

afterEach(closeTestApis);

const MIB = 2 ** 20;

/** Sends head and body, all of it, then reads: as `requests` and many others do. */
function sendAll(url: string, head: string[], body: Buffer): Promise<{ status: number; body: { err_code: number } }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const got: Buffer[] = [];
    socket.once('error', reject);
    socket.pause();
    socket.write(`${head.join('\r\n')}\r\nHost: ${hostname}:${port}\r\n\r\n`);
    socket.write(body, (error) => {
      if (error) return reject(error);
      socket.on('data', (chunk: Buffer) => {
        got.push(chunk);
        const text = Buffer.concat(got).toString('latin1');
        const split = text.indexOf('\r\n\r\n');
        const length = /content-length: (\d+)/i.exec(text)?.[1];
        if (split < 0 || length === undefined || text.length < split + 4 + Number(length)) return;
        socket.destroy();
        resolve({
          status: Number(text.slice(9, 12)),
          body: JSON.parse(text.slice(split + 4, split + 4 + Number(length))),
        });
      });
      socket.resume();
    });
  });
}

function chunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += MIB) {
    const piece = bytes.subarray(at, at + MIB);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

async function listening(change: Parameters<typeof openTestApi>[0] = {}) {
  const api = await openTestApi(change);
  const { url } = await api.server.start();
  const ana = await api.user('ana');
  return { ...api, url, ana };
}

const json = Buffer.from(JSON.stringify({ name: 'x'.repeat(17 * MIB) }));

it('a JSON body of 17 MiB gets 413, whether its length was told or not', async () => {
  const { url, ana } = await listening();
  const head = ['POST /api/histories HTTP/1.1', `x-api-key: ${ana.key}`, 'content-type: application/json'];
  for (const [length, body] of [
    [`content-length: ${json.length}`, json],
    ['transfer-encoding: chunked', chunked(json)],
  ] as const) {
    expect(await sendAll(url, [...head, length], body)).toEqual({
      status: 413,
      body: {
        err_msg: 'The request is larger than this node takes: a body has at most 16 MiB; files are uploaded.',
        err_code: 413001,
      },
    });
  }
  expect((await ana.get('/api/histories')).body).toEqual([]);
});

it('a large body of a stranger, or for nothing, gets its answer', async () => {
  const { url, ana } = await listening();
  const length = [`content-length: ${json.length}`, 'content-type: application/octet-stream'];
  expect(await sendAll(url, ['POST /api/histories HTTP/1.1', 'x-api-key: wrong', ...length], json)).toMatchObject({
    status: 401,
  });
  expect(await sendAll(url, ['POST /nothing HTTP/1.1', `x-api-key: ${ana.key}`, ...length], json)).toMatchObject({
    status: 404,
  });
});

it('a form whose file is too large gets 413', async () => {
  const { url, ana } = await listening({ 'uploads.sizeMaxBytes': 1000 });
  const head = 'POST /api/tools/fetch HTTP/1.1';
  const open = '--b\r\nContent-Disposition: form-data; name="files_0|file_data"; filename="a"\r\n\r\n';
  const body = Buffer.concat([Buffer.from(open), Buffer.alloc(17 * MIB, 65), Buffer.from('\r\n--b--\r\n')]);
  const fields = [`x-api-key: ${ana.key}`, 'content-type: multipart/form-data; boundary=b'];
  const answer = await sendAll(url, [head, ...fields, `content-length: ${body.length}`], body);
  expect(answer).toMatchObject({ status: 413, body: { err_code: 413001 } });
});

it('an upload in pieces that is too large, or that nobody began, gets its answer', async () => {
  const { url, ana } = await listening({ 'uploads.sizeMaxBytes': 1000 });
  const tus = ['tus-resumable: 1.0.0', `x-api-key: ${ana.key}`, 'content-type: application/offset+octet-stream'];
  const body = Buffer.alloc(17 * MIB, 65);
  const length = `content-length: ${body.length}`;
  const create = ['POST /api/upload/resumable_upload HTTP/1.1', ...tus, `upload-length: ${body.length}`, length];
  expect(await sendAll(url, create, body)).toMatchObject({ status: 413, body: { err_code: 413001 } });
  const patch = [`PATCH /api/upload/resumable_upload/${'a'.repeat(32)} HTTP/1.1`, ...tus, 'upload-offset: 0', length];
  expect(await sendAll(url, patch, body)).toMatchObject({ status: 404, body: { err_code: 404001 } });
});
