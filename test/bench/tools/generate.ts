/**
 * Wrappers as real ones are, in number and in what they use: suites of tools with a macro file each, every construct in
 * the share of wrappers that was counted (counts.ts). The same seed gives the same files, byte by byte.
 *
 * Exactly as many wrappers as the table says have a construct, drawn by lot among those in which it makes sense; a
 * chance for each wrapper would leave rare constructs out of a small set. Which constructs go together was not counted.
 * Rejected: real wrappers, which are not ours to ship, and which a benchmark cannot make three thousand of.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { addCommand } from './command.js';
import { APART, FEATURES, type Feature, SURVEYED, TESTS, WITHIN } from './counts.js';
import { block, type Draft, indented, newDraft } from './draft.js';
import { addInputs, addOutputs } from './inputs.js';
import { Seeded } from './seeded.js';
import { helpText, phrase } from './words.js';

export interface GeneratedFile {
  /** Relative. */
  path: string;
  text: string;
}

export interface GeneratedTool extends GeneratedFile {
  id: string;
  features: ReadonlySet<Feature>;
}

export interface Generated {
  tools: GeneratedTool[];
  macros: GeneratedFile[];
}

/** Tools of one suite, which share macros. */
const SUITE = [1, 12] as const;

export function generate(count: number, seed: number): Generated {
  const random = new Seeded(seed);
  const features = assign(count, random);
  const tools: GeneratedTool[] = [];
  const macros: GeneratedFile[] = [];
  for (let suite = 0; tools.length < count; suite++) {
    const folder = `suite_${String(suite).padStart(4, '0')}`;
    macros.push({ path: `${folder}/macros.xml`, text: macroFile(suite, random) });
    for (let left = Math.min(random.between(...SUITE), count - tools.length); left > 0; left--) {
      const number = tools.length;
      const own = features[number] ?? new Set();
      const id = `bench_${String(number).padStart(5, '0')}`;
      tools.push({ id, features: own, path: `${folder}/${id}.xml`, text: wrapper(id, newDraft(number, random, own)) });
    }
  }
  return { tools, macros };
}

/** Writes them; gives the number of bytes. */
export async function writeGenerated({ tools, macros }: Generated, folder: string): Promise<number> {
  let bytes = 0;
  for (const { path, text } of [...macros, ...tools]) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
    bytes += Buffer.byteLength(text);
  }
  return bytes;
}

/** Of `count` wrappers so many have a construct that is in `counted` of those surveyed. */
export function share(counted: number, count: number): number {
  return Math.round((counted * count) / SURVEYED);
}

function assign(count: number, random: Seeded): Set<Feature>[] {
  const all = Array.from({ length: count }, () => new Set<Feature>());
  for (const feature of inOrder()) {
    const apart = APART[feature];
    const within = WITHIN[feature] ?? [];
    const fit = all.filter((one) => within.every((outer) => one.has(outer)) && !(apart && one.has(apart)));
    const wanted = Math.min(share(FEATURES.get(feature) ?? 0, count), fit.length);
    for (const one of random.shuffled(fit).slice(0, wanted)) one.add(feature);
  }
  return all;
}

/** What others stand within comes first. */
function inOrder(): Feature[] {
  const done = new Set<Feature>();
  const visit = (feature: Feature) => {
    if (done.has(feature)) return;
    for (const outer of [...(WITHIN[feature] ?? []), ...(APART[feature] ? [APART[feature]] : [])]) visit(outer);
    done.add(feature);
  };
  for (const feature of FEATURES.keys()) visit(feature);
  return [...done];
}

function macroFile(suite: number, random: Seeded): string {
  const version = `${random.between(0, 3)}.${random.between(0, 20)}.${random.between(0, 9)}`;
  return [
    '<macros>',
    ...indented([
      `<token name="@TOOL_VERSION@">${version}</token>`,
      '<token name="@VERSION_SUFFIX@">0</token>',
      '<token name="@PREPARE@"><![CDATA[mkdir -p work &&\nexport LC_ALL=C &&]]></token>',
      '<xml name="requirements">',
      `    <requirement type="package" version="@TOOL_VERSION@">suite${suite}</requirement>`,
      '    <yield/>',
      '</xml>',
      '<xml name="verbose" tokens="label" token_checked="false">',
      '    <param argument="--verbose" type="boolean" truevalue="--verbose" falsevalue="" checked="@CHECKED@" label="@LABEL@"/>',
      '    <yield name="more"/>',
      '</xml>',
      '<xml name="citations">',
      '    <citations>',
      `        <citation type="doi">10.1000/bench.${suite}</citation>`,
      '        <yield/>',
      '    </citations>',
      '</xml>',
    ]),
    '</macros>',
    '',
  ].join('\n');
}

function wrapper(id: string, draft: Draft): string {
  const { random, has } = draft;
  addInputs(draft);
  addOutputs(draft);
  addCommand(draft);
  const imports = has('import_file');
  const expands = has('expand');
  if (expands && !imports) draft.tokens.push(...OWN_MACROS);
  if (has('token') && !imports) draft.tokens.push('<token name="@TOOL_VERSION@">1.0</token>', OWN_PREPARE);
  const version = has('token') ? '@TOOL_VERSION@+galaxy0' : `1.${random.between(0, 9)}.0`;
  const profile = has('interpreter') ? '' : ` profile="${random.pick(['20.01', '20.05', '21.05', '22.01', '23.0'])}"`;
  const lines = [
    `<description>${phrase(random, 3, 9).toLowerCase()}</description>`,
    ...macrosOf(draft, imports),
    ...requirementsOf(draft, expands),
    ...stdioOf(draft),
    ...commandOf(draft),
    ...configOf(draft),
    ...block('inputs', [...draft.inputs, ...(expands && imports ? verbose(draft) : [])]),
    ...block('outputs', draft.outputs),
    ...testsOf(draft),
    `<help><![CDATA[\n${helpText(random)}\n    ]]></help>`,
    ...(expands ? ['<expand macro="citations"/>'] : citations(draft)),
  ];
  return `<tool id="${id}" name="${phrase(random, 1, 4)}" version="${version}"${profile}>\n${withoutIndentInCdata(lines)}\n</tool>\n`;
}

