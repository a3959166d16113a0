/** A node as a process: stopped, killed at bad moments and started again, and the commands beside it. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Visitor } from '../../bin/demo/visitor.js';
import { processesOf } from '../../node/jobs/process-sweep.js';
import { endAllPrograms, type Program, runToEnd, scratchFolder } from '../support/processes.js';
import {
  CHEAP_PASSWORDS,
  eventually,
  isAlive,
  newVisitor,
  passwordOf,
  startStandAlone,
} from '../support/stand-alone.js';
import { fetchUpload, tusCreate, tusOffset, tusSend } from '../support/tus.js';

const ADDRESS = '127.0.3.2';
const MiB = 2 ** 20;

const scratch = scratchFolder();
let folders = 0;
const newFolder = () => join(scratch.path, `node-${++folders}`);

afterEach(() => endAllPrograms());
afterAll(() => scratch.remove());

const command = (folder: string, args: string[], input?: string) =>
  runToEnd('galaxy-node', [...args, '--data', folder], { ...(input === undefined ? {} : { input }) });

/** Starts on a folder; the second start takes the port of the first, as an institution's address stays the same. */
function start(folder: string, more: string[] = [], url?: string) {
  return startStandAlone({ folder, listen: url === undefined ? ADDRESS : new URL(url).host, more });
}

const KILLS: [string, (program: Program) => Promise<unknown>][] = [
  ['alone', (program) => program.killAlone()],
  ['with its process group', (program) => program.killGroup()],
];

