import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DataFolder, writeDurably } from '../../../protocol/runtime/data-folder.js';
import { initFolder } from '../../../protocol/trust/init-folder.js';
import { scratchFolder } from '../../support/processes.js';

const scratch = scratchFolder();
const made: string[] = [];
let count = 0;
const fresh = () => join(scratch.path, `folder-${count++}`);
const identity = { kind: 'node' as const, peerId: 'peer', storeId: 'ab'.repeat(16), createdAt: 'now' };

afterEach(() => {
  for (const path of made.splice(0)) chmodSync(path, 0o700);
});

describe('the data folder', () => {
  it('counts the starts and remembers whose it is', () => {
    const path = fresh();
    DataFolder.create(path, identity);
    const first = DataFolder.open(path, 'node');
    expect(first.lock('t').countStart().boot).toBe(1);
    first.unlock();
    expect(DataFolder.open(path, 'node').info.peerId).toBe('peer');
    expect(DataFolder.open(path, 'node').lock('t').countStart().boot).toBe(2);
  });

  it('is not made twice, and not opened as another kind', () => {
    const path = fresh();
    DataFolder.create(path, identity);
    expect(() => DataFolder.create(path, identity)).toThrow(/already holds a node/);
    expect(() => DataFolder.open(path, 'coordinator')).toThrow(/belongs to a node/);
    expect(() => DataFolder.open(fresh(), 'node')).toThrow(/no node in/);
  });

  it('refuses a newer format and a damaged identity without changing them', () => {
    const path = fresh();
    mkdirSync(path);
    writeFileSync(join(path, 'folder.json'), JSON.stringify({ format: 99, other: true }));
    expect(() => DataFolder.open(path, 'node')).toThrow(/newer version \(format 99/);
    writeFileSync(join(path, 'folder.json'), '{"kind": "no');
    expect(() => DataFolder.open(path, 'node')).toThrow(/folder\.json is damaged/);
    expect(() => DataFolder.create(path, identity)).toThrow(/damaged/);
    expect(readFileSync(join(path, 'folder.json'), 'utf8')).toBe('{"kind": "no');
  });

  it('names the process that uses it, and takes over from one that has ended', async () => {
    const path = fresh();
    const folder = DataFolder.create(path, identity);
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await once(other, 'spawn');
    const stat = readFileSync(`/proc/${other.pid}/stat`, 'utf8');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    writeFileSync(join(path, 'process.lock'), JSON.stringify({ pid: other.pid, started }));
    expect(() => folder.lock('t')).toThrow(new RegExp(`in use by process ${other.pid}`));
    const ended = once(other, 'exit');
    other.kill('SIGKILL');
    await ended;
    expect(DataFolder.running(path)).toBeUndefined();
    folder.lock('t');
    expect(DataFolder.running(path)?.pid).toBe(process.pid);
  });

  it('does not take a reused pid for the process that wrote the lock', () => {
    const path = fresh();
    DataFolder.create(path, identity);
    writeFileSync(join(path, 'process.lock'), JSON.stringify({ pid: process.pid, started: '1' }));
    expect(DataFolder.running(path)).toBeUndefined();
  });

  it('does not remove the lock of another process that was faster', () => {
    const path = fresh();
    const folder = DataFolder.create(path, identity);
    folder.lock('t');
    writeFileSync(join(path, 'process.lock'), JSON.stringify({ pid: process.ppid, started: 'x' }));
    folder.unlock();
    expect(existsSync(join(path, 'process.lock'))).toBe(true);
  });

  it('never counts a start twice, also when a command used the folder in between', () => {
    const path = fresh();
    const first = DataFolder.create(path, identity);
    const second = DataFolder.open(path, 'node');
    expect(second.lock('t').countStart().boot).toBe(1);
    second.unlock();
    expect(first.lock('t').countStart().boot).toBe(2);
    first.unlock();
    expect(first.lock('t').countStart().boot).toBe(3);
    first.unlock();
  });

  it('keeps its start time beside the control socket', () => {
    const path = fresh();
    const folder = DataFolder.create(path, identity);
    folder.lock('t');
    const before = DataFolder.running(path);
    folder.announceControl('/somewhere');
    expect(DataFolder.running(path)).toEqual({ ...before, control: '/somewhere' });
    folder.unlock();
  });
});

describe('a durable write', () => {
  it('leaves the old file whole and nothing beside it when it fails', () => {
    const path = fresh();
    mkdirSync(path);
    writeDurably(path, 'a.json', 'old');
    // A folder in the file's place: the rename fails after everything was written.
    mkdirSync(join(path, 'b.json', 'inside'), { recursive: true });
    expect(() => writeDurably(path, 'b.json', 'new')).toThrow(/cannot be written/);
    expect(readdirSync(path).sort()).toEqual(['a.json', 'b.json']);
    expect(readFileSync(join(path, 'a.json'), 'utf8')).toBe('old');
  });

  it('gives the file its own permissions, whatever an interrupted one left', () => {
    const path = fresh();
    mkdirSync(path);
    writeFileSync(join(path, 'key.tmp'), 'half', { mode: 0o644 });
    writeDurably(path, 'key', 'secret');
    expect(statSync(join(path, 'key')).mode & 0o777).toBe(0o600);
    expect(existsSync(join(path, 'key.tmp'))).toBe(false);
  });
});

describe('a folder that is to become a data folder', () => {
  const config = { name: 'galaxy-node.yml', text: '# nothing' };
  const init = (path: string) => initFolder('node', path, config, new Date(0));

  it('is refused when it holds other files: some are named, another folder too, and nothing is written', async () => {
    const path = fresh();
    mkdirSync(path);
    for (const name of ['thesis.tex', 'photos', '.profile', 'budget.ods']) writeFileSync(join(path, name), 'mine');
    await expect(init(path)).rejects.toMatchObject({
      code: 'folder/not-empty',
      message: `${path} holds other files (.profile, budget.ods, photos and 1 more); nothing was written there.`,
      mend: expect.stringContaining(join(path, 'galaxy-node-data')),
    });
    expect(readdirSync(path)).toHaveLength(4);
  });

  it('may be empty, the root of a file system, or one that an interrupted init left', async () => {
    const path = fresh();
    mkdirSync(path);
    mkdirSync(join(path, 'lost+found'));
    writeFileSync(join(path, 'galaxy-node.yml'), 'name: Mine');
    writeFileSync(join(path, 'folder.json.tmp'), '{');
    await init(path);
    expect(DataFolder.exists(path)).toBe(true);
    expect(readFileSync(join(path, 'galaxy-node.yml'), 'utf8')).toBe('name: Mine');
    const second = await init(fresh());
    expect(second.peerId).not.toBe('');
  });
});
