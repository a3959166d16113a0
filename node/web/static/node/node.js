/* The page /node: asks the node every two seconds and shows what it says. Only what changed is drawn anew. */
const EACH_MS = 2000;
const byId = (id) => document.getElementById(id);
const drawn = new Map();
let network;
let misses = 0;

function bytes(count) {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toPrecision(2)} ${units[unit]}`;
}

function time(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

const counted = (count, one) => `${count.toLocaleString('en')} ${one}${count === 1 ? '' : 's'}`;

/** An element with text or children; nothing that the node says is ever read as HTML. */
function make(tag, content, fields = {}) {
  const element = Object.assign(document.createElement(tag), fields);
  element.append(...[content].flat().filter((part) => part !== undefined && part !== ''));
  return element;
}

function dot(kind) {
  const mark = make('span', '', { className: `dot ${kind}` });
  mark.setAttribute('aria-hidden', 'true');
  return mark;
}

/** Fills an element, only when what it shows has changed: a reader or a selection is not disturbed. */
function fill(id, key, content) {
  const text = JSON.stringify(key);
  if (drawn.get(id) === text) return;
  drawn.set(id, text);
  byId(id).replaceChildren(...[content()].flat());
}

const say = (id, text) => fill(id, text, () => text);
const show = (id, is) => {
  byId(id).hidden = !is;
};

function drawSafety({ copies, network: joined, waitingElsewhere }) {
  const { accepted, safe, atRisk, wanted, logEntriesAtRisk } = copies;
  const others = wanted === 1 ? 'one other place' : `${wanted} other places`;
  let sentence;
  if (accepted.objects === 0 && (!joined || logEntriesAtRisk === 0)) sentence = 'No data is stored here yet.';
  else if (!joined) sentence = `Everything (${bytes(accepted.bytes)}) is on this machine only.`;
  else if (atRisk.objects === 0 && logEntriesAtRisk === 0) sentence = `Everything is safe: it is in ${others} too.`;
  else if (atRisk.objects === 0)
    sentence = `All data is safe; ${counted(logEntriesAtRisk, 'change')} are being copied.`;
  else sentence = `${bytes(atRisk.bytes)} are not copied to enough other places yet.`;
  say('safety-say', sentence);
  for (const id of ['safety-bar', 'safety-figures', 'safety-words']) show(id, Boolean(joined));
  fill('safety-bar', [safe.bytes, atRisk.bytes], () => {
    const part = (className, share) => {
      const span = make('span', '', { className });
      span.style.width = `${share}%`;
      return span;
    };
    const all = safe.bytes + atRisk.bytes;
    if (all === 0) return [];
    return [part('good', (100 * safe.bytes) / all), part('wait', (100 * atRisk.bytes) / all)];
  });
  byId('safety-bar').setAttribute('aria-label', `${bytes(safe.bytes)} safe, ${bytes(atRisk.bytes)} at risk`);
  const figure = (id, value, more) => fill(id, [value, more], () => [value, ' ', make('small', more)]);
  figure('safe', bytes(safe.bytes), counted(safe.objects, 'file'));
  figure('risk', bytes(atRisk.bytes), counted(atRisk.objects, 'file'));
  figure('age', atRisk.objects === 0 ? 'none' : time(atRisk.oldestAgeMs), '');
  figure('lag', logEntriesAtRisk.toLocaleString('en'), '');
  const paused = copies.paused ? ' Copying is switched off on this node (replication.paused).' : '';
  say(
    'safety-words',
    `Safe: confirmed, on disk, in ${others} besides this node. At risk: saved here, survives a crash of this machine, and would be lost with its disk.${paused}`,
  );
  show('waiting', waitingElsewhere.length > 0);
  fill('waiting', waitingElsewhere, () =>
    waitingElsewhere.map(({ name, changes, what }) => {
      const verbs = changes === 1 ? 'waits at' : 'wait at';
      const comes = changes === 1 ? 'comes' : 'come';
      return make('li', [dot('wait'), `${what} ${verbs} ${name} and ${comes} when it is back.`]);
    }),
  );
}

const STATES = {
  safe: ['good', 'safe'],
  'at-risk': ['wait', 'at risk'],
  accepted: ['', 'no data yet'],
};

function drawMine({ name, items }, joined) {
  if (name === null) say('mine-say', 'You have no current history.');
  else if (items.length === 0) say('mine-say', `The current history “${name}” has no datasets.`);
  else say('mine-say', `The latest of the current history “${name}”, newest first.`);
  show('mine', items.length > 0);
  fill('mine-rows', [items, joined], () =>
    items.map(({ id, hid, name: title, bytes: size, state, holders, copies }) => {
      const [kind, word] = joined || state === 'accepted' ? STATES[state] : ['', 'saved'];
      const have = state === 'at-risk' && joined ? ` (${holders.length} of ${copies})` : '';
      const at = holders.map((holder) => holder.name).join(', ');
      return make('tr', [
        make('td', String(hid)),
        make('td', make('a', title, { href: `/datasets/${id}` }), { className: 'name' }),
        make('td', state === 'accepted' ? '–' : bytes(size), { className: 'number' }),
        make('td', [dot(kind), word + have], { className: 'state' }),
        make('td', at || (state === 'accepted' ? '–' : 'this node only')),
      ]);
    }),
  );
}

const PEER_STATES = {
  serving: ['good', 'serving'],
  draining: ['wait', 'leaving'],
  drained: ['', 'has left'],
  joining: ['wait', 'joining'],
  joined: ['', 'not seen yet'],
  revoked: ['bad', 'shut out'],
  unknown: ['', 'not known'],
};

function drawPeers({ network: joined, peers }) {
  show('alone', !joined);
  show('peers-part', Boolean(joined));
  if (!joined) return;
  const heard = joined.heardAgoMs === null ? 'not since this node started' : `${time(joined.heardAgoMs)} ago`;
  const link = make('a', joined.url, { href: joined.url });
  fill('network-say', [joined.name, joined.url, joined.registered, joined.problem, joined.registered || heard], () => [
    `${joined.name}, `,
    link,
    joined.registered
      ? ': the coordinator hears this node.'
      : `: the coordinator is not heard (last ${heard}). This node goes on without it.`,
    joined.problem ? ` It refuses this node: ${joined.problem}` : '',
  ]);
  const detailed = peers.some(({ details }) => details);
  fill('peers-head', detailed, () =>
    ['Institution', 'State', 'Connection', ...(detailed ? ['Jobs', 'Free', 'Address'] : [])].map((title) =>
      make('th', title, { scope: 'col' }),
    ),
  );
  fill('peers-rows', peers, () =>
    peers.map(({ name, kind, state, connected, details }) => {
      const [colour, word] = PEER_STATES[state] ?? PEER_STATES.unknown;
      const more = details
        ? [
            make('td', `${details.running} of ${details.slots}`),
            make('td', bytes(details.freeBytes)),
            make('td', details.publicUrl ? make('a', details.publicUrl, { href: details.publicUrl }) : 'none'),
          ]
        : [make('td', ''), make('td', ''), make('td', '')];
      return make('tr', [
        make('td', kind === 'repository' ? 'The main repository' : name, { className: 'name' }),
        make('td', [dot(colour), word], { className: 'state' }),
        make('td', connected ? 'connected' : 'not connected', { className: 'state' }),
        ...(detailed ? more : []),
      ]);
    }),
  );
}

function drawDrain({ drain }) {
  show('drain', Boolean(drain));
  if (!drain) return;
  say('drain-say', drain.waiting ? `${drain.say ?? ''} It waits: ${drain.waiting}` : (drain.say ?? drain.state));
  const bar = byId('drain-bar');
  if (drain.bytesTotal) bar.value = (drain.bytesDone ?? 0) / drain.bytesTotal;
  else bar.removeAttribute('value');
  const left = drain.left ? `${counted(drain.left.objects, 'object')}, ${bytes(drain.left.bytes)} left` : '';
  const rate = drain.bytesPerSecond ? `, ${bytes(drain.bytesPerSecond)} a second` : '';
  const end = drain.estimateMs ? `, about ${time(drain.estimateMs)} to go` : '';
  say('drain-left', `${left}${rate}${end}`);
  fill('drain-steps', drain.steps, () =>
    drain.steps.map(({ name, done }) =>
      make('li', `${name}${done ? ': done' : ''}`, { className: done ? 'done' : '' }),
    ),
  );
}

function drawNode({ node, jobs, disk, network: joined }) {
  document.title = `${node.name}: this node`;
  say('name', node.name);
  const state = { serving: 'serving', draining: 'leaving the network', drained: 'has left the network' }[node.state];
  say(
    'line',
    `${state}, ${joined ? `a node of ${joined.name}` : 'a Galaxy of its own'}, up for ${time(node.uptimeSeconds * 1000)}`,
  );
  const reach = joined?.reachable;
  const facts = [
    ['Address', node.url],
    ...(reach
      ? [['Reached from outside', reach.ok ? 'yes' : `no (${reach.reason}); through the network's address`]]
      : []),
    ['Jobs', `${jobs.running} of ${jobs.slots} slots in use, ${jobs.queued} waiting`],
    ['Data on this disk', `${bytes(disk.bytes)} in ${counted(disk.objects, 'file')}, ${bytes(disk.freeBytes)} free`],
    ['Version', node.version],
    ['PeerId', node.peerId],
  ];
  fill('facts', facts, () => facts.flatMap(([term, text]) => [make('dt', term), make('dd', text)]));
}