describe('a node that is killed', () => {
  it.each(KILLS)('%s in the middle of an upload keeps every byte that it acknowledged', async (_how, kill) => {
    const folder = newFolder();
    const first = await start(folder);
    const { visitor, history } = await newVisitor(first.url, 'ada');
    const pasted = await visitor.paste(history, 'kept\n');
    expect((await visitor.waitForDataset(pasted.id)).state).toBe('ok');
    const bytes = randomBytes(3 * MiB);
    const upload = await tusCreate(visitor, bytes.length);
    expect(await tusSend(visitor, upload, 0, bytes.subarray(0, MiB))).toMatchObject({ status: 204 });

    const hanging = tusSend(visitor, upload, MiB, hangingAfter(bytes.subarray(MiB, MiB + 300_000)), 2 * MiB);
    const broken = expect(hanging).rejects.toThrow();
    const incoming = join(folder, 'uploads', 'incoming', upload.slice(-32));
    await eventually('some of the second part is on the disk', () => readFileSync(incoming).length > MiB);
    await kill(first.program);
    await broken;

    const second = await start(folder, [], first.url);
    expect((await visitor.whoAmI()).username).toBe('ada');
    expect((await visitor.contents(history)).map(({ name, state }) => [name, state])).toEqual([['Pasted Entry', 'ok']]);
    const offset = await tusOffset(visitor, upload);
    expect(offset).toBeGreaterThanOrEqual(MiB);
    expect(await tusSend(visitor, upload, offset, bytes.subarray(offset))).toMatchObject({ status: 204 });
    const id = await fetchUpload(visitor, history, upload);
    expect((await visitor.waitForDataset(id)).state).toBe('ok');
    expect((await visitor.download(id)).sha256).toBe(sha256(bytes));
    expect((await second.program.stop()).code).toBe(0);
  });

  it.each(KILLS)('%s while a job runs leaves no process behind, and the job ends once', async (_how, kill) => {
    const folder = newFolder();
    const witness = join(scratch.path, `witness-${folders}`);
    const gate = join(scratch.path, `gate-${folders}`);
    const tools = witnessTool(witness, gate);
    const options = ['--set', `tools.folders=["${tools}"]`];
    const first = await start(folder, options);
    const { visitor, history } = await newVisitor(first.url, 'ada');
    const input = await visitor.paste(history, 'through the tool\n');
    await visitor.waitForDataset(input.id);
    const run = await visitor.runTool(history, 'witness', { input1: { src: 'hda', id: input.id } });
    await eventually('the tool runs', () => existsSync(witness));
    const [job, output] = [run.jobs[0]?.id as string, run.outputs[0]?.id as string];
    await eventually(
      'the job is shown as running',
      async () => (await visitor.api(`/api/jobs/${job}`)).state === 'running',
    );
    const before = [...descendantsOf(first.program.child.pid as number), ...processesOf(folder)];
    expect(before.length).toBeGreaterThanOrEqual(2);
    await kill(first.program);

    const second = await start(folder, options, first.url);
    await eventually('no process of the killed node is left', () => before.every((pid) => !isAlive(pid)));
    await eventually('the job runs again', () => lines(witness) === 2);
    expect((await visitor.api(`/api/jobs/${job}`)).state).not.toBe('error');
    writeFileSync(gate, '');
    expect((await visitor.waitForDataset(output)).state).toBe('ok');
    expect((await visitor.download(output)).sha256).toBe(sha256('through the tool\n'));
    const jobs = await visitor.api<{ id: string; tool_id: string; state: string }[]>('/api/jobs?tool_id=witness');
    expect(jobs.map(({ id, state }) => [id, state])).toEqual([[job, 'ok']]);
    expect((await visitor.contents(history)).map(({ hid, state }) => [hid, state])).toEqual([
      [1, 'ok'],
      [2, 'ok'],
    ]);
    expect((await second.program.stop()).code).toBe(0);
    // Two attempts at the work, one end: nothing of it started after the end either.
    expect(lines(witness)).toBe(2);
    await eventually('nothing of the jobs is left', () => processesOf(folder).length === 0);
  });

  it('keeps sessions, API keys and histories over an orderly restart as over a crash', async () => {
    const folder = newFolder();
    const first = await start(folder);
    const { visitor, history } = await newVisitor(first.url, 'ada');
    const me = await visitor.whoAmI();
    const key = await visitor.api<string>(`/api/users/${me.id}/api_key`, { method: 'POST' });
    const dataset = await visitor.paste(history, 'over restarts\n', { name: 'kept' });
    await visitor.waitForDataset(dataset.id);
    const before = await visitor.contents(history);
    expect((await first.program.stop('SIGINT')).code).toBe(0);

    const second = await start(folder, [], first.url);
    expect(await visitor.whoAmI()).toMatchObject({ id: me.id, email: 'ada@example.org' });
    expect(await visitor.contents(history)).toEqual(before);
    await second.program.killGroup();

    await start(folder, [], first.url);
    expect(await visitor.contents(history)).toEqual(before);
    const script = new Visitor(first.url);
    script.apiKey = key;
    expect((await script.whoAmI()).username).toBe('ada');
    expect((await script.download(dataset.id)).sha256).toBe(sha256('over restarts\n'));
  });
});

describe('a node that is told to stop', () => {
  it('ends with 0 on SIGINT and on `stop`, its handlers with it, and leaves the folder free', async () => {
    const folder = newFolder();
    const first = await start(folder);
    const children = await eventually('its handler runs', () => {
      const found = descendantsOf(first.program.child.pid as number);
      return found.length > 0 && found;
    });
    expect(await first.program.stop('SIGINT')).toEqual({ code: 0, signal: null });
    expect(children.filter(isAlive)).toEqual([]);
    expect(existsSync(join(folder, 'process.lock'))).toBe(false);

    const second = await start(folder);
    const stopped = await command(folder, ['stop']);
    expect([stopped.code, stopped.stderr]).toEqual([0, '']);
    expect((await second.program.exited).code).toBe(0);
    const again = await command(folder, ['stop']);
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/^No process runs on .*\.$/m);
    expect(again.stderr.split('\n')).toHaveLength(1);
  });

  it('stops at once on a second SIGINT while the first still waits for an open request', async () => {
    const folder = newFolder();
    const { program, url } = await start(folder);
    const { visitor } = await newVisitor(url, 'ada');
    const upload = await tusCreate(visitor, MiB);
    const hanging = tusSend(visitor, upload, 0, hangingAfter(randomBytes(1000)), MiB);
    const broken = expect(hanging).rejects.toThrow();
    const incoming = join(folder, 'uploads', 'incoming', upload.slice(-32));
    await eventually('the request is under way', () => readFileSync(incoming).length > 0);
    program.child.kill('SIGINT');
    await eventually('it has begun to stop', () => !existsSync(join(folder, 'control.sock')));
    program.child.kill('SIGINT');
    expect((await program.exited).code).toBe(130);
    expect(program.errors.at(-1)).toBe('SIGINT a second time: stopping at once.');
    await broken;
    const next = await start(folder, [], url);
    expect((await visitor.whoAmI()).username).toBe('ada');
    await next.program.stop();
  });
});

