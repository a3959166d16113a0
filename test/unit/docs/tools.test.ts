/**
 * What docs/TOOLS.md says is supported and refused is what the code does: each name is tried on the code that reads it.
 * A name that is refused as "not supported" is refused; anything else that the code says means that it knows the name.
 */
import { describe, expect, it } from 'vitest';
import { assertionNames } from '../../../node/tool-test/assertions.js';
import { createDataTables } from '../../../node/toolbox/data-tables/data-tables.js';
import { parseDiscover } from '../../../node/toolbox/outputs/discover-xml.js';
import { parseActions } from '../../../node/toolbox/outputs/output-actions.js';
import { parseOutputs } from '../../../node/toolbox/outputs/output-xml.js';
import { parseFilter } from '../../../node/toolbox/parameters/option-filters.js';
import { dynamicOptionsOf } from '../../../node/toolbox/parameters/options-xml.js';
import { parseInputs } from '../../../node/toolbox/parameters/parameter-xml.js';
import { parseValidator } from '../../../node/toolbox/parameters/validator.js';
import { parseRequirements } from '../../../node/toolbox/requirements/requirement-xml.js';
import type { ToolParameter } from '../../../node/toolbox/tool.js';
import { NEWEST_PROFILE, OLDEST_PROFILE, PROFILE_CHANGES } from '../../../node/toolbox/wrapper/profile.js';
import { COMPARES } from '../../../node/toolbox/wrapper/test-case.js';
import { readTool } from '../../../node/toolbox/wrapper/wrapper.js';
import { parseXml, type XmlElement } from '../../../node/toolbox/wrapper/wrapper-xml.js';
import { isDomainError } from '../../../protocol/runtime/errors.js';
import { cell, expectSection, table } from './markdown.js';

const FILE = 'docs/TOOLS.md';

const xml = (text: string) => parseXml(text, 'tool.xml');

function isRefused(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (!isDomainError(error)) throw error;
    return error.code === 'toolbox/unsupported';
  }
}

