/**
 * One file of 1 GiB and 5000 of 2 KiB from one process to another over loopback, encrypted where the program does it,
 * verified, and fsynced before the clock stops. Ours beside others; the cases take turns, so that whatever else this
 * machine does meets them all. What arrived is compared with what was sent after each run, outside the clock.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Figures, type Row } from './rows.js';
import type { Contender } from './transfer/contender.js';
import { digestOf, type Material, makeLarge, makeSmall } from './transfer/material.js';
import { Ours } from './transfer/ours.js';
import { Rsync } from './transfer/rsync.js';
import { Syncthing } from './transfer/syncthing.js';

export interface TransferOptions {
  runs: number;
  /** Names of the cases; all of them by default. */
  only?: readonly string[];
  largeMib: number;
  smallFiles: number;
  /** On which disk; the one for temporary files by default. */
  folder?: string;
  say: (line: string) => void;
  signal: AbortSignal;
}

export async function benchTransfer(options: TransferOptions): Promise<{ rows: Row[]; notes: string[] }> {
  const { runs, only, largeMib, smallFiles, say, signal } = options;
  const notes: string[] = [];
  const scratch = await mkdtemp(join(options.folder ?? tmpdir(), 'galaxy-bench-transfer-'));
  try {
    const contenders = await present([new Ours(), new Rsync(), new Syncthing()], only, notes);
    const materials = [
      await makeLarge(join(scratch, 'large'), largeMib),
      await makeSmall(join(scratch, 'small'), smallFiles),
    ];
    for (const contender of contenders) {
      for (const material of materials) {
        const folder = join(scratch, `${contender.name}-${material.name}`);
        await mkdir(folder);
        await contender.prepare?.(material, folder);
      }
    }
    const figures = new Figures();
    for (let round = 1; round <= runs; round++) {
      for (const contender of contenders.filter(({ name }) => !notes.some((note) => note.startsWith(`${name}:`)))) {
        signal.throwIfAborted();
        try {
          const rows = await oneRun(contender, materials, join(scratch, `run-${round}-${contender.name}`));
          for (const row of rows) figures.add(row);
          say(`run ${round} of ${runs}, ${contender.name}: ${rows.map(textOf).join(', ')}`);
        } catch (error) {
          signal.throwIfAborted();
          if (contender.name === 'ours') throw error;
          notes.push(`${contender.name}: not measured, ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
    signal.throwIfAborted();
    return { rows: figures.medians(), notes };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function present(
  all: readonly Contender[],
  only: readonly string[] | undefined,
  notes: string[],
): Promise<Contender[]> {
  const unknown = only?.find((name) => !all.some((contender) => contender.name === name));
  if (unknown !== undefined) throw new Error(`there is no case ${unknown}`);
  const found: Contender[] = [];
  for (const contender of all) {
    if (only !== undefined && !only.includes(contender.name)) continue;
    const reason = await contender.unavailable();
    if (reason === undefined) found.push(contender);
    else notes.push(`${contender.name}: not measured, ${reason}`);
  }
  return found;
}

async function oneRun(contender: Contender, materials: readonly Material[], folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  let peakBytes = 0;
  for (const material of materials) {
    const received = join(folder, material.name);
    await mkdir(received, { recursive: true });
    try {
      const measured = await contender.run(material, received);
      if ((await digestOf(measured.received)) !== material.digest) {
        throw new Error(`the ${material.name} files that arrived are not those that were sent`);
      }
      const seconds = measured.ms / 1000;
      peakBytes = Math.max(peakBytes, measured.peakBytes);
      rows.push(
        material.name === 'large'
          ? { case: contender.name, metric: 'large', value: material.bytes / 1e6 / seconds, unit: 'MB/s' }
          : { case: contender.name, metric: 'small', value: material.files / seconds, unit: 'files/s' },
      );
    } finally {
      // Thousands of small files removed now would slow down the next run: ext4 searches past what was just deleted.
      if (material.name === 'large') await rm(received, { recursive: true, force: true });
    }
  }
  return [...rows, { case: contender.name, metric: 'rss', value: peakBytes / 1e6, unit: 'MB' }];
}

function textOf({ metric, value, unit }: Row): string {
  return `${metric} ${value.toFixed(value < 10 ? 2 : 0)} ${unit}`;
}
