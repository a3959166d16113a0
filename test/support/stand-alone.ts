/** A stand-alone node as a process of its own, with what makes it quick and quiet in a test. */
import { Visitor } from '../../bin/demo/visitor.js';
import { type Program, type Ready, runProgram } from './processes.js';

/** Cost of a password in a test; the real cost has a test of its own. */
export const CHEAP_PASSWORDS = 'passwordHashing={"memoryKiB":64,"iterations":1,"parallelism":1}';

export interface StandAloneOptions {
  folder: string;
  /** HOST or HOST:PORT; each test file has an address of its own, because cookies ignore ports. */
  listen: string;
  more?: string[];
  environment?: Record<string, string>;
}

export interface StandAlone {
  program: Program;
  ready: Ready;
  url: string;
}

export async function startStandAlone(options: StandAloneOptions): Promise<StandAlone> {
  const program = runProgram('galaxy-node', startArguments(options), { environment: options.environment ?? {} });
  const ready = await program.ready;
  return { program, ready, url: ready.url };
}

export function startArguments({ folder, listen, more = [] }: StandAloneOptions): string[] {
  const address = listen.includes(':') ? listen : `${listen}:0`;
  return [
    ...['start', '--init', '--json', '--data', folder, '--listen', address],
    ...['--log-level', 'warn', '--set', CHEAP_PASSWORDS, ...more],
  ];
}

/** A user of a node, signed up, with her history. */
export async function newVisitor(url: string, name: string): Promise<{ visitor: Visitor; history: string }> {
  const visitor = new Visitor(url);
  await visitor.signUp(`${name}@example.org`, name, passwordOf(name));
  const { id } = await visitor.currentHistory();
  return { visitor, history: id };
}

export function passwordOf(name: string): string {
  return `the password of ${name}`;
}

/** Asks again until it is so. The bound is for a machine that does other things as well. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  boundMs = 60_000,
): Promise<T> {
  const until = performance.now() + boundMs;
  let last: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (performance.now() > until) {
      throw new Error(`not within ${boundMs} ms: ${what} (${last instanceof Error ? last.message : String(last)})`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
