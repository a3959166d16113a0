import { describe, expect, it } from 'vitest';
import { COORDINATOR_ENVIRONMENT_PREFIX, COORDINATOR_OPTIONS } from '../../../coordinator/options.js';
import { NODE_ENVIRONMENT_PREFIX, NODE_OPTIONS } from '../../../node/options.js';
import { environmentName, type OptionSpecs } from '../../../protocol/runtime/config.js';
import { cell, expectSection, section, table } from './markdown.js';

const FILE = 'docs/OPERATING.md';

function render(specs: OptionSpecs, prefix: string): string {
  return table(
    ['option', 'default', 'environment', 'what it does'],
    Object.entries(specs).map(([name, { default: value, doc, secret }]) => [
      `\`${name}\``,
      `\`${cell(JSON.stringify(value))}\``,
      `\`${environmentName(prefix, name)}\``,
      cell(doc) + (secret ? ' Never shown by `config show`.' : ''),
    ]),
  );
}

describe('the options in docs/OPERATING.md', () => {
  it.each([
    ['options of a node', NODE_OPTIONS, NODE_ENVIRONMENT_PREFIX],
    ['options of a coordinator', COORDINATOR_OPTIONS, COORDINATOR_ENVIRONMENT_PREFIX],
  ] as const)('the %s are those that the program takes', (name, specs, prefix) => {
    expectSection(FILE, name, render(specs as OptionSpecs, prefix));
    const rows = section(FILE, name).split('\n').slice(2);
    expect(rows).toHaveLength(Object.keys(specs).length);
  });

  it('every option says what it does', () => {
    const all: OptionSpecs = { ...NODE_OPTIONS, ...COORDINATOR_OPTIONS };
    expect(Object.entries(all).filter(([, { doc }]) => !/\w.*\.$/.test(doc))).toEqual([]);
  });
});
