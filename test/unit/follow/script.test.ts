import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../../protocol/runtime/package.js';

const FILE = join(packageRoot(), 'node/web/static/follow.js');
const NODE = 'https://uppsala.example';
const NETWORK = 'https://net.example';

type Answer = { status: number; headers?: Record<string, string>; body?: object } | 'broken' | 'aborted' | 'hangs';
type Handler = (event?: unknown) => void;

/** As much of a browser as the script touches. Time stands still: what it waits for is let go by the test. */
class FakePage {
  readonly asked: { url: string; options: Record<string, unknown> }[] = [];
  readonly wentTo: string[] = [];
  readonly timers: { run: () => void; ms: number; gone: boolean }[] = [];
  banner: { text: string; parts: { tag: string; textContent: string; href?: string; onclick?: Handler }[] } | undefined;
  address: string | undefined;
  answer: (url: string) => Answer;
  private readonly window: Record<string, unknown>;

  constructor(
    network: object | undefined,
    path = '/histories/list?a=1',
    hash = '',
    answer: (url: string) => Answer = () => ({ status: 200, body: {} }),
  ) {
    const page = this;
    this.answer = answer;
    class Xhr {
      status = 0;
      headers: Record<string, string> = {};
      private readonly handlers: [string, Handler][] = [];
      private url = '';
      open(_method: string, url: string): void {
        this.url = url;
      }
      addEventListener(type: string, run: Handler): void {
        this.handlers.push([type, run]);
      }
      getResponseHeader(name: string): string | null {
        return this.headers[name] ?? null;
      }
      send(): void {
        const answer = page.answer(this.url);
        if (answer === 'hangs') return;
        if (typeof answer === 'object') {
          this.status = answer.status;
          this.headers = answer.headers ?? {};
        }
        const type = { broken: 'error', aborted: 'abort' }[answer as string] ?? 'load';
        for (const [on, run] of this.handlers) if (on === type || on === 'loadend') run();
      }
    }
    const location = {
      origin: NODE,
      href: NODE + path + hash,
      pathname: path.split('?')[0],
      search: path.includes('?') ? `?${path.split('?')[1]}` : '',
      hash,
      replace: (url: string) => this.wentTo.push(url),
    };
    this.window = {
      ...(network ? { galaxyNetwork: network } : {}),
      location,
      history: { state: null, replaceState: (_state: unknown, _title: string, url: string) => (this.address = url) },
      document: { createElement: (tag: string) => this.element(tag), body: { append: () => {} } },
      fetch: (url: string, options: Record<string, unknown> = {}) => this.fetch(String(url), options),
      XMLHttpRequest: Xhr,
      Request: class {},
      AbortSignal: { timeout: () => undefined },
      URL,
      setTimeout: (run: () => void, ms: number) => {
        const timer = { run, ms, gone: false };
        this.timers.push(timer);
        return timer;
      },
      clearTimeout: (timer: { gone: boolean }) => {
        timer.gone = true;
      },
    };
    this.window.window = this.window;
    runInNewContext(readFileSync(FILE, 'utf8'), this.window);
  }

  get script(): { fetch: (url: string, options?: object) => Promise<unknown>; XMLHttpRequest: new () => XhrLike } {
    return this.window as never;
  }

  /** A call of the page, as axios makes it. */
  call(method: string, url: string): void {
    const request = new this.script.XMLHttpRequest();
    request.open(method, url);
    request.send();
  }

  /** Lets everything go on that is only waiting for promises. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets the script's pauses pass, so often. */
  async pass(times: number): Promise<void> {
    for (let time = 0; time < times; time++) {
      await this.settle();
      for (const timer of this.timers.splice(0)) if (!timer.gone) timer.run();
    }
    await this.settle();
  }

  asks(start: string): number {
    return this.asked.filter(({ url }) => url.startsWith(start)).length;
  }

  private async fetch(url: string, options: Record<string, unknown>): Promise<unknown> {
    this.asked.push({ url, options });
    const answer = this.answer(url);
    if (answer === 'hangs') return new Promise(() => {});
    if (answer === 'broken') throw new TypeError('Failed to fetch');
    if (answer === 'aborted') throw Object.assign(new Error('aborted'), { name: 'AbortError' });
    const { status, headers = {}, body = {} } = answer;
    return { status, ok: status < 400, headers: new Map(Object.entries(headers)), json: async () => body };
  }

  private element(tag: string): object {
    if (tag !== 'div') return { tag, style: {} };
    const page = this;
    page.banner = { text: '', parts: [] };
    const { banner } = page;
    return {
      style: {},
      dataset: {},
      setAttribute(name: string, value: string) {
        expect([name, value]).toEqual(['role', 'status']);
      },
      set textContent(text: string) {
        banner.text = text;
        banner.parts = [];
      },
      append: (part: (typeof banner.parts)[number]) => banner.parts.push(part),
      remove() {
        page.banner = undefined;
      },
    };
  }
}

