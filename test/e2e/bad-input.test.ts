/** What bad input gets: one clear line and code 1, or Galaxy's error shape; and nothing is changed by it. */
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Visitor } from '../../bin/demo/visitor.js';
import { folderHash } from '../support/folder-hash.js';
import { endAllPrograms, runToEnd, scratchFolder } from '../support/processes.js';
import { newVisitor, passwordOf, startArguments, startStandAlone } from '../support/stand-alone.js';

const ADDRESS = '127.0.3.3';

const scratch = scratchFolder();
/** A node with a user and her dataset, stopped in order; tests damage copies of it. */
const good = join(scratch.path, 'good');
let dataset: string;
let copies = 0;

beforeAll(async () => {
  const { program, url } = await startStandAlone({ folder: good, listen: ADDRESS });
  const { visitor, history } = await newVisitor(url, 'ada');
  for (let index = 0; index < 5; index++) {
    dataset = (await visitor.paste(history, `dataset ${index}\n`)).id;
    await visitor.waitForDataset(dataset);
  }
  await program.stop();
});

afterEach(() => endAllPrograms());
afterAll(() => scratch.remove());

const node = (args: string[], environment: Record<string, string> = {}) =>
  runToEnd('galaxy-node', args, { environment, cwd: scratch.path });
const coordinator = (args: string[]) => runToEnd('galaxy-coordinator', args, { cwd: scratch.path });
type Ended = Awaited<ReturnType<typeof node>>;

function copyOfGood(): string {
  const copy = join(scratch.path, `copy-${++copies}`);
  cpSync(good, copy, { recursive: true });
  return copy;
}

/** Code 1 and one line that a person understands. */
function expectRefusal({ code, stdout, stderr }: Ended, line: RegExp): void {
  expect(stderr).toMatch(line);
  expect(stderr.split('\n')).toHaveLength(1);
  expect(stderr).not.toMatch(/\bat .*:\d+:\d+|\bError:|node:internal/);
  expect(stdout).toBe('');
  expect(code).toBe(1);
}

async function expectRefusedStart(folder: string, line: RegExp): Promise<void> {
  const before = folderHash(folder);
  expectRefusal(await node(plainStart(folder)), line);
  expect(folderHash(folder)).toEqual(before);
}

/** Without --json, as a person starts it. */
function plainStart(folder: string): string[] {
  return startArguments({ folder, listen: ADDRESS }).filter(
    (argument) => argument !== '--json' && argument !== '--init',
  );
}

async function expectGoodStart(folder: string): Promise<void> {
  const { url } = await startStandAlone({ folder, listen: ADDRESS });
  const visitor = new Visitor(url);
  await visitor.signIn('ada', passwordOf('ada'));
  expect((await visitor.dataset(dataset)).state).toBe('ok');
}

