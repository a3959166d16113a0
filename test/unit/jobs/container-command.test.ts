import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ContainerPlace } from '../../../node/jobs/run-spec.js';
import { containerCommand } from '../../../node/jobs/runners/container.js';
import { type Enclosure, entryScript, environmentScript } from '../../../node/jobs/runners/enclosed.js';
import { sandboxCommand } from '../../../node/jobs/runners/sandbox.js';
import { canSealUsers } from '../../../node/jobs/runners/sandbox-program.js';

const NAMESPACES = '/proc/sys/user/max_user_namespaces';

const FOLDER = '/data/jobs/00000000000000c1-2';
const ANNA = { uid: 1000, gid: 1001 };
const ROOT = { uid: 0, gid: 0 };

function run(options: Partial<Enclosure> = {}): Enclosure {
  return {
    spec: { job: '00000000000000c1', attempt: 2, folder: FOLDER, cores: 4, memoryMb: 2048 },
    purpose: 'tool',
    cwd: `${FOLDER}/working`,
    writes: [],
    entry: `${FOLDER}/entry.sh`,
    ...options,
  };
}

function container(options: Partial<ContainerPlace> = {}): ContainerPlace {
  return {
    kind: 'container',
    engine: 'podman',
    image: 'quay.io/biocontainers/samtools:1.20--h50ea8bc_0',
    reads: ['/data/blobs/ab/abcd', '/srv/tools/samtools', '/srv/references'],
    pull: true,
    network: false,
    limits: true,
    confined: false,
    engineEnvironment: { HOME: '/home/anna' },
    ...options,
  };
}

