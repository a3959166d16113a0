/** Cheetah itself in one warm process, where Debian's python3-cheetah is installed: what our renderer is compared with. */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Dict, Float, TemplateObject, Tuple, type Value } from '../../../node/toolbox/cheetah/values.js';
import { packageRoot } from '../../../protocol/runtime/package.js';
import { Running } from '../transfer/programs.js';

const PYTHON = '/usr/bin/python3';
/** Beside the sources: Python is not compiled. */
const SCRIPT = join(packageRoot(), 'test', 'bench', 'tools', 'cheetah.py');

export interface CheetahTemplate {
  source: string;
  names: Record<string, unknown>;
}

export interface CheetahAnswer {
  seconds: number;
  /** Null: it could not be rendered. */
  outputs: (string | null)[];
}

export function cheetahIsInstalled(): boolean {
  return spawnSync(PYTHON, ['-c', 'import Cheetah.Template'], { stdio: 'ignore' }).status === 0;
}

export class Cheetah {
  private readonly program: Running;
  private readonly waiting: { resolve(answer: CheetahAnswer): void; reject(error: Error): void }[] = [];

  constructor() {
    const child = spawn(PYTHON, [SCRIPT], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.program = new Running('Cheetah', child);
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.waiting.shift()?.resolve(JSON.parse(line) as CheetahAnswer);
    });
    void this.program.exited.then(() => {
      for (const { reject } of this.waiting.splice(0)) reject(this.program.failure('ended'));
    });
  }

  render(templates: readonly CheetahTemplate[], passes: number, compile: boolean): Promise<CheetahAnswer> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.program.child.stdin?.write(`${JSON.stringify({ templates, passes, compile })}\n`);
    });
  }

  stop(): Promise<void> {
    return this.program.stop();
  }
}

/** What templates ask of datasets and parameters; nothing else of them crosses. */
const ATTRIBUTES = [
  ...['ext', 'extension', 'name', 'element_identifier', 'file_name', 'files_path', 'extra_files_path', 'metadata'],
  ...['fields', 'value', 'is_collection', 'collection_type', 'forward', 'reverse', 'id', 'version'],
  ...['dbkey', 'path', 'columns', 'column_names', 'column_types', 'data_lines', 'sequences', 'bam_index', 'hid'],
];
const DEPTH_MAX = 6;

/** A template's names as JSON. `words`: those in the template's text; only they can be asked for as types. */
export function shared(names: ReadonlyMap<string, Value>, words: readonly string[]): Record<string, unknown> {
  return Object.fromEntries([...names].map(([name, value]) => [name, crossing(value, words, 0)]));
}

function crossing(value: Value, words: readonly string[], depth: number): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string')
    return value;
  if (value instanceof Float) return value.value;
  if (value instanceof Tuple) return { list: value.items.map((one) => crossing(one, words, depth + 1)) };
  if (Array.isArray(value)) return { list: value.map((one) => crossing(one, words, depth + 1)) };
  if (value instanceof Dict) {
    const pairs = value
      .items()
      .map(({ items: [key, held] }) => [String(key), crossing(held ?? null, words, depth + 1)]);
    return { dict: Object.fromEntries(pairs) as Record<string, unknown> };
  }
  if (!(value instanceof TemplateObject) || depth > DEPTH_MAX) return null;
  const attributes: Record<string, unknown> = {};
  for (const name of ATTRIBUTES) {
    const held = depth < 3 ? value.attribute(name) : undefined;
    if (held !== undefined) attributes[name] = crossing(held, words, depth + 1);
  }
  const plain = value.plain();
  return {
    thing: {
      text: value.text(),
      truth: value.truth(),
      plain: typeof plain === 'object' ? null : plain,
      items: value.iterate()?.map((one) => crossing(one, words, depth + 1)) ?? null,
      types: typesOf(value, words),
      attributes,
    },
  };
}

function typesOf(value: TemplateObject, words: readonly string[]): string[] {
  const asked = value.attribute('is_of_type');
  if (asked === undefined || asked === null || typeof asked !== 'object' || !('call' in asked)) return [];
  const meter = undefined as never;
  return words.filter((word) => asked.call({ positional: [word], named: new Map() }, meter) === true);
}
