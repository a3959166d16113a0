import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DataFolder } from '../../../protocol/runtime/data-folder.js';
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
    expect(first.lock('t').boot).toBe(1);
    first.unlock();
    expect(DataFolder.open(path, 'node').info.peerId).toBe('peer');
    expect(DataFolder.open(path, 'node').lock('t').boot).toBe(2);
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
});
