/** The genuine web client in Chromium on a stand-alone node: a user's first hour, from sign-up to sign-in again. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { packageRoot } from '../../protocol/runtime/package.js';
import { type Expected, TestBrowser } from '../support/chromium.js';
import { endAllPrograms, scratchFolder } from '../support/processes.js';
import { itWith } from '../support/programs.js';
import { eventually, startStandAlone } from '../support/stand-alone.js';

const USER = { email: 'ada@example.org', username: 'ada', password: 'difference engine' };
const TABLE = 'gene\tstart\tend\nnu1\t191\t736\nA\t711\t2636\n';
const GENOME = gunzipSync(readFileSync(join(packageRoot(), 'test/data/lambda_virus.fa.gz')));
/** None: whatever a page asks for on this way must be there. */
const EXPECTED: Expected[] = [];

const withBrowser = itWith('chromium');
const scratch = scratchFolder();
let url: string;
let browser: TestBrowser;

const item = (hid: number, state?: string): Locator =>
  browser.page.locator(`.content-item[data-hid="${hid}"]${state ? `[data-state="${state}"]` : ''}`);
const historyName = () => browser.page.locator('[data-description="name display"]');
const signedInAs = (name: string) => browser.page.locator('#user', { hasText: name });

/** A field of the tab "Edit". */
const field = (name: string) =>
  browser.page.locator(`#${name} input, #${name} textarea, input#${name}, textarea#${name}`).first();

async function saved(button: string): Promise<object> {
  const answer = await browser.answerTo(/^\/dataset\/set_edit$/, 'PUT', () =>
    browser.page.locator(button).first().click(),
  );
  return (await answer.json()) as object;
}

/** In the list of datatypes, which is searched by typing. */
async function chooseDatatype(extension: string): Promise<void> {
  const { page } = browser;
  await page.locator('.tab-pane.active .multiselect').first().click();
  await page.keyboard.type(extension);
  await page.locator('.tab-pane.active .multiselect__option--highlight', { hasText: extension }).first().waitFor();
  await page.keyboard.press('Enter');
}

let failed: string | undefined;
/** The steps are one user's way: after one that failed the others are not waited for. */
function it(name: string, work: () => unknown): void {
  withBrowser(name, async () => {
    if (failed !== undefined) throw new Error(`not tried, because of the step "${failed}"`);
    failed = name;
    try {
      await work();
      failed = undefined;
    } finally {
      if (failed !== undefined) await browser.screenshot('failed').catch(() => {});
    }
  });
}

beforeAll(async () => {
  ({ url } = await startStandAlone({ folder: join(scratch.path, 'node'), listen: '127.0.3.1' }));
  // A fresh checkout without the client fetches it now.
  await eventually('the web client is there', async () => (await fetch(`${url}/login/start`)).ok, 110_000);
  browser = await TestBrowser.open('client');
});

afterAll(async () => {
  await browser?.close();
  await endAllPrograms();
  scratch.remove();
});