/** Of all names, the supported ones with what is said of them, and those that are refused. */
function held(
  section: string,
  said: Record<string, string>,
  refused: readonly string[],
  tries: (name: string) => unknown,
): void {
  it.each(Object.keys(said))('%s is supported', (name) => {
    expect(isRefused(() => tries(name))).toBe(false);
  });
  it.each([...refused])('%s is refused by name', (name) => {
    expect(isRefused(() => tries(name))).toBe(true);
  });
  it('the document says so', () => {
    const rows = Object.entries(said).map(([name, what]) => [`\`${name}\``, what]);
    const not = refused.length === 0 ? '' : `\n\nRefused: ${refused.map((name) => `\`${name}\``).join(', ')}.`;
    expectSection(FILE, section, `${table(['name', 'what it does'], rows)}${not}`);
  });
}

/** The type makes this list whole: a type of parameter without its line does not compile. */
const PARAMETERS: Record<ToolParameter['type'], string> = {
  data: 'a dataset; `multiple` takes several, and lists; mapped over when given a list where one is wanted',
  data_collection: 'a list, pair or nested collection of the types in `collection_type`',
  text: 'a line, or more with `area`; suggestions by `<option>`',
  integer: 'a whole number with `min` and `max`',
  float: 'a number with `min` and `max`',
  boolean: 'yes or no, printed as `truevalue` or `falsevalue`',
  select: 'one or several (`multiple`) of `<option>`s, or of `<options>` from elsewhere',
  hidden: 'a fixed text',
  data_column: 'a column of the dataset in `data_ref`',
  color: 'a colour',
  conditional: 'one parameter that chooses a `<when>`',
  repeat: 'a group that is repeated, with `min` and `max`',
  section: 'a group with a title',
  baseurl: 'a text',
  hidden_data: 'a dataset that the form does not show',
  genomebuild: 'a genome build of the table `__dbkeys__`',
  drill_down: 'choices within choices',
  group_tag: 'a `group:` tag of the collection in `data_ref`',
};
const GROUPS = ['conditional', 'repeat', 'section'];

describe('parameter types', () => {
  held('parameter types', PARAMETERS, ['file', 'ftpfile', 'library_data', 'directory_uri', 'rules'], (type) => {
    const group = GROUPS.includes(type);
    return parseInputs(
      xml(group ? `<inputs><${type} name="a"/></inputs>` : `<inputs><param name="a" type="${type}"/></inputs>`),
      {
        sanitize: true,
      },
    );
  });
});

const VALIDATORS: Record<string, string> = {
  regex: 'the text matches from its beginning',
  length: '`min`, `max` characters',
  in_range: '`min`, `max`, `exclude_min`, `exclude_max`',
  expression: 'a Python expression over `value`, evaluated by the interpreter of the templates',
  empty_field: 'something was typed',
  no_options: 'there is something to choose',
  value_in_data_table: 'the value is in a data table',
  value_not_in_data_table: 'it is not',
  unspecified_build: 'the dataset has a genome build',
  dataset_ok_validator: 'the dataset is ok',
  empty_dataset: 'the dataset is not empty',
  empty_extra_files_path: 'it has further files',
  metadata: 'the metadata in `check` are set',
  dataset_metadata_equal: 'one metadatum has a value',
  dataset_metadata_in_range: 'one is between `min` and `max`',
  dataset_metadata_in_data_table: 'one is in a data table',
  dataset_metadata_not_in_data_table: 'one is not',
};

describe('validators', () => {
  held('validators', VALIDATORS, ['dataset_metadata_in_file'], (type) =>
    parseValidator(xml(`<validator type="${type}">value</validator>`)),
  );
});

const FILTERS: Record<string, string> = {
  data_meta: 'rows by a metadatum of a dataset, or its values as rows',
  param_value: 'rows by the value of another parameter',
  static_value: 'rows with a value in a column',
  regexp: 'rows whose column matches',
  unique_value: 'each value of a column once',
  multiple_splitter: 'one row for each part of a column',
  attribute_value_splitter: 'one row for each name in `name "value"; …`',
  add_value: 'a row more',
  remove_value: 'rows less',
  sort_by: 'order by a column',
  data_table: 'rows that a data table has, or has not',
};

describe('filters of options', () => {
  held('filters', FILTERS, [], (type) => parseFilter(xml(`<filter type="${type}"/>`)));
});

describe('sources of options', () => {
  held(
    'sources of options',
    {
      from_data_table: 'rows of a data table of the node',
      from_dataset: 'lines of a dataset of the user',
      from_file: 'lines of a file in `tool-data`',
    },
    ['from_parameter', 'from_url', 'meta_file_key', 'transform_lines'],
    (name) => dynamicOptionsOf(xml(`<options ${name}="a"/>`)),
  );
});

const OUTPUTS: Record<string, string> = {
  '<data>':
    '`format`, `format_source`, `metadata_source`, `from_work_dir`, `label`, `hidden`, `auto_format`, `default_identifier_source`, `precreate_directory`',
  '<collection>':
    '`type`, `type_source` or `structured_like`, with `inherit_format`; elements written out or discovered',
  '<output type="data">': 'as `<data>`',
  '<output type="collection">': 'as `<collection>`',
  '<data><filter>': 'the output is made when all hold: Python expressions over the parameters',
  '<data><change_format>': 'another format by a parameter, or by an attribute of an input (`input_dataset`)',
  '<data><discover_datasets>': 'files that the run left become datasets',
  '<data><actions>': 'format and metadata by rules, see below',
};

function outputXml(name: string): XmlElement {
  const [outer = '', inner] = name.slice(1, -1).split('><');
  const kind = outer.split(' ')[0];
  const more = outer.includes('collection') ? ' type_source="x"' : '';
  return xml(`<outputs><${outer} name="a"${more}>${inner === undefined ? '' : `<${inner}/>`}</${kind}></outputs>`);
}

describe('what stands in <outputs>', () => {
  held('outputs', OUTPUTS, ['<output type="integer">', '<output type="text">', '<output type="boolean">'], (name) =>
    parseOutputs(outputXml(name), { check: true, trimFromWorkDir: true } as never),
  );
});

const PATTERNS: Record<string, string> = {
  __default__: '`primary_DATASET_ID_designation_visible_ext[_dbkey]`',
  __name__: 'the whole file name is the name',
  __designation__: 'the whole file name is the designation',
  __name_and_ext__: '`name.ext`',
  __designation_and_ext__: '`designation.ext`',
  '(?P<designation>.+)\\.(?P<ext>\\w+)':
    'any Python pattern; groups `designation`, `name`, `ext`, `dbkey`, `visible`, `identifier_0`, …',
};

describe('patterns of <discover_datasets>', () => {
  held('patterns', PATTERNS, [], (pattern) =>
    parseDiscover(xml(`<discover_datasets pattern="${pattern.replaceAll('<', '&lt;')}"/>`), { format: 'txt' } as never),
  );
});

const ACTIONS: Record<string, string> = {
  '<action type="metadata">': 'sets a metadatum: a `default`, or an `<option>`',
  '<action type="format">': 'sets the format',
  '<option type="from_param">': 'a parameter, or an attribute of its dataset',
  '<option type="from_data_table">': 'a row of a data table',
  ...Object.fromEntries(
    [
      ['param_value', 'rows by a parameter; `compare` is `eq`, `ne`, `startswith`, `endswith` or `in`'],
      ['insert_column', 'a column more'],
      ['column_strip', 'blanks or characters off the ends'],
      ['column_replace', 'one text for another'],
      ['string_function', '`lower`, `upper`, `strip`'],
      ['multiple_splitter', 'one row for each part'],
    ].map(([name, what]) => [`<filter type="${name}">`, what ?? '']),
  ),
};

function actionXml(name: string): XmlElement {
  const end = name.replace(/>$/, '/>');
  const filter = name.includes('string_function')
    ? end.replace('/>', ' name="lower"/>')
    : end.replace('/>', ' column="0"/>');
  const option = name.startsWith('<filter') ? `<option type="from_param" name="a">${filter}</option>` : end;
  return xml(`<actions>${name.startsWith('<action ') ? end : `<action type="format">${option}</action>`}</actions>`);
}

describe('actions of outputs', () => {
  held(
    'actions',
    ACTIONS,
    ['<option type="from_file">', '<filter type="metadata_value">', '<filter type="boolean">'],
    (name) => parseActions(actionXml(name), { check: true, python: 3 }),
  );
});

describe('elements and attributes that are refused', () => {
  const REFUSED: Record<string, string> = {
    '<code>': 'Python of the wrapper inside the server',
    '<action>': 'the same',
    '<type>': 'the same',
    '<expression>': 'JavaScript of a wrapper (an expression tool)',
    '<entry_points>': 'interactive tools: a node passes nobody on to a job',
    '<request_param_translation>': 'data sources: other web sites that send data here',
    '<credentials>': 'secrets for tools; optional ones are left out with a note',
    'tool_type="manage_data"':
      'and every other type than the default: data managers, data sources, interactive and expression tools',
    'detect_errors="other"': 'anything but `default`, `exit_code`, `aggressive`',
    'dynamic_options=': 'Python again',
    'inject=': 'a secret or an address of the user in the environment of a job',
  };
  const whole = (attributes: string, inside: string, command = '<command>x</command>') =>
    readTool(
      { root: xml(`<tool id="a" name="A" version="1" ${attributes}>${command}${inside}</tool>`), templates: new Map() },
      { file: 'tool.xml', check: true },
    );
  const tries: Record<string, () => unknown> = {
    '<credentials>': () => parseRequirements(xml('<requirements><credentials name="a"/></requirements>'), []),
    'tool_type="manage_data"': () => whole('tool_type="manage_data"', ''),
    'detect_errors="other"': () => whole('', '', '<command detect_errors="other">x</command>'),
    'dynamic_options=': () => whole('', '<inputs><param name="a" type="select" dynamic_options="f()"/></inputs>'),
    'inject=': () =>
      whole('', '<environment_variables><environment_variable name="A" inject="api_key"/></environment_variables>'),
  };

  it.each(Object.keys(REFUSED))('%s is refused by name', (name) => {
    const attempt = tries[name] ?? (() => whole('', name.replace('>', '/>')));
    expect(isRefused(attempt)).toBe(true);
  });

  it('the document says so', () => {
    const rows = Object.entries(REFUSED).map(([name, why]) => [`\`${name}\``, why]);
    expectSection(FILE, 'refused', table(['what', 'what it would be'], rows));
  });
});

