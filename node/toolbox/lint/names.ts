/** Names: parameters that are used and not there, twice there, outputs without one, texts that a shell would read. */
import { nearMiss } from '../wrapper/near-miss.js';
import { element, elements, flag, spotOfLine, textOf, type XmlElement } from '../wrapper/wrapper-xml.js';
import type { Findings } from './finding.js';

/** What every template has. */
const GIVEN = new Set(
  (
    'tool input_values input output on_string dbkey chromInfo userId userEmail GALAXY_DATA_INDEX_DIR GALAXY_ROOT_DIR ' +
    'GALAXY_URL GALAXY_SLOTS __tool_directory__ __galaxy_url__ __user__ __user_id__ __user_email__ __user_name__ ' +
    '__history_id__ __root_dir__ __app__ __datatypes_config__ __admin_users__ __new_file_path__ ' +
    '__tool_data_path__ __get_data_table_entry__ __local_working_directory__ __job_id__ __request_id__ ' +
    '__admin_mail__ __compute_cache_path__ dataset_collector_descriptions self'
  ).split(' '),
);
const BUILTIN = new Set(
  (
    'abs all any ascii basestring bool bytes callable chr dict dir divmod enumerate filter float format frozenset ' +
    'getattr getVar hasattr hash hex id int isinstance len list long map max min next None True False not object ' +
    'open ord pow print range raw_input repr reversed round set slice sorted str sum tuple type unicode varExists ' +
    'vars xrange zip in is and or if else for lambda import from as Exception ValueError KeyError TypeError'
  ).split(' '),
);
const PLACEHOLDER = /(?<!\\)\$(?:\{\s*)?([A-Za-z_]\w*)/g;

interface Declared {
  names: Set<string>;
  texts: Set<string>;
}

export function lintNames(root: XmlElement, findings: Findings): void {
  const declared: Declared = { names: new Set(), texts: new Set() };
  collect(element(root, 'inputs'), declared, findings, 0);
  outputs(root, declared, findings);
  for (const file of elements(element(root, 'configfiles'))) {
    const name = file.attributes.name ?? file.attributes.filename;
    if (name !== undefined) declared.names.add(name);
    else if (file.name === 'inputs') declared.names.add('inputs');
  }
  // Names that a template makes itself count everywhere: order and scope are the interpreter's business.
  const templates = [element(root, 'command'), ...elements(element(root, 'configfiles'), 'configfile')].filter(
    (one): one is XmlElement => one !== undefined,
  );
  for (const template of [...templates, ...elements(element(root, 'environment_variables'))]) {
    for (const name of assigned(textOf(template))) declared.names.add(name);
  }
  for (const name of Object.keys(root.attributes)) if (name.startsWith('token_')) declared.names.add(name);
  for (const template of templates) undeclared(template, declared, findings);
  const command = element(root, 'command');
  if (command) unquoted(command, declared, findings);
}

function collect(parent: XmlElement | undefined, declared: Declared, findings: Findings, depth: number): void {
  const here = new Map<string, XmlElement>();
  for (const child of elements(parent)) {
    if (child.name === 'when' || child.name === 'page') {
      collect(child, declared, findings, depth + 1);
      continue;
    }
    if (!['param', 'conditional', 'repeat', 'section'].includes(child.name)) continue;
    const name = child.attributes.name ?? child.attributes.argument?.replace(/^-+/, '').replace(/-/g, '_');
    if (!name) {
      findings.add('error', 'no-name', child, `a <${child.name}> without a name`, 'Give it one.');
      continue;
    }
    const twin = here.get(name);
    if (twin) {
      findings.add(
        'error',
        'name-twice',
        child,
        `"${name}" is there twice, first in line ${twin.line}`,
        'Give one of them another name.',
      );
    }
    here.set(name, child);
    declared.names.add(name);
    if (child.name !== 'param') collect(child, declared, findings, depth + 1);
    else if (child.attributes.type === 'text') declared.texts.add(name);
    if (child.name === 'param' && !child.attributes.type) {
      findings.add(
        'error',
        'no-type',
        child,
        `the parameter "${name}" has no type`,
        'Give it one: type="text", "integer", "data", …',
      );
    }
    if (child.name === 'param' && child.attributes.type === 'boolean' && flag(child.attributes.optional, false)) {
      findings.add(
        'info',
        'optional-boolean',
        child,
        `the boolean "${name}" is optional`,
        'A boolean always has a value: take optional out.',
      );
    }
    if (child.name === 'conditional') lintConditional(child, name, findings);
  }
}

function lintConditional(given: XmlElement, name: string, findings: Findings): void {
  const [test] = elements(given, 'param');
  if (test?.attributes.type !== 'select' || elements(test, 'options').length > 0) return;
  const values = new Set(elements(test, 'option').map((one) => one.attributes.value ?? textOf(one).trim()));
  const cases = new Set(elements(given, 'when').flatMap((one) => one.attributes.value ?? []));
  for (const value of values) {
    if (!cases.has(value)) {
      findings.add(
        'warning',
        'no-when',
        given,
        `"${name}" has no <when value="${value}">`,
        `Add <when value="${value}"/>.`,
      );
    }
  }
  for (const when of elements(given, 'when')) {
    const { value } = when.attributes;
    if (value === undefined)
      findings.add('error', 'no-value', when, 'a <when> without a value', 'Say for which choice it is.');
    else if (!values.has(value)) {
      findings.add(
        'warning',
        'unknown-when',
        when,
        `"${name}" has no choice "${value}"`,
        'Correct the value, or take it out.',
      );
    }
  }
}

function outputs(root: XmlElement, declared: Declared, findings: Findings): void {
  const seen = new Map<string, XmlElement>();
  const inputs = new Set(declared.names);
  for (const output of elements(element(root, 'outputs'))) {
    const { name } = output.attributes;
    if (!name) {
      findings.add('error', 'no-name', output, `a <${output.name}> among the outputs without a name`, 'Give it one.');
      continue;
    }
    const twin = seen.get(name);
    if (twin) {
      findings.add(
        'error',
        'name-twice',
        output,
        `the output "${name}" is there twice, first in line ${twin.line}`,
        'Give one of them another name.',
      );
    } else if (inputs.has(name)) {
      findings.add(
        'warning',
        'name-of-input',
        output,
        `the output "${name}" is named like a parameter`,
        'Give it another name.',
      );
    }
    seen.set(name, output);
    declared.names.add(name);
  }
}

/** Names that a template makes: #set, #for, #import, #def, lambda, comprehensions. */
function assigned(text: string): string[] {
  const names: string[] = [];
  const add = (list: string | undefined) => {
    for (const name of (list ?? '').matchAll(/[A-Za-z_]\w*/g)) names.push(name[0]);
  };
  for (const found of text.matchAll(/#\s*set\s+(?:global\s+)?\$?\(?\s*([^=#\n]*?)\)?\s*[-+*/%|&]?=/g)) add(found[1]);
  for (const found of text.matchAll(/\bfor\s+([^#\n]{1,200}?)\s+in\b/g)) add(found[1]);
  for (const found of text.matchAll(/#\s*(?:import|from)\s+([^\n#]{1,300})/g)) add(found[1]);
  for (const found of text.matchAll(/#\s*(?:def|block)\s+\$?(\w+)\s*(?:\(([^)\n]{0,300})\))?/g))
    add(`${found[1]} ${found[2] ?? ''}`);
  for (const found of text.matchAll(/\blambda\s+([^:\n]{1,100}):/g)) add(found[1]);
  for (const found of text.matchAll(/#\s*(?:silent|except)\b[^\n]{0,200}?(?:\bas\s+)?(\w+)\s*=?/g)) add(found[1]);
  return names;
}

function undeclared(template: XmlElement, declared: Declared, findings: Findings): void {
  for (const [index, line] of templateLines(template)) {
    for (const found of line.matchAll(PLACEHOLDER)) {
      const name = found[1] as string;
      if (declared.names.has(name) || GIVEN.has(name) || BUILTIN.has(name) || name.startsWith('__')) continue;
      const near = nearMiss(name, declared.names);
      findings.add(
        'error',
        'undeclared',
        spotOfLine(template, index),
        `$${name} is used, and nothing declares it`,
        near === undefined
          ? `Declare it among the inputs, or write \\$${name} if the shell shall read it.`
          : `Write $${near}.`,
      );
    }
  }
}

/** A text of the user outside quotes is split by the shell at its blanks. */
function unquoted(command: XmlElement, declared: Declared, findings: Findings): void {
  for (const [index, line] of templateLines(command)) {
    if (/^\s*#/.test(line)) continue;
    let quote = '';
    for (let at = 0; at < line.length; at++) {
      const next = line[at] as string;
      if (next === '\\') at++;
      else if (quote === '' && (next === "'" || next === '"')) quote = next;
      else if (next === quote) quote = '';
      else if (next === '$' && quote === '') {
        const path = /^\$\{?\s*((?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*))/.exec(line.slice(at, at + 300));
        const name = path?.[2];
        if (name === undefined || !declared.texts.has(name)) continue;
        findings.add(
          'warning',
          'unquoted-text',
          { ...spotOfLine(command, index), column: at + 1 },
          `the text $${path?.[1]} stands outside quotes`,
          `Write '$${path?.[1]}'.`,
        );
      }
    }
  }
}

/** Lines of a template without its comments, by their number. */
function templateLines(template: XmlElement): [number, string][] {
  return textOf(template)
    .replace(/#\*[\s\S]*?\*#/g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/#raw\b[\s\S]*?#end raw/g, (raw) => raw.replace(/[^\n]/g, ' '))
    .split('\n')
    .map((line, index): [number, string] => [index, line.replace(/(^|\s)##.*$/, '$1')]);
}
