import { describe, expect, it } from 'vitest';
import { Background, Lifecycle, type Part } from '../../../protocol/runtime/lifecycle.js';
import { type Logger, silentLogger } from '../../../protocol/runtime/logger.js';

function recorder() {
  const said: string[] = [];
  const part = (name: string, extra: Partial<Part> = {}): Part => ({
    start: async () => {
      said.push(`start ${name}`);
    },
    stop: async () => {
      said.push(`stop ${name}`);
    },
    ...extra,
  });
  return { said, part };
}

function deferred() {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((given) => {
    resolve = given;
  });
  return { promise, resolve };
}

describe('a lifecycle', () => {
  it('starts in order and stops in reverse, each once however often it is asked', async () => {
    const { said, part } = recorder();
    const lifecycle = new Lifecycle({ log: silentLogger });
    lifecycle.add('a', part('a'));
    lifecycle.add('b', part('b'));
    await Promise.all([lifecycle.start(), lifecycle.start()]);
    lifecycle.add('c', part('c'));
    await lifecycle.start();
    await Promise.all([lifecycle.stop(), lifecycle.stop()]);
    await lifecycle.stop();
    expect(said).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
  });

  it('undoes a start that fails, starts nothing after it, and gives the reason', async () => {
    const { said, part } = recorder();
    const lifecycle = new Lifecycle({ log: silentLogger });
    lifecycle.add('a', part('a'));
    lifecycle.add('b', part('b', { start: () => Promise.reject(new Error('no port')) }));
    lifecycle.add('c', part('c'));
    await expect(lifecycle.start()).rejects.toThrow('no port');
    await lifecycle.stop();
    expect(said).toEqual(['start a', 'stop a']);
    await expect(lifecycle.start()).rejects.toThrow(/does not start again/);
  });

  it('leaves nothing running when it is stopped in the middle of its start', async () => {
    const { said, part } = recorder();
    const slow = deferred();
    const begun = deferred();
    const lifecycle = new Lifecycle({ log: silentLogger });
    lifecycle.add('a', part('a'));
    const start = () => {
      begun.resolve();
      return slow.promise;
    };
    lifecycle.add('slow', part('slow', { start }));
    lifecycle.add('c', part('c'));
    const started = lifecycle.start();
    started.catch(() => {});
    await begun.promise;
    const stopped = lifecycle.stop();
    slow.resolve();
    await expect(started).rejects.toThrow(/does not start again/);
    await stopped;
    expect(said).toEqual(['start a', 'stop slow', 'stop a']);
  });

  it('stops the others when one part fails to stop', async () => {
    const { said, part } = recorder();
    const failures: string[] = [];
    const log: Logger = { ...silentLogger, error: (data) => failures.push((data as { part: string }).part) };
    const lifecycle = new Lifecycle({ log });
    lifecycle.add('a', part('a'));
    lifecycle.add('b', part('b', { stop: () => Promise.reject(new Error('stuck')) }));
    await lifecycle.start();
    await lifecycle.stop();
    expect(said).toEqual(['start a', 'start b', 'stop a']);
    expect(failures).toEqual(['b']);
  });
});

describe('background work', () => {
  it('is told to end, and awaited, also what it begins meanwhile', async () => {
    const background = new Background({ log: silentLogger });
    const said: string[] = [];
    background.run('outer', async (signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      await Promise.resolve();
      said.push('outer ended');
    });
    await background.stop();
    expect(said).toEqual(['outer ended']);
    background.run('late', async () => {
      said.push('late');
    });
    await background.stop();
    expect(said).toEqual(['outer ended']);
  });

  it('logs what fails, with its name, also when it fails before its first wait', async () => {
    const failures: string[] = [];
    const log: Logger = { ...silentLogger, error: (data) => failures.push((data as { work: string }).work) };
    const background = new Background({ log });
    background.run('at once', () => {
      throw new Error('before any promise');
    });
    background.run('later', async () => {
      await Promise.resolve();
      throw new Error('later');
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(failures.sort()).toEqual(['at once', 'later']);
    await background.stop();
  });
});
