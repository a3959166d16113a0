/** Parameters and outputs of a generated wrapper. */
import { type Draft, escapeXml, indented, type Named, named, someNamed } from './draft.js';
import { phrase } from './words.js';

/** How many of a kind one wrapper has. */
const SHAPE = {
  data: [1, 2],
  select: [1, 4],
  boolean: [1, 6],
  integer: [1, 6],
  text: [1, 3],
  float: [1, 5],
  hidden: [1, 1],
  options: [2, 8],
  outputs: [1, 3],
} as const;

const FORMATS = [
  'tabular',
  'bam',
  'fastqsanger',
  'fasta',
  'vcf',
  'txt',
  'bed',
  'interval,bed',
  'fastqsanger,fastqsanger.gz',
];

export function addInputs(draft: Draft): void {
  const { random, has } = draft;
  const times = (range: readonly [number, number]) => random.between(...range);
  if (has('data')) for (let n = times(SHAPE.data); n > 0; n--) draft.inputs.push(data(draft));
  if (has('data_collection')) draft.inputs.push(collectionInput(draft));
  const inner: string[] = [];
  const put = (lines: string) => inner.push(lines);
  if (has('select')) for (let n = times(SHAPE.select); n > 0; n--) put(select(draft, has('section')));
  if (has('boolean')) for (let n = times(SHAPE.boolean); n > 0; n--) put(boolean(draft, has('section')));
  if (has('integer')) for (let n = times(SHAPE.integer); n > 0; n--) put(number(draft, 'integer', has('section')));
  if (has('float')) for (let n = times(SHAPE.float); n > 0; n--) put(number(draft, 'float', has('section')));
  if (has('text')) for (let n = times(SHAPE.text); n > 0; n--) put(text(draft, has('section')));
  if (has('section')) {
    draft.inputs.push(
      `<section name="advanced" title="${phrase(random, 1, 3)}" expanded="false">\n${indented(inner).join('\n')}\n</section>`,
    );
  } else draft.inputs.push(...inner);
  if (has('hidden')) {
    const { name } = added(draft, 'hidden', 'fixed');
    draft.inputs.push(`<param name="${name}" type="hidden" value="fixed"/>`);
  }
  if (has('color')) {
    const { name } = added(draft, 'color', '#ff0000');
    draft.inputs.push(`<param name="${name}" type="color" value="#ff0000" label="${phrase(random, 1, 4)}"/>`);
  }
  if (has('data_column')) {
    const { name } = added(draft, 'data_column', '1');
    const reference = named(draft, 'data')?.path ?? '';
    draft.inputs.push(
      `<param name="${name}" type="data_column" data_ref="${reference}" label="${phrase(random, 1, 4)}"/>`,
    );
  }
  if (has('from_data_table')) draft.inputs.push(tableSelect(draft));
  if (has('multiple')) draft.inputs.push(multipleSelect(draft));
  if (has('conditional')) draft.inputs.push(conditional(draft));
  if (has('repeat')) draft.inputs.push(repeat(draft));
  if (has('validator') && !has('text')) draft.inputs.push(validated(draft));
}

function added(draft: Draft, type: string, value: string, inSection = false): { name: string; named: Named } {
  const name = `${type}_${draft.params.length + 1}`;
  const made = { path: inSection ? `advanced.${name}` : name, type, value };
  draft.params.push(made);
  return { name, named: made };
}

function label(draft: Draft): string {
  const { random } = draft;
  const help = random.next() < 0.5 ? ` help="${phrase(random, 4, 16)}"` : '';
  return `label="${phrase(random, 2, 8)}"${help}`;
}

function data(draft: Draft): string {
  const format = draft.has('data_column') ? 'tabular' : draft.random.pick(FORMATS);
  const { name } = added(draft, 'data', 'input.txt');
  return `<param name="${name}" type="data" format="${format}" ${label(draft)}/>`;
}

