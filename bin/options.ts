/** What both programs' commands share: where the data is, how options reach them, how a result is printed. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import {
  environmentName,
  fromText,
  loadConfig,
  type OptionSpec,
  type OptionSpecs,
  type OptionValues,
  renderConfig,
  setInConfig,
} from '../protocol/runtime/config.js';
import { writeDurably } from '../protocol/runtime/data-folder.js';
import { defineErrors } from '../protocol/runtime/errors.js';

const flagErrors = defineErrors('flags', {
  'bad-set': {
    kind: 'bad-request',
    say: '--set takes option=value, not "{text}".',
    mend: 'For example: --set jobs.slots=4',
  },
  secret: {
    kind: 'bad-request',
    say: 'The secret {option} was given on the command line, where every user of this machine can read it.',
    mend: 'Choose another one, and put it into the configuration file or into the environment variable {variable}.',
  },
});

export interface CommonFlags {
  data?: string;
  config?: string;
  set?: string[];
  json?: boolean;
  /** Options that have a flag of their own. */
  overrides?: Record<string, unknown>;
}

/** How a program's command finds its options and its data. */
export type OptionsOf<T> = (flags: CommonFlags) => { options: T; folder: string };

export interface OptionSource<T extends OptionSpecs> {
  specs: T;
  prefix: string;
  /** Looked for in the data folder when --config is not given. */
  configName: string;
}

/** What is wrong with the command line in one line, like every other error; before the first subcommand is added. */
export function oneLineErrors(program: Command): Command {
  return program.configureOutput({
    outputError: (text, write) => {
      const message = text
        .trim()
        .replace(/\s*\n\s*/g, ' ')
        .replace(/^error: /, '');
      if (process.argv.includes('--json')) {
        process.stdout.write(`${JSON.stringify({ error: { code: 'usage', message, mend: 'See --help.' } })}\n`);
      }
      write(`error: ${message} See --help.\n`);
    },
  });
}

export function dataFlags(command: Command): Command {
  return command
    .option('--data <folder>', 'the data folder')
    .option('--config <file>', 'the configuration file (by default the one in the data folder)')
    .option(
      '--set <option=value>',
      'set any option; may be repeated',
      (text: string, all: string[]) => [...all, text],
      [],
    )
    .option('--json', 'print one JSON object for scripts');
}

/** The data folder is itself an option, so it is settled first: flag, environment, file, default. */
export function readOptions<T extends OptionSpecs>(
  source: OptionSource<T>,
  flags: CommonFlags,
): { options: OptionValues<T>; folder: string; configFile: string | undefined } {
  const spec = source.specs.dataFolder as OptionSpec;
  const named = flags.data ?? process.env[environmentName(source.prefix, 'dataFolder')];
  const beside = join(named ?? String(spec.default), source.configName);
  const configFile = flags.config ?? (existsSync(beside) ? beside : undefined);
  const options = loadConfig(source.specs, {
    ...(configFile === undefined ? {} : { file: configFile }),
    environment: process.env,
    environmentPrefix: source.prefix,
    flags: { ...setFlags(source, flags), ...given(flags.overrides), ...given({ dataFolder: flags.data }) },
  });
  return { options, folder: resolve(String(options.dataFolder)), configFile };
}

/** With `values`: what is in force. Without: a new file, in which only what was given is set. */
export function renderOptions<T extends OptionSpecs>(
  source: OptionSource<T>,
  flags: CommonFlags,
  overrides: Record<string, unknown>,
  values?: OptionValues<T>,
): string {
  if (values) return renderConfig(source.specs, values);
  const said: Record<string, unknown> = { ...setFlags(source, flags), ...given(overrides) };
  const lines = ['# Remove the # before an option to change it. Restart the process afterwards.', ''];
  for (const [name, spec] of Object.entries(source.specs)) {
    if (name === 'dataFolder') continue;
    for (const line of spec.doc.split('\n')) lines.push(`# ${line}`);
    const value = said[name];
    lines.push(
      value === undefined ? `# ${name}: ${JSON.stringify(spec.default)}` : `${name}: ${JSON.stringify(value)}`,
      '',
    );
  }
  return lines.join('\n');
}

/** Sets one option in the file, which is made when it is not there. Gives the value as it was understood. */
export function writeOption<T extends OptionSpecs>(
  source: OptionSource<T>,
  file: string,
  name: string,
  text: string,
): unknown {
  const spec = refuseSecret(source, name);
  const value = spec ? fromText(spec, text) : text;
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  writeDurably(dirname(file), basename(file), setInConfig(source.specs, before, name, value));
  return value;
}

/** A flag that was not given says nothing: what --set says stands. */
function given(flags: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}

function setFlags<T extends OptionSpecs>(source: OptionSource<T>, flags: CommonFlags): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const text of flags.set ?? []) {
    const at = text.indexOf('=');
    if (at <= 0) throw flagErrors('bad-set', { text });
    const name = text.slice(0, at);
    const spec = refuseSecret(source, name);
    values[name] = spec ? fromText(spec, text.slice(at + 1)) : text.slice(at + 1);
  }
  return values;
}

/** Undefined: there is no such option. Error: `flags/secret`. */
function refuseSecret<T extends OptionSpecs>(source: OptionSource<T>, name: string): OptionSpec | undefined {
  const spec = Object.hasOwn(source.specs, name) ? source.specs[name] : undefined;
  if (spec?.secret) {
    throw flagErrors('secret', { option: name, variable: environmentName(source.prefix, name) });
  }
  return spec;
}

/** How this program was called: from a clone it is not on the PATH. */
export function commandName(program: string): string {
  const script = process.argv[1] ?? program;
  return script.endsWith('.js') ? `node ${relative(process.cwd(), script)}` : program;
}

export function printResult(flags: { json?: boolean }, result: object, text: () => string[]): void {
  process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${text().join('\n')}\n`);
}
