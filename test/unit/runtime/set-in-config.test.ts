import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { option, setInConfig } from '../../../protocol/runtime/config.js';

const specs = {
  'replication.paused': option(z.boolean(), false, 'Paused.'),
  name: option(z.string(), 'nobody', 'A name.'),
} as const;

describe('setting one option in a configuration file', () => {
  it('keeps comments and other options', () => {
    const text = '# my notes\nname: Ada # hers\n';
    const changed = setInConfig(specs, text, 'replication.paused', true);
    expect(changed).toContain('# my notes');
    expect(changed).toContain('name: Ada # hers');
    expect(changed).toContain('replication.paused: true');
  });

  it('changes it where it stands, nested or dotted', () => {
    expect(setInConfig(specs, 'replication:\n  paused: true\n', 'replication.paused', false)).toBe(
      'replication:\n  paused: false\n',
    );
    expect(setInConfig(specs, 'replication.paused: true\n', 'replication.paused', false)).toBe(
      'replication.paused: false\n',
    );
  });

  it('fills an empty file, and one with comments only', () => {
    expect(setInConfig(specs, '', 'name', 'Grace')).toContain('name: Grace');
    const commented = setInConfig(specs, '# nothing set yet\n', 'name', 'Grace');
    expect(commented).toContain('name: Grace');
    expect(commented).toContain('# nothing set yet');
  });

  it('refuses what the option does not take, and unknown options', () => {
    expect(() => setInConfig(specs, '', 'replication.paused', 'perhaps')).toThrow(/replication\.paused/);
    expect(() => setInConfig(specs, '', 'replication.pause', true)).toThrow(/Did you mean/);
  });
});
