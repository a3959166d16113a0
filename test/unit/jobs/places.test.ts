/** Jobs of real wrappers in the places where their programs are: the administrator's set-up, the sandbox, a container. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import { HANDLER_DEFAULTS, HandlerPool } from '../../../node/jobs/handler-pool.js';
import { processesOf } from '../../../node/jobs/process-sweep.js';
import { runPaths } from '../../../node/jobs/run-spec.js';
import { canSealUsers } from '../../../node/jobs/runners/sandbox-program.js';
import {
  type ContainerChoice,
  type RequirementOptions,
  RequirementResolver,
} from '../../../node/toolbox/requirements/requirements.js';
import { createToolbox } from '../../../node/toolbox/toolbox.js';
import { sleep, systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { IMAGE, openPodman, type TestPodman } from '../../support/podman.js';
import { itWith } from '../../support/programs.js';
import { type Compiled, compileEntry } from './compile.js';
import { ANNA, HISTORY, removeWorlds, World } from './world.js';

let compiled: Compiled;
let world: World;
let pool: HandlerPool;
let now: number;

beforeAll(() => {
  compiled = compileEntry('node/jobs/handler-main.ts');
});

afterAll(() => compiled.remove());

beforeEach(async () => {
  now = 0;
  world = await World.create();
  pool = new HandlerPool(
    { clock: systemClock, log: silentLogger },
    { ...HANDLER_DEFAULTS, handlers: 1, slots: 2, logLevel: 'silent', entry: compiled.entry },
  );
  world.executor = pool;
  await pool.start();
});

afterEach(async () => {
  await world.jobs?.stop();
  await pool.stop();
  await removeWorlds();
});

interface Wrapper {
  command: string;
  requirements?: string;
  confined?: boolean;
  more?: string;
}

/** A node with one tool, `it`, that has one output. */
async function open(wrapper: Wrapper, options: Partial<RequirementOptions> = {}): Promise<void> {
  const { command, requirements = '', confined = false, more = '' } = wrapper;
  const folder = join(world.folder, 'tools');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'it.xml'),
    `<tool id="it" name="it" version="1" profile="23.0"><requirements>${requirements}</requirements>${more}
    <command><![CDATA[${command}]]></command>
    <inputs><param name="input" type="data" format="data" optional="true"/></inputs>
    <outputs><data name="out" format="txt"/></outputs></tool>`,
  );
  const programs = new RequirementResolver(
    { clock: { monotonic: () => now } },
    { path: process.env.PATH ?? '', environment: null, container: null, ...options },
  );
  const toolbox = await createToolbox(
    { datatypes: createDatatypes(), log: silentLogger, programs },
    { folders: [folder], bundled: false },
  );
  const tool = toolbox.tool('it');
  if (tool === undefined) throw new Error(JSON.stringify(toolbox.problems()));
  if (confined) tool.confine = 'sandbox';
  world.deps = { ...world.deps, toolbox, programs };
  await world.open();
}

async function upload(text: string): Promise<string> {
  const path = join(world.folder, 'upload.txt');
  writeFileSync(path, text);
  const item = { name: 'a', extension: 'txt', genomeBuild: '?', toPosixLines: false, spaceToTab: false, tags: [] };
  const { job, outputs } = await world.jobs.submitFetch(ANNA, {
    history: HISTORY,
    tool: '__DATA_FETCH__',
    items: [{ ...item, autoDecompress: false, source: { kind: 'file', path } }],
  });
  expect(await world.ended(job)).toMatchObject({ state: 'ok' });
  return outputs.output0 ?? '';
}

async function submit(input?: string): Promise<{ job: string; out: string }> {
  const output = { name: 'out', label: 'out', extension: 'txt', hidden: false };
  const [submitted] = await world.jobs.submit(ANNA, [
    {
      tool: 'it',
      toolVersion: '1',
      history: HISTORY,
      state: { input: input === undefined ? null : { src: 'hda', id: input } },
      inputs: input === undefined ? {} : { input: [{ kind: 'dataset', id: input }] },
      outputs: [output],
    },
  ]);
  return { job: submitted?.job ?? '', out: submitted?.outputs.out ?? '' };
}

