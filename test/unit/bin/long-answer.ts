/** A command with an answer that no pipe holds. */
import { runCommand } from '../../../bin/run.js';

const BYTES = 4 * 2 ** 20;

await runCommand(async () => {
  process.stdout.write(`${'x'.repeat(BYTES - 1)}\n`);
  process.stderr.write('written\n');
  return 3;
});
