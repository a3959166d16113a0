/**
 * A user with a browser's habits and no browser: keeps cookies per host, follows redirects as browsers do, and speaks
 * Galaxy's API the way the web client does. The demo's biologist, and the end-to-end tests' as well.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pause } from './waits.js';

export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
  /** Where the last redirect led. */
  url: string;
  json<T = Record<string, unknown>>(): T;
}

export interface DatasetSummary {
  id: string;
  hid: number;
  name: string;
  state: string;
  extension: string;
  file_size?: number;
  history_id: string;
  deleted: boolean;
}

interface RequestOptions {
  method?: string;
  headers?: Record<string, string>;
  json?: unknown;
  body?: Buffer | Readable;
  redirects?: number;
  timeoutMs?: number;
}

const TERMINAL = new Set(['ok', 'empty', 'error', 'discarded', 'failed_metadata', 'paused']);

export class RequestFailed extends Error {
  constructor(
    readonly answer: Answer,
    what: string,
  ) {
    super(`${what}: ${answer.status} ${answer.body.toString('utf8').slice(0, 400)}`);
  }
}

export class Visitor {
  private readonly cookies = new Map<string, Map<string, string>>();
  /** Sends this instead of a cookie when set: a script's user. */
  apiKey: string | undefined;

  constructor(
    /** Where she is now; follows her when a page sends her on. */
    public base: string,
    private readonly options: { from?: string; timeoutMs?: number } = {},
  ) {}

  async fetch(path: string, options: RequestOptions = {}): Promise<Answer> {
    let url = new URL(path, this.base);
    let method = options.method ?? 'GET';
    let { json, body } = options;
    for (let hop = 0; ; hop++) {
      const answer = await this.send(url, { ...options, method, json, ...(body ? { body } : {}) });
      const location = answer.headers.location;
      const isRedirect = answer.status >= 300 && answer.status < 400 && location !== undefined;
      if (!isRedirect || hop >= (options.redirects ?? 10)) return answer;
      url = new URL(location, url);
      if (answer.status === 303 || ((answer.status === 301 || answer.status === 302) && method === 'POST')) {
        method = 'GET';
        json = undefined;
        body = undefined;
      }
    }
  }

  async api<T = Record<string, unknown>>(path: string, options: RequestOptions = {}): Promise<T> {
    const answer = await this.fetch(path, options);
    if (answer.status >= 400) throw new RequestFailed(answer, `${options.method ?? 'GET'} ${path}`);
    return answer.json<T>();
  }

  /** Opens a page as a browser does and stays where it led. */
  async open(path = '/'): Promise<Answer> {
    const answer = await this.fetch(path, {
      headers: {
        accept: 'text/html,application/xhtml+xml',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
      },
    });
    this.base = new URL(answer.url).origin;
    return answer;
  }

