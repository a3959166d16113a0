/**
 * Tool wrappers: how fast thousands are loaded, how long a node with them takes to start, and how many templates are
 * rendered a second, beside Cheetah itself. The wrappers are made by a seeded generator that follows what was counted in
 * real ones (tools/counts.ts). Each loading and each start is a process of its own, as in life.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { createDatatypes } from '../../node/datasets/datatype-registry.js';
import { compileTemplate, type Template } from '../../node/toolbox/cheetah/template.js';
import { createToolbox } from '../../node/toolbox/toolbox.js';
import { importBoundary, SourceLibrary, sourceOf } from '../../node/toolbox/wrapper/sources.js';
import { expandWrapper } from '../../node/toolbox/wrapper/wrapper-file.js';
import { element, templateOf } from '../../node/toolbox/wrapper/wrapper-xml.js';
import { systemClock } from '../../protocol/runtime/clock.js';
import { silentLogger } from '../../protocol/runtime/logger.js';
import { packageRoot } from '../../protocol/runtime/package.js';
import { Figures, type Row } from './rows.js';
import { Cheetah, type CheetahTemplate, cheetahIsInstalled, shared } from './tools/cheetah.js';
import { generate, writeGenerated } from './tools/generate.js';
import { firstLine } from './tools/process.js';
import { type Mix, type MixedJob, renderMix } from './tools/render-mix.js';

export interface ToolsOptions {
  runs: number;
  /** Wrappers that are loaded. */
  wrappers: number;
  seed: number;
  say: (line: string) => void;
  signal: AbortSignal;
}

/** Of them so many are rendered, beside the bundled ones: no more than the toolbox keeps ready at a time. */
const RENDERED_MAX = 150;
/** Each measurement of rendering goes on for at least this long. */
const RENDER_MS = 2000;
const CHEETAH_PASSES = 2;
const BUNDLED = join(packageRoot(), 'node', 'toolbox', 'tools');
const compiled = (...path: string[]) => join(import.meta.dirname, '..', '..', ...path);

export async function benchTools(options: ToolsOptions): Promise<{ rows: Row[]; notes: string[] }> {
  const { runs, wrappers, seed, say, signal } = options;
  const scratch = await mkdtemp(join(tmpdir(), 'galaxy-bench-tools-'));
  const figures = new Figures();
  try {
    const folder = join(scratch, 'wrappers');
    const generated = generate(wrappers, seed);
    const bytes = await writeGenerated(generated, folder);
    const notes = [
      `${wrappers} wrappers of ${Math.round(bytes / wrappers)} bytes each, macro files included, seed ${seed}`,
    ];
    say(notes[0] ?? '');
    const rendering = await Rendering.of(
      folder,
      generated.tools.slice(0, RENDERED_MAX).map(({ id }) => id),
    );
    try {
      notes.push(...rendering.notes);
      for (let run = 1; run <= runs; run++) {
        const rows = [
          ...(await loads(folder, join(scratch, `cache-${run}`), wrappers, signal)),
          ...(await starts(folder, scratch, run, signal)),
          ...(await rendering.measure(signal)),
        ];
        for (const row of rows) figures.add(row);
        say(
          `run ${run} of ${runs}: ${rows.map((row) => `${row.case} ${row.metric} ${row.value.toFixed(2)} ${row.unit}`).join(', ')}`,
        );
      }
    } finally {
      await rendering.stop();
    }
    return { rows: figures.medians(), notes };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const loadedSchema = z.object({ seconds: z.number(), tools: z.number(), problems: z.number(), rssBytes: z.number() });

/** Without a cache that knows them, then with the one that this made. */
async function loads(folder: string, cache: string, wrappers: number, signal: AbortSignal): Promise<Row[]> {
  const load = async () => {
    const { line, program } = await firstLine(compiled('test', 'bench', 'tools', 'load.js'), [folder, cache], signal);
    await program.done();
    const said = loadedSchema.parse(JSON.parse(line));
    if (said.problems > 0 || said.tools !== wrappers) {
      throw new Error(`of ${wrappers} wrappers ${said.tools} were loaded, with ${said.problems} problems`);
    }
    return said;
  };
  const cold = await load();
  const warm = await load();
  return [
    { case: 'load-cold', metric: 'wrappers', value: wrappers / cold.seconds, unit: '1/s' },
    { case: 'load-cold', metric: 'time', value: cold.seconds, unit: 's' },
    { case: 'load-cold', metric: 'rss', value: cold.rssBytes / 1e6, unit: 'MB' },
    { case: 'load-warm', metric: 'wrappers', value: wrappers / warm.seconds, unit: '1/s' },
    { case: 'load-warm', metric: 'time', value: warm.seconds, unit: 's' },
    { case: 'load-warm', metric: 'rss', value: warm.rssBytes / 1e6, unit: 'MB' },
  ];
}

/** A whole node, from the command to its ready line: with the wrappers and a warm cache, and without them. */
async function starts(folder: string, scratch: string, run: number, signal: AbortSignal): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of ['start-warm', 'start-without']) {
    const data = join(scratch, name);
    const folders = name === 'start-warm' ? [folder] : [];
    // The first start makes key, store and cache, and is not measured.
    if (run === 1) await start(data, folders, signal);
    const { seconds, rssBytes } = await start(data, folders, signal);
    rows.push({ case: name, metric: 'time', value: seconds, unit: 's' });
    rows.push({ case: name, metric: 'rss', value: rssBytes / 1e6, unit: 'MB' });
  }
  return rows;
}