describe('commands beside a node', () => {
  it('create users on a stopped and on a running node, with the password from standard input', async () => {
    const folder = newFolder();
    await command(folder, ['init', '--set', CHEAP_PASSWORDS]);
    const create = (name: string, ...more: string[]) =>
      command(
        folder,
        ['user', 'create', '--email', `${name}@example.org`, '--password-stdin', ...more],
        `${passwordOf(name)}\n`,
      );
    expect(await create('grace', '--admin')).toEqual({
      code: 0,
      stdout: 'Created grace (grace@example.org).\nThey administer this node.',
      stderr: '',
    });
    const { url } = await start(folder);
    expect(await create('ada')).toMatchObject({ code: 0, stdout: 'Created ada (ada@example.org).' });
    expect(await create('ada', '--admin')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^ada \(ada@example.org\) existed already; .*\nThey administer this node from now on\.$/,
      ),
    });
    expect(await create('linus')).toMatchObject({ code: 0 });
    for (const [name, admin] of [
      ['grace', true],
      ['ada', true],
      ['linus', false],
    ] as const) {
      const visitor = new Visitor(url);
      await visitor.signIn(name, passwordOf(name));
      expect(await visitor.whoAmI()).toMatchObject({ username: name, is_admin: admin });
    }
    const passwd = await command(folder, ['user', 'passwd', 'linus', '--password-stdin'], 'another one\n');
    expect(passwd.code).toBe(0);
    await expect(new Visitor(url).signIn('linus', passwordOf('linus'))).rejects.toThrow();
    await new Visitor(url).signIn('linus', 'another one');
  });

  it('refuse a password where nobody can be asked, and an address that is none, in one line', async () => {
    const folder = newFolder();
    await command(folder, ['init', '--set', CHEAP_PASSWORDS]);
    const noTerminal = await command(folder, ['user', 'create', '--email', 'ada@example.org']);
    expect([noTerminal.code, noTerminal.stderr]).toEqual([
      1,
      'There is no terminal to ask for the password. Use --password-stdin and pipe it in.',
    ]);
    const args = ['user', 'create', '--email', 'not an address', '--password-stdin'];
    const noAddress = await command(folder, args, 'some password\n');
    expect(noAddress.code).toBe(1);
    expect(noAddress.stderr.split('\n')).toHaveLength(1);
    const noUser = await command(folder, ['user', 'passwd', 'nobody', '--password-stdin'], 'some password\n');
    expect([noUser.code, noUser.stderr]).toEqual([1, 'There is no user "nobody" on this node. Check the address.']);
  });

  it('show the configuration in force as a file that can be used, without the secrets', async () => {
    const folder = newFolder();
    const secret = 'a-master-key-of-enough-length';
    await command(folder, ['init', '--name', 'Uppsala: "the" University']);
    const yaml = join(folder, 'galaxy-node.yml');
    writeFileSync(yaml, `${readFileSync(yaml, 'utf8')}\nmasterApiKey: ${secret}\n`);
    const shown = await command(folder, ['config', 'show', '--set', 'jobs.slots=3']);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain('jobs.slots: 3');
    expect(shown.stdout).not.toContain(secret);
    expect(shown.stdout).toContain('masterApiKey: (set, not shown)');
    const file = join(scratch.path, 'shown.yml');
    writeFileSync(file, shown.stdout);
    const again = await command(folder, ['config', 'show', '--config', file]);
    expect(again.code).toBe(0);
    expect(withoutKey(again.stdout)).toBe(withoutKey(shown.stdout));
    const json = await command(folder, ['config', 'show', '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ name: 'Uppsala: "the" University', 'jobs.slots': 2 });
    expect(json.stdout).not.toContain(secret);
  });

  it('take no secret from the command line, where everybody on the machine reads it', async () => {
    const folder = newFolder();
    const secret = 'a-master-key-of-enough-length';
    const refused = /^The secret masterApiKey was given on the command line.* GALAXY_NODE_MASTER_API_KEY\.$/;
    const init = await command(folder, ['init', '--set', `masterApiKey=${secret}`]);
    expect([init.code, init.stdout]).toEqual([1, '']);
    expect(init.stderr).toMatch(refused);
    expect(existsSync(folder)).toBe(false);
    await command(folder, ['init']);
    const set = await command(folder, ['config', 'set', 'masterApiKey', secret]);
    expect(set.code).toBe(1);
    expect(set.stderr).toMatch(refused);
    expect(readFileSync(join(folder, 'galaxy-node.yml'), 'utf8')).not.toContain(secret);
  });

  it('refuse to create a user who exists, and say what changed for one who becomes an admin', async () => {
    const folder = newFolder();
    await command(folder, ['init']);
    const create = ['user', 'create', '--email', 'ada@example.org', '--password-stdin'];
    expect((await command(folder, create, 'some password\n')).code).toBe(0);
    const again = await command(folder, create, 'another password\n');
    expect([again.code, again.stdout]).toEqual([1, '']);
    expect(again.stderr).toMatch(/^There is a user "ada@example.org" already; nothing was changed\. .*user passwd/);
    const admin = await command(folder, [...create, '--admin'], 'another password\n');
    expect(admin.code).toBe(0);
    expect(admin.stdout).toMatch(/the password was not changed.*\nThey administer this node from now on\./);
  });

  it('tell how the node is, for people and for scripts', async () => {
    const folder = newFolder();
    const { url, ready, program } = await start(folder, ['--name', 'Uppsala University']);
    const { visitor, history } = await newVisitor(url, 'ada');
    await visitor.waitForDataset((await visitor.paste(history, 'one\n')).id);
    const json = await command(folder, ['status', '--json']);
    expect(json.code).toBe(0);
    const status = JSON.parse(json.stdout);
    expect(JSON.stringify(status)).toContain(ready.peerId);
    expect(JSON.stringify(status)).toContain('Uppsala University');
    const text = await command(folder, ['status']);
    expect(text.code).toBe(0);
    expect(text.stdout.trim()).not.toBe('');
    await program.stop();
    expect(await command(folder, ['status'])).toMatchObject({ code: 1, stdout: '' });
    const failed = await command(folder, ['status', '--json']);
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.stdout).error.code).toBe('control/not-running');
  });
});

