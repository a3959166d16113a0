/** The script that says why an upload does not go on, in as much of a browser as it touches. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { packageRoot } from '../../../protocol/runtime/package.js';

const SCRIPT = readFileSync(join(packageRoot(), 'node/web/static/uploads.js'), 'utf8');
const UPLOADS = '/api/upload/resumable_upload/';
const full = { err_msg: 'The disk of this node is too full.', err_code: 507001 };

function openPage() {
  const shown: { text: string; close?: () => void }[] = [];
  class Xhr {
    status = 0;
    responseText = '';
    private onLoad: (() => void) | undefined;
    open(): void {}
    addEventListener(_type: 'load', run: () => void): void {
      this.onLoad = run;
    }
    send(status: number, body: unknown): void {
      this.status = status;
      this.responseText = typeof body === 'string' ? body : JSON.stringify(body);
      this.onLoad?.();
    }
  }
  const banner = () => {
    const entry: (typeof shown)[number] = { text: '' };
    return {
      style: {},
      dataset: {},
      setAttribute: () => {},
      set textContent(text: string) {
        entry.text = text;
      },
      append(button: { onclick: () => void }) {
        entry.close = button.onclick;
      },
      remove: () => shown.splice(shown.indexOf(entry), 1),
      entry,
    };
  };
  const window: Record<string, unknown> = {
    location: { href: 'https://node.example/', origin: 'https://node.example' },
    document: {
      createElement: (tag: string) => (tag === 'div' ? banner() : { style: {} }),
      body: { append: (part: ReturnType<typeof banner>) => shown.push(part.entry) },
    },
    XMLHttpRequest: Xhr,
    URL,
  };
  runInNewContext(SCRIPT, window);
  const call = (method: string, url: string, status: number, body: unknown = '') => {
    const request = new Xhr() as unknown as { open(...args: unknown[]): void; send(...args: unknown[]): void };
    request.open(method, url);
    request.send(status, body);
  };
  return { shown, call };
}

it('a refused upload says why, once, until it goes on', () => {
  const { shown, call } = openPage();
  call('POST', UPLOADS, 507, full);
  expect(shown.map(({ text }) => text)).toEqual([
    'Your upload was refused. The disk of this node is too full. This page goes on trying until it is reloaded.',
  ]);
  call('POST', UPLOADS, 507, full);
  expect(shown).toHaveLength(1);
  call('POST', UPLOADS, 201);
  expect(shown).toEqual([]);
});

it('it can be closed', () => {
  const { shown, call } = openPage();
  call('PATCH', `${UPLOADS}abc`, 413, full);
  shown[0]?.close?.();
  expect(shown).toEqual([]);
});

it('what is usual in the protocol, and other calls, say nothing; what is not understood says that', () => {
  const { shown, call } = openPage();
  for (const status of [403, 404, 409, 410]) call('HEAD', `${UPLOADS}abc`, status, full);
  call('GET', '/api/histories', 500, full);
  call('POST', `https://other.example${UPLOADS}`, 507, full);
  expect(shown).toEqual([]);
  call('POST', UPLOADS, 502, '<html>');
  expect(shown[0]?.text).toContain('The node did not say why.');
});