describe('the command line of a container', () => {
  it('of rootless podman keeps the user, drops all rights and mounts everything at its own path', () => {
    expect(containerCommand(run(), container(), ANNA)).toEqual({
      argv: [
        'podman',
        'run',
        '--rm',
        '--name=galaxy-job-00000000000000c1-2-9acdcf45',
        '--pull=missing',
        '--network=none',
        '--cap-drop=all',
        '--security-opt=no-new-privileges',
        '--security-opt=label=disable',
        '--log-driver=none',
        '--userns=keep-id',
        '--user=1000:1001',
        '--cpus=4',
        '--memory=2048m',
        '--pids-limit=4096',
        `--env=GALAXY_JOB_FOLDER=${FOLDER}`,
        `--mount=type=bind,source=${FOLDER}/tmp,target=/tmp`,
        '--mount=type=bind,source=/srv/references,target=/srv/references,readonly',
        '--mount=type=bind,source=/srv/tools/samtools,target=/srv/tools/samtools,readonly',
        `--mount=type=bind,source=${FOLDER},target=${FOLDER}`,
        '--mount=type=bind,source=/data/blobs/ab/abcd,target=/data/blobs/ab/abcd,readonly',
        `--workdir=${FOLDER}/working`,
        '--entrypoint=/bin/sh',
        'quay.io/biocontainers/samtools:1.20--h50ea8bc_0',
        `${FOLDER}/entry.sh`,
      ],
      environment: { HOME: '/home/anna' },
      end: ['podman', 'kill', 'galaxy-job-00000000000000c1-2-9acdcf45'],
    });
  });

  it('of docker names the user, and has a network and no limits where the administrator wants it so', () => {
    const place = container({ engine: 'docker', network: true, limits: false, reads: [] });
    const { argv, end } = containerCommand(run({ writes: ['/data/jobs/home'] }), place, ANNA);
    expect(argv).toEqual([
      'docker',
      'run',
      '--rm',
      '--name=galaxy-job-00000000000000c1-2-9acdcf45',
      '--pull=missing',
      '--cap-drop=all',
      '--security-opt=no-new-privileges',
      '--security-opt=label=disable',
      '--log-driver=none',
      '--user=1000:1001',
      `--env=GALAXY_JOB_FOLDER=${FOLDER}`,
      `--mount=type=bind,source=${FOLDER}/tmp,target=/tmp`,
      '--mount=type=bind,source=/data/jobs/home,target=/data/jobs/home',
      `--mount=type=bind,source=${FOLDER},target=${FOLDER}`,
      `--workdir=${FOLDER}/working`,
      '--entrypoint=/bin/sh',
      'quay.io/biocontainers/samtools:1.20--h50ea8bc_0',
      `${FOLDER}/entry.sh`,
    ]);
    expect(end).toEqual(['docker', 'kill', 'galaxy-job-00000000000000c1-2-9acdcf45']);
  });

  it.each(['apptainer', 'singularity'] as const)('of %s contains all, and says the mark by a variable', (engine) => {
    const place = container({ engine, image: 'docker://busybox:1.36', reads: ['/data/blobs/ab/abcd'] });
    expect(containerCommand(run(), place, ANNA)).toEqual({
      argv: [
        engine,
        'exec',
        '--containall',
        '--cleanenv',
        '--no-home',
        '--no-privs',
        '--net',
        '--network=none',
        `--mount=type=bind,source=${FOLDER}/tmp,destination=/tmp`,
        `--mount=type=bind,source=${FOLDER},destination=${FOLDER}`,
        '--mount=type=bind,source=/data/blobs/ab/abcd,destination=/data/blobs/ab/abcd,ro',
        `--pwd=${FOLDER}/working`,
        'docker://busybox:1.36',
        '/bin/sh',
        `${FOLDER}/entry.sh`,
      ],
      environment: {
        HOME: '/home/anna',
        [engine === 'apptainer' ? 'APPTAINERENV_GALAXY_JOB_FOLDER' : 'SINGULARITYENV_GALAXY_JOB_FOLDER']: FOLDER,
      },
      end: undefined,
    });
  });

  it('of a tool that is not trusted can write nothing but what is its own, and fetches no image', () => {
    const place = container({ confined: true, pull: false, reads: [] });
    const { argv } = containerCommand(run(), place, ROOT);
    expect(argv).toEqual([
      'podman',
      'run',
      '--rm',
      '--name=galaxy-job-00000000000000c1-2-9acdcf45',
      '--pull=never',
      '--network=none',
      '--cap-drop=all',
      '--security-opt=no-new-privileges',
      '--security-opt=label=disable',
      '--log-driver=none',
      '--user=0:0',
      '--read-only',
      '--cpus=4',
      '--memory=2048m',
      '--pids-limit=4096',
      `--env=GALAXY_JOB_FOLDER=${FOLDER}`,
      `--mount=type=bind,source=${FOLDER}/tmp,target=/tmp`,
      `--mount=type=bind,source=${FOLDER},target=${FOLDER},readonly`,
      `--mount=type=bind,source=${FOLDER}/working,target=${FOLDER}/working`,
      `--mount=type=bind,source=${FOLDER}/outputs,target=${FOLDER}/outputs`,
      `--mount=type=bind,source=${FOLDER}/tmp,target=${FOLDER}/tmp`,
      `--mount=type=bind,source=${FOLDER}/home,target=${FOLDER}/home`,
      `--workdir=${FOLDER}/working`,
      '--entrypoint=/bin/sh',
      'quay.io/biocontainers/samtools:1.20--h50ea8bc_0',
      `${FOLDER}/entry.sh`,
    ]);
  });

  it('names paths with commas, quotes, colons and blanks as fields of a line', () => {
    const odd = '/srv/a, b:c "d"';
    const mountsOf = (engine: ContainerPlace['engine']) =>
      containerCommand(run(), container({ engine, reads: [odd] }), ANNA).argv.filter((one) => one.includes('a, b'));
    expect(mountsOf('podman')).toEqual([
      '--mount=type=bind,"source=/srv/a, b:c ""d""","target=/srv/a, b:c ""d""",readonly',
    ]);
    expect(mountsOf('apptainer')).toEqual([
      '--mount=type=bind,"source=/srv/a, b:c ""d""","destination=/srv/a, b:c ""d""",ro',
    ]);
  });

  it.each(['--privileged', '-v/:/host', 'a b', '', 'dir\n/etc'])('is refused for the image %j', (image) => {
    for (const engine of ['podman', 'docker'] as const) {
      expect(() => containerCommand(run(), container({ engine, image }), ANNA)).toThrow(/is no name of an image/);
    }
  });

  it('is another container for the version command than for the tool, and for the same job of another folder', () => {
    const nameOf = (one: Enclosure) => containerCommand(one, container(), ANNA).end?.at(-1);
    const elsewhere = run();
    elsewhere.spec = { ...elsewhere.spec, folder: '/other/jobs/00000000000000c1-2' };
    const names = [nameOf(run()), nameOf(run({ purpose: 'version' })), nameOf(elsewhere)];
    expect(new Set(names).size).toBe(3);
  });

  it('says so when a job reads more files than a command line holds', () => {
    const reads = Array.from({ length: 4001 }, (_, index) => `/data/blobs/${index}`);
    expect(() => containerCommand(run(), container({ reads }), ANNA)).toThrow('The job reads 4001 files');
  });
});

