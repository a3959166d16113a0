import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectOutputs } from '../../../node/jobs/collect.js';
import { type RunOutput, runPaths } from '../../../node/jobs/run-spec.js';
import { FakeDatatypes } from './fakes.js';

let root: string;
let folder: string;
let secret: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'galaxy-collect-'));
  folder = join(root, 'job');
  secret = join(root, 'secret');
  writeFileSync(secret, 'not for you\n');
  for (const part of ['', 'working', 'outputs']) mkdirSync(join(folder, part));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const working = (name: string) => join(folder, 'working', name);

async function collect(fields: Partial<RunOutput> = {}) {
  const output: RunOutput = { name: 'out', file: join(runPaths(folder).outputs, 'a.dat'), extension: 'txt', ...fields };
  const [result] = await collectOutputs({ datatypes: new FakeDatatypes() }, folder, [output]);
  return { result, file: output.file };
}

describe('collecting outputs', () => {
  it('takes what the tool wrote', async () => {
    writeFileSync(join(folder, 'outputs', 'a.dat'), 'made\n');
    expect((await collect()).result).toMatchObject({ state: 'ok', extension: 'txt', peek: 'made\n' });
  });

  it('decides the type of an output that is said to be auto', async () => {
    writeFileSync(join(folder, 'outputs', 'a.dat'), '>seq\nACGT\n');
    expect((await collect({ extension: 'auto' })).result).toMatchObject({ extension: 'fasta' });
  });

  it('gives one file of the working folder to every output that asks for it', async () => {
    writeFileSync(working('made.txt'), 'made\n');
    const file = (name: string) => join(runPaths(folder).outputs, name);
    const outputs = ['made.txt', 'made.txt', 'm*.txt'].map((fromWorkDir, index) => ({
      name: `o${index}`,
      file: file(`${index}.dat`),
      extension: 'txt',
      fromWorkDir,
    }));
    const results = await collectOutputs({ datatypes: new FakeDatatypes() }, folder, outputs);
    expect(results.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
    for (const one of outputs) {
      expect(readFileSync(one.file, 'utf8')).toBe('made\n');
      expect(statSync(one.file).nlink).toBe(1);
    }
  });

  it('moves a file from the working folder, also when a link inside the job names it', async () => {
    writeFileSync(working('real'), 'made\n');
    symlinkSync('real', working('link'));
    const { result, file } = await collect({ fromWorkDir: 'link' });
    expect(result).toMatchObject({ state: 'ok' });
    expect(readFileSync(file, 'utf8')).toBe('made\n');
  });

  it('says what the tool did not write, and gives an empty file', async () => {
    const { result, file } = await collect({ fromWorkDir: 'gone.txt' });
    expect(result).toMatchObject({ state: 'empty', info: 'The tool did not write gone.txt.' });
    expect(statSync(file).size).toBe(0);
  });

  it.each(['../../secret', '/etc/hostname', 'a/../../../secret'])('does not take %s', async (path) => {
    const { result } = await collect({ fromWorkDir: path });
    expect(result).toMatchObject({ state: 'error', info: expect.stringContaining('outside the working folder') });
    expect(result?.file).toBeUndefined();
  });

  it('follows no link out of the job, neither of a file nor of a folder on the way', async () => {
    symlinkSync(secret, working('direct'));
    symlinkSync(root, working('folder'));
    for (const path of ['direct', 'folder/secret']) {
      const { result } = await collect({ fromWorkDir: path });
      expect(result).toMatchObject({ state: 'error', info: expect.stringContaining("out of the job's folder") });
    }
    expect(readFileSync(secret, 'utf8')).toBe('not for you\n');
  });

  it('takes no link in place of an output', async () => {
    symlinkSync(secret, join(folder, 'outputs', 'a.dat'));
    expect((await collect()).result).toMatchObject({ state: 'error', info: expect.stringContaining('a link') });
  });

  it('takes nothing when the folder of outputs was replaced by a link', async () => {
    rmSync(join(folder, 'outputs'), { recursive: true });
    writeFileSync(join(root, 'a.dat'), 'elsewhere\n');
    symlinkSync(root, join(folder, 'outputs'));
    const { result } = await collect();
    expect(result).toMatchObject({ state: 'error', info: expect.stringContaining('replaced its folder') });
    expect(readFileSync(join(root, 'a.dat'), 'utf8')).toBe('elsewhere\n');
  });

  it('takes neither a folder nor a pipe', async () => {
    mkdirSync(join(folder, 'outputs', 'a.dat'));
    expect((await collect()).result).toMatchObject({ state: 'error' });
    execFileSync('mkfifo', [join(folder, 'outputs', 'b.dat')]);
    expect((await collect({ file: join(folder, 'outputs', 'b.dat') })).result).toMatchObject({ state: 'error' });
  });

  it('copies a file that has a second name, so that nobody can write it later', async () => {
    writeFileSync(working('kept'), 'made\n');
    linkSync(working('kept'), join(folder, 'outputs', 'a.dat'));
    const { result, file } = await collect();
    expect(result).toMatchObject({ state: 'ok' });
    expect(statSync(file).nlink).toBe(1);
    expect(statSync(file).ino).not.toBe(statSync(working('kept')).ino);
  });
});