describe('on the command line', () => {
  it.each([
    [['strat'], /unknown command 'strat'.*Did you mean start\?/],
    [['start', '--lisen', 'x'], /unknown option '--lisen'.*Did you mean --listen\?/],
    [['user', 'creat'], /unknown command 'creat'/],
    [['join'], /missing required argument 'line'/],
    [['user', 'create'], /required option '--email <email>' not specified/],
    [['start', '--log-level', 'loud'], /'loud' is invalid. Allowed choices are silent, error, warn, info, debug/],
    [['config', 'show', '--set', 'jobs.slots'], /--set takes option=value, not "jobs\.slots"/],
    [
      ['config', 'show', '--set', 'jobs.slot=3'],
      /Unknown option "jobs\.slot" in the command line\. Did you mean "jobs\.slots"\?/,
    ],
    [['config', 'show', '--set', 'jobs.slots=many'], /Option "jobs\.slots" in the command line: .*number/],
    [['config', 'show', '--set', 'listen=8080'], /Option "listen" in the command line: must be HOST:PORT/],
    [['config', 'show', '--config', 'nowhere.yml'], /The configuration file nowhere\.yml cannot be read/],
    [['drain', '--accept-copies', 'few'], /'few' is invalid. It must be a whole number above 0/],
    [['start', '--data', 'nothing-here'], /There is no node in .*nothing-here yet\. Run `galaxy-node init` first/],
    [['stop', '--data', 'nothing-here'], /No process runs on .*nothing-here/],
    [['init', '--data', 'good'], /good already holds a node/],
  ])('galaxy-node %j', async (args, line) => {
    const before = readdirSync(scratch.path);
    expectRefusal(await node(args), line);
    expect(readdirSync(scratch.path)).toEqual(before);
  });

  it.each([
    [['peer'], /unknown command 'peer'.*Did you mean peers\?/],
    [['invite', '--name', 'X', '--for', 'ever'], /unknown option '--for'/],
    [['invite'], /required option '--name <name>' not specified/],
    [['config', 'show', '--set', 'copie=2'], /Unknown option "copie" in the command line\. Did you mean "copies"\?/],
    [['config', 'show', '--set', 'networkName=No Spaces'], /Option "networkName" .*lower-case letters/],
    [['receipt', 'verify', 'nowhere.receipt'], /nowhere\.receipt cannot be read/],
    [['start', '--data', 'good'], /good belongs to a node, not to a coordinator/],
    [['invite', '--name', 'X', '--data', 'nothing-here'], /No process runs on .*nothing-here/],
  ])('galaxy-coordinator %j', async (args, line) => {
    const before = folderHash(good);
    expectRefusal(await coordinator(args), line);
    expect(folderHash(good)).toEqual(before);
  });

  it('an unknown or wrong option in the file or the environment, named with where it stands', async () => {
    const folder = copyOfGood();
    const file = join(folder, 'galaxy-node.yml');
    const refusedWith = async (text: string, line: RegExp) => {
      writeFileSync(file, text);
      await expectRefusedStart(folder, line);
    };
    await refusedWith(
      'jobs:\n  slotz: 3\n',
      /Unknown option "jobs\.slotz" in .*galaxy-node\.yml\. Did you mean "jobs\.slots"\?/,
    );
    await refusedWith('sessionHours: 13\n', /Option "sessionHours" in .*galaxy-node\.yml: /);
    await refusedWith('name: [unclosed\n', /galaxy-node\.yml is not valid YAML: /);
    await refusedWith('just words\n', /galaxy-node\.yml is not valid YAML: it must be a list/);
    rmSync(file);
    expectRefusal(
      await node(['config', 'show', '--data', folder], { GALAXY_NODE_SLOTS: '3' }),
      /Unknown option "GALAXY_NODE_SLOTS" in the environment/,
    );
    expectRefusal(
      await node(['config', 'show', '--data', folder], { GALAXY_NODE_JOBS_SLOTS: 'none' }),
      /Option "jobs\.slots" in the environment variable GALAXY_NODE_JOBS_SLOTS: /,
    );
    await expectGoodStart(folder);
  });

  it('says the same to a script, as JSON with a code', async () => {
    const { code, stdout, stderr } = await node(['start', '--json', '--data', 'nothing-here']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'folder/not-initialised' } });
    expect(stderr.split('\n')).toHaveLength(1);
  });
});

