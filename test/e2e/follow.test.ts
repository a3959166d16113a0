/**
 * The promise of the whole: a page of the genuine client, left alone, goes on when its node drains and when it dies. Real
 * processes and a real browser; once with nodes that have addresses of their own, where the window moves, and once with
 * nodes that are reached through the network's address alone, where it stays. Everything that the page showed meanwhile is
 * written down: a moment of sign-in or a message of an error would fail it.
 */
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { DemoNetwork, PLACES, type RunningNode } from '../../bin/demo/network.js';
import { type Expected, TestBrowser } from '../support/chromium.js';
import { endAllPrograms, type Program, runProgram, scratchFolder } from '../support/processes.js';
import { itWith } from '../support/programs.js';
import { CHEAP_PASSWORDS, eventually } from '../support/stand-alone.js';

const USER = { email: 'ada@example.org', username: 'ada', password: 'difference engine' };
/** The promise, and how late a busy machine may be. */
const FOLLOWS_WITHIN_MS = 15_000;
const PATIENCE = 4;
const SAFE_WITHIN_MS = 60_000;
/** What she uploads, by name. */
const DATA = {
  'phage genes': 'gene\tstart\tend\nnu1\t191\t736\nA\t711\t2636\n',
  'from the second node': '>probe\nGGGCGGCGACCTCGCGGGTTTTCGCTATTTATGAAAATTTTCCGG\n',
  'while copying was paused': 'only the node that dies has this\n',
  'from the third node': 'life goes on\n',
};
type DataName = keyof typeof DATA;
const AFTER_THE_CRASH: readonly DataName[] = ['phage genes', 'from the second node', 'from the third node'];
/** Where the browser is seen from: near the first of the nodes. */
const VISITOR = { '127.0.0.0/24': '59.33,18.07' };

/** In every page from its first moment on; what it reports goes into `shown`. */
const WATCH_PAGE = `
  if (window.top === window) {
    const last = new Map();
    const look = (kind, selector, textOf) => {
      for (const part of document.querySelectorAll(selector)) {
        const text = textOf(part).replace(/\\s+/g, ' ').trim().slice(0, 300);
        if (text === '' || last.get(part) === text) continue;
        last.set(part, text);
        window.galaxyShown(kind + ': ' + text);
      }
    };
    new MutationObserver(() => {
      look('banner', '#galaxy-follow', (part) => part.textContent);
      look('message', '.toast, .alert-danger, .alert-warning', (part) => part.textContent);
      look('sign-in', 'input[name=login]', () => location.href);
    }).observe(document, { subtree: true, childList: true, characterData: true });
  }
`;

const withBrowser = itWith('chromium');

interface Kind {
  name: string;
  publicUrls: boolean;
  expected: Expected[];
}

/** While a node leaves, or lies dead, its page's calls are refused: that is how the page notices. */
const KINDS: Record<string, Kind> = {
  'at addresses of their own': {
    name: 'follow',
    publicUrls: true,
    expected: [
      { matches: /failed response: 410 GET /, because: 'the account has moved' },
      { matches: /failed request: net::ERR_CONNECTION_(REFUSED|RESET) GET /, because: 'the node was killed' },
      { matches: /console error: .*\b(410|Network Error|Failed to fetch)\b/, because: 'what the client says of these' },
    ],
  },
  "behind the network's address": { name: 'proxied', publicUrls: false, expected: [] },
};

