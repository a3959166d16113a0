import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientPage, embedJson } from '../../../node/web/pages.js';
import { type Door, openDoor } from '../api-auth/door.js';
import { makeClientFolder } from './client-folder.js';

const ada = { email: 'ada@example.org', username: 'ada', password: 'correct horse' };
const NAME = '</title><script>alert("x")</script>\u2028';

let client: string;
let door: Door;

beforeAll(async () => {
  client = await makeClientFolder(await mkdtemp(join(tmpdir(), 'galaxy-client-')));
  door = await openDoor({ clientFolder: client, options: { name: NAME } });
});
afterAll(async () => {
  await door.close();
  await rm(client, { recursive: true, force: true });
});

const page = (url: string, headers: Record<string, string> = {}) =>
  door.inject({ method: 'GET', url, headers: { accept: 'text/html', ...headers } });

describe('the client’s page', () => {
  it('sends whoever has not signed in to the sign-in page, and back afterwards', async () => {
    const root = await page('/');
    expect([root.statusCode, root.headers.location]).toEqual([302, '/login/start']);
    const deep = await page('/histories/list?a=1');
    expect(deep.headers.location).toBe('/login/start?redirect=%2Fhistories%2Flist%3Fa%3D1');
    expect((await page('/root/login')).headers.location).toBe('/login/start');
    for (const url of ['/login/start', '/register/start', '/login/start/?redirect=/x']) {
      expect((await page(url)).statusCode).toBe(200);
    }
  });

  it('is the same for every route once she has signed in', async () => {
    const browser = door.browser();
    await browser.signUp(ada);
    for (const url of ['/', '/?tool_id=cat1', '/histories/list', '/workflows/list', '/user']) {
      const answer = await browser.get(url);
      expect([url, answer.statusCode]).toEqual([url, 200]);
      expect(answer.body).toContain('<script src="/static/dist/analysis.bundled.js?v=25.1.2">');
      expect(answer.body).toContain('"username":"ada"');
      expect(answer.headers['cache-control']).toBe('no-store');
      expect(answer.headers['content-security-policy']).toBe("frame-ancestors 'self'");
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
    }
  });

  it('is not the answer to a program that asks for something unknown', async () => {
    const answer = await page('/datasets/unknown', { accept: 'application/json, text/plain, */*' });
    expect([answer.statusCode, answer.json().err_code]).toEqual([404, 404001]);
  });

  it('nothing in a name or a configuration can end its script or its title', async () => {
    const { body } = await page('/login/start');
    expect(body).not.toContain('<script>alert');
    expect(body).toContain('&lt;/title&gt;&lt;script&gt;');
    const script = /<script>config\.set\((.*)\);<\/script>/.exec(body)?.[1] as string;
    expect(script).not.toContain('\u2028');
    expect(JSON.parse(script).options.config.brand).toBe(NAME);
  });

  it('loads further scripts before Galaxy’s', () => {
    const html = clientPage({ title: 'x', options: {}, scripts: ['/static/node/follow.js'] });
    expect(html.indexOf('follow.js')).toBeGreaterThan(0);
    expect(html.indexOf('follow.js')).toBeLessThan(html.indexOf('libs.bundled.js'));
  });

  it('embedded JSON reads as what it was', () => {
    const value = { a: '</script><!--', b: 'x & y', c: '\u2028\u2029', d: '"\\' };
    const text = embedJson(value);
    expect(text).not.toMatch(/[<>&\u2028\u2029]/);
    expect(JSON.parse(text)).toEqual(value);
  });

  it('welcome is a page of its own, because the client frames it', async () => {
    for (const url of ['/welcome', '/static/welcome.html']) {
      const { body, statusCode } = await page(url);
      expect(statusCode).toBe(200);
      expect(body).not.toContain('analysis.bundled.js');
      expect(body).toContain('href="/node"');
      expect(body).not.toContain('<script>');
    }
  });
});

describe('while the client is not here', () => {
  it('a plain page says so, tries again by itself, and the API works', async () => {
    const without = await openDoor();
    const answer = await without.inject({ method: 'GET', url: '/', headers: { accept: 'text/html' } });
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '5']);
    expect(answer.body).toContain('<meta http-equiv="refresh" content="5">');
    expect(answer.body).toMatch(/web interface is not installed yet/);
    expect((await without.inject({ method: 'GET', url: '/static/dist/base.css' })).json().err_code).toBe(404001);
    expect((await without.inject({ method: 'GET', url: '/api/version' })).statusCode).toBe(200);
    await without.close();
  });
});

describe('the client’s files', () => {
  it('are kept for ever when their name says their content or version, else asked again by ETag', async () => {
    const picture = await page('/static/dist/00950d3d0eabc9b79c13.png');
    expect(picture.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect((await page('/static/dist/base.css?v=25.1.2')).headers['cache-control']).toMatch(/immutable/);
    const chunk = await page('/static/dist/1079.bundled.js');
    expect(chunk.headers['cache-control']).toBe('public, no-cache');
    expect(chunk.headers['content-type']).toMatch(/javascript/);
    const again = await page('/static/dist/1079.bundled.js', { 'if-none-match': chunk.headers.etag as string });
    expect([again.statusCode, again.body]).toEqual([304, '']);
  });

  it.each([
    '/static/dist/../secret.txt',
    '/static/dist/%2e%2e/secret.txt',
    '/static/dist/..%2fsecret.txt',
    '/static/dist/..%5csecret.txt',
    '/static/dist/x/%2e%2e/%2e%2e/secret.txt',
    '/static/dist//etc/passwd',
    '/static/dist/%00',
    '/static/dist/',
    '/static/dist/absent.js',
    '/static/absent.js',
  ])('%s gives nothing', async (url) => {
    const answer = await page(url);
    expect(answer.statusCode).toBeGreaterThanOrEqual(400);
    expect(answer.body).not.toContain('outside of dist');
    expect(answer.json()).toHaveProperty('err_code');
  });

  it('do not look at the session', async () => {
    const browser = door.browser();
    browser.cookies.set('galaxysession', 'nonsense');
    expect((await browser.get('/static/dist/base.css')).cookies).toEqual([]);
    expect((await browser.get('/favicon.ico')).headers['content-type']).toBe('image/svg+xml');
    expect((await browser.get('/robots.txt')).body).toContain('Disallow: /api/');
  });
});