function withoutKey(yaml: string): string {
  return yaml.replace(/^.*masterApiKey.*$/m, '');
}

/** A tool that writes down that it was started, and ends when it is let go. */
function witnessTool(witness: string, gate: string): string {
  const folder = join(scratch.path, `tools-${folders}`);
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'witness.xml'),
    `<tool id="witness" name="Witness" version="1.0">
  <command><![CDATA[echo started >> '${witness}' && while [ ! -e '${gate}' ]; do sleep 0.1; done && cat '$input1' > '$out1']]></command>
  <inputs><param name="input1" type="data" format="data" label="Input"/></inputs>
  <outputs><data name="out1" format="txt"/></outputs>
</tool>`,
  );
  return folder;
}

/** Sends these bytes and then nothing more, as a line that went dead. */
function hangingAfter(bytes: Buffer): Readable {
  let sent = false;
  return new Readable({
    read() {
      if (!sent) this.push(bytes);
      sent = true;
    },
  });
}

function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function lines(file: string): number {
  return readFileSync(file, 'utf8').trim().split('\n').length;
}

/** Children of a process, and theirs. */
function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // Ended meanwhile.
    }
  }
  const found = [pid];
  for (const parent of found) for (const [child, of] of parents) if (of === parent) found.push(child);
  return found.slice(1);
}
