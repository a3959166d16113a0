/**
 * The index that belongs to a sorted or block compressed file, made by the format's own program when it is on PATH: tools
 * take it as `$input.metadata.bam_index`. Without the program the dataset has none, which is no error.
 */
import { chmod, lstat, rm, writeFile } from 'node:fs/promises';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { RunOutputResult } from './run-spec.js';
import { runLocal } from './runners/local.js';
import type { Start } from './runners/start.js';

/** Metadata name and command by extension. The names are Galaxy's. */
const INDEXES: Readonly<Record<string, { name: string; program: string; line: string }>> = {
  bam: { name: 'bam_index', program: 'samtools', line: 'samtools index "$INDEX_FROM" "$INDEX_TO"' },
  cram: { name: 'cram_index', program: 'samtools', line: 'samtools index "$INDEX_FROM" "$INDEX_TO"' },
  vcf_bgzip: { name: 'tabix_index', program: 'bcftools', line: 'bcftools index -t -o "$INDEX_TO" "$INDEX_FROM"' },
  bcf: { name: 'bcf_index', program: 'bcftools', line: 'bcftools index -c -o "$INDEX_TO" "$INDEX_FROM"' },
};

const INDEX_MS_MAX = 60 * 60 * 1000;

export interface IndexOptions {
  /** Folder of the run. */
  folder: string;
  environment: Record<string, string>;
  killGraceMs: number;
  /** Where a script runs, which reads what a tool made: as the tool did, where that was confined. */
  start(script: string, environment: Record<string, string>): Start;
  /** Where what runs is told, so that it can be ended. */
  running(run: { stop(): void; kill(): void }): void;
}

/** The result with its index, or as it was. */
export async function withIndex<T extends Pick<RunOutputResult, 'file' | 'extension' | 'state' | 'metadataFiles'>>(
  deps: { clock: Clock },
  result: T,
  options: IndexOptions,
): Promise<T> {
  const index = INDEXES[result.extension];
  if (index === undefined || result.file === undefined || result.state !== 'ok') return result;
  const target = `${result.file}.${index.name}`;
  const script = `${options.folder}/index.sh`;
  const log = `${options.folder}/index.log`;
  // The tool may have left anything under these names.
  for (const path of [target, script, log]) await rm(path, { recursive: true, force: true });
  await writeFile(script, `command -v ${index.program} >/dev/null 2>&1 || exit 3\n${index.line}\n`, { mode: 0o600 });
  const run = runLocal(deps, {
    ...options.start(script, { ...options.environment, INDEX_FROM: result.file, INDEX_TO: target }),
    cwd: options.folder,
    stdoutFile: log,
    stderrFile: log,
    logBytesMax: 64 * 1024,
    walltimeMs: INDEX_MS_MAX,
    killGraceMs: options.killGraceMs,
  });
  options.running(run);
  const { exitCode } = await run.ended;
  const made = await lstat(target).catch(() => undefined);
  if (exitCode !== 0 || !made?.isFile() || made.size === 0) {
    await rm(target, { recursive: true, force: true });
    return result;
  }
  await chmod(target, 0o600);
  return { ...result, metadataFiles: [...(result.metadataFiles ?? []), { name: index.name, file: target }] };
}
