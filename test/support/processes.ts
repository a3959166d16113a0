/** What the demo uses to run real processes serves the tests as well. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export { endAllPrograms, Program, type Ready, runProgram, runToEnd } from '../../bin/demo/processes.js';

export function scratchFolder(prefix = 'galaxy-'): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), prefix));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