  private async csrf(): Promise<string> {
    const page = await this.open('/login/start');
    const token = /"session_csrf_token":\s*"([^"]+)"/.exec(page.body.toString('utf8'))?.[1];
    if (token === undefined) throw new RequestFailed(page, 'the page holds no session_csrf_token');
    return token;
  }

  async signUp(email: string, username: string, password: string): Promise<Answer> {
    const session_csrf_token = await this.csrf();
    return this.enter('/user/create', {
      email,
      username,
      password,
      confirm: password,
      subscribe: null,
      session_csrf_token,
    });
  }

  async signIn(login: string, password: string): Promise<Answer> {
    const session_csrf_token = await this.csrf();
    return this.enter('/user/login', { login, password, redirect: null, session_csrf_token });
  }

  /** Sign-up and sign-in answer with a `redirect` in a network: the way through the coordinator that sets its cookie. */
  private async enter(path: string, json: object): Promise<Answer> {
    const answer = await this.fetch(path, { method: 'POST', json, headers: { origin: new URL(this.base).origin } });
    if (answer.status >= 400) throw new RequestFailed(answer, path);
    const { redirect } = answer.json<{ redirect?: string | null }>();
    if (redirect) await this.open(redirect);
    return answer;
  }

  /** What follow.js does in the page: asks the network's address for the home, and takes the window there when it is ready. */
  async followHome(networkUrl: string, account: string): Promise<void> {
    const answer = await this.fetch(`${networkUrl}/api/network/home?to=/&account=${account}`, { timeoutMs: 5000 });
    const { ready, url } = answer.json<{ ready: boolean; url: string }>();
    if (ready) await this.open(url);
  }

  whoAmI(): Promise<{ id: string; email: string; username: string }> {
    return this.api('/api/users/current');
  }

  currentHistory(): Promise<{ id: string; name: string }> {
    return this.api('/history/current_history_json');
  }

  async rename(history: string, name: string): Promise<void> {
    await this.api(`/api/histories/${history}`, { method: 'PUT', json: { name }, headers: this.originHeader() });
  }

  contents(history: string): Promise<DatasetSummary[]> {
    return this.api(`/api/histories/${history}/contents?v=dev&order=hid-asc&limit=1000`);
  }

  dataset(id: string): Promise<DatasetSummary & { creating_job: string; misc_info: string; file_size: number }> {
    return this.api(`/api/datasets/${id}`);
  }

  async paste(history: string, text: string, options: { name?: string; ext?: string } = {}): Promise<DatasetSummary> {
    const element = {
      src: 'pasted',
      paste_content: text,
      name: options.name ?? 'Pasted Entry',
      ext: options.ext ?? 'auto',
      dbkey: '?',
      space_to_tab: false,
      to_posix_lines: true,
    };
    const made = await this.api<{ outputs: DatasetSummary[] }>('/api/tools/fetch', {
      method: 'POST',
      json: {
        history_id: history,
        targets: [{ destination: { type: 'hdas' }, elements: [element] }],
        auto_decompress: true,
      },
      headers: this.originHeader(),
    });
    return made.outputs[0] as DatasetSummary;
  }

  /** By TUS 1.0.0, in pieces, as the web client uploads. `progress` is told bytes sent. */
  async uploadFile(
    history: string,
    file: string,
    name: string,
    options: { ext?: string; progress?: (sent: number, total: number) => void } = {},
  ): Promise<DatasetSummary> {
    const { size } = await stat(file);
    const meta = `filename ${Buffer.from(name).toString('base64')}`;
    const created = await this.fetch('/api/upload/resumable_upload/', {
      method: 'POST',
      headers: {
        'tus-resumable': '1.0.0',
        'upload-length': String(size),
        'upload-metadata': meta,
        ...this.originHeader(),
      },
      redirects: 0,
    });
    const location = created.headers.location;
    if (created.status !== 201 || location === undefined) throw new RequestFailed(created, 'starting an upload');
    const url = new URL(location, new URL('/api/upload/resumable_upload/', this.base)).toString();
    const piece = 10 * 2 ** 20;
    for (let offset = 0; offset < size; offset += piece) {
      const end = Math.min(size, offset + piece);
      const sent = await this.fetch(url, {
        method: 'PATCH',
        headers: {
          'tus-resumable': '1.0.0',
          'upload-offset': String(offset),
          'content-type': 'application/offset+octet-stream',
          'content-length': String(end - offset),
          ...this.originHeader(),
        },
        body: createReadStream(file, { start: offset, end: end - 1 }),
        redirects: 0,
      });
      if (sent.status !== 204) throw new RequestFailed(sent, 'sending an upload');
      options.progress?.(end, size);
    }
    const session = url.slice(url.lastIndexOf('/') + 1);
    const element = {
      src: 'files',
      name,
      ext: options.ext ?? 'auto',
      dbkey: '?',
      space_to_tab: false,
      to_posix_lines: false,
    };
    const made = await this.api<{ outputs: DatasetSummary[] }>('/api/tools/fetch', {
      method: 'POST',
      json: {
        history_id: history,
        targets: [{ destination: { type: 'hdas' }, elements: [element] }],
        auto_decompress: false,
        'files_0|file_data': { session_id: session, name },
      },
      headers: this.originHeader(),
    });
    return made.outputs[0] as DatasetSummary;
  }

  async runTool(
    history: string,
    tool: string,
    inputs: Record<string, unknown>,
  ): Promise<{ outputs: DatasetSummary[]; jobs: { id: string }[] }> {
    return this.api('/api/tools', {
      method: 'POST',
      json: { history_id: history, tool_id: tool, inputs },
      headers: this.originHeader(),
    });
  }

  /** Until the dataset has ended, one way or the other. Asks again; each answer is an event of the server's clock. */
  async waitForDataset(
    id: string,
    deadlineMs = 60_000,
  ): Promise<DatasetSummary & { file_size: number; misc_info: string }> {
    const until = performance.now() + deadlineMs;
    for (;;) {
      const dataset = await this.dataset(id);
      if (TERMINAL.has(dataset.state)) return dataset;
      if (performance.now() > until) throw new Error(`dataset ${id} is still ${dataset.state} after ${deadlineMs} ms`);
      await pause(150);
    }
  }

  /** SHA-256 and size of a download, streamed. */
  async download(id: string, progress?: (bytes: number) => void): Promise<{ sha256: string; bytes: number }> {
    const url = new URL(`/api/datasets/${id}/display?to_ext=data`, this.base);
    const message = await this.stream(url, 'GET', {}, undefined, this.options.timeoutMs ?? 60_000);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of message as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      progress?.(bytes);
    }
    if (message.statusCode !== 200) throw new Error(`download of ${id}: status ${message.statusCode}`);
    return { sha256: hash.digest('hex'), bytes };
  }

  private originHeader(): Record<string, string> {
    return { origin: new URL(this.base).origin };
  }

  private async send(url: URL, options: RequestOptions & { method: string }): Promise<Answer> {
    const headers: Record<string, string> = { ...options.headers };
    let body = options.body;
    if (options.json !== undefined) {
      body = Buffer.from(JSON.stringify(options.json));
      headers['content-type'] = 'application/json';
    }
    if (Buffer.isBuffer(body)) headers['content-length'] = String(body.length);
    const message = await this.stream(
      url,
      options.method,
      headers,
      body,
      options.timeoutMs ?? this.options.timeoutMs ?? 60_000,
    );
    const chunks: Buffer[] = [];
    for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    return {
      status: message.statusCode ?? 0,
      headers: message.headers,
      body: bytes,
      url: url.toString(),
      json: <T>() => JSON.parse(bytes.toString('utf8')) as T,
    };
  }

  private stream(
    url: URL,
    method: string,
    headers: Record<string, string>,
    body: Buffer | Readable | undefined,
    timeoutMs: number,
  ): Promise<IncomingMessage> {
    const jar = this.jar(url);
    const all: Record<string, string> = { 'x-request-id': randomUUID(), ...headers };
    if (jar.size > 0) all.cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    if (this.apiKey !== undefined) all['x-api-key'] = this.apiKey;
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        url,
        {
          method,
          headers: all,
          signal: AbortSignal.timeout(timeoutMs),
          ...(this.options.from ? { localAddress: this.options.from } : {}),
        },
        (message) => {
          for (const cookie of message.headers['set-cookie'] ?? []) this.keep(url, cookie);
          resolve(message);
        },
      );
      request.once('error', reject);
      if (body instanceof Readable) body.pipe(request);
      else request.end(body);
    });
  }

  /** Cookies ignore ports (RFC 6265): which is why each process of the demo has an address of its own. */
  private jar(url: URL): Map<string, string> {
    const jar = this.cookies.get(url.hostname) ?? new Map<string, string>();
    this.cookies.set(url.hostname, jar);
    return jar;
  }

  private keep(url: URL, header: string): void {
    const [pair, ...attributes] = header.split(';').map((part) => part.trim());
    const at = (pair as string).indexOf('=');
    const name = (pair as string).slice(0, at);
    const value = (pair as string).slice(at + 1);
    const gone =
      value === '' || attributes.some((part) => /^max-age=0$/i.test(part) || /^expires=thu, 01 jan 1970/i.test(part));
    if (gone) this.jar(url).delete(name);
    else this.jar(url).set(name, value);
  }
}
