import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { NODE_OPTIONS } from '../../../node/options.js';
import { environmentName, fromText, loadConfig, option, renderConfig } from '../../../protocol/runtime/config.js';
import { scratchFolder } from '../../support/processes.js';

const specs = {
  name: option(z.string(), 'nobody', 'A name.'),
  'jobs.slots': option(z.number().int().min(1), 2, 'Slots.'),
  'jobs.handlers': option(z.number().int(), 1, 'Handlers.'),
  secretWord: option(z.string().nullable(), null, 'A secret.', { secret: true }),
} as const;
const scratch = scratchFolder();
afterAll(() => scratch.remove());

function load(yaml: string | undefined, environment: Record<string, string> = {}, flags: Record<string, unknown> = {}) {
  const file = join(scratch.path, `${Math.abs(hash(yaml ?? ''))}.yml`);
  if (yaml !== undefined) writeFileSync(file, yaml);
  return loadConfig(specs, { ...(yaml === undefined ? {} : { file }), environment, environmentPrefix: 'T_', flags });
}

function hash(text: string): number {
  return [...text].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) | 0, 7);
}

describe('configuration', () => {
  it('takes the default, then the file, then the environment, then the flags', () => {
    expect(load(undefined)['jobs.slots']).toBe(2);
    expect(load('jobs.slots: 3')['jobs.slots']).toBe(3);
    expect(load('jobs: {slots: 3}', { T_JOBS_SLOTS: '4' })['jobs.slots']).toBe(4);
    expect(load('jobs:\n  slots: 3\n', { T_JOBS_SLOTS: '4' }, { 'jobs.slots': 5 })['jobs.slots']).toBe(5);
  });

  it('refuses an unknown option by name and proposes the nearest one', () => {
    expect(() => load('jobs.slot: 3')).toThrow(/"jobs\.slot".*Did you mean "jobs\.slots"/);
    expect(() => load(undefined, { T_JOBS_SLOTZ: '1' })).toThrow(/T_JOBS_SLOTZ/);
    expect(() => load(undefined, {}, { nonsense: 1 })).toThrow(/"nonsense" in the command line/);
  });

  it('takes no name that every object has for an option', () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      expect(() => load(`"${name}": 1`), name).toThrow(/Unknown option/);
    }
  });

  it('refuses an option that stands there twice, nested and dotted', () => {
    expect(() => load('jobs: {slots: 3}\njobs.slots: 4')).toThrow(/"jobs\.slots" stands twice/);
  });

  it('does not take half of a broken text from the environment', () => {
    const list = option(z.array(z.string()), [], 'Names.');
    expect(fromText(list, '[a, b]')).toEqual(['a', 'b']);
    expect(list.schema.safeParse(fromText(list, '[a, b')).success).toBe(false);
  });

  it('names the option and the source of a bad value', () => {
    expect(() => load('jobs.slots: many')).toThrow(/"jobs\.slots" in .*\.yml/);
    expect(() => load(undefined, { T_JOBS_SLOTS: '0' })).toThrow(/T_JOBS_SLOTS/);
  });

  it('refuses a file that is not YAML, not a mapping, or not there', () => {
    expect(() => load('a: [1,')).toThrow(/not valid YAML/);
    expect(() => load('- 1')).toThrow(/option: value/);
    expect(() =>
      loadConfig(specs, { file: join(scratch.path, 'none.yml'), environment: {}, environmentPrefix: 'T_', flags: {} }),
    ).toThrow(/cannot be read/);
  });

  it('reads texts from the environment as the option wants them', () => {
    expect(fromText(specs['jobs.slots'], '7')).toBe(7);
    expect(fromText(specs.name, '7')).toBe('7');
    expect(environmentName('GALAXY_NODE_', 'masterApiKey')).toBe('GALAXY_NODE_MASTER_API_KEY');
  });

  it('writes every option with its documentation, never a secret', () => {
    const text = renderConfig(specs, load(undefined, { T_SECRET_WORD: 'open sesame' }));
    for (const name of Object.keys(specs)) expect(text).toContain(name);
    expect(text).toContain('# Slots.');
    expect(text).not.toContain('open sesame');
  });

  it('every option of the node has a documentation and a default that its own schema accepts', () => {
    for (const [name, spec] of Object.entries(NODE_OPTIONS)) {
      expect(spec.doc.length, name).toBeGreaterThan(10);
      expect(spec.schema.safeParse(spec.default).success, name).toBe(true);
    }
  });
});
