// Fills the table each second from /api/network/peers.json. Every text is set as text: names come from other machines.
const INTERVAL_MS = 1000;
const TONE = { serving: 'good', joining: 'wait', draining: 'wait', drained: 'wait', joined: 'wait', revoked: 'bad' };
const ANSWERS = { alive: 'good', away: 'wait', unroutable: 'bad', dead: 'bad', left: '' };

function bytes(count) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

function ago(then, now) {
  if (then === null) return 'never';
  const seconds = Math.max(0, Math.round((now - then) / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`;
}

function cell(text, tone, title) {
  const td = document.createElement('td');
  td.textContent = text;
  if (tone) td.className = tone;
  if (title) td.title = title;
  return td;
}

function row(peer, now) {
  const tr = document.createElement('tr');
  tr.append(
    cell(peer.name, '', peer.peerId),
    peer.problem
      ? cell(`${peer.state}; ${peer.problem}`, 'bad', peer.problem)
      : cell(
          peer.receipt ? `${peer.state}, receipt ${peer.receipt}` : peer.state,
          peer.presence === 'left' ? '' : TONE[peer.state],
        ),
    cell(peer.presence, ANSWERS[peer.presence], peer.reason),
    cell(peer.location ? `${peer.location.lat.toFixed(1)}, ${peer.location.lon.toFixed(1)}` : 'unknown'),
    cell(`${peer.running} of ${peer.slots} run, ${peer.queued} wait`),
    cell(String(peer.accounts)),
    cell(bytes(peer.atRiskBytes), peer.atRiskBytes > 0 ? 'wait' : ''),
    cell(bytes(peer.freeBytes)),
    cell(peer.urlVerified ? peer.publicUrl : 'this address', '', peer.urlReason),
    cell(ago(peer.lastHeardMs, now)),
    cell(peer.version),
  );
  return tr;
}

function left(shown, before) {
  if (shown + before === 0) return '';
  return before > 0 ? `, ${shown + before} have left (${before} of them long ago, not shown)` : `, ${shown} have left`;
}

async function refresh() {
  const summary = document.getElementById('summary');
  try {
    const answer = await fetch('/api/network/peers.json', { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const { network, peers, repository, copies, now, leftBefore } = await answer.json();
    const present = peers.filter((peer) => peer.presence !== 'left').length;
    const serving = peers.filter((peer) => peer.state === 'serving' && peer.presence === 'alive').length;
    document.getElementById('network').textContent = network;
    document.title = `${serving} serving · ${network}`;
    document.getElementById('peers').replaceChildren(...peers.map((peer) => row(peer, now)));
    summary.className = '';
    summary.textContent =
      `${serving} of ${present} serve${left(peers.length - present, leftBefore)} · data is safe with ${copies} copies · the repository holds ` +
      `${repository.blobs} files, ${bytes(repository.bytes)} (${bytes(repository.freeBytes)} free)`;
  } catch (error) {
    summary.className = 'stale';
    summary.textContent = `The coordinator does not answer (${error.message}); the list may be old.`;
  }
  setTimeout(refresh, INTERVAL_MS);
}

refresh();
