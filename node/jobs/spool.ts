/** Pasted texts until their upload has run: files, so that a large one is never whole in a process twice. */
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { jobErrors } from './errors.js';
import type { FetchItem } from './job.js';

export type FetchFile = FetchItem & { source: { kind: 'file'; path: string } };

export class Spool {
  constructor(private readonly folder: string) {}

  /** Removes what no upload refers to: texts of requests that were never accepted. */
  async open(referenced: ReadonlySet<string>): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.folder)) {
      const path = join(this.folder, name);
      if (!referenced.has(path)) await rm(path, { force: true });
    }
  }

  /** The text is on the disk when it resolves. Errors: `jobs/no-space`, `jobs/spool-failed`. */
  async write(name: string, text: string): Promise<string> {
    const path = join(this.folder, name);
    try {
      const file = await open(path, 'wx', 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      const folder = await open(this.folder, 'r');
      await folder.sync().finally(() => folder.close());
      return path;
    } catch (error) {
      await rm(path, { force: true });
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw jobErrors('no-space', {}, { cause: error });
      throw jobErrors('spool-failed', { reason: (error as Error).message }, { cause: error });
    }
  }
}
