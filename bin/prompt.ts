/** Asks for a password without showing it. Never from the command line: arguments are visible to every user of a machine. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { defineErrors } from '../protocol/runtime/errors.js';

const promptErrors = defineErrors('prompt', {
  'no-terminal': {
    kind: 'bad-request',
    say: 'There is no terminal to ask for the password.',
    mend: 'Use --password-stdin and pipe it in.',
  },
  cancelled: {
    kind: 'bad-request',
    say: 'No password was given; nothing was changed.',
    mend: 'Run the command again.',
  },
  mismatch: { kind: 'bad-request', say: 'The two passwords differ.', mend: 'Run the command again.' },
  empty: { kind: 'bad-request', say: 'The password is empty.', mend: 'Run the command again.' },
});

export async function askPassword(options: { fromStdin: boolean; confirm: boolean }): Promise<string> {
  const password = options.fromStdin ? await firstLine() : await hidden('Password: ');
  if (password === '') throw promptErrors('empty');
  if (!options.fromStdin && options.confirm && (await hidden('Again: ')) !== password) throw promptErrors('mismatch');
  return password;
}

async function firstLine(): Promise<string> {
  const reader = createInterface({ input: process.stdin });
  for await (const line of reader) {
    reader.close();
    return line;
  }
  return '';
}

function hidden(question: string): Promise<string> {
  if (!process.stdin.isTTY) return Promise.reject(promptErrors('no-terminal'));
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  return new Promise((resolve, reject) => {
    // The terminal is the reader's until then: Ctrl+C is a key to it and no signal.
    const end = (settle: () => void) => {
      reader.removeAllListeners('close');
      reader.close();
      process.stderr.write('\n');
      settle();
    };
    reader.once('SIGINT', () => end(() => reject(promptErrors('cancelled'))));
    reader.once('close', () => end(() => reject(promptErrors('cancelled'))));
    reader.question('', (answer) => end(() => resolve(answer)));
  });
}
