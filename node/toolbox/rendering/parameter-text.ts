/** A plain parameter as templates see it: it prints as the wrapper wants it, and compares as what it holds. */
import type { JsonValue } from '../../../protocol/log/entry.js';
import { attributeError } from '../cheetah/errors.js';
import { methodOf } from '../cheetah/methods.js';
import { STRING_METHODS } from '../cheetah/string-methods.js';
import { str } from '../cheetah/template.js';
import { Callable, Float, numeric, plain, TemplateObject, Tuple, type Value } from '../cheetah/values.js';
import type { LoadedParameter } from '../loaded.js';
import { choicesOf, type OptionSource, rowsOf } from '../parameters/dynamic-options.js';
import { flatTree } from '../parameters/parameter-value.js';
import type { Sanitize } from '../parameters/sanitizer.js';
import type { ToolOptionNode } from '../tool.js';
import { jsonValue } from './template-values.js';

const TEXTS: ReadonlySet<string> = new Set(['text', 'hidden', 'color', 'baseurl']);
const CHOSEN: ReadonlySet<string> = new Set(['select', 'data_column', 'drill_down', 'group_tag', 'genomebuild']);

export class ParameterValue extends TemplateObject {
  readonly typeName: string;
  constructor(
    private readonly parameter: LoadedParameter,
    private readonly held: JsonValue,
    private readonly source: OptionSource,
  ) {
    super();
    this.typeName = CHOSEN.has(parameter.type) ? 'SelectToolParameterWrapper' : 'InputValueWrapper';
  }

  text(): string {
    const { parameter, held } = this;
    switch (parameter.type) {
      case 'boolean': {
        const { truevalue = 'true', falsevalue = 'false' } = parameter.attributes;
        return held === true ? truevalue : falsevalue;
      }
      case 'integer':
        return held === null ? '' : String(held);
      case 'float':
        return held === null ? '' : str(new Float(Number(held)));
      case 'select':
      case 'data_column':
      case 'drill_down':
      case 'group_tag':
      case 'genomebuild':
        if (held === null || (Array.isArray(held) && held.length === 0)) return 'None';
        return this.texts().join(parameter.attributes.separator ?? ',');
      default:
        return held === null ? '' : parameter.sanitize(String(held));
    }
  }

  private texts(): string[] {
    return this.values().map((value) => this.parameter.sanitize(value));
  }

  /** One of several: as the wrapper wrote it where it is the wrapper's own word, and else without what a shell reads. */
  private one(value: string): string {
    const { parameter } = this;
    const isOwn = parameter.dynamic === undefined && parameter.options?.some((option) => option.value === value);
    return parameter.type === 'select' && isOwn ? value : parameter.sanitize(value);
  }

  private values(): string[] {
    const { parameter, held } = this;
    const values = (Array.isArray(held) ? held : [held]).map((value) => String(value ?? ''));
    if (parameter.type !== 'drill_down' || parameter.attributes.hierarchy !== 'recurse') return values;
    return [...new Set(values.flatMap((value) => leavesOf(parameter.tree ?? [], value)))];
  }

  override truth(): boolean {
    if (Array.isArray(this.held)) return this.held.length > 0;
    return this.held !== null && this.held !== '' && this.held !== false && this.held !== 0;
  }

  override plain(other?: Value): Value {
    const { parameter, held } = this;
    if (parameter.type === 'boolean') {
      if (typeof other !== 'string') return held === true;
      const { truevalue = 'true', falsevalue = 'false' } = parameter.attributes;
      if (other === truevalue || other === falsevalue) return this.text();
      // Any other text is read as Galaxy reads one: "true", "yes", "on" and "1" are true.
      if ((held === true) === isTrueText(other)) return other;
      return other === '' ? 'False' : '';
    }
    // Of a choice that was not made: it prints None, and is equal to no text as well.
    if (other === '' && CHOSEN.has(parameter.type) && this.isNothing()) return '';
    if (typeof other === 'string' || (Array.isArray(held) && !Array.isArray(other))) return this.text();
    if (Array.isArray(held)) return this.texts();
    if (held === null) return other === undefined ? this.text() : null;
    if (parameter.type === 'integer') return Number(held);
    if (parameter.type === 'float') return new Float(Number(held));
    // A text that is a number compares and counts with numbers, as in Galaxy.
    const text = this.text();
    if (other !== undefined && numeric(plain(other)) !== undefined && /^[+-]?\d+(?:\.\d+)?$/.test(text)) {
      return text.includes('.') ? new Float(Number(text)) : Number(text);
    }
    return text;
  }

