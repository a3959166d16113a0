import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Window } from '../../../protocol/blobs/window.js';

const turns = async (count = 5) => {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
};

/** Works that end when they are told to. */
class Works {
  readonly begun: number[] = [];
  private readonly ends = new Map<number, () => void>();

  work(name: number): () => Promise<void> {
    return () => {
      this.begun.push(name);
      return new Promise((resolve) => this.ends.set(name, resolve));
    };
  }

  end(name: number): Promise<void> {
    this.ends.get(name)?.();
    return turns(10);
  }
}

describe('a window', () => {
  it('begins what has room and lets the rest wait in line', async () => {
    const works = new Works();
    const window = new Window({ bytesMax: 10, worksMax: 3 });
    const added = [4, 4, 4, 2].map((bytes, name) => window.add(bytes, works.work(name)));
    await turns();
    // The last would fit, but those who came before it go first.
    expect(works.begun).toEqual([0, 1]);
    await works.end(0);
    expect(works.begun).toEqual([0, 1, 2, 3]);
    await Promise.all(added);
  });

  it('takes a work larger than itself alone', async () => {
    const works = new Works();
    const window = new Window({ bytesMax: 10, worksMax: 3 });
    void window.add(1, works.work(0));
    void window.add(50, works.work(1));
    void window.add(1, works.work(2));
    await turns();
    expect(works.begun).toEqual([0]);
    await works.end(0);
    expect(works.begun).toEqual([0, 1]);
    await works.end(1);
    expect(works.begun).toEqual([0, 1, 2]);
  });

  it('is drained when the last work has ended, those in line included', async () => {
    const works = new Works();
    const window = new Window({ bytesMax: 1, worksMax: 1 });
    await window.drained();
    void window.add(1, works.work(0));
    void window.add(1, works.work(1));
    let isDrained = false;
    const drained = window.drained().then(() => {
      isDrained = true;
    });
    await works.end(0);
    expect(isDrained).toBe(false);
    await works.end(1);
    await drained;
  });

  it('never holds more than its bounds, and everything gets its turn', async () => {
    const bytes = fc.array(fc.nat(12), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(bytes, fc.infiniteStream(fc.nat()), async (sizes, picks) => {
        const works = new Works();
        const window = new Window({ bytesMax: 10, worksMax: 4 });
        const adding = Promise.all(sizes.map((size, name) => window.add(size, works.work(name))));
        const ended = new Set<number>();
        while (ended.size < sizes.length) {
          await turns();
          const running = works.begun.filter((name) => !ended.has(name));
          expect(running.length).toBeGreaterThan(0);
          expect(running.length).toBeLessThanOrEqual(4);
          const held = running.reduce((sum, name) => sum + (sizes[name] as number), 0);
          expect(running.length === 1 || held <= 10).toBe(true);
          const name = running[(picks.next().value as number) % running.length] as number;
          ended.add(name);
          await works.end(name);
        }
        await adding;
        expect(works.begun).toEqual(sizes.map((_, name) => name));
      }),
      { numRuns: 50 },
    );
  });
});
