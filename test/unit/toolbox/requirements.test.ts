import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { engineEnvironment } from '../../../node/toolbox/requirements/requirement-engine.js';
import { shownWithLack } from '../../../node/toolbox/requirements/requirement-shown.js';
import {
  type ContainerChoice,
  type RequirementOptions,
  RequirementResolver,
  setUpText,
} from '../../../node/toolbox/requirements/requirements.js';

let bin: string;
let now: number;

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), 'galaxy-bin-'));
  now = 0;
});

afterEach(() => rmSync(bin, { recursive: true, force: true }));

function install(...names: string[]): void {
  for (const name of names) {
    writeFileSync(join(bin, name), '#!/bin/sh\n');
    chmodSync(join(bin, name), 0o755);
  }
}

function resolver(options: Partial<RequirementOptions> = {}): RequirementResolver {
  return new RequirementResolver(
    { clock: { monotonic: () => now } },
    { path: bin, environment: null, container: null, ...options },
  );
}

const PODMAN: ContainerChoice = { engine: 'podman', images: {}, readable: ['/srv/ref'], network: true, limits: true };
const needs = (...names: string[]) => ({
  id: 'a_tool',
  requirements: names.map((name) => ({ name, version: '1.2', type: 'package' })),
});
const image = (name: string, type = 'docker') => ({ name, version: undefined, type });
const samtools = { id: 'a_tool', requirements: [...needs('samtools').requirements, image('quay.io/samtools:1')] };
const onlyImage = { id: 'a_tool', requirements: [image('quay.io/samtools:1')] };
const confined = { ...onlyImage, confine: 'sandbox' as const };

describe('where the programs of a tool come from', () => {
  it('is PATH first, whatever else is configured', () => {
    install('samtools', 'podman');
    const resolution = resolver({ environment: 'module load {name}', container: PODMAN }).resolve(samtools);
    expect(resolution).toMatchObject({ place: 'here', setUp: '', container: undefined, missing: [] });
    expect(resolution.packages).toEqual([{ name: 'samtools', version: '1.2', by: 'path', programs: ['samtools'] }]);
  });

  it("is the administrator's script next, for those packages that are not on PATH", () => {
    install('samtools', 'podman');
    const resolution = resolver({ environment: 'module load {name}/{version}', container: PODMAN }).resolve(
      needs('samtools', 'bwa'),
    );
    expect(resolution.packages.map(({ name, by }) => [name, by])).toEqual([
      ['samtools', 'path'],
      ['bwa', 'environment'],
    ]);
    expect(resolution).toMatchObject({ place: 'here', setUp: 'module load bwa/1.2\n[ "$?" -eq 0 ] || return 1\n' });
  });

  it("is the wrapper's image last, or the one that is configured for the package", () => {
    install('podman');
    expect(resolver({ container: PODMAN }).resolve(samtools)).toMatchObject({
      place: 'container',
      missing: [],
      container: { engine: 'podman', image: 'quay.io/samtools:1', pull: true, network: true, readable: ['/srv/ref'] },
    });
    const images = { bwa: 'localhost/bwa:1' };
    const { container } = resolver({ container: { ...PODMAN, images } }).resolve(needs('bwa'));
    expect(container?.image).toBe('localhost/bwa:1');
  });

  it('is the image of a wrapper that names nothing else, where containers are configured, and PATH where not', () => {
    install('podman');
    expect(resolver({ container: PODMAN }).resolve(onlyImage)).toMatchObject({ place: 'container' });
    expect(resolver().resolve(onlyImage)).toMatchObject({ place: 'here', missing: [] });
  });

  it('is an image of the kind that the engine takes', () => {
    install('apptainer');
    const apptainer = resolver({ container: { ...PODMAN, engine: 'apptainer' } });
    expect(apptainer.resolve(onlyImage).container?.image).toBe('docker://quay.io/samtools:1');
    const own = { id: 'a_tool', requirements: [image('quay.io/a:1'), image('/srv/a.sif', 'singularity')] };
    expect(apptainer.resolve(own).container?.image).toBe('/srv/a.sif');
  });
});

