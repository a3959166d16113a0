/*
 * An open page survives its node. When a call to this node fails on the wire, or is answered that the account has moved
 * (410), this asks the network's address where its home is now and takes the window there, to the same page. Changes
 * that were under way are counted and told of after the arrival; they are never sent again: nobody knows how far they got.
 */
(() => {
  const network = window.galaxyNetwork;
  if (!network) return;
  const SLOW_MS = 10000;
  const TRIES_MAX = 90;
  const ask = window.fetch.bind(window);
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const unsaved = new Set();
  let moved = false;
  let following = false;
  let banner;

  /** A live region has to be there before its text, or it is not read out. */
  function say(text, link, close) {
    if (!banner) {
      banner = document.createElement('div');
      banner.id = 'galaxy-follow';
      banner.setAttribute('role', 'status');
      banner.style.cssText =
        'position:fixed;z-index:2147483000;left:50%;bottom:1rem;transform:translateX(-50%);max-width:min(40rem,90vw);' +
        'padding:.6rem 1rem;border-radius:.4rem;background:#1d3f5e;color:#fff;box-shadow:0 2px 12px #0006;font:15px/1.4 system-ui,sans-serif';
      document.body.append(banner);
    }
    if (banner.dataset.text === text) return;
    banner.dataset.text = text;
    banner.textContent = text;
    const add = (tag, label, fields) => {
      const part = Object.assign(document.createElement(tag), { textContent: label }, fields);
      part.style.cssText =
        'margin-left:.8rem;padding:0;border:0;background:none;color:#ffe14d;font:inherit;text-decoration:underline;cursor:pointer';
      banner.append(part);
    };
    if (link) add('a', 'Open your Galaxy', { href: link });
    if (close) add('button', 'Close', { type: 'button', onclick: hide });
  }

  function hide() {
    banner?.remove();
    banner = undefined;
  }

  const path = () => location.pathname + location.search;
  const goUrl = () => `${network.url}/network/go?to=${encodeURIComponent(path())}`;

  const reach = (url, ms, options) =>
    ask(url, { cache: 'no-store', signal: AbortSignal.timeout(ms), ...options }).catch(() => {});

  async function askNetwork() {
    const account = network.account ? `&account=${network.account}` : '';
    const url = `${network.url}/api/network/home?to=${encodeURIComponent(path())}${account}`;
    const answer = await reach(url, 8000, { credentials: 'include' });
    return answer?.ok ? answer.json().catch(() => {}) : undefined;
  }

  /** It may be there and not talk to pages of this address. */
  const isNetworkThere = () => reach(network.url, 5000, { mode: 'no-cors' });

  function leave(url) {
    const note = unsaved.size > 0 ? `#galaxy-unsaved=${Math.min(unsaved.size, 999)}` : '';
    const to = String(url).startsWith(`${network.url}/`) ? url : goUrl();
    (window.top ?? window).location.replace(to + note);
  }

  function describe(home, tries) {
    if (!home && tries > 2) return 'Neither this Galaxy nor its network can be reached. It is tried again…';
    const waits = (home?.waiting ?? []).map(({ name, changes }) => ` ${changes} changes wait at ${name}.`);
    return `Your Galaxy is moving to another node…${waits.join('')}`;
  }

  async function follow() {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (!moved && (await reach('/api/version', 3000))?.ok) {
        unsaved.clear();
        return hide();
      }
      const home = await askNetwork();
      say(describe(home, tries));
      if (home?.ready || (!home && tries > 1 && (await isNetworkThere()))) {
        leave(home?.url);
        await wait(SLOW_MS);
      }
      await wait(Math.min(5000, Math.max(home?.retryAfterMs ?? 0, 400 * 1.3 ** tries)));
    }
    say('Your Galaxy could not be found.', goUrl());
  }

  function trouble(call, isMoved) {
    if (call && !/^(GET|HEAD|OPTIONS)$/.test(call.method)) unsaved.add(`${call.method} ${call.url}`);
    moved ||= isMoved;
    if (following) return;
    following = true;
    follow().finally(() => {
      following = false;
    });
  }

  /** Only calls to this node; one that takes long makes it look whether the node is still there. */
  function watch(method, url) {
    try {
      if (new URL(url, location.href).origin !== location.origin) return undefined;
    } catch {
      return undefined;
    }
    const call = { method: String(method ?? 'GET').toUpperCase(), url: String(url) };
    const slow = setTimeout(() => trouble(undefined, false), SLOW_MS);
    return {
      ended: () => clearTimeout(slow),
      failed: () => trouble(call, false),
      answered: (status, header) => status === 410 && header && trouble(call, true),
    };
  }

  window.fetch = (input, init) => {
    const answer = ask(input, init);
    const isRequest = input instanceof Request;
    const call = watch(init?.method ?? (isRequest ? input.method : 'GET'), isRequest ? input.url : input);
    answer
      .finally(() => call?.ended())
      .then(
        ({ status, headers }) => call?.answered(status, headers.get('x-galaxy-moved')),
        (error) => error?.name !== 'AbortError' && call?.failed(),
      );
    return answer;
  };

  const asked = new WeakMap();
  const { open, send } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.open = function (...args) {
    asked.set(this, args);
    return open.apply(this, args);
  };
  XMLHttpRequest.prototype.send = function (...args) {
    const call = watch(...(asked.get(this) ?? []));
    if (call) {
      this.addEventListener('loadend', call.ended);
      this.addEventListener('error', call.failed);
      this.addEventListener('load', () => call.answered(this.status, this.getResponseHeader('x-galaxy-moved')));
    }
    return send.apply(this, args);
  };

  const count = /^#galaxy-unsaved=(\d{1,3})$/.exec(location.hash)?.[1];
  if (count) {
    history.replaceState(history.state, '', path());
    const what = count === '1' ? '1 change' : `${count} changes`;
    say(`Your Galaxy has moved. ${what} may not have been saved: please look again.`, undefined, true);
  }
})();