describe('a start', () => {
  let taken: Server | undefined;
  afterEach(() => taken?.close());

  it('on a port that is taken names it, and leaves the folder free', async () => {
    const folder = copyOfGood();
    const server = createServer();
    taken = server;
    await new Promise<void>((resolve) => server.listen(0, ADDRESS, resolve));
    const { port } = server.address() as { port: number };
    const args = startArguments({ folder, listen: `${ADDRESS}:${port}` }).filter((argument) => argument !== '--json');
    expectRefusal(await node(args), new RegExp(`${ADDRESS}:${port} is used by another program`));
    expect(readdirSync(folder)).not.toContain('process.lock');
    await expectGoodStart(folder);
  });

  it('on a folder that another process uses names that process, which goes on', async () => {
    const folder = copyOfGood();
    const { ready, url } = await startStandAlone({ folder, listen: ADDRESS });
    expectRefusal(await node(plainStart(folder)), new RegExp(`in use by process ${ready.pid}\\b.*galaxy-node stop`));
    expect((await fetch(`${url}/api/version`)).status).toBe(200);
    // Not by the lock file alone, which a careless hand may remove.
    rmSync(join(folder, 'process.lock'));
    expectRefusal(await node(plainStart(folder)), /is open in another process/);
    expect((await new Visitor(url).signIn('ada', passwordOf('ada'))).status).toBe(200);
  });

  it('with the key of another node, without a key, or with one that others can read', async () => {
    const folder = copyOfGood();
    const other = join(scratch.path, 'other');
    await node(['init', '--data', other]);
    const key = join(folder, 'node.key');
    const own = readFileSync(key);
    writeFileSync(key, readFileSync(join(other, 'node.key')));
    await expectRefusedStart(folder, /belongs to 12D3KooW\w+, but its key file is that of 12D3KooW\w+/);
    truncateSync(key, 20);
    await expectRefusedStart(folder, /The key file .*node\.key is not an Ed25519 key/);
    rmSync(key);
    await expectRefusedStart(folder, /The key file .*node\.key does not exist/);
    writeFileSync(key, own, { mode: 0o644 });
    await expectRefusedStart(folder, /node\.key can be read by other users of this machine \(mode 644\)/);
    rmSync(key);
    writeFileSync(key, own, { mode: 0o600 });
    await expectGoodStart(folder);
  });

  it('on a folder of a newer version, or with a damaged identity', async () => {
    const folder = copyOfGood();
    const file = join(folder, 'folder.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(text), format: 99, unheardOf: true }));
    await expectRefusedStart(folder, /was written by a newer version \(format 99; this program reads up to 1\)/);
    writeFileSync(file, text.slice(0, 40));
    await expectRefusedStart(folder, /folder\.json is damaged: it is not JSON/);
    writeFileSync(file, text);
    await expectGoodStart(folder);
  });

  it('on a folder that cannot be written', async () => {
    const file = join(scratch.path, 'a-file');
    writeFileSync(file, 'not a folder');
    for (const folder of [join(file, 'below'), '/proc/galaxy-data']) {
      for (const args of [['init', '--data', folder], [...startArguments({ folder, listen: ADDRESS })]]) {
        expectRefusal(
          await node(args.filter((argument) => argument !== '--json')),
          new RegExp(`${folder}\\S* (cannot be written|is damaged)`),
        );
      }
    }
    expect(readFileSync(file, 'utf8')).toBe('not a folder');
  });
});

describe('a damaged store', () => {
  const store = (folder: string, file: RegExp) => {
    const name = readdirSync(join(folder, 'store')).find((one) => file.test(one));
    return join(folder, 'store', name as string);
  };
  const flip = (path: string) => {
    const bytes = readFileSync(path);
    const middle = bytes.length >> 1;
    bytes[middle] = (bytes[middle] as number) ^ 0x10;
    writeFileSync(path, bytes);
  };
  const LOG = /\.log$/;
  const MANIFEST = /^MANIFEST-/;

  it.each<[string, (folder: string) => void, RegExp]>([
    ['a changed byte in its log', (folder) => flip(store(folder, LOG)), /the file \d+\.log has changed/],
    [
      'a shorter log',
      (folder) => truncateSync(store(folder, LOG), statSync(store(folder, LOG)).size - 10),
      /the file \d+\.log has \d+ bytes, and had \d+/,
    ],
    ['no log', (folder) => rmSync(store(folder, LOG)), /its log file is missing/],
    ['a changed byte in its manifest', (folder) => flip(store(folder, MANIFEST)), /the file MANIFEST-\d+ has changed/],
    ['an empty manifest', (folder) => truncateSync(store(folder, MANIFEST), 0), /the file MANIFEST-\d+ has 0 bytes/],
    ['no manifest', (folder) => rmSync(store(folder, MANIFEST)), /the file MANIFEST-\d+ is missing/],
    ['no CURRENT', (folder) => rmSync(join(folder, 'store', 'CURRENT')), /the file CURRENT is missing/],
    [
      'a wrong CURRENT',
      (folder) => writeFileSync(join(folder, 'store', 'CURRENT'), 'x'),
      /the file CURRENT is damaged/,
    ],
    ['no store at all', (folder) => rmSync(join(folder, 'store'), { recursive: true }), /its files are missing/],
    ['half a key for sealing', (folder) => truncateSync(join(folder, 'sealing.key'), 9), /sealing\.key cannot be used/],
  ])('with %s is refused by name and left as it is', async (_what, damage, line) => {
    const folder = copyOfGood();
    damage(folder);
    await expectRefusedStart(folder, line);
  });

  it('is refused by the commands that work on a stopped node, too', async () => {
    const folder = copyOfGood();
    flip(store(folder, LOG));
    const before = folderHash(folder);
    const args = ['user', 'passwd', 'ada', '--password-stdin', '--data', folder];
    expectRefusal(await runToEnd('galaxy-node', args, { input: 'a new password\n' }), /the file \d+\.log has changed/);
    expect(folderHash(folder)).toEqual(before);
  });

  it('after a crash, with a changed byte before its end, is refused as well; with a torn end it is not', async () => {
    const folder = copyOfGood();
    const { program } = await startStandAlone({ folder, listen: ADDRESS });
    const url = (await program.ready).url;
    await newVisitor(url, 'grace');
    await newVisitor(url, 'linus');
    await program.killGroup();
    for (const left of ['process.lock', 'control.sock']) rmSync(join(folder, left), { force: true });
    const torn = join(scratch.path, 'torn');
    cpSync(folder, torn, { recursive: true });
    flip(store(folder, LOG));
    await expectRefusedStart(folder, /the file \d+\.log cannot be read at byte \d+, and later changes follow/);
    truncateSync(store(torn, LOG), statSync(store(torn, LOG)).size - 3);
    await expectGoodStart(torn);
  });
});

describe('a line to join with', () => {
  const lines: [string, string, RegExp][] = [
    ['other words', 'please let me in', /This is not an invitation: it does not begin with "galaxy-invite:"/],
    ['nothing', '', /This is not an invitation: it is empty/],
    ['only the beginning', 'galaxy-invite:', /This is not an invitation: a part of it is missing or changed/],
    ['noise', `galaxy-invite:${'A'.repeat(500)}`, /This is not an invitation: a part of it is missing or changed/],
    ['far too much', `galaxy-invite:${'A'.repeat(20_000)}`, /This is not an invitation: it is too long/],
  ];

  it('that is malformed is refused on a stopped node', async () => {
    const folder = copyOfGood();
    for (const [, line, refusal] of lines.slice(0, 2)) {
      expectRefusal(await node(['join', line, '--data', folder]), refusal);
    }
    await expectGoodStart(folder);
  });

  it('that is malformed is refused on a running node, which stays alone and goes on', async () => {
    const folder = copyOfGood();
    const { url } = await startStandAlone({ folder, listen: ADDRESS });
    for (const [, line, refusal] of lines) expectRefusal(await node(['join', line, '--data', folder]), refusal);
    const { stdout } = await node(['status', '--json', '--data', folder]);
    expect(JSON.parse(stdout).network).toBeNull();
    expect((await fetch(`${url}/api/version`)).status).toBe(200);
  });
});

describe('over HTTP', () => {
  it('gets Galaxy’s error shape, whatever is wrong with the request, and changes nothing', async () => {
    const { url } = await startStandAlone({ folder: copyOfGood(), listen: ADDRESS });
    const { visitor, history } = await newVisitor(url, 'grace');
    const before = await visitor.contents(history);
    const none = '0123456789abcdef';
    const typed = { 'content-type': 'application/json', origin: url };
    const post = (json: unknown, headers = {}) => ({ method: 'POST', headers: { ...typed, ...headers }, json });
    const upload = (bytes: number | string) => ({
      method: 'POST',
      headers: { ...typed, 'tus-resumable': '1.0.0', 'upload-length': String(bytes) },
    });
    const text = (body: string) => ({ method: 'POST', headers: typed, body: Buffer.from(body) });
    const cases: [string, string, Parameters<Visitor['fetch']>[1], number, number][] = [
      ['JSON that breaks off', '/api/histories', text('{"name": "x"'), 400, 400008],
      ['a body that is no object', '/api/histories', text('[1, 2]'), 400, 400008],
      ['a wrong type', '/api/histories', post({ name: 7 }), 400, 400008],
      ['a name that is too long', '/api/histories', post({ name: 'x'.repeat(300) }), 400, 400008],
      ['a malformed id', '/api/histories/nonsense', {}, 400, 400009],
      ['an id in capitals', `/api/histories/${none.toUpperCase()}`, {}, 400, 400009],
      ['an id with a path in it', '/api/datasets/..%2f..%2fetc%2fpasswd', {}, 400, 400009],
      ['a malformed id in a body', '/api/tools/fetch', post({ history_id: 'x', targets: [] }), 400, 400009],
      ['an id that is nobody’s', `/api/histories/${none}`, {}, 404, 404001],
      ['a dataset that is nobody’s', `/api/datasets/${none}`, {}, 404, 404001],
      ['another user’s dataset', `/api/datasets/${dataset}`, {}, 404, 404001],
      ['an unknown tool', '/api/tools', post({ history_id: history, tool_id: 'none', inputs: {} }), 404, 404001],
      ['a resource that is not there', '/api/nonsense', {}, 404, 404001],
      ['a query that is no number', '/api/histories?limit=many', {}, 400, 400008],
      ['too much in one request', '/api/histories', post({ name: 'x'.repeat(17 * 2 ** 20) }), 413, 413001],
      ['an upload that is too large', '/api/upload/resumable_upload', upload(2 ** 50), 413, 413001],
      ['an upload without its length', '/api/upload/resumable_upload', upload(''), 400, 400008],
      ['another site’s request', '/api/histories', post({ name: 'x' }, { origin: 'http://a.example' }), 403, 403002],
    ];
    const wrong: string[] = [];
    for (const [what, path, options, status, code] of cases) {
      const answer = await visitor.fetch(path, options);
      const body = answer.body.toString('utf8');
      const shape = /^\{"err_msg":"[^"]/.test(body)
        ? (JSON.parse(body) as { err_code: number }).err_code
        : body.slice(0, 200);
      if (answer.status !== status || shape !== code)
        wrong.push(`${what}: ${answer.status} ${shape}: ${body.slice(0, 120)}`);
      if (/node_modules|\.ts:|\.js:\d/.test(body)) wrong.push(`${what}: shows a stack`);
    }
    expect(wrong).toEqual([]);
    expect(await visitor.contents(history)).toEqual(before);
  });
});