describe.each(Object.entries(KINDS))('an open page of nodes %s', (_title, { name, publicUrls, expected }) => {
  const scratch = scratchFolder('galaxy-follow-');
  /** Whether a change is made that only the killed node has: the window that moved shows exactly what is there. */
  const leavesBehind = publicUrls;
  let network: DemoNetwork;
  let browser: TestBrowser;
  /** What the page said of itself, in its order: banner, toasts, sign-in forms. */
  const shown: string[] = [];
  let drain: Program;
  let history = '';
  let failed: string | undefined;

  /** One user's way: after a step that failed the others are not waited for. */
  function it(step: string, work: () => unknown): void {
    withBrowser(step, async () => {
      if (failed !== undefined) throw new Error(`not tried, because of the step "${failed}"`);
      failed = step;
      try {
        await work();
        failed = undefined;
      } finally {
        if (failed !== undefined) {
          await browser.screenshot('failed').catch(() => {});
          process.stderr.write(`${[...shown, ...browser.unexpected(expected)].join('\n')}\n`);
        }
      }
    });
  }

  const item = (what: DataName): Locator =>
    browser.page.locator('.content-item[data-state="ok"]', { hasText: new RegExp(`\\d+:\\s*${what}`) });
  const waits = () => browser.page.locator('#galaxy-follow', { hasText: `at ${PLACES.freiburg.name} until` });
  const origin = () => new URL(browser.page.url()).origin;

  /** The node that answers this page, by its own word. */
  async function serving(): Promise<string> {
    const said = await browser.page.evaluate<string | null>(
      "fetch('/api/version').then((answer) => answer.headers.get('x-galaxy-node'))",
    );
    return (said ?? '').replace(/ \(.*/, '');
  }

  const nodeNamed = (title: string): RunningNode => {
    const found = [...network.nodes.values()].find(({ place }) => place.name === title);
    if (found === undefined) throw new Error(`no node is called "${title}"`);
    return found;
  };

  const idOf = (node: RunningNode) => [...network.nodes].find(([, one]) => one === node)?.[0];

  const addressOf = (node: RunningNode) => (publicUrls ? node.ready.url : network.networkUrl);

  async function upload(what: DataName): Promise<void> {
    const { page } = browser;
    await page.click('#activity-upload');
    await page.locator('#btn-new:visible').first().click();
    await page.locator('input.upload-title:visible').last().fill(what);
    await page.locator('textarea.upload-text-content:visible').last().fill(DATA[what]);
    await page.locator('#btn-start:visible').first().click();
    await item(what).waitFor();
    await page.locator('#btn-close:visible').first().click();
    await page.locator('#btn-close:visible').waitFor({ state: 'detached' });
  }

  async function untilSafe(node: RunningNode): Promise<void> {
    await eventually(
      'everything is safe',
      async () => {
        const { copies } = (await node.command('status')) as {
          copies: { accepted: { objects: number }; atRisk: { objects: number }; logEntriesAtRisk: number };
        };
        return copies.accepted.objects > 0 && copies.atRisk.objects === 0 && copies.logEntriesAtRisk === 0;
      },
      SAFE_WITHIN_MS * PATIENCE,
    );
  }

  /** Waits, without touching the page, until another node answers it. */
  async function followed(from: RunningNode, ...datasets: DataName[]): Promise<RunningNode> {
    const { page } = browser;
    const timeout = FOLLOWS_WITHIN_MS * PATIENCE;
    let isUnderWay = true;
    // Only to be looked at: the page may be gone before it is drawn.
    const bannerShown = page.locator('#galaxy-follow').waitFor({ timeout });
    const drawn = bannerShown.then(async () =>
      isUnderWay ? browser.screenshot(`moving-from-${idOf(from)}`) : undefined,
    );
    drawn.catch(() => {});
    if (publicUrls) {
      await page.waitForURL((url) => url.origin !== from.ready.url && url.pathname === '/', { timeout });
    } else {
      await page.waitForResponse(
        (answer) => {
          const by = answer.headers()['x-galaxy-node'] ?? '';
          const isPolling = new URL(answer.url()).pathname.startsWith('/api/histories/');
          return isPolling && answer.ok() && !decodeURI(by).startsWith(from.place.name);
        },
        { timeout },
      );
    }
    await page.locator('#user', { hasText: USER.username }).waitFor({ timeout });
    for (const what of datasets) await item(what).waitFor({ timeout });
    isUnderWay = false;
    return nodeNamed(await serving());
  }

  /** Of the server and in the page: these and no others, each with a number of its own and with its bytes. */
  async function expectEverything(...datasets: DataName[]): Promise<void> {
    const { page } = browser;
    const current = await page.evaluate<{ id: string }>(
      "fetch('/history/current_history_json').then((answer) => answer.json())",
    );
    expect(current.id).toBe(history);
    const items = await page.evaluate<{ id: string; hid: number; name: DataName; state: string }[]>(
      `fetch('/api/histories/${history}/contents?v=dev&order=hid-asc').then((answer) => answer.json())`,
    );
    expect(items.map((one) => `${one.name}: ${one.state}`).sort()).toEqual(
      datasets.map((what) => `${what}: ok`).sort(),
    );
    expect(items.map(({ hid }) => hid)).toEqual(items.map((_, index) => index + 1));
    for (const { id, name } of items) {
      const text = await page.evaluate<string>(`fetch('/api/datasets/${id}/display').then((answer) => answer.text())`);
      expect(text).toBe(DATA[name]);
      await item(name).waitFor();
    }
    expect(await page.locator('.content-item').count()).toBe(datasets.length);
  }

  /** In another tab, as she might meanwhile. */
  async function lookAt(url: string, step: string, shows: (page: Page) => Locator): Promise<void> {
    const page = await browser.context.newPage();
    await page.goto(url);
    await shows(page).first().waitFor();
    await browser.screenshot(step, page);
    await page.close();
  }

  /** Behind the network's address nothing was loaded anew: what she had open is still open. */
  async function expectSamePage(): Promise<void> {
    const mark = await browser.page.evaluate<number | undefined>('window.galaxyMark');
    expect(mark).toBe(publicUrls ? undefined : 1);
  }

  beforeAll(async () => {
    network = new DemoNetwork({
      folder: scratch.path,
      logLevel: 'warn',
      port: 0,
      publicUrls,
      nodeArguments: ['--set', CHEAP_PASSWORDS],
    });
    await network.startCoordinator(['--set', `locations=${JSON.stringify(VISITOR)}`]);
    await Promise.all(Object.entries(PLACES).map(([id, place]) => network.startNode(id, place)));
    for (const id of network.nodes.keys()) await network.join(id);
    await eventually('three nodes serve', async () => {
      const peers = await network.peers();
      return peers.filter(({ state, presence }) => state === 'serving' && presence === 'alive').length === 3;
    });
    const { ready } = network.node('uppsala');
    // A fresh checkout without the client fetches it now.
    await eventually('the web client is there', async () => (await fetch(`${ready.url}/login/start`)).ok, 60_000);
    browser = await TestBrowser.open(name);
    await browser.context.exposeBinding('galaxyShown', (_source, what: string) => {
      shown.push(what);
    });
    await browser.context.addInitScript(WATCH_PAGE);
  });

  afterAll(async () => {
    await browser?.close();
    await endAllPrograms();
    scratch.remove();
  });

  it("the network's address leads to the nearest node's sign-in page, and its form signs a user up", async () => {
    const { page } = browser;
    await page.goto(`${network.networkUrl}/`);
    await page.click('#register-toggle');
    expect(await serving()).toBe(PLACES.uppsala.name);
    expect(origin()).toBe(addressOf(network.node('uppsala')));
    for (const [field, value] of Object.entries({ ...USER, confirm: USER.password })) {
      await page.fill(`input[name=${field}]`, value);
    }
    await page.click('button[name=create]');
    await page.locator('#user', { hasText: USER.username }).waitFor();
    await page.getByText('This history is empty.').waitFor();
    expect(await serving()).toBe(PLACES.uppsala.name);
    expect(origin()).toBe(addressOf(network.node('uppsala')));
    const cookies = await browser.context.cookies(network.networkUrl);
    expect(cookies.map((cookie) => cookie.name)).toContain('galaxy_network');
    // From here on no page may ask her to sign in.
    shown.length = 0;
  });

  it('a pasted dataset becomes ok, and safe', async () => {
    await upload('phage genes');
    await browser.screenshot('1-uploaded');
    ({ id: history } = await browser.page.evaluate<{ id: string }>(
      "fetch('/history/current_history_json').then((answer) => answer.json())",
    ));
    await untilSafe(network.node('uppsala'));
  });

  it('its node drains: untouched, the page goes on at another node, signed in, with the same history', async () => {
    const uppsala = network.node('uppsala');
    await browser.page.evaluate('void (window.galaxyMark = 1)');
    const began = performance.now();
    drain = runProgram('galaxy-node', ['drain', '--json', '--data', uppsala.folder]);
    const node = await followed(uppsala, 'phage genes');
    tell(`${name}: ${seconds(began)} s from the drain's begin to the page at ${node.place.name}`);
    await browser.screenshot('2-drained');
    expect(node.place.name).toBe(PLACES.freiburg.name);
    expect(origin()).toBe(addressOf(node));
    await expectEverything('phage genes');
    await upload('from the second node');
    await expectEverything('phage genes', 'from the second node');
    await expectSamePage();
    await browser.screenshot('3-uploaded-there');
  });

  it('the drained node exits by itself', async () => {
    expect((await drain.exited).code, drain.errors.slice(-3).join('\n')).toBe(0);
    expect(await network.node('uppsala').program.exited).toEqual({ code: 0, signal: null });
  });

  it('its node is killed: untouched, the page goes on at the third within the promise', async () => {
    const freiburg = network.node('freiburg');
    await untilSafe(freiburg);
    if (leavesBehind) {
      await freiburg.command('config', 'set', 'replication.paused', 'true');
      await upload('while copying was paused');
    }
    const began = performance.now();
    await freiburg.program.killGroup();
    const node = await followed(freiburg, 'phage genes', 'from the second node');
    const took = performance.now() - began;
    tell(`${name}: ${seconds(began)} s from the kill to the page at ${node.place.name} (promised: 15 s)`);
    expect(took).toBeLessThan(FOLLOWS_WITHIN_MS * PATIENCE);
    if (leavesBehind) await waits().waitFor();
    await browser.screenshot('4-killed');
    expect(node.place.name).toBe(PLACES.melbourne.name);
    expect(origin()).toBe(addressOf(node));
    await expectEverything('phage genes', 'from the second node');
    await upload('from the third node');
    await expectEverything(...AFTER_THE_CRASH);
    await expectSamePage();
    await browser.screenshot('5-uploaded-at-the-third');
    await lookAt(`${network.networkUrl}/peers`, 'peers', (peers) => peers.getByText(PLACES.freiburg.name));
  });

  it('the killed node starts again: the page stays, gets what only that node had, and everything becomes safe', async () => {
    await network.startNode('freiburg', PLACES.freiburg, ['--set', 'replication.paused=false']);
    await eventually('it serves', async () => {
      const peer = (await network.peers()).find((one) => one.name === PLACES.freiburg.name);
      return peer?.state === 'serving' && peer.presence === 'alive';
    });
    if (leavesBehind) {
      await item('while copying was paused').waitFor({ timeout: SAFE_WITHIN_MS });
      await waits().waitFor({ state: 'detached', timeout: SAFE_WITHIN_MS });
      await browser.screenshot('6-it-came-with-its-node');
    }
    await untilSafe(network.node('melbourne'));
    await lookAt(`${origin()}/node`, 'node', (own) => own.getByText(PLACES.uppsala.name));
    expect(await serving()).toBe(PLACES.melbourne.name);
    await expectEverything(...AFTER_THE_CRASH, ...(leavesBehind ? (['while copying was paused'] as const) : []));
  });

  it('she met no sign-in page, no message of an error and no failed call but those of a node that left', () => {
    tell([...new Set(shown)].map((line) => `${name}: the page said: ${line}`).join('\n'));
    expect(shown.filter((line) => !line.startsWith('banner'))).toEqual([]);
    expect(browser.unexpected(expected)).toEqual([]);
  });
});

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