interface XhrLike {
  open(method: string, url: string): void;
  send(): void;
}

const network = { url: NETWORK, account: '0123456789abcdef' };
const HOME = `${NETWORK}/api/network/home?to=${encodeURIComponent('/histories/list?a=1')}&account=0123456789abcdef`;
const GO = `${NETWORK}/network/go?to=%2Fhistories%2Flist%3Fa%3D1`;
/** With the number of changes that were under way. */
const WENT = `${GO}#galaxy-moved=0`;
const ready = { status: 200, body: { ready: true, url: GO, retryAfterMs: 0, reasons: [] } };
const notYet = { status: 200, body: { ready: false, url: GO, retryAfterMs: 500, reasons: [] } };

/** This node is dead, the network lives and gives these answers in turn. */
function deadNode(...answers: Answer[]): (url: string) => Answer {
  let turn = 0;
  return (url) => {
    if (!url.startsWith(NETWORK)) return 'broken';
    const answer = answers[Math.min(turn, answers.length - 1)] as Answer;
    turn += 1;
    return answer;
  };
}

describe('follow.js', () => {
  it('is at most 8 KB and does nothing on a node that is alone', () => {
    expect(statSync(FILE).size).toBeLessThanOrEqual(8 * 1024);
    const page = new FakePage(undefined);
    const { fetch } = page.script;
    expect(fetch.toString()).not.toContain('watch');
  });

  it('leaves a page alone whose calls succeed, fail in words, are aborted, or go elsewhere', async () => {
    const page = new FakePage(network);
    const answers: Record<string, Answer> = {
      '/ok': { status: 200 },
      '/gone': { status: 410 },
      '/wrong': { status: 500 },
      '/aborted': 'aborted',
      'https://other.example/x': 'broken',
    };
    page.answer = (url) => answers[url] ?? 'broken';
    for (const url of Object.keys(answers)) {
      page.call('GET', url);
      await page.script.fetch(url).catch(() => {});
    }
    await page.pass(2);
    expect(page.asks(NETWORK)).toBe(0);
    expect([page.banner, page.wentTo]).toEqual([undefined, []]);
  });

  it('asks the network when its node is gone, until a home is ready, and goes there', async () => {
    const page = new FakePage(network);
    page.answer = deadNode(notYet, notYet, ready);
    page.call('GET', '/history/current_history_json');
    await page.settle();
    expect(page.asked.at(-1)).toMatchObject({ url: HOME, options: { credentials: 'include', cache: 'no-store' } });
    expect(page.banner?.text).toBe('Your Galaxy is moving to another node…');
    await page.pass(2);
    expect(page.asks(HOME)).toBe(3);
    expect(page.wentTo).toEqual([WENT]);
  });

  it('follows fetch just the same, and hands the failure on to the page', async () => {
    const page = new FakePage(network);
    page.answer = deadNode(ready);
    await expect(page.script.fetch('/api/histories')).rejects.toThrow('Failed to fetch');
    await page.settle();
    expect(page.wentTo).toEqual([WENT]);
  });

  it('goes at once when the node says that the account has moved', async () => {
    const page = new FakePage(network);
    const moved = { status: 410, headers: { 'x-galaxy-moved': `${NETWORK}/network/go` } };
    page.answer = (url) => (url.startsWith(NETWORK) ? ready : url === '/api/version' ? { status: 200 } : moved);
    page.call('GET', '/history/current_history_json');
    await page.settle();
    expect(page.asks('/api/version')).toBe(0);
    expect(page.wentTo).toEqual([WENT]);
  });

  it('stays when the node answers after all', async () => {
    const page = new FakePage(network);
    let up = false;
    page.answer = (url) => (url.startsWith(NETWORK) ? notYet : up ? { status: 200 } : 'broken');
    page.call('POST', '/api/tools');
    await page.settle();
    expect(page.banner).toBeDefined();
    up = true;
    await page.pass(2);
    expect([page.banner, page.wentTo]).toEqual([undefined, []]);
  });

  it('counts changes that were under way, each once however often it was tried, and never sends them again', async () => {
    const page = new FakePage(network);
    page.answer = deadNode(notYet, ready);
    for (let time = 0; time < 3; time++) page.call('PATCH', '/api/upload/resumable_upload/1');
    page.call('POST', '/api/tools');
    page.call('GET', '/api/histories');
    await page.pass(2);
    expect(page.wentTo).toEqual([`${GO}#galaxy-moved=2`]);
    expect(page.asked.every(({ options }) => (options as { method?: string }).method === undefined)).toBe(true);
  });

  it('tells of them after the arrival, cleans the address, and can be closed', async () => {
    for (const [count, words] of [
      ['1', '1 change may'],
      ['2', '2 changes may'],
    ] as const) {
      const page = new FakePage(network, '/histories/list?a=1', `#galaxy-moved=${count}`);
      expect(page.address).toBe('/histories/list?a=1');
      await page.settle();
      expect(page.banner?.text).toContain(words);
      page.banner?.parts.find(({ tag }) => tag === 'button')?.onclick?.();
      expect(page.banner).toBeUndefined();
    }
    const odd = new FakePage(network, '/', '#galaxy-moved=<b>');
    await odd.settle();
    expect([odd.banner, odd.address]).toEqual([undefined, undefined]);
  });

  it('says after the arrival what waits at the former home, until it is back', async () => {
    let waitingElsewhere = [{ name: 'Uppsala', changes: 3, what: '2 datasets and 1 history' }];
    const page = new FakePage(network, '/', '#galaxy-moved=0', () => ({ status: 200, body: { waitingElsewhere } }));
    await page.settle();
    expect(page.banner?.text).toBe('Your Galaxy has moved. 2 datasets and 1 history wait at Uppsala until it is back.');
    waitingElsewhere = [{ name: 'Uppsala', changes: 1, what: '1 dataset' }];
    await page.pass(1);
    expect(page.banner?.text).toBe('Your Galaxy has moved. 1 dataset waits at Uppsala until it is back.');
    waitingElsewhere = [];
    await page.pass(1);
    expect(page.banner).toBeUndefined();
    await page.pass(3);
    expect(page.asks('/api/node/status')).toBe(3);
  });

  it('says nothing after the arrival when nothing stayed behind', async () => {
    const page = new FakePage(network, '/', '#galaxy-moved=0', () => ({ status: 200, body: { waitingElsewhere: [] } }));
    await page.pass(3);
    expect([page.banner, page.address]).toEqual([undefined, '/']);
    expect(page.asks('/api/node/status')).toBe(1);
  });

  it("stays at the network's own address when calls get through again, and says what waits when another node answers", async () => {
    const page = new FakePage({ ...network, url: NODE });
    const from = (name: string) => ({ status: 200, headers: { 'x-galaxy-node': name } });
    page.answer = () => from('Uppsala');
    page.call('GET', '/x');
    let up = false;
    page.answer = (url) => (url.includes('/api/network/home') ? ready : up ? from('Freiburg') : 'broken');
    page.call('GET', '/x');
    await page.pass(2);
    expect(page.banner?.text).toBe('Your Galaxy is moving to another node…');
    up = true;
    await page.pass(2);
    expect([page.banner, page.wentTo, page.asks('/api/node/status')]).toEqual([undefined, [], 0]);
    const waitingElsewhere = [{ name: 'Uppsala', changes: 2, what: '2 datasets' }];
    page.answer = () => ({ ...from('Freiburg'), body: { waitingElsewhere } });
    page.call('GET', '/x');
    await page.settle();
    expect(page.banner?.text).toContain('2 datasets wait at Uppsala');
  });

  it('goes nowhere but to the network, whatever the answer names', async () => {
    const page = new FakePage(network);
    page.answer = deadNode({ status: 200, body: { ready: true, url: 'https://evil.example/' } });
    page.call('GET', '/x');
    await page.settle();
    expect(page.wentTo).toEqual([WENT]);
  });

  it('goes to the network’s address when that is there and does not talk to this page', async () => {
    const page = new FakePage(network);
    page.answer = (url) => (url === NETWORK ? { status: 200 } : 'broken');
    page.call('GET', '/x');
    await page.pass(3);
    expect(page.wentTo).toEqual([WENT]);
  });

  it('gives up in the end and leaves a link', async () => {
    const page = new FakePage(network);
    page.answer = () => 'broken';
    page.call('GET', '/x');
    await page.pass(4);
    expect(page.banner?.text).toMatch(/Neither this Galaxy nor its network can be reached/);
    await page.pass(100);
    expect(page.asks(HOME)).toBe(90);
    expect(page.banner?.parts.map(({ tag, href }) => [tag, href])).toEqual([['a', GO]]);
    expect(page.wentTo).toEqual([]);
  });

  it('looks after its node when a call takes long', async () => {
    const page = new FakePage(network);
    page.answer = (url) => (url === '/quick' ? { status: 200 } : 'hangs');
    page.call('GET', '/quick');
    await page.script.fetch('/quick');
    await page.settle();
    expect(page.timers.filter(({ gone }) => !gone)).toEqual([]);
    page.call('GET', '/slow');
    const [watched] = page.timers.filter(({ gone }) => !gone);
    expect(watched?.ms).toBe(10_000);
    page.answer = deadNode(ready);
    watched?.run();
    await page.settle();
    expect(page.wentTo).toEqual([WENT]);
  });
});
