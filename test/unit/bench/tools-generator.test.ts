/** The wrappers that `npm run bench -- tools` loads: that they are what it says of them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import type { Toolbox } from '../../../node/toolbox/tool.js';
import { createToolbox } from '../../../node/toolbox/toolbox.js';
import { elements, parseXml, textOf, type XmlElement } from '../../../node/toolbox/wrapper/wrapper-xml.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { COUNTS, FEATURES, type Feature, LEFT_OUT, WITHIN } from '../../bench/tools/counts.js';
import { generate, share, writeGenerated } from '../../bench/tools/generate.js';
import { renderMix } from '../../bench/tools/render-mix.js';

const COUNT = 900;
const generated = generate(COUNT, 1);
const commands = generated.tools.map(({ text, path }) => {
  const root = parseXml(text, path);
  return { root, template: textOf(elements(root, 'command')[0]) };
});
const using = (pattern: RegExp) => commands.filter(({ template }) => pattern.test(template)).length;

function descendants(root: XmlElement, name: string): XmlElement[] {
  return elements(root).flatMap((child) => [...(child.name === name ? [child] : []), ...descendants(child, name)]);
}
const having = (name: string, fits: (one: XmlElement) => boolean = () => true) =>
  commands.filter(({ root }) => descendants(root, name).some(fits)).length;

describe('the generated wrappers', () => {
  it('are the same for the same seed, and others for another', () => {
    const text = (seed: number) => JSON.stringify(generate(60, seed));
    expect(text(7)).toBe(text(7));
    expect(text(7)).not.toBe(text(8));
  });

  it('have every construct of the table in the share that was counted', () => {
    const short = [...FEATURES].filter(
      ([feature, counted]) =>
        generated.tools.filter(({ features }) => features.has(feature)).length !== share(counted, COUNT),
    );
    expect(short).toEqual([]);
    expect(FEATURES.size).toBeGreaterThan(95);
    expect(Object.keys(LEFT_OUT).filter((name) => FEATURES.has(name as Feature))).toEqual([]);
  });

  it('have nothing that makes no sense without something else', () => {
    const wrong = generated.tools.flatMap(({ id, features }) =>
      [...features].flatMap((one) =>
        (WITHIN[one] ?? []).filter((outer) => !features.has(outer)).map(() => `${id} ${one}`),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it.each(Object.entries(COUNTS.directives))('use #%s in their texts as often as they say', (name, counted) => {
    expect(using(new RegExp(`^\\s*(?:--one)?#${name}\\b`, 'm'))).toBe(share(counted, COUNT));
  });

  it.each(
    Object.entries({
      ...COUNTS.functions,
      ...Object.fromEntries(Object.entries(COUNTS.methods).map(([k, v]) => [`.${k}`, v])),
    }),
  )('call %s( in their texts as often as they say', (name, counted) => {
    const escaped = name.replace('()', '').replaceAll('.', '\\.');
    expect(using(new RegExp(`${name.startsWith('.') ? '' : '(?<![\\w.])'}${escaped}\\(`))).toBe(share(counted, COUNT));
  });

  it.each([
    'data',
    'select',
    'boolean',
    'integer',
    'text',
    'float',
    'hidden',
    'data_column',
    'data_collection',
    'color',
  ] as const)('have a parameter of type %s at least as often as they say', (type) => {
    const found = having('param', ({ attributes }) => attributes.type === type);
    expect(found).toBeGreaterThanOrEqual(share(COUNTS.params[type], COUNT));
  });

  it.each(['validator', 'sanitizer', 'conditional', 'section', 'repeat'] as const)(
    'have <%s> as often as they say',
    (name) => {
      const wanted = share(COUNTS.params[name], COUNT);
      // The choices of a table bring a validator of their own.
      const found = having(name, ({ attributes }) => attributes.type !== 'no_options');
      expect(found).toBe(wanted);
    },
  );

  it.each(['stdio', 'regex', 'configfile', 'environment_variables', 'container', 'requirements', 'tests'] as const)(
    'have <%s> as often as they say',
    (name) => {
      const counted = FEATURES.get(name) ?? 0;
      const extra = name === 'requirements' ? share(COUNTS.rest.container, COUNT) : 0;
      expect(having(name) - share(counted, COUNT)).toBeGreaterThanOrEqual(0);
      expect(having(name) - share(counted, COUNT)).toBeLessThanOrEqual(extra);
    },
  );

  it.each(['filter', 'discover_datasets', 'collection', 'change_format', 'actions'] as const)(
    'have <%s> among their outputs as often as they say',
    (name) => {
      const found = commands.filter(({ root }) =>
        elements(root, 'outputs').some((one) => descendants(one, name).length > 0),
      );
      expect(found.length).toBe(share(COUNTS.outputs[name], COUNT));
    },
  );
});

describe('loaded into a toolbox', () => {
  let folder: string;
  let toolbox: Toolbox;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'galaxy-bench-generated-'));
    await writeGenerated(generated, folder);
    toolbox = await createToolbox(
      { datatypes: createDatatypes(), log: silentLogger },
      { folders: [folder], bundled: false },
    );
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('each is a tool without a problem', () => {
    expect(toolbox.problems()).toEqual([]);
    expect(toolbox.tools().map(({ id }) => id)).toEqual(generated.tools.map(({ id }) => id));
  });

  it('the command of each can be rendered', () => {
    const { jobs, failed } = renderMix(toolbox, toolbox.tools());
    expect(failed).toEqual([]);
    expect(jobs).toHaveLength(COUNT);
    expect(jobs.filter(({ rendered }) => rendered.trim() === '')).toEqual([]);
  });
});