function collectionInput(draft: Draft): string {
  const { name } = added(draft, 'data_collection', 'input.txt');
  const type = draft.random.pick(['list', 'paired', 'list:paired']);
  return `<param name="${name}" type="data_collection" collection_type="${type}" format="txt" ${label(draft)}/>`;
}

function options(draft: Draft): { values: string[]; lines: string[] } {
  const { random } = draft;
  const values = Array.from({ length: random.between(...SHAPE.options) }, (_, index) => `choice${index + 1}`);
  const lines = values.map(
    (value, index) =>
      `<option value="${value}"${index === 0 ? ' selected="true"' : ''}>${phrase(random, 1, 5)}</option>`,
  );
  return { values, lines };
}

function select(draft: Draft, inSection: boolean): string {
  const { values, lines } = options(draft);
  const { name } = added(draft, 'select', draft.random.pick(values), inSection);
  return `<param name="${name}" type="select" ${label(draft)}>\n${indented(lines).join('\n')}\n</param>`;
}

function multipleSelect(draft: Draft): string {
  const { lines } = options(draft);
  const { name } = added(draft, 'several', 'choice1,choice2');
  return `<param name="${name}" type="select" multiple="true" optional="true" ${label(draft)}>\n${indented(lines).join('\n')}\n</param>`;
}

function tableSelect(draft: Draft): string {
  const { name } = added(draft, 'table', 'one');
  const lines = [
    '<options from_data_table="bench_indexes">',
    '    <filter type="sort_by" column="2"/>',
    '    <validator type="no_options" message="No indexes are available"/>',
    '</options>',
  ];
  return `<param name="${name}" type="select" ${label(draft)}>\n${indented(lines).join('\n')}\n</param>`;
}

function boolean(draft: Draft, inSection: boolean): string {
  const { name } = added(draft, 'boolean', 'true', inSection);
  const values = draft.random.next() < 0.6 ? ` truevalue="--${name.replace('_', '-')}" falsevalue=""` : '';
  return `<param name="${name}" type="boolean"${values} checked="${draft.random.next() < 0.5}" ${label(draft)}/>`;
}

function number(draft: Draft, type: 'integer' | 'float', inSection: boolean): string {
  const value = type === 'integer' ? String(draft.random.between(1, 100)) : `0.${draft.random.between(1, 99)}`;
  const { name } = added(draft, type, value, inSection);
  const bounds = draft.random.next() < 0.6 ? ' min="0" max="1000"' : '';
  return `<param name="${name}" type="${type}" value="${value}"${bounds} ${label(draft)}/>`;
}

function text(draft: Draft, inSection: boolean): string {
  const { name } = added(draft, 'text', 'sample', inSection);
  const inside: string[] = [];
  if (draft.has('validator')) {
    inside.push('<validator type="regex" message="Letters, digits and dashes only">^[\\w-]+$</validator>');
  }
  if (draft.has('sanitizer')) {
    inside.push('<sanitizer invalid_char="">');
    inside.push(
      '    <valid initial="string.ascii_letters,string.digits">',
      '        <add value="_"/>',
      '        <add value="-"/>',
    );
    inside.push('    </valid>', '</sanitizer>');
  }
  const open = `<param name="${name}" type="text" value="sample" ${label(draft)}`;
  return inside.length === 0 ? `${open}/>` : `${open}>\n${indented(inside).join('\n')}\n</param>`;
}

/** For a wrapper with validators and no texts. */
function validated(draft: Draft): string {
  const first = named(draft, 'data');
  if (first) {
    const { name } = added(draft, 'data', 'other.txt');
    return `<param name="${name}" type="data" format="txt" ${label(draft)}>\n    <validator type="unspecified_build"/>\n</param>`;
  }
  const { name } = added(draft, 'hidden', 'fixed');
  return `<param name="${name}" type="hidden" value="fixed">\n    <validator type="empty_field"/>\n</param>`;
}

