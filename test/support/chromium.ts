/**
 * The browser of the end-to-end tests: the system's Chromium, one profile of its own for each test file, and everything
 * that goes wrong in a page written down. Tests wait for answers of the server and for what the page shows; nothing here
 * sleeps. Rejected: a browser that Playwright downloads, because the Debian package is what every machine can have.
 */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page, type Response } from 'playwright-core';
import { scratchFolder } from './processes.js';
import { programPath } from './programs.js';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Generous: two cores may be shared with a build. */
export const PAGE_WAIT_MS = 45_000;

/** What a page did not manage. `what` is one line, for the message of a failed test. */
export interface PageProblem {
  kind: 'page error' | 'console error' | 'failed response' | 'failed request';
  what: string;
}

/** A failed response or console message that is meant to be there, with the reason why. */
export interface Expected {
  matches: RegExp;
  because: string;
}

export class TestBrowser {
  readonly problems: PageProblem[] = [];

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    private readonly profile: { remove(): void },
    private readonly name: string,
  ) {}

  /** `name` begins the file names of its screenshots. */
  static async open(name: string): Promise<TestBrowser> {
    const executablePath = programPath('chromium');
    if (executablePath === undefined) throw new Error('chromium is not installed');
    const profile = scratchFolder('galaxy-chromium-');
    try {
      const context = await chromium.launchPersistentContext(profile.path, {
        executablePath,
        headless: true,
        viewport: { width: 1400, height: 850 },
        acceptDownloads: true,
        args: FLAGS,
      });
      context.setDefaultTimeout(PAGE_WAIT_MS);
      context.setDefaultNavigationTimeout(PAGE_WAIT_MS);
      const page = context.pages()[0] ?? (await context.newPage());
      const browser = new TestBrowser(context, page, profile, name);
      browser.listen(page);
      context.on('page', (opened) => browser.listen(opened));
      return browser;
    } catch (error) {
      profile.remove();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.context.close();
    this.profile.remove();
  }

  /** Into the folder GALAXY_SCREENSHOTS, or `galaxy-screenshots` under the temporary one. Returns the path. */
  async screenshot(step: string, page = this.page): Promise<string> {
    const path = join(screenshotFolder(), `${this.name}-${step}.png`);
    await page.screenshot({ path });
    return path;
  }

  /** What went wrong so far, without what was expected. */
  unexpected(expected: readonly Expected[] = []): string[] {
    return this.problems
      .map(({ kind, what }) => `${kind}: ${what}`)
      .filter((line) => !expected.some(({ matches }) => matches.test(line)));
  }

  /** Resolves with the answer to a request that the page makes while `act` is under way, or afterwards. */
  async answerTo(path: RegExp, method: string, act: () => Promise<unknown>): Promise<Response> {
    const [response] = await Promise.all([
      this.page.waitForResponse((answer) => {
        return answer.request().method() === method && path.test(new URL(answer.url()).pathname);
      }),
      act(),
    ]);
    return response;
  }

  private listen(page: Page): void {
    const note = (kind: PageProblem['kind'], what: string) => this.problems.push({ kind, what: what.slice(0, 500) });
    page.on('pageerror', (error) => note('page error', String(error.stack ?? error)));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      // The browser's own echo of a failed response, which is noted with its status below.
      if (message.text().startsWith('Failed to load resource')) return;
      note('console error', `${message.text()} (${message.location().url})`);
    });
    page.on('response', (response) => {
      if (response.status() < 400) return;
      note('failed response', `${response.status()} ${response.request().method()} ${response.url()}`);
    });
    page.on('requestfailed', (request) => {
      const reason = request.failure()?.errorText ?? '';
      // A page that is left abandons what it was asking.
      if (reason !== 'net::ERR_ABORTED') note('failed request', `${reason} ${request.method()} ${request.url()}`);
    });
  }
}

/** Always the same one, so that many runs do not fill the disk. */
function screenshotFolder(): string {
  const folder = process.env.GALAXY_SCREENSHOTS ?? join(tmpdir(), 'galaxy-screenshots');
  mkdirSync(folder, { recursive: true });
  return folder;
}