  private isNothing(): boolean {
    return this.held === null || (Array.isArray(this.held) && this.held.length === 0);
  }

  override iterate(): Value[] | undefined {
    if (Array.isArray(this.held)) return this.values().map((value) => this.one(value));
    return this.parameter.multiple ? [] : undefined;
  }

  attribute(name: string): Value | undefined {
    const { parameter, held } = this;
    switch (name) {
      case 'value':
        if (Array.isArray(held)) return this.values().map((value) => this.one(value));
        if (typeof held === 'string') return parameter.sanitize(held);
        return parameter.type === 'float' && typeof held === 'number' ? new Float(held) : jsonValue(held);
      case 'fields':
        return parameter.dynamic ? new FieldsValue(parameter, this.rawValues(), this.source) : undefined;
      case 'value_label':
        return CHOSEN.has(parameter.type) ? this.labels() : undefined;
      case 'name':
        return CHOSEN.has(parameter.type) ? parameter.name : undefined;
      default:
        return TEXTS.has(parameter.type) && typeof held === 'string' ? this.method(name, held) : undefined;
    }
  }

  /**
   * A method of the text works on what the user wrote, as in Galaxy, so that a line end can be split at; what it gives
   * is sanitized before anything else sees it.
   */
  private method(name: string, held: string): Value | undefined {
    const { sanitize } = this.parameter;
    if (!STRING_METHODS.has(name) || sanitize(held) === held) return undefined;
    return new Callable(name, (args, meter) => {
      const method = methodOf(held, name, meter);
      if (!method) throw attributeError(`'str' object has no attribute '${name}'`);
      return cleaned(method.call(args, meter), sanitize);
    });
  }

  private rawValues(): string[] {
    if (this.held === null) return [];
    return (Array.isArray(this.held) ? this.held : [this.held]).map((value) => String(value ?? ''));
  }

  private labels(): string {
    const { parameter } = this;
    const options =
      parameter.type === 'drill_down' ? flatTree(parameter.tree ?? []) : choicesOf(parameter, this.source).options;
    return this.rawValues()
      .map((value) => parameter.sanitize(options.find((option) => option.value === value)?.label ?? value))
      .join(',');
  }
}

function isTrueText(text: string): boolean {
  return ['true', 'yes', 'on', '1'].includes(text.toLowerCase());
}

/** Every text in what a method of texts gives: a text, a list or a tuple of them. */
function cleaned(value: Value, sanitize: Sanitize): Value {
  if (typeof value === 'string') return sanitize(value);
  if (Array.isArray(value)) return value.map((one) => cleaned(one, sanitize));
  return value instanceof Tuple ? new Tuple(value.items.map((one) => cleaned(one, sanitize))) : value;
}

/** The values of the leaves below a choice; of a leaf, its own. */
function leavesOf(tree: readonly ToolOptionNode[], value: string): string[] {
  for (const node of tree) {
    if (node.value === value) return node.children.length === 0 ? [value] : flatLeaves(node.children);
    const found = leavesOf(node.children, value);
    if (found.length > 0) return found;
  }
  return [];
}

function flatLeaves(tree: readonly ToolOptionNode[]): string[] {
  return tree.flatMap(({ value, children }) => (children.length === 0 ? [value] : flatLeaves(children)));
}

/**
 * `$ref.fields.path`: the other columns of the line that was chosen. They are what the operator of the node wrote, so
 * they are not sanitized; a choice whose line is gone since has none.
 */
class FieldsValue extends TemplateObject {
  readonly typeName = 'FieldAttributes';
  constructor(
    private readonly parameter: LoadedParameter,
    private readonly values: readonly string[],
    private readonly source: OptionSource,
  ) {
    super();
  }
  text(): string {
    return this.values.join(',');
  }
  override truth(): boolean {
    return this.values.length > 0;
  }
  attribute(name: string): Value | undefined {
    const { dynamic } = this.parameter;
    if (!dynamic) return undefined;
    const { rows, columns } = rowsOf(dynamic, this.source);
    const place = columns.place(name);
    if (place === undefined) return undefined;
    const chosen = this.values.flatMap((value) => rows.find((row) => row[columns.value] === value) ?? []);
    const unfiltered = chosen.length === this.values.length ? rows : rowsOf(dynamic, this.source, false).rows;
    const found = this.values.map((value) => unfiltered.find((row) => row[columns.value] === value)?.[place]);
    if (found.length === 0 || found.includes(undefined)) return null;
    const text = found.join(this.parameter.attributes.separator ?? ',');
    return dynamic.source.kind === 'table' ? text : this.parameter.sanitize(text);
  }
}