function conditional(draft: Draft): string {
  const { name } = added(draft, 'conditional', '');
  const inner = (index: number) => `<param name="inner_${index}" type="integer" value="${index}" ${label(draft)}/>`;
  const lines = [
    `<param name="how" type="${draft.has('select') ? 'select' : 'hidden'}" ${draft.has('select') ? label(draft) : 'value="no"'}>`,
    ...(draft.has('select')
      ? ['    <option value="no" selected="true">No</option>', '    <option value="yes">Yes</option>']
      : []),
    '</param>',
    '<when value="no"/>',
    '<when value="yes">',
    ...(draft.has('integer') ? indented([inner(1), inner(2)]) : []),
    '</when>',
  ];
  return `<conditional name="${name}">\n${indented(lines).join('\n')}\n</conditional>`;
}

function repeat(draft: Draft): string {
  const { name } = added(draft, 'repeat', '');
  const inner = draft.has('text')
    ? `<param name="word" type="text" value="a" label="${phrase(draft.random, 1, 3)}"/>`
    : '<param name="word" type="hidden" value="a"/>';
  return `<repeat name="${name}" title="${phrase(draft.random, 1, 3)}" min="1">\n    ${inner}\n</repeat>`;
}

export function addOutputs(draft: Draft): void {
  const { random, has } = draft;
  if (has('data_output')) {
    const least = has('filter') ? 2 : SHAPE.outputs[0];
    for (let n = random.between(least, SHAPE.outputs[1]), index = 1; index <= n; index++)
      draft.outputs.push(output(draft, index));
  }
  if (has('collection')) draft.outputs.push(collection(has('discover_datasets')));
}

function collection(discovered: boolean): string {
  const label = `label="\${tool.name} on \${on_string}: pieces"`;
  const inside = discovered
    ? ['<discover_datasets pattern="__name_and_ext__" directory="pieces"/>']
    : ['<data name="forward" format="txt"/>', '<data name="reverse" format="txt"/>'];
  return `<collection name="pieces" type="${discovered ? 'list' : 'paired'}" ${label}>\n${indented(inside).join('\n')}\n</collection>`;
}

function output(draft: Draft, index: number): string {
  const { has, random } = draft;
  const first = index === 1;
  const reference = named(draft, 'data')?.path;
  const format =
    first && has('format_source') && reference !== undefined
      ? `format_source="${reference}"`
      : `format="${first && has('files_path') ? 'html' : random.pick(['tabular', 'txt', 'bam', 'vcf'])}"`;
  const from = first && has('from_work_dir') ? ' from_work_dir="result.txt"' : '';
  const inside: string[] = [];
  if (first && has('change_format')) {
    const input = named(draft, 'select');
    if (input)
      inside.push(
        '<change_format>',
        `    <when input="${input.path}" value="choice2" format="fasta"/>`,
        '</change_format>',
      );
  }
  if (first && has('actions')) {
    inside.push(
      '<actions>',
      '    <action name="column_names" type="metadata" default="name,start,end"/>',
      '</actions>',
    );
  }
  if (first && has('discover_datasets') && !has('collection')) inside.push(discover());
  const flag = someNamed(draft, 'boolean');
  if (index === 2 && has('filter') && flag) inside.push(`<filter>${filterText(flag.path)}</filter>`);
  const open = `<data name="out_${index}" ${format}${from} label="\${tool.name} on \${on_string}: ${phrase(random, 1, 3)}"`;
  return inside.length === 0 ? `${open}/>` : `${open}>\n${indented(inside).join('\n')}\n</data>`;
}

const discover = () => '<discover_datasets pattern="__designation_and_ext__" directory="found" visible="true"/>';

/** Filters name nested parameters by index, as real ones do. */
function filterText(path: string): string {
  const [outer = '', inner] = path.split('.');
  return escapeXml(inner === undefined ? outer : `${outer}['${inner}']`);
}