const readySchema = z.looseObject({ ready: z.literal(true), toolProblems: z.number() });

async function start(data: string, folders: readonly string[], signal: AbortSignal) {
  const { program, line, seconds } = await firstLine(
    compiled('bin', 'galaxy-node.js'),
    [
      ...['start', '--init', '--json', '--data', data, '--listen', '127.0.0.1:0', '--log-level', 'error'],
      ...['--set', `tools.folders=${JSON.stringify(folders)}`],
    ],
    signal,
  );
  try {
    const { toolProblems } = readySchema.parse(JSON.parse(line));
    if (toolProblems > 0) throw new Error(`${toolProblems} wrappers were not loaded`);
    return { seconds, rssBytes: await residentBytes(program.pid) };
  } finally {
    await program.stop();
  }
}

/** Now, not at its largest. Where there is no /proc: 0. */
async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

interface Case {
  source: string;
  job: MixedJob;
  template: Template;
}

/** The command templates of generated and bundled wrappers, with what they see when their form is filled. */
class Rendering {
  private constructor(
    private readonly cases: readonly Case[],
    private readonly cheetah: Cheetah | undefined,
    private readonly crossing: readonly CheetahTemplate[],
    readonly notes: readonly string[],
  ) {}

  static async of(folder: string, ids: readonly string[]): Promise<Rendering> {
    const toolbox = await createToolbox({ datatypes: createDatatypes(), log: silentLogger }, { folders: [folder] });
    const chosen = new Set(ids);
    const tools = toolbox
      .tools()
      .filter(({ id, file, action }) => action === 'command' && (chosen.has(id) || file.startsWith(BUNDLED)));
    const { jobs, failed } = renderMix(toolbox, tools);
    const cases = await Promise.all(
      jobs.map((job) => caseOf(job, job.tool.file.startsWith(BUNDLED) ? BUNDLED : folder)),
    );
    const notes = [`render: ${cases.length} commands, of which ${cases.length - ids.length} bundled${leftOut(failed)}`];
    if (!cheetahIsInstalled())
      return new Rendering(cases, undefined, [], [...notes, 'cheetah: not measured, python3-cheetah is not installed']);
    const cheetah = new Cheetah();
    const all = cases.map(({ source, job: { names } }) => ({ source, names: shared(names, wordsIn(source)) }));
    const { outputs } = await cheetah.render(all, 0, false);
    const same = cases.map(({ template, job: { names } }, index) => template.render(names) === outputs[index]);
    const equal = same.filter(Boolean).length;
    notes.push(`cheetah: ${equal} of ${cases.length} commands come out the same and are compared`);
    return new Rendering(
      cases.filter((_, index) => same[index]),
      cheetah,
      all.filter((_, index) => same[index]),
      notes,
    );
  }

  async measure(signal: AbortSignal): Promise<Row[]> {
    const { cases, cheetah, crossing } = this;
    const row = (name: string, metric: string, value: number): Row => ({ case: name, metric, value, unit: '1/s' });
    const rows = [
      row(
        'render',
        'compiled',
        rate(cases, ({ source, job }) => void compileTemplate(source, PLACE).render(job.names)),
      ),
      row(
        'render',
        'again',
        rate(cases, ({ template, job }) => void template.render(job.names)),
      ),
      row(
        'render',
        'jobs',
        rate(cases, ({ job }) => job.prepare()),
      ),
    ];
    if (!cheetah) return rows;
    for (const [metric, compile] of [
      ['compiled', true],
      ['again', false],
    ] as const) {
      signal.throwIfAborted();
      const passes = compile ? CHEETAH_PASSES : CHEETAH_PASSES * 10;
      const { seconds } = await cheetah.render(crossing, passes, compile);
      rows.push(row('cheetah', metric, (crossing.length * passes) / seconds));
    }
    return rows;
  }

  async stop(): Promise<void> {
    await this.cheetah?.stop();
  }
}

function leftOut(failed: Mix['failed']): string {
  return failed.length === 0 ? '' : `; left out: ${failed.map(({ tool, reason }) => `${tool} (${reason})`).join(', ')}`;
}

const PLACE = { file: 'command', line: 1 };

async function caseOf(job: MixedJob, folder: string): Promise<Case> {
  const { file } = job.tool;
  const wrapper = sourceOf(file, await readFile(file));
  const { root } = await expandWrapper(wrapper, importBoundary(folder, 'folder'), new SourceLibrary());
  const command = element(root, 'command');
  if (!command) throw new Error(`${file} has no command`);
  const { text } = templateOf(command);
  return { source: text, job, template: compileTemplate(text, PLACE) };
}

/** Whole passes over all of them for at least some time, after one pass that is not counted. */
function rate(cases: readonly Case[], work: (one: Case) => void): number {
  for (const one of cases) work(one);
  const from = systemClock.monotonic();
  let done = 0;
  let now = from;
  do {
    for (const one of cases) work(one);
    done += cases.length;
    now = systemClock.monotonic();
  } while (now - from < RENDER_MS);
  return done / ((now - from) / 1000);
}

/** What a template may name as a datatype. */
function wordsIn(source: string): string[] {
  return [...new Set([...source.matchAll(/["']([a-z][\w.]*)["']/g)].map((found) => found[1] ?? ''))];
}