/** The tool's own first process is there. Nothing tells of it: this looks until it is. */
async function entered(job: string, attempt: number): Promise<void> {
  const { entered: mark } = runPaths(join(world.folder, 'jobs', `${job}-${attempt}`));
  while (!existsSync(mark)) await sleep(systemClock, 10);
}

async function run(input?: string) {
  const { job, out } = await submit(input);
  const outcome = await world.ended(job);
  return { outcome, text: outcome.state === 'ok' ? (await world.bytes(out)).toString() : '' };
}

function program(path: string, text: string): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

const PACKAGE = '<requirement type="package" version="1.2">galaxy-test-aligner</requirement>';

describe('a tool whose programs are missing', () => {
  it('is refused when it is submitted, and leaves nothing behind', async () => {
    await open({ command: "galaxy-test-aligner > '$out'", requirements: PACKAGE });
    await expect(submit()).rejects.toMatchObject({
      code: 'toolbox/programs',
      message: expect.stringContaining('galaxy-test-aligner 1.2 is not installed here'),
    });
    expect([...(await world.view()).list('job')]).toEqual([]);
    expect(world.jobs.counts()).toMatchObject({ queued: 0, running: 0 });
  });

  it('is shown as such in the panel and the form', async () => {
    await open({ command: 'true', requirements: PACKAGE });
    const { toolbox } = world.deps as { toolbox: Awaited<ReturnType<typeof createToolbox>> };
    const tool = toolbox.tool('it');
    if (tool === undefined) throw new Error('no tool');
    expect(toolbox.describe(tool, { ioDetails: false, linkDetails: true }).description).toBe(
      '(cannot run here: galaxy-test-aligner 1.2 is not installed)',
    );
  });

  it('ends with that reason when they went away while it waited', async () => {
    const bin = join(world.folder, 'bin');
    program(join(bin, 'galaxy-test-aligner'), 'echo aligned');
    world.options = { startsClosed: true };
    await open({ command: "galaxy-test-aligner > '$out'", requirements: PACKAGE }, { path: bin });
    const { job } = await submit();
    rmSync(bin, { recursive: true });
    now += 60_000;
    world.jobs.open();
    expect(await world.ended(job)).toMatchObject({
      state: 'error',
      message: expect.stringContaining('galaxy-test-aligner 1.2 is not installed here'),
    });
  });
});

describe("the administrator's set-up", () => {
  it('is read before the command and before the version command, once for each package', async () => {
    const modules = join(world.folder, 'modules');
    program(join(modules, 'galaxy-test-aligner', '1.2', 'bin', 'galaxy-test-aligner'), 'echo "aligned $1"');
    await open(
      {
        command: 'galaxy-test-aligner "\\$LOADED" > \'$out\'',
        requirements: `${PACKAGE}<requirement type="package" version="7">galaxy-test-other</requirement>`,
        more: '<version_command>galaxy-test-aligner version</version_command>',
      },
      { environment: `PATH=${modules}/{name}/{version}/bin:$PATH\nexport LOADED="\${LOADED:-}+{name}"` },
    );
    const { outcome, text } = await run();
    expect(text).toBe('aligned +galaxy-test-aligner+galaxy-test-other\n');
    expect(outcome).toMatchObject({ state: 'ok', toolVersion: 'aligned version' });
  });

  it.each([
    ['fails', 'echo "no module {name}" >&2; false'],
    ['ends the shell', 'echo "no module {name}" >&2; exit 0'],
  ])('ends the job with its own words when it %s, and the tool does not run', async (_, environment) => {
    const ran = join(world.folder, 'ran');
    await open({ command: `touch ${ran}; echo x > '$out'`, requirements: PACKAGE }, { environment });
    const { outcome } = await run();
    expect(outcome).toMatchObject({
      state: 'error',
      message: expect.stringContaining(
        'The programs of this tool could not be set up on this node (tools.environment): no module galaxy-test-aligner.',
      ),
    });
    expect(() => readFileSync(ran)).toThrow('ENOENT');
  });
});

