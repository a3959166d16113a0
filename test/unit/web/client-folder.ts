/** A stand-in for the Galaxy web client: the files that a node needs, with a word in each. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export async function makeClientFolder(folder: string): Promise<string> {
  await mkdir(join(folder, 'dist'), { recursive: true });
  const files = {
    'libs.bundled.js': '/* libs */',
    'analysis.bundled.js': '/* analysis */',
    'base.css': '/* base */',
    '1079.bundled.js': '/* a chunk */',
    '00950d3d0eabc9b79c13.png': 'a picture',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, 'dist', name), text);
  await writeFile(join(folder, 'secret.txt'), 'outside of dist');
  return folder;
}