/** In a network this page follows its user as well; follow.js takes it from here. */
function followOnce({ network: joined }) {
  if (!joined || network) return;
  network = joined.url;
  window.galaxyNetwork = { url: joined.url, account: null };
  document.body.append(make('script', '', { src: '/static/galaxy-node/follow.js' }));
}

async function get(path) {
  const answer = await fetch(path, { headers: { accept: 'application/json' }, cache: 'no-store' });
  if (answer.status === 401 || answer.status === 403) throw new Error('signed-out');
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).err_msg ?? `status ${answer.status}`);
  return answer.json();
}

async function renew() {
  try {
    const [status, mine] = await Promise.all([get('/api/node/status'), get('/api/node/datasets')]);
    misses = 0;
    drawNode(status);
    drawDrain(status);
    drawSafety(status);
    drawMine(mine, Boolean(status.network));
    drawPeers(status);
    show('main', true);
    say('notice', '');
    followOnce(status);
  } catch (error) {
    misses += 1;
    if (error.message === 'signed-out') {
      show('main', false);
      say('line', '');
      fill('notice', 'signed-out', () => [
        make('a', 'Sign in', { href: '/login/start?redirect=/node' }),
        ' to see this node and the copies of your data.',
      ]);
    } else if (misses > 1) {
      const failed = error instanceof TypeError ? 'it does not answer' : error.message;
      say('notice', `What you see may be old: ${failed}. It is asked again.`);
    }
  }
}

async function keep() {
  for (;;) {
    if (!document.hidden) await renew();
    await new Promise((resolve) => setTimeout(resolve, EACH_MS));
  }
}

keep();
