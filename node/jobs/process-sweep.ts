/**
 * Finds and ends processes of a run by a mark in their environment: what a killed handler or a killed node left behind,
 * and what left its process group. Linux only (/proc); elsewhere nothing is found and the process group must do.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { RUN_MARKER } from './run-spec.js';

/** Processes whose run folder is `folder` or lies below it, without this one. */
export function processesOf(folder: string): number[] {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return [];
  }
  const exact = `${RUN_MARKER}=${folder}`;
  const below = `${exact}/`;
  return names
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => environmentOf(name).some((line) => line === exact || line.startsWith(below)))
    .map(Number);
}

/** SIGKILL to all of them, again until none is left: one may have forked meanwhile. Returns how many were ended. */
export function sweep(folder: string): number {
  const ended = new Set<number>();
  for (let round = 0; round < 5; round++) {
    const found = processesOf(folder).filter((pid) => !ended.has(pid));
    if (found.length === 0) break;
    for (const pid of found) {
      ended.add(pid);
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Ended by itself meanwhile.
      }
    }
  }
  return ended.size;
}

function environmentOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    // Gone, or another user's.
    return [];
  }
}