/** Counts who comes. */
async function listener(): Promise<{ server: Server; port: number; came: () => number }> {
  let count = 0;
  const server = createServer((socket) => {
    count += 1;
    socket.end('hello');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { server, port, came: () => count };
}

describe('a tool in the sandbox', () => {
  itWith('bwrap')('reads its inputs, writes its outputs, and has its environment and its temporary files', async () => {
    await open({
      confined: true,
      command:
        "tr a-z A-Z < '$input' > '$out' && echo \"\\$ODD\" >> '$out' && echo \"\\$GALAXY_SLOTS\" > /tmp/x && cat /tmp/x >> '$out' && test -w \"\\$HOME\"",
      more: '<environment_variables><environment_variable name="ODD">it\'s "two"</environment_variable></environment_variables>',
    });
    const { outcome, text } = await run(await upload('acgt\n'));
    expect(outcome.message).toBeUndefined();
    expect(text).toBe('ACGT\nit\'s "two"\n1\n');
  });

  itWith('bwrap')('cannot read other files of the node, nor see its processes, nor become root', async () => {
    const secret = join(world.folder, 'secret');
    writeFileSync(secret, 'a secret');
    await open({
      confined: true,
      command: `(cat ${secret} || echo refused; ls ${world.folder}; ls -d /proc/[0-9]* | wc -l; cat /etc/shadow || echo hidden; grep CapEff /proc/self/status) > '$out' 2>/dev/null`,
    });
    const { text } = await run();
    const [first, ...rest] = text.trim().split('\n');
    expect(first).toBe('refused');
    expect(text).not.toContain('a secret');
    // Of the data folder only the folder of jobs is there, with this one alone.
    expect(rest[0]).toBe('jobs');
    expect(Number(rest[1])).toBeLessThan(12);
    expect(rest.slice(2)).toEqual(['hidden', 'CapEff:\t0000000000000000']);
  });

  itWith('bwrap')("reaches no port of the machine's, where the same tool outside does", async () => {
    const { server, port, came } = await listener();
    const command = `bash -c 'exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3' > '$out' 2>/dev/null || echo refused > '$out'`;
    await open({ command });
    expect((await run()).text).toBe('hello');
    expect(came()).toBe(1);
    await world.close();
    await open({ command, confined: true });
    expect((await run()).text).toBe('refused\n');
    expect(came()).toBe(1);
    server.close();
  });

  itWith('bwrap')('can neither write beside its outputs nor put a link where the node writes its log', async () => {
    const victim = join(world.folder, 'victim');
    writeFileSync(victim, 'untouched');
    await open({
      confined: true,
      command: `(ln -sf ${victim} ../stdout || echo kept; touch ../x || echo kept; touch /usr/x || echo kept) > '$out' 2>/dev/null; echo noise`,
    });
    const { outcome, text } = await run();
    expect(text).toBe('kept\nkept\nkept\n');
    expect(outcome).toMatchObject({ state: 'ok', stdout: 'noise\n' });
    expect(readFileSync(victim, 'utf8')).toBe('untouched');
  });

  itWith('bwrap')('may clear its temporary folder, the mark of its start included', async () => {
    await open({ confined: true, command: "rm -f /tmp/.[a-z]*; echo done > '$out'" });
    expect(await run()).toMatchObject({ outcome: { state: 'ok', exitCode: 0 }, text: 'done\n' });
  });

  itWith('bwrap')('is cancelled with all its processes', async () => {
    await open({ confined: true, command: "sleep 1000 & sleep 1000 > '$out'" });
    const { job } = await submit();
    await entered(job, 1);
    // In the middle of an exec a process has no environment to be known by.
    while (processesOf(join(world.folder, 'jobs')).length < 2) await sleep(systemClock, 10);
    await world.jobs.cancel(ANNA, job);
    expect(await world.ended(job)).toMatchObject({ state: 'deleted' });
    expect(processesOf(join(world.folder, 'jobs'))).toEqual([]);
  });

  itWith('bwrap')('can make no user namespace where the program can forbid it', async () => {
    await open({ confined: true, command: "(unshare --user true && echo made || echo refused) > '$out' 2>/dev/null" });
    expect((await run()).text).toBe(canSealUsers(process.env.PATH ?? '') ? 'refused\n' : 'made\n');
  });

  itWith('bwrap', 'samtools')('has the index of what it left made in there too', async () => {
    const ran = join(world.folder, 'ran');
    const bin = join(world.folder, 'bin');
    // In the sandbox this is not there, and the system's own is found.
    program(join(bin, 'samtools'), `echo outside > ${ran}; exit 1`);
    await pool.stop();
    const path = process.env.PATH;
    process.env.PATH = `${bin}:${path}`;
    await pool.start();
    process.env.PATH = path;
    const sam = '@HD\\tVN:1.6\\n@SQ\\tSN:chrM\\tLN:90\\nr\\t0\\tchrM\\t5\\t9\\t2M\\t*\\t0\\t0\\tAC\\tII\\n';
    await open({
      confined: true,
      command: `printf '${sam}' | samtools sort -o '$out' - && echo '{"out": {"ext": "bam"}}' > galaxy.json`,
    });
    const { outcome } = await run();
    expect(outcome).toMatchObject({ state: 'ok', outputs: { out: { metadata: { reference_names: ['chrM'] } } } });
    expect(outcome.outputs.out?.files.map(({ role, path: name }) => [role, name])).toEqual([
      ['primary', ''],
      ['metadata', 'bam_index'],
    ]);
    expect(existsSync(ran)).toBe(false);
  });

  it('is refused when it is submitted to a machine that has none', async () => {
    await open({ confined: true, command: "echo x > '$out'" }, { path: join(world.folder, 'nothing') });
    await expect(submit()).rejects.toMatchObject({ code: 'toolbox/unconfined' });
  });

  it('is refused by the job side that knows of no programs at all', async () => {
    await open({ confined: true, command: "echo x > '$out'" });
    await world.close();
    const { programs: _, ...deps } = world.deps;
    world.deps = deps;
    await world.open();
    const { outcome } = await run();
    expect(outcome).toMatchObject({ state: 'error', message: expect.stringContaining('only runs confined') });
  });

  it('ends with the words of a sandbox that cannot be started', async () => {
    const bin = join(world.folder, 'bin');
    program(join(bin, 'bwrap'), 'echo "bwrap: No permissions to create new namespace" >&2; exit 1');
    await pool.stop();
    const path = process.env.PATH;
    process.env.PATH = `${bin}:${path}`;
    await pool.start();
    process.env.PATH = path;
    await open({ confined: true, command: "echo x > '$out'" }, { path: bin });
    const { outcome } = await run();
    expect(outcome).toMatchObject({
      state: 'error',
      message: 'The sandbox for this tool could not be started: bwrap: No permissions to create new namespace.',
    });
  });
});

describe('a tool in a container', () => {
  let podman: TestPodman | undefined;

  afterEach(async () => {
    await podman?.remove();
    podman = undefined;
  });

  async function inPodman(wrapper: Wrapper, choice: Partial<ContainerChoice> = {}): Promise<TestPodman> {
    podman = await openPodman(join(world.folder, 'podman'));
    const container: ContainerChoice = {
      engine: 'podman',
      images: {},
      readable: [],
      network: false,
      limits: true,
      ...choice,
    };
    const requirements = `<container type="docker">${IMAGE}</container>`;
    await open({ requirements, ...wrapper }, { container, engineEnvironment: podman.environment });
    return podman;
  }

  itWith('podman', 'busybox')('reads its input and writes its output at the paths that it has outside', async () => {
    const references = join(world.folder, 'ref, "1":a');
    mkdirSync(references);
    writeFileSync(join(references, 'genome'), 'the genome\n');
    const opened = await inPodman(
      {
        command: `cat '$input' > '$out' && cat '${references}/genome' >> '$out' && echo "\\$ODD" >> '$out' && (ls /usr || true) >> '$out' 2>&1; cat '$__tool_directory__/it.xml' | wc -l >> '$out'; echo "\\$GALAXY_SLOTS" >> '$out'`,
        more: '<environment_variables><environment_variable name="ODD">it\'s two</environment_variable></environment_variables><version_command>echo version one</version_command>',
      },
      { readable: [references] },
    );
    const { outcome, text } = await run(await upload('acgt\n'));
    expect(outcome.message).toBeUndefined();
    expect(text.split('\n').slice(0, 6)).toEqual([
      'acgt',
      'the genome',
      "it's two",
      'ls: /usr: No such file or directory',
      '3',
      '1',
    ]);
    expect(outcome).toMatchObject({ state: 'ok', exitCode: 0, toolVersion: 'version one' });
    expect(await opened.containers()).toEqual([]);
  });

  itWith('podman', 'busybox')("has the tool's own exit code, no rights and no network", async () => {
    const { server, port, came } = await listener();
    await inPodman({
      command: `(cat /proc/self/status | while read -r name value; do test "\\$name" = CapEff: && echo "\\$value" || true; done; nc 127.0.0.1 ${port} </dev/null || echo refused) > '$out' 2>/dev/null; exit 3`,
    });
    const { job, out } = await submit();
    expect(await world.ended(job)).toMatchObject({ state: 'error', exitCode: 3 });
    expect((await world.bytes(out)).toString()).toBe('0000000000000000\nrefused\n');
    expect(came()).toBe(0);
    server.close();
  });

  itWith('podman', 'busybox')('is confined there when it must be: it writes only what is its own', async () => {
    const victim = join(world.folder, 'victim');
    writeFileSync(victim, 'untouched');
    await inPodman({
      confined: true,
      command: `(ln -sf ${victim} ../stdout || echo kept; touch /bin/x || echo kept; cat ${victim} || echo hidden; echo t > /tmp/t; cat /tmp/t) > '$out' 2>/dev/null; echo noise`,
    });
    const { outcome, text } = await run();
    expect(text).toBe('kept\nkept\nhidden\nt\n');
    expect(outcome).toMatchObject({ state: 'ok', stdout: 'noise\n' });
    expect(readFileSync(victim, 'utf8')).toBe('untouched');
  });

  itWith('podman', 'busybox')('is gone when its job was cancelled', async () => {
    const opened = await inPodman({ command: `echo on > '$out'; sleep 1000 & sleep 1000` });
    const { job } = await submit();
    await entered(job, 1);
    expect(await opened.containers()).toHaveLength(1);
    await world.jobs.cancel(ANNA, job);
    expect(await world.ended(job)).toMatchObject({ state: 'deleted' });
    expect(processesOf(join(world.folder, 'jobs'))).toEqual([]);
    expect(await opened.containers()).toEqual([]);
  });

  itWith('podman', 'busybox')('is ended when its handler dies, before its job starts again', async () => {
    const opened = await inPodman({
      command: `echo "\\$HOME" > '$out'; case "\\$HOME" in *-1/home) sleep 1000;; esac`,
    });
    const { job, out } = await submit();
    await entered(job, 1);
    const [handler] = pool.pids();
    process.kill(handler as number, 'SIGKILL');
    expect(await world.ended(job)).toMatchObject({ state: 'ok', attempt: 2 });
    expect((await world.bytes(out)).toString()).toBe(`${join(world.folder, 'jobs', `${job}-2`, 'home')}\n`);
    expect(processesOf(join(world.folder, 'jobs'))).toEqual([]);
    expect((await opened.containers()).filter((name) => name.includes('-2-'))).toEqual([]);
  });

  itWith('podman', 'busybox')('ends in plain words when its image is not there', async () => {
    const name = 'localhost/galaxy-test/none:1';
    await inPodman({
      confined: true,
      command: "echo x > '$out'",
      requirements: `<container type="docker">${name}</container>`,
    });
    const { outcome } = await run();
    expect(outcome).toMatchObject({ state: 'error' });
    expect(outcome.message).toMatch(
      /^The container for this tool \(podman, localhost\/galaxy-test\/none:1\) could not be started: Error: .*image not known\. Only images that are on this node are used for it: "podman pull localhost\/galaxy-test\/none:1"\.$/,
    );
  });
});
