import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommonFlags, readOptions, renderOptions } from '../../../bin/options.js';
import { COORDINATOR_OPTIONS } from '../../../coordinator/options.js';
import { NODE_OPTIONS } from '../../../node/options.js';

const NODE = { specs: NODE_OPTIONS, prefix: 'TEST_NODE_', configName: 'galaxy-node.yml' } as const;
const COORDINATOR = { specs: COORDINATOR_OPTIONS, prefix: 'TEST_COORDINATOR_', configName: 'coordinator.yml' } as const;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'galaxy-options-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** As a command has it: every flag of its own is there, given or not. */
const flags = (set: string[], overrides: Record<string, unknown>): CommonFlags => ({ data: folder, set, overrides });

describe('--set', () => {
  it.each([
    ['name=Foo', 'name', 'Foo'],
    ['listen=127.0.0.9:0', 'listen', '127.0.0.9:0'],
    ['publicUrl=https://galaxy.example.org', 'publicUrl', 'https://galaxy.example.org'],
    ['logLevel=silent', 'logLevel', 'silent'],
  ] as const)('%s holds, although the option has a flag of its own that was not given', (text, option, value) => {
    const none = { name: undefined, listen: undefined, publicUrl: undefined, logLevel: undefined };
    expect(readOptions(NODE, flags([text], none)).options[option]).toBe(value);
    expect(renderOptions(NODE, flags([text], none), none)).toContain(`\n${option}: ${JSON.stringify(value)}\n`);
  });

  it("names the coordinator's network, which can never be changed afterwards", () => {
    const none = { networkName: undefined, listen: undefined };
    expect(readOptions(COORDINATOR, flags(['networkName=mynet'], none)).options.networkName).toBe('mynet');
    expect(renderOptions(COORDINATOR, flags(['networkName=mynet'], none), none)).toContain('\nnetworkName: "mynet"\n');
  });

  it('gives way to the flag that says the same thing shorter', () => {
    expect(readOptions(NODE, flags(['name=Foo'], { name: 'Bar' })).options.name).toBe('Bar');
  });

  it('may say where the data is, and --data says it louder', () => {
    const elsewhere = join(folder, 'elsewhere');
    expect(readOptions(NODE, { set: [`dataFolder=${elsewhere}`] }).folder).toBe(elsewhere);
    expect(readOptions(NODE, { data: folder, set: [`dataFolder=${elsewhere}`] }).folder).toBe(folder);
  });
});

describe('a public URL', () => {
  it('may be the address that is listened on', () => {
    expect(readOptions(NODE, flags(['publicUrl=listen'], {})).options.publicUrl).toBe('listen');
    expect(readOptions(NODE, flags(['publicUrl=null'], {})).options.publicUrl).toBeNull();
  });

  it.each([
    'galaxy',
    'ftp://galaxy.example.org',
    'https://galaxy.example.org/?a=b',
    'https://ada@galaxy.example.org',
    'https://galaxy.example.org/#x',
  ])('%s is refused at once, because the coordinator would never take it', (text) => {
    expect(() => readOptions(NODE, flags([`publicUrl=${text}`], {}))).toThrow(/publicUrl/);
  });
});
