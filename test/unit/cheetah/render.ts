/** Templates, rendered for tests: names are JSON, errors are values. */
import { readdirSync, readFileSync } from 'node:fs';
import {
  type CompileOptions,
  compileTemplate,
  type RenderOptions,
  TemplateError,
} from '../../../node/toolbox/cheetah/template.js';
import { Dict, Float, type Value } from '../../../node/toolbox/cheetah/values.js';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Names = { [name: string]: Json };

export const place = { file: 'tool.xml', line: 10 };

export function fromJson(json: Json): Value {
  if (typeof json === 'number') return Number.isInteger(json) ? json : new Float(json);
  if (json === null || typeof json !== 'object') return json;
  if (Array.isArray(json)) return json.map(fromJson);
  return new Dict(Object.entries(json).map(([key, value]): [Value, Value] => [key, fromJson(value)]));
}

export function namesOf(names: Names): Map<string, Value> {
  return new Map(Object.entries(names).map(([name, value]) => [name, fromJson(value)]));
}

export function render(template: string, names: Names = {}, options: CompileOptions & RenderOptions = {}): string {
  return compileTemplate(template, place, options).render(namesOf(names), options);
}

/** What compiling or rendering throws. */
export function faultOf(work: () => unknown): TemplateError {
  try {
    work();
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** Output, or the name of the error as Python has it. */
export function outcome(template: string, names: Names): { output: string } | { type: string } {
  try {
    return { output: render(template, names) };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { type: error.fault === 'syntax' ? 'ParseError' : (error.pythonType ?? error.fault) };
  }
}

export interface Case {
  name: string;
  template: string;
  /** Undefined when it ends with an error. */
  output: string | undefined;
  /** The class of the error. */
  error: string | undefined;
}

const folder = new URL('./tables/', import.meta.url);
export const tables = readdirSync(folder).filter((name) => name.endsWith('.txt'));
export const tableNames = JSON.parse(readFileSync(new URL('names.json', folder), 'utf8')) as Names;

/** `=== name`, the template, `---` and perhaps the class of an error, the output; each without its last line end. */
export function readTable(file: string): Case[] {
  const text = readFileSync(new URL(file, folder), 'utf8');
  return text
    .split(/^=== /m)
    .slice(1)
    .map((entry) => {
      const found = /^(.*)\n([\s\S]*?)\n---(?: (\w+))?\n([\s\S]*)$/.exec(entry);
      if (!found) throw new Error(`the entry '${entry.slice(0, 40)}' of ${file} is malformed`);
      const [, name = '', template = '', error, output = ''] = found;
      return { name, template, error, output: error === undefined ? output.slice(0, -1) : undefined };
    });
}
