/**
 * `<validator>`s: what a value must be beyond its type. Python expressions are evaluated by the interpreter of the
 * templates, which has no eval; files of the server are not looked into. What looks at datasets is in
 * dataset-validator.ts.
 */
import { Effort, PatternExhausted } from '../cheetah/pattern.js';
import { TemplateError } from '../cheetah/template.js';
import { Float, truth, type Value } from '../cheetah/values.js';
import { malformed, unsupported } from '../errors.js';
import type { ToolContext } from '../tool.js';
import { expressionIn } from '../wrapper/source-template.js';
import { flag, textOf, type XmlElement } from '../wrapper/wrapper-xml.js';
import { datasetValidator, type ValidateDataset } from './dataset-validator.js';
import { pythonPattern } from './python-pattern.js';
import { bound, inRange, inTable, type Validated } from './value-rules.js';

/** The sentence that says what is wrong, or undefined. `effort`: what the whole request may take. */
export type Validate = (value: Validated, context?: Pick<ToolContext, 'tables'>, effort?: Effort) => string | undefined;

export type ParsedValidator =
  | { on: 'value'; type: string; check: Validate }
  | { on: 'dataset'; type: string; check: ValidateDataset };

type Passes = (value: Validated, context: Pick<ToolContext, 'tables'> | undefined, effort: Effort) => boolean;

const SHOWN_MAX = 60;
/** A few hundredths of a second: the node checks values while others wait. */
const STEPS_MAX = 50_000;

/** `checked`: refuse now an expression that cannot be evaluated. `float`: the parameter holds one. */
export function parseValidator(given: XmlElement, checked = true, float = false): ParsedValidator {
  const { type = '', message } = given.attributes;
  const negate = flag(given.attributes.negate, false);
  if (type === '') throw malformed('a <validator> without a type', given);
  const dataset = datasetValidator(given);
  if (dataset) return { on: 'dataset', type, check: dataset };
  const { passes, otherwise, skips } = valueRule(given, type, checked, float);
  const check: Validate = (value, context, effort) => {
    if (skips?.(value)) return undefined;
    try {
      const fits = passes(value, context, new Effort(STEPS_MAX, effort));
      return fits === negate ? said(message, otherwise, value) : undefined;
    } catch (error) {
      if (!(error instanceof PatternExhausted)) throw error;
      return 'The value could not be checked: its <validator> takes too many steps for it. A shorter value may do.';
    }
  };
  return { on: 'value', type, check };
}

/** The wrapper's sentence; `%s` in it stands for the value. */
function said(message: string | undefined, otherwise: string, value: Validated): string {
  if (message === undefined) return otherwise;
  const text = String(value ?? '');
  return message.replace('%s', () => (text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text));
}

interface Rule {
  passes: Passes;
  otherwise: string;
  skips?: (value: Validated) => boolean;
}

function valueRule(given: XmlElement, type: string, checked: boolean, float: boolean): Rule {
  switch (type) {
    case 'expression':
      return expressionRule(given, checked, float);
    case 'in_range': {
      const [min, max] = [bound(given, 'min'), bound(given, 'max')];
      return {
        passes: inRange(given, min, max),
        otherwise: `The value must be between ${min} and ${max}.`,
        skips: (value) => value === null || value === '',
      };
    }
    case 'length': {
      const [min, max] = [bound(given, 'min'), bound(given, 'max')];
      return {
        passes: (value) => {
          const length = [...String(value ?? '')].length;
          return length >= min && length <= max;
        },
        otherwise: `The text must be ${lengthRange(min, max)} characters long.`,
      };
    }
    case 'regex': {
      const source = (textOf(given) || given.attributes.expression || '').trim();
      const pattern = pythonPattern(source, given);
      return {
        passes: (value, _, effort) => pattern.match(String(value ?? ''), effort) !== undefined,
        otherwise: `The value must match ${source}.`,
      };
    }
    case 'empty_field':
      return { passes: isSaid, otherwise: 'A value is needed here.' };
    case 'no_options':
      return { passes: isSaid, otherwise: 'Choose at least one option.' };
    case 'value_in_data_table':
    case 'value_not_in_data_table':
      return tableRule(given, type === 'value_in_data_table');
    default:
      throw unsupported(`the validator "${type}"`, given);
  }
}

const isSaid: Passes = (value) => value !== null && String(value) !== '';

/** `value` is the one name that the expression has. One that fails refuses the value, as in Galaxy. */
function expressionRule(given: XmlElement, checked: boolean, float: boolean): Rule {
  if (textOf(given).trim() === '') throw malformed('a <validator type="expression"> without an expression', given);
  const expression = expressionIn({ ...given, children: trimmed(given) }, checked);
  return {
    passes: (value, _, effort) => {
      const seen: Value = typeof value === 'number' && float ? new Float(value) : value;
      try {
        return truth(expression.evaluate(new Map([['value', seen]]), { effort }));
      } catch (error) {
        if (error instanceof TemplateError && error.fault === 'limit') throw new PatternExhausted(error.reason);
        if (error instanceof TemplateError) return false;
        throw error;
      }
    },
    otherwise: `The value does not satisfy ${textOf(given).trim()}.`,
  };
}

/** Without the blanks around the text, which Python would take for an indentation. */
function trimmed({ children }: XmlElement): XmlElement['children'] {
  const texts = children.filter((child) => !('name' in child));
  const [only] = texts;
  if (texts.length !== 1 || !only || 'name' in only) return children;
  const before = only.text.length - only.text.trimStart().length;
  const lines = only.text.slice(0, before).split('\n').length - 1;
  return [
    {
      ...only,
      line: only.line + lines,
      text: only.text.trim(),
      ...(only.lines ? { lines: only.lines.slice(lines) } : {}),
    },
  ];
}

function tableRule(given: XmlElement, wanted: boolean): Rule {
  const { table_name: table, metadata_column: column = '0' } = given.attributes;
  if (!table) throw malformed(`<validator type="${given.attributes.type}"> needs table_name`, given);
  return {
    passes: (value, context) => inTable(context, table, column, String(value ?? '')) === wanted,
    otherwise: wanted
      ? `The value is not in the data table ${table} of this node.`
      : `The value is in the data table ${table} of this node already.`,
  };
}

function lengthRange(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) return `at least ${min}`;
  return Number.isFinite(min) ? `${min} to ${max}` : `at most ${max}`;
}