const OWN_MACROS = ['<xml name="citations">', '    <citations/>', '</xml>'];
const OWN_PREPARE = '<token name="@PREPARE@">mkdir -p work &amp;&amp;</token>';

function macrosOf(draft: Draft, imports: boolean): string[] {
  if (!draft.has('macros')) return [];
  const own = imports ? ['<import>macros.xml</import>'] : draft.tokens;
  return own.length > 0 ? block('macros', own) : ['<macros/>'];
}

function verbose({ random }: Draft): string[] {
  return [
    `<expand macro="verbose" label="${phrase(random, 2, 4)}">`,
    '    <token name="more">',
    `        <param name="log" type="hidden" value="log.txt"/>`,
    '    </token>',
    '</expand>',
  ];
}

function requirementsOf(draft: Draft, expands: boolean): string[] {
  const { has, number } = draft;
  const lines = has('requirements')
    ? expands && has('import_file')
      ? [
          '<expand macro="requirements">',
          '    <requirement type="package" version="1.0">helper</requirement>',
          '</expand>',
        ]
      : [`<requirement type="package" version="1.${number % 10}">package${number % 500}</requirement>`]
    : [];
  if (has('container')) lines.push(`<container type="docker">example.org/bench/tool:${number % 20}</container>`);
  return block('requirements', lines);
}

function stdioOf(draft: Draft): string[] {
  if (!draft.has('stdio')) return [];
  const lines = ['<exit_code range="1:" level="fatal" description="It failed"/>'];
  if (draft.has('regex'))
    lines.push('<regex match="[Ee]rror:?\\s+\\w+" source="both" level="fatal" description="An error"/>');
  return block('stdio', lines);
}

function commandOf(draft: Draft): string[] {
  const { has } = draft;
  const detect = has('exit_code')
    ? ' detect_errors="exit_code"'
    : has('aggressive')
      ? ' detect_errors="aggressive"'
      : '';
  const interpreter = has('interpreter') ? ' interpreter="python"' : '';
  return [`<command${detect}${interpreter}><![CDATA[\n${draft.command.join('\n')}\n    ]]></command>`];
}

function configOf(draft: Draft): string[] {
  const lines: string[] = [];
  if (draft.has('environment_variables')) {
    lines.push(
      ...block('environment_variables', ['<environment_variable name="BENCH_MODE">plain</environment_variable>']),
    );
  }
  if (draft.has('configfile')) {
    const shown = draft.params.filter(({ type }) => type === 'integer' || type === 'text' || type === 'select');
    const text = shown.map(({ path }) => `${path} = $${path}`).join('\n');
    lines.push(
      ...block('configfiles', [`<configfile name="settings"><![CDATA[\n[settings]\n${text}\n]]></configfile>`]),
    );
  }
  return lines;
}

const PER_TOOL = TESTS.tests / TESTS.tools;

function testsOf(draft: Draft): string[] {
  const { random } = draft;
  if (!draft.has('tests')) return [];
  // One, and then more as long as the coin falls so: the mean is that of the table.
  let count = 1;
  while (count < 20 && random.next() < 1 - 1 / PER_TOOL) count += 1;
  return block('tests', Array.from({ length: count }, () => testOf(draft)).flat());
}

function testOf(draft: Draft): string[] {
  const { random } = draft;
  const lines: string[] = [];
  for (const { path, type, value } of draft.params) {
    if (['conditional', 'repeat', 'data_collection', 'hidden'].includes(type) || random.next() < 0.3) continue;
    lines.push(`<param name="${path.replace('.', '|')}" value="${value}"/>`);
  }
  if (draft.has('data_output')) {
    lines.push(
      ...(random.next() < 0.5
        ? ['<output name="out_1" file="expected.txt" lines_diff="2"/>']
        : [
            '<output name="out_1">',
            '    <assert_contents>',
            `        <has_text text="${phrase(random, 1, 3)}"/>`,
            '        <has_n_lines n="10" delta="2"/>',
            '    </assert_contents>',
            '</output>',
          ]),
    );
  }
  return block('test', lines, ` expect_num_outputs="${Math.max(1, draft.outputs.length)}"`);
}

function citations({ number }: Draft): string[] {
  return block('citations', [`<citation type="doi">10.1000/tool.${number}</citation>`]);
}

/** Templates and texts stand as they are: a directive may not be moved to the right of what it belongs to. */
function withoutIndentInCdata(lines: readonly string[]): string {
  let inside = false;
  return lines
    .flatMap((line) => line.split('\n'))
    .map((line) => {
      const text = inside || line === '' ? line : `    ${line}`;
      if (line.includes('<![CDATA[')) inside = true;
      if (line.includes(']]>')) inside = false;
      return text;
    })
    .join('\n');
}
