/** BAM as SAM text, by samtools where it is: two BAM files that hold the same may differ in every byte. */
import { execFile } from 'node:child_process';
import { ContentFault } from './produced.js';

const BYTES_MAX = 512 * 2 ** 20;
const TIME_MAX_MS = 120_000;

export function isBam(extension: string | undefined): boolean {
  return extension !== undefined && /(^|\.)bam$|^cram$/.test(extension);
}

/** Undefined: there is no samtools. Rejects with ContentFault for what it cannot read. */
export function samOf(file: string, signal: AbortSignal): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const options = { encoding: 'buffer' as const, maxBuffer: BYTES_MAX, timeout: TIME_MAX_MS, signal };
    execFile('samtools', ['view', '-h', '--no-PG', file], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (error.code === 'ENOENT') resolve(undefined);
      else
        reject(new ContentFault(`samtools cannot read it: ${stderr.toString('utf8').trim().split('\n').at(-1) ?? ''}`));
    });
  });
}
