/** Programs that are run beside a tool: the format's own for an index, the tool's own for its version. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withIndex } from '../../../node/jobs/index-files.js';
import type { RunOutputResult } from '../../../node/jobs/run-spec.js';
import { ToolVersions } from '../../../node/jobs/tool-versions.js';
import { ManualClock } from '../../support/manual-clock.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'galaxy-programs-'));
  mkdirSync(join(folder, 'bin'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const environment = () => ({ PATH: `${join(folder, 'bin')}:/usr/bin:/bin` });
const program = (name: string, text: string) => {
  writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(folder, 'bin', name), 0o755);
};

type Indexed = Pick<RunOutputResult, 'file' | 'extension' | 'state' | 'metadataFiles'>;

describe('the index of a file', () => {
  const indexed = (extension: string, state: 'ok' | 'error' = 'ok'): Promise<Indexed> => {
    const file = join(folder, 'dataset_1.dat');
    writeFileSync(file, 'sorted\n');
    const start = (script: string, given: Record<string, string>) => ({
      argv: ['/bin/sh', script],
      environment: given,
    });
    const options = { folder, environment: environment(), killGraceMs: 100, start, running: () => {} };
    return withIndex<Indexed>({ clock: new ManualClock() }, { file, extension, state }, options);
  };

  it.each([
    ['bam', 'samtools', 'bam_index'],
    ['cram', 'samtools', 'cram_index'],
    ['vcf_bgzip', 'bcftools', 'tabix_index'],
    ['bcf', 'bcftools', 'bcf_index'],
  ])('of the format %s is made by %s', async (extension, name, key) => {
    program(
      name,
      'for last in "$@"; do :; done; [ "$1" = index ] && { echo "index of" > "$INDEX_TO"; cat "$INDEX_FROM" >> "$INDEX_TO"; }',
    );
    const { metadataFiles } = await indexed(extension);
    expect(metadataFiles).toEqual([{ name: key, file: join(folder, `dataset_1.dat.${key}`) }]);
    expect(readFileSync(metadataFiles?.[0]?.file ?? '', 'utf8')).toBe('index of\nsorted\n');
  });

  it.each([
    ['fails', 'echo half > "$INDEX_TO"; exit 1'],
    ['writes nothing', ': > "$INDEX_TO"'],
    ['leaves a folder', 'mkdir "$INDEX_TO"'],
    ['leaves a link', 'ln -s /etc/hostname "$INDEX_TO"'],
  ])('is none when its program %s', async (_, text) => {
    program('samtools', text);
    expect((await indexed('bam')).metadataFiles).toBeUndefined();
    expect(existsSync(join(folder, 'dataset_1.dat.bam_index'))).toBe(false);
  });

  it('is not asked for of other formats, nor of what failed', async () => {
    program('samtools', 'echo called > "$INDEX_TO"');
    expect((await indexed('txt')).metadataFiles).toBeUndefined();
    expect((await indexed('bam', 'error')).metadataFiles).toBeUndefined();
  });
});

describe('what a tool says its version is', () => {
  const clock = new ManualClock();
  const ask = (versions: ToolVersions, script: string, where = 'here') =>
    versions.of(script, { folder, where, start: (file) => ({ argv: ['/bin/sh', file], environment: environment() }) });

  it('is its output, or what it wrote on the other side', async () => {
    const versions = new ToolVersions({ clock });
    expect(await ask(versions, "printf '  v1.2\\n\\n'")).toBe('v1.2');
    expect(await ask(versions, 'echo v3 >&2; exit 1')).toBe('v3');
    expect(await ask(versions, 'exit 3')).toBeUndefined();
    expect(await ask(versions, 'yes | head -c 40000')).toHaveLength(1024);
  });

  it('is remembered for a while, for each place where tools run', async () => {
    const versions = new ToolVersions({ clock });
    const script = `echo . >> '${join(folder, 'asked')}'; wc -l < '${join(folder, 'asked')}'`;
    expect([await ask(versions, script), await ask(versions, script)]).toEqual(['1', '1']);
    expect(await ask(versions, script, 'elsewhere')).toBe('2');
    clock.advance(11 * 60_000);
    expect(await ask(versions, script)).toBe('3');
  });
});
