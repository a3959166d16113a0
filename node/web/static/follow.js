/*
 * An open page survives its node. When a call to this node fails on the wire, or is answered that the account has moved
 * (410), this asks the network's address where its home is now and takes the window there, to the same page. A page at
 * the network's own address stays: its next calls go to the new home. Changes that were under way are counted and told of
 * after the arrival, and so are those that only the former node has; none is ever sent again: nobody knows how far it got.
 */
(() => {
  const network = window.galaxyNetwork;
  if (!network) return;
  const SLOW_MS = 10000;
  const TRIES_MAX = 90;
  const TELL_AGAIN_MS = 10000;
  const ask = window.fetch.bind(window);
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const unsaved = new Set();
  const staysHere = new URL(network.url).origin === location.origin;
  let moved = false;
  let following = false;
  let telling = false;
  let servedBy;
  let banner;

  /** A live region has to be there before its text, or it is not read out. */
  function say(text, link, close) {
    if (!banner) {
      banner = document.createElement('div');
      banner.id = 'galaxy-follow';
      banner.setAttribute('role', 'status');
      banner.style.cssText =
        'position:fixed;z-index:2147483000;left:50%;bottom:1rem;transform:translateX(-50%);width:max-content;max-width:min(44rem,90vw);display:flex;gap:1rem;align-items:center;' +
        'padding:.6rem 1rem;border-radius:.4rem;background:#1d3f5e;color:#fff;box-shadow:0 2px 12px #0006;font:15px/1.4 system-ui,sans-serif';
      document.body.append(banner);
    }
    if (banner.dataset.text === text) return;
    banner.dataset.text = text;
    banner.textContent = text;
    const add = (tag, label, fields) => {
      const part = Object.assign(document.createElement(tag), { textContent: label }, fields);
      part.style.cssText =
        'flex:none;padding:0;border:0;background:none;color:#ffe14d;font:inherit;text-decoration:underline;cursor:pointer';
      banner.append(part);
    };
    if (link) add('a', 'Open your Galaxy', { href: link });
    if (close) add('button', 'Close', { type: 'button', onclick: close });
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
    const note = `#galaxy-moved=${Math.min(unsaved.size, 999)}`;
    const to = String(url).startsWith(`${network.url}/`) ? url : goUrl();
    (window.top ?? window).location.replace(to + note);
  }

  function describe(home, tries) {
    if (!home && tries > 2) return 'Neither this Galaxy nor its network can be reached. It is tried again…';
    return 'Your Galaxy is moving to another node…';
  }

  async function follow() {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (!moved && (await reach('/api/version', 3000))?.ok) {
        unsaved.clear();
        return hide();
      }
      const home = await askNetwork();
      say(describe(home, tries));
      const ready = home?.ready || (!home && tries > 1 && (await isNetworkThere()));
      if (ready && (moved || !staysHere)) {
        leave(home?.url);
        await wait(SLOW_MS);
      }
      await wait(Math.min(5000, Math.max(home?.retryAfterMs ?? 0, 400 * 1.3 ** tries)));
    }
    say('Your Galaxy could not be found.', goUrl());
  }

  const counted = (count) => (count === 1 ? '1 change' : `${count} changes`);

  /** What did not come along, for as long as that is so or until it is closed. */
  async function tell(lost) {
    if (telling) return;
    telling = true;
    const close = () => {
      telling = false;
      hide();
    };
    while (telling) {
      const answer = await reach('/api/node/status', 5000);
      const status = answer?.ok ? await answer.json().catch(() => {}) : undefined;
      const waiting = status?.waitingElsewhere ?? [];
      const words = waiting.map(
        ({ name, changes, what }) => `${what} ${changes === 1 ? 'waits' : 'wait'} at ${name} until it is back.`,
      );
      if (lost > 0) words.unshift(`${counted(lost)} may not have been saved: please look again.`);
      if (telling && !following) {
        if (words.length > 0) say(`Your Galaxy has moved. ${words.join(' ')}`, undefined, close);
        else if (status) close();
        if (status && waiting.length === 0) telling = false;
      }
      if (telling) await wait(TELL_AGAIN_MS);
    }
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
      answered(status, header) {
        const node = header('x-galaxy-node');
        if (status === 410 && header('x-galaxy-moved')) return trouble(call, true);
        if (!node || node === 'coordinator' || node === servedBy) return;
        if (servedBy) void tell(0);
        servedBy = node;
      },
    };
  }

  window.fetch = (input, init) => {
    const answer = ask(input, init);
    const isRequest = input instanceof Request;
    const call = watch(init?.method ?? (isRequest ? input.method : 'GET'), isRequest ? input.url : input);
    answer
      .finally(() => call?.ended())
      .then(
        ({ status, headers }) => call?.answered(status, (name) => headers.get(name)),
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
      this.addEventListener('load', () => call.answered(this.status, (name) => this.getResponseHeader(name)));
    }
    return send.apply(this, args);
  };

  const lost = /^#galaxy-moved=(\d{1,3})$/.exec(location.hash)?.[1];
  if (lost) {
    history.replaceState(history.state, '', path());
    void tell(Number(lost));
  }
})();
