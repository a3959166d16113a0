/*
 * Says why an upload does not go on. Galaxy's client tries a refused upload again every ten seconds, for ever, and shows
 * nothing of the reason; the node gives one (a full disk, a file that is too large). Nothing is changed of what the client
 * does: this only listens to the answers of its uploads.
 */
(() => {
  const UPLOADS = '/api/upload/resumable_upload';
  /** Of the protocol itself, and of an account that has moved: the client, or follow.js, goes on from there. */
  const USUAL = new Set([401, 403, 404, 409, 410, 423]);
  let banner;

  function hide() {
    banner?.remove();
    banner = undefined;
  }

  /** A live region has to be there before its text, or it is not read out. */
  function say(text) {
    if (!banner) {
      banner = document.createElement('div');
      banner.id = 'galaxy-uploads';
      banner.setAttribute('role', 'status');
      banner.style.cssText =
        'position:fixed;z-index:2147483000;left:50%;top:1rem;transform:translateX(-50%);width:max-content;max-width:min(44rem,90vw);display:flex;gap:1rem;align-items:center;' +
        'padding:.6rem 1rem;border-radius:.4rem;background:#6b1d1d;color:#fff;box-shadow:0 2px 12px #0006;font:15px/1.4 system-ui,sans-serif';
      document.body.append(banner);
    }
    if (banner.dataset.text === text) return;
    banner.dataset.text = text;
    banner.textContent = text;
    const close = Object.assign(document.createElement('button'), {
      type: 'button',
      textContent: 'Close',
      onclick: hide,
    });
    close.style.cssText =
      'flex:none;padding:0;border:0;background:none;color:#ffe14d;font:inherit;text-decoration:underline;cursor:pointer';
    banner.append(close);
  }

  function reasonIn(text) {
    try {
      const { err_msg: reason } = JSON.parse(text);
      return typeof reason === 'string' ? reason : undefined;
    } catch {
      return undefined;
    }
  }

  function answered({ status, responseText }) {
    if (status < 400) return hide();
    if (USUAL.has(status)) return;
    const reason = reasonIn(responseText) ?? 'The node did not say why.';
    say(`Your upload was refused. ${reason} This page goes on trying until it is reloaded.`);
  }

  const asked = new WeakMap();
  const { open, send } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.open = function (...args) {
    asked.set(this, args);
    return open.apply(this, args);
  };
  XMLHttpRequest.prototype.send = function (...args) {
    const url = new URL(String(asked.get(this)?.[1] ?? ''), location.href);
    if (url.origin === location.origin && url.pathname.startsWith(UPLOADS)) {
      this.addEventListener('load', () => answered(this));
    }
    return send.apply(this, args);
  };
})();