describe('the command line of the sandbox', () => {
  const system = [{ path: '/usr' }, { path: '/bin', link: 'usr/bin' }, { path: '/etc/alternatives' }];

  it('shows the system and the inputs, lets the job write what is its own, and unshares the rest', () => {
    const place = { kind: 'sandbox' as const, reads: ['/data/blobs/ab/abcd'] };
    expect(sandboxCommand(run(), place, system, '/usr/bin:/bin', false)).toEqual([
      'bwrap',
      ...['--ro-bind', '/usr', '/usr'],
      ...['--symlink', 'usr/bin', '/bin'],
      ...['--ro-bind', '/etc/alternatives', '/etc/alternatives'],
      ...['--proc', '/proc', '--dev', '/dev'],
      ...['--bind', `${FOLDER}/tmp`, '/tmp'],
      ...['--ro-bind', FOLDER, FOLDER],
      ...['--ro-bind', '/data/blobs/ab/abcd', '/data/blobs/ab/abcd'],
      ...['--bind', `${FOLDER}/working`, `${FOLDER}/working`],
      ...['--bind', `${FOLDER}/outputs`, `${FOLDER}/outputs`],
      ...['--bind', `${FOLDER}/tmp`, `${FOLDER}/tmp`],
      ...['--bind', `${FOLDER}/home`, `${FOLDER}/home`],
      ...['--chdir', `${FOLDER}/working`],
      ...['--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
      ...['--clearenv', '--setenv', 'PATH', '/usr/bin:/bin', '--setenv', 'GALAXY_JOB_FOLDER', FOLDER],
      ...['/bin/sh', `${FOLDER}/entry.sh`],
    ]);
  });

  it('forbids user namespaces where the program can', () => {
    const argv = sandboxCommand(run(), { kind: 'sandbox', reads: [] }, system, '/usr/bin:/bin', true);
    const from = argv.indexOf('--unshare-all');
    expect(argv.slice(from, from + 8)).toEqual([
      ...['--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
      ...['--unshare-user', '--disable-userns', '--clearenv'],
    ]);
  });

  it('looks at the program for what it can do', () => {
    const folder = mkdtempSync(join(tmpdir(), 'galaxy-bwrap-'));
    try {
      const program = (name: string, text: string, mode = 0o755) => {
        mkdirSync(join(folder, name));
        writeFileSync(join(folder, name, 'bwrap'), text);
        chmodSync(join(folder, name, 'bwrap'), mode);
        return join(folder, name);
      };
      const knows = program('new', 'usage: --disable-userns');
      const old = program('old', 'usage: --unshare-user');
      expect(canSealUsers(`${join(folder, 'none')}:${old}:${knows}`)).toBe(false);
      expect(canSealUsers(program('privileged', '--disable-userns', 0o4755))).toBe(false);
      expect(canSealUsers('relative')).toBe(false);
      const system = existsSync(NAMESPACES) && Number(readFileSync(NAMESPACES, 'utf8')) > 0;
      expect(canSealUsers(`${knows}:${old}`)).toBe(system);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is refused where the data folder lies in what every tool may read', () => {
    const inside = run();
    inside.spec = { ...inside.spec, folder: '/usr/local/galaxy-data/jobs/1' };
    expect(() => sandboxCommand(inside, { kind: 'sandbox', reads: [] }, system, '/usr/bin', false)).toThrow(
      'The data folder lies in /usr',
    );
  });
});

describe('what goes in with it', () => {
  it('is the environment as text for the shell, whatever is in a value, without PATH', () => {
    const values = { PATH: '/host/bin', A: "it's", B: 'two\nlines', C: '$(id) `id` "x"' };
    expect(environmentScript(values)).toBe(`export A='it'\\''s'\nexport B='two\nlines'\nexport C='$(id) \`id\` "x"'\n`);
    expect(() => environmentScript({ 'A;id': '1' })).toThrow('is no name');
  });

  it('is a first process that notes that it began, and becomes the tool unless it is process 1', () => {
    expect(entryScript({ entered: '/j/e', environment: "/j/it's", script: '/j/s' })).toBe(
      [
        ": >'/j/e' || exit 125",
        ". '/j/it'\\''s' || exit 125",
        `[ "$$" -eq 1 ] || exec /bin/sh '/j/s'`,
        `trap 'trap "" TERM; kill -TERM -1 2>/dev/null' TERM`,
        "/bin/sh '/j/s' &",
        'tool=$!',
        'while :; do wait "$tool"; code=$?; kill -0 "$tool" 2>/dev/null || exit "$code"; done',
        '',
      ].join('\n'),
    );
  });
});
