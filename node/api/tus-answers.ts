/**
 * Refusals of TUS in Galaxy's shape. TUS fixes what a status means and says nothing of bodies; the library writes plain
 * text. What it writes straight to the connection is caught there: the library has no place for a content type, and its
 * checks of headers answer by themselves.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { refusalBody } from './errors.js';

/** From now on a refusal that is written to `response` leaves as `{err_msg, err_code}`. */
export function inGalaxysShape(response: ServerResponse): void {
  const { writeHead, write, end } = response;
  let refused: { status: number; headers: OutgoingHttpHeaders; text: string } | undefined;

  const begin = (status: number, ...rest: unknown[]): ServerResponse => {
    if (status < 400 || response.req.method === 'HEAD') {
      return (writeHead as (...args: unknown[]) => ServerResponse).call(response, status, ...rest);
    }
    refused = { status, headers: pairs(rest.at(-1)), text: '' };
    return response;
  };
  const take = (chunk: unknown): void => {
    if (refused && chunk != null && typeof chunk !== 'function')
      refused.text += Buffer.from(chunk as string).toString('utf8');
  };
  response.writeHead = begin as typeof writeHead;
  response.write = ((...args: unknown[]) => {
    if (refused === undefined) return (write as (...args: unknown[]) => boolean).apply(response, args);
    take(args[0]);
    const done = args.at(-1);
    if (typeof done === 'function') done();
    return true;
  }) as typeof write;
  response.end = ((...args: unknown[]) => {
    if (refused === undefined) return (end as (...args: unknown[]) => ServerResponse).apply(response, args);
    take(args[0]);
    const { status, headers, text } = refused;
    refused = undefined;
    const body = JSON.stringify(refusalBody(status, text));
    // The library closes what it did not read to its end; see rest-of-body.ts.
    delete headers.connection;
    writeHead.call(response, status, {
      ...headers,
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
    });
    const done = args.at(-1);
    return end.call(response, body, 'utf8', typeof done === 'function' ? (done as () => void) : undefined);
  }) as typeof end;
}

/** As `writeHead` takes them: an object, or names and values in turn. */
function pairs(given: unknown): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  if (Array.isArray(given)) {
    for (let index = 0; index + 1 < given.length; index += 2)
      headers[String(given[index]).toLowerCase()] = given[index + 1];
  } else if (typeof given === 'object' && given !== null) {
    for (const [name, value] of Object.entries(given)) headers[name.toLowerCase()] = value as string;
  }
  return headers;
}