describe('a tool that cannot run', () => {
  it('is refused with the package, its version and the program that was looked for', () => {
    expect(() => resolver().refuse(needs('samtools', 'bowtie2'))).toThrow(
      expect.objectContaining({
        code: 'toolbox/programs',
        message: expect.stringContaining(
          'The tool a_tool cannot run on this node: samtools 1.2, bowtie2 1.2 (bowtie2, bowtie2-build) is not installed here.',
        ),
      }),
    );
  });

  it('is refused for the container program that is configured and not there', () => {
    expect(() => resolver({ container: PODMAN }).refuse(onlyImage)).toThrow(/podman \(for its container\) is not inst/);
    expect(resolver({ container: PODMAN }).lacks(samtools)).toBe(
      'samtools 1.2, podman (for its container) is not installed',
    );
  });

  it('can run some seconds after its programs were installed, and no more after they were removed', () => {
    const one = resolver();
    expect(one.lacks(needs('samtools'))).toBe('samtools 1.2 is not installed');
    install('samtools');
    now += 5001;
    expect(one.lacks(needs('samtools'))).toBeUndefined();
    rmSync(join(bin, 'samtools'));
    now += 5001;
    expect(() => one.refuse(needs('samtools'))).toThrow(/samtools 1\.2/);
  });

  it('is shown as such in lists, and in the form with its help', () => {
    const lack = 'a<b is not installed';
    expect(shownWithLack({ description: 'sorts' }, undefined)).toEqual({ description: 'sorts' });
    expect(shownWithLack({ description: 'sorts' }, lack)).toEqual({
      description: 'sorts (cannot run here: a<b is not installed)',
    });
    expect(shownWithLack({ description: '', message: '', help: '<p>x</p>' }, lack)).toEqual({
      description: '(cannot run here: a<b is not installed)',
      message: 'This tool cannot run on this node: a<b is not installed.',
      help: '<p><strong>This tool cannot run on this node: a&lt;b is not installed.</strong></p><p>x</p>',
    });
  });
});

describe('a tool that must run confined', () => {
  it('runs in the sandbox where there is one, and is refused where there is none', () => {
    const one = resolver();
    expect(() => one.refuse(confined)).toThrow(expect.objectContaining({ code: 'toolbox/unconfined' }));
    expect(one.resolve(confined).place).toBe('nowhere');
    install('bwrap');
    now += 5001;
    expect(one.resolve(confined).place).toBe('sandbox');
    expect(one.lacks(confined)).toBeUndefined();
  });

  it('runs in its image without a network and without fetching it, where containers are configured', () => {
    install('podman', 'bwrap');
    expect(resolver({ container: PODMAN }).resolve(confined)).toMatchObject({
      place: 'container',
      container: { image: 'quay.io/samtools:1', pull: false, network: false },
    });
  });

  it('does not run in its own image where the engine would fetch that', () => {
    install('apptainer', 'bwrap');
    expect(resolver({ container: { ...PODMAN, engine: 'apptainer' } }).resolve(confined).place).toBe('sandbox');
  });
});

describe('the set-up text', () => {
  it('quotes what wrappers say, and leaves out the version where there is none', () => {
    const check = '[ "$?" -eq 0 ] || return 1\n';
    expect(setUpText('module load {name}/{version}', [{ name: 'a;id', version: undefined }])).toBe(
      `module load 'a;id'\n${check}`,
    );
    expect(setUpText('use {name}', [{ name: "it's", version: '1' }])).toBe(`use 'it'\\''s'\n${check}`);
  });
});

describe("the engine's own environment", () => {
  it('has what engines need and none of what would change every container, or is secret', () => {
    const given = { HOME: '/h', XDG_RUNTIME_DIR: '/run/1', APPTAINER_BIND: '/', GALAXY_NODE_MASTER_API_KEY: 'x' };
    expect(engineEnvironment(given)).toEqual({ HOME: '/h', XDG_RUNTIME_DIR: '/run/1' });
  });
});