describe('the web client', () => {
  it('signs a new user up through its form and shows an empty history', async () => {
    const { page } = browser;
    await page.goto(`${url}/`);
    await page.click('#register-toggle');
    for (const [name, value] of Object.entries({ ...USER, confirm: USER.password })) {
      await page.fill(`input[name=${name}]`, value);
    }
    await browser.screenshot('1-sign-up');
    const answer = await browser.answerTo(/^\/user\/create$/, 'POST', () => page.click('button[name=create]'));
    expect(answer.status()).toBe(200);
    await signedInAs(USER.username).waitFor();
    await page.getByText('This history is empty.').waitFor();
    expect(await historyName().textContent()).toBe('Unnamed history');
    await page.frameLocator('iframe[name="frame"]').first().getByText('This is a Galaxy node.').waitFor();
    await browser.screenshot('2-home');
  });

  it('uploads a file and pasted text by its dialog, and both become green', async () => {
    const { page } = browser;
    const file = join(scratch.path, 'lambda.fa');
    writeFileSync(file, GENOME);
    await page.click('#activity-upload');
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.locator('#btn-local:visible').first().click(),
    ]);
    await chooser.setFiles(file);
    await page.locator('#btn-new:visible').first().click();
    await page.fill('textarea.upload-text-content', TABLE);
    await page.locator('#btn-start:visible').first().click();
    await page.getByText('100%').nth(1).waitFor();
    await item(1, 'ok').waitFor();
    await item(2, 'ok').waitFor();
    await browser.screenshot('3-uploaded');
    await page.locator('#btn-close:visible').first().click();
    expect(await item(1).locator('.content-title').textContent()).toBe('lambda.fa');
  });

  it('finds cat1 in the tool panel, shows its form and help, and runs it', async () => {
    const { page } = browser;
    await page.fill('input[placeholder="search tools"]', 'Concatenate datasets');
    await page.locator('a[href*="tool_id=cat1"]').first().click();
    await page.locator('#execute').first().waitFor();
    await page.locator('.form-help strong', { hasText: 'What it does' }).waitFor();
    await page.getByText('2: Pasted Entry').first().waitFor();
    await browser.screenshot('4-tool-form');
    const answer = await browser.answerTo(/^\/api\/(tools|jobs)$/, 'POST', () =>
      page.locator('#execute').first().click(),
    );
    expect(answer.status()).toBe(200);
    await item(3, 'ok').waitFor();
    await browser.screenshot('5-ran');
  });

  it('shows the output and downloads what was uploaded, byte for byte', async () => {
    const { page } = browser;
    await item(3).locator('.display-btn').click();
    const shown = page.frameLocator('iframe[name="frame"]').first();
    await shown.getByText('nu1').waitFor();
    await browser.screenshot('6-viewed');
    await item(3).locator('.content-title').click();
    expect((await downloaded(item(3))).toString()).toBe(TABLE);
    await item(1).locator('.content-title').click();
    expect((await downloaded(item(1))).equals(GENOME)).toBe(true);
    await item(1).getByText('fasta').waitFor();
    await browser.screenshot('7-expanded');
  });

  it('renames the history; after a reload she is signed in and everything is there', async () => {
    const { page } = browser;
    await page.click('[data-description="editor toggle"]');
    await page.fill('[data-description="name input"]', 'Phage lambda');
    const answer = await browser.answerTo(/^\/api\/histories\/[0-9a-f]{16}$/, 'PUT', () =>
      page.click('[data-description="editor save button"]'),
    );
    expect(answer.status()).toBe(200);
    await page.goto(`${url}/`);
    await signedInAs(USER.username).waitFor();
    await historyName().filter({ hasText: 'Phage lambda' }).waitFor();
    for (const hid of [1, 2, 3]) await item(hid, 'ok').waitFor();
    // Items that were open are open again, with all that their details say.
    await item(3).locator('.dataset-peek', { hasText: 'nu1' }).waitFor();
    await item(1).getByText('1 sequences').waitFor();
    await browser.screenshot('8-reloaded');
  });

  it('lists the history with its name and owner', async () => {
    const { page } = browser;
    await page.goto(`${url}/histories/list`);
    await page.locator('[id^="g-card-"]', { hasText: 'Phage lambda' }).filter({ visible: true }).first().waitFor();
    await browser.screenshot('9-histories');
    const list = await page.evaluate(async () => (await fetch('/api/histories?view=summary&keys=username')).json());
    expect(list).toMatchObject([{ name: 'Phage lambda', count: 3, username: USER.username }]);
  });

  it('opens a dataset by its address: what is in it, and how it was made', async () => {
    const { page } = browser;
    const [uploaded, id] = await Promise.all(
      [1, 3].map(async (hid) => (await item(hid).getAttribute('id'))?.slice(-16)),
    );
    const answer = await page.goto(`${url}/datasets/${id}/preview`);
    expect(answer?.headers()['content-type']).toContain('text/html');
    await page.frameLocator('iframe[name="frame"]').getByText('nu1').waitFor();
    await page.goto(`${url}/datasets/${id}/details`);
    await page.getByText('Job Information').waitFor();
    await page.getByText('Command Line', { exact: true }).waitFor();
    await browser.screenshot('10-details');
    expect(await page.evaluate('document.body.innerText')).not.toContain('[object Object]');
    await page.goto(`${url}/datasets/${uploaded}/details`);
    await page.getByText('file_count').waitFor();
    expect(await page.evaluate('document.body.innerText')).not.toContain('[object Object]');
  });

  it('changes name, info and datatype of a dataset by its tab "Edit", and the history shows them', async () => {
    const { page } = browser;
    await item(2).locator('.content-title').click();
    await item(2).locator('.edit-btn').click();
    await page.locator('#dataset-attributes-default-save').waitFor();
    await field('name').fill('Genes of the phage');
    await field('info').fill('copied from the paper');
    await field('annotation').fill('check the third one');
    await browser.screenshot('11-edit');
    expect(await saved('#dataset-attributes-default-save')).toEqual({
      message: 'Attributes updated.',
      status: 'success',
    });
    await page.locator('.dataset-attributes-alert', { hasText: 'Attributes updated.' }).waitFor();
    await item(2).getByText('Genes of the phage').waitFor();
    await item(2).getByText('copied from the paper').waitFor();
    await browser.screenshot('12-edited');
    // What a person is told of a wish that cannot be had.
    await field('name').fill(' ');
    expect(await saved('#dataset-attributes-default-save')).toMatchObject({ status: 'danger' });
    await page.locator('.dataset-attributes-alert', { hasText: 'name must not be empty' }).waitFor();

    await page.locator('.dataset-edit-datatype-tab').click();
    await chooseDatatype('txt');
    expect(await saved('.tab-pane.active button:has-text("Save")')).toMatchObject({ status: 'success' });
    await item(2).locator('.datatype', { hasText: 'txt' }).waitFor();
    await browser.screenshot('13-datatypes');
    // The client opens the page anew when it hears of the change: at a moment of its own, so we do.
    await page.goto(page.url());
    await page.locator('.dataset-edit-datatype-tab').click();
    const detected = await saved('#dataset-attributes-autodetect-datatype');
    expect(detected).toEqual({ message: 'The type was detected and changed to tabular.', status: 'success' });
    await item(2).locator('.datatype', { hasText: 'tabular' }).waitFor();
    await browser.screenshot('14-detected');
    const told = await page.evaluate<object>(
      `fetch('/api/datasets/' + location.pathname.split('/')[2]).then((answer) => answer.json())`,
    );
    expect(told).toMatchObject({
      name: 'Genes of the phage',
      misc_info: 'copied from the paper',
      annotation: 'check the third one',
      extension: 'tabular',
      metadata_columns: 3,
    });
  });

  it('signs out, and in again with the public name', async () => {
    const { page } = browser;
    await page.click('#user a');
    await page.getByText('Sign Out').click();
    await page.locator('input[name=login]').waitFor();
    await browser.screenshot('15-signed-out');
    await page.fill('input[name=login]', USER.username);
    await page.fill('input[name=password]', USER.password);
    const answer = await browser.answerTo(/^\/user\/login$/, 'POST', () => page.click('button[name=login]'));
    expect(answer.status()).toBe(200);
    await signedInAs(USER.username).waitFor();
    await historyName().filter({ hasText: 'Phage lambda' }).waitFor();
    await item(3, 'ok').waitFor();
    await browser.screenshot('16-signed-in-again');
  });

  it('met no error in its pages and no failed response on the whole way', () => {
    expect(browser.unexpected(EXPECTED)).toEqual([]);
  });
});

/** What the browser saves when the disk icon of an open item is clicked. */
async function downloaded(opened: Locator): Promise<Buffer> {
  const [download] = await Promise.all([
    browser.page.waitForEvent('download'),
    opened.locator('.download-btn').first().click(),
  ]);
  return readFileSync(await download.path());
}
