/** A wrapper while it is being made up: what its parts hold, and how they become XML. */
import type { Feature } from './counts.js';
import type { Seeded } from './seeded.js';

/** A parameter as templates and tests name it. */
export interface Named {
  /** `section.name` */
  path: string;
  type: string;
  /** One of them, for a test and for a comparison. */
  value: string;
}

export interface Draft {
  number: number;
  random: Seeded;
  has(feature: Feature): boolean;
  params: Named[];
  /** Module → it is imported. */
  modules: Set<string>;
  head: string[];
  command: string[];
  config: string[];
  environment: string[];
  inputs: string[];
  outputs: string[];
  /** In its own `<macros>`. */
  tokens: string[];
  requirements: string[];
  stdio: string[];
}

export function newDraft(number: number, random: Seeded, features: ReadonlySet<Feature>): Draft {
  return {
    number,
    random,
    has: (feature) => features.has(feature),
    params: [],
    modules: new Set(),
    head: [],
    command: [],
    config: [],
    environment: [],
    inputs: [],
    outputs: [],
    tokens: [],
    requirements: [],
    stdio: [],
  };
}

/** The first parameter of these types. */
export function named(draft: Draft, ...types: string[]): Named | undefined {
  return draft.params.find(({ type }) => types.includes(type));
}

export function someNamed(draft: Draft, ...types: string[]): Named | undefined {
  const found = draft.params.filter(({ type }) => types.includes(type));
  return found.length > 0 ? draft.random.pick(found) : undefined;
}

export function block(name: string, lines: readonly string[], attributes = ''): string[] {
  return lines.length === 0 ? [] : [`<${name}${attributes}>`, ...indented(lines), `</${name}>`];
}

export function indented(lines: readonly string[]): string[] {
  return lines.flatMap((line) => line.split('\n')).map((line) => `    ${line}`);
}

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
