/** Programs of the machine that some tests need. With CI=true a missing one fails; otherwise the test is skipped by name. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { it } from 'vitest';

export function programPath(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** `itWith('chromium')('a sentence', …)`. */
export function itWith(...programs: string[]) {
  const missing = programs.filter((name) => programPath(name) === undefined);
  return it.skipIf(missing.length > 0 && process.env.CI !== 'true');
}