describe('lists that are data', () => {
  it('the profiles', () => {
    const rows = PROFILE_CHANGES.map(({ since, what }) => [since, cell(what)]);
    const text = `${table(['since', 'what it means'], rows)}\n\nWithout a profile: ${OLDEST_PROFILE}. Newer than ${NEWEST_PROFILE}: refused.`;
    expectSection(FILE, 'profiles', text);
  });

  it('the assertions of tests', () => {
    const names = assertionNames();
    expect(names.length).toBeGreaterThan(15);
    expectSection(FILE, 'assertions', names.map((name) => `\`${name}\``).join(' · '));
  });

  it('the comparisons of tests', () => {
    expectSection(FILE, 'comparisons', COMPARES.map((name) => `\`${name}\``).join(' · '));
  });

  it('the data tables that are there without a configuration', () => {
    const tables = createDataTables({ folder: '/nowhere' });
    const rows = tables.names().map((name) => {
      const columns = [...(tables.definition(name)?.columns ?? [])];
      const places = new Map(columns.map(([column, place]) => [place, column]).reverse() as [number, string][]);
      return [
        `\`${name}\``,
        [...places]
          .sort(([a], [b]) => a - b)
          .map(([, column]) => column)
          .join(', '),
      ];
    });
    expect(rows.length).toBeGreaterThan(10);
    expectSection(FILE, 'data tables', table(['table', 'columns of a line'], rows));
  });
});
