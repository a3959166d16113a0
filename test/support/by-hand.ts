/** Programs run by hand, as somebody at a terminal would: what a node made is compared with what they give. */
import { execFileSync } from 'node:child_process';

const RUN_MS = 120_000;
const OUTPUT_BYTES_MAX = 64 * 2 ** 20;

/** A pipeline of the shell in a folder; its standard output. Throws with its standard error when any part of it fails. */
export function byHand(folder: string, line: string): string {
  return execFileSync('bash', ['-o', 'pipefail', '-ec', line], {
    cwd: folder,
    encoding: 'utf8',
    timeout: RUN_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
