import { describe, expect, it } from 'vitest';
import { ProgressText, progressBar } from '../../../bin/progress.js';

describe('progress in words', () => {
  it('of bytes says how much, how fast and how long still', () => {
    const text = new ProgressText();
    expect(text.at(0, 0, 100e6, 'bytes')).toBe('0 B of 100.0 MB');
    expect(text.at(2000, 20e6, 100e6, 'bytes')).toBe('20.0 MB of 100.0 MB, 10.0 MB/s, about 8 s left');
    expect(text.at(4000, 100e6, 100e6, 'bytes')).toBe('100.0 MB of 100.0 MB, 25.0 MB/s');
  });

  it('of bytes whose end is not known claims no estimate', () => {
    const text = new ProgressText();
    text.at(0, 0, 0, 'bytes');
    expect(text.at(1000, 5e6, 0, 'bytes')).toBe('5.0 MB of ?, 5.0 MB/s');
  });

  it('of steps says which, how long it took so far, and about how long the rest takes', () => {
    const text = new ProgressText();
    expect(text.at(0, 0, 5, 'steps')).toBe('step 1 of 5');
    expect(text.at(3000, 2, 5, 'steps')).toBe('step 3 of 5, 3 s so far, about 5 s left');
    expect(text.at(6000, 5, 5, 'steps')).toBe('done, 6 s so far');
  });

  it('measures anew when a new round of work begins', () => {
    const text = new ProgressText();
    text.at(0, 0, 100, 'bytes');
    text.at(1000, 100, 100, 'bytes');
    expect(text.at(1001, 0, 100, 'bytes')).toBe('0 B of 100 B');
  });
});

describe('progress where there is no terminal', () => {
  it('says each new thing once, and the end of it', () => {
    const lines: string[] = [];
    const bar = progressBar('joining', 'steps', { write: (text) => lines.push(text) });
    bar.update(0, 3, 'reaching the coordinator');
    bar.update(0, 3, 'reaching the coordinator');
    bar.update(1, 3, 'presenting the invitation');
    bar.update(3, 3, 'joined');
    bar.end();
    bar.end();
    expect(lines).toEqual([
      'reaching the coordinator: step 1 of 3\n',
      'presenting the invitation: step 2 of 3\n',
      'joined: done\n',
    ]);
  });

  it('says nothing of work that never began', () => {
    const lines: string[] = [];
    progressBar('x', 'bytes', { write: (text) => lines.push(text) }).end();
    expect(lines).toEqual([]);
  });
});
