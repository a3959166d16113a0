/**
 * Inputs and outputs of a user tool, in the words that wrappers have for them: what a parameter may hold, what a form
 * looks like and what is planned is decided in one place for both formats.
 */
import { malformed } from '../errors.js';
import type { XmlElement } from '../wrapper/wrapper-xml.js';
import type { UserInput, UserOutput, UserToolFile } from './schema.js';
import type { Path, YamlSource } from './yaml-source.js';

type Attributes = Record<string, string | number | boolean | null | undefined>;

export class ElementWriter {
  constructor(private readonly source: Pick<YamlSource, 'spot'>) {}

  make(name: string, path: Path, attributes: Attributes, children: XmlElement['children'] = []): XmlElement {
    const written = Object.entries(attributes).flatMap(([key, value]) =>
      value === null || value === undefined ? [] : [[key, String(value)]],
    );
    return { ...this.source.spot(path), name, attributes: Object.fromEntries(written), children };
  }

  withText(name: string, path: Path, attributes: Attributes, text: string): XmlElement {
    return this.make(name, path, attributes, [{ ...this.source.spot(path), text }]);
  }

  inputs(file: UserToolFile): XmlElement {
    return this.make('inputs', ['inputs'], {}, this.group(file.inputs ?? [], ['inputs']));
  }

  outputs(file: UserToolFile): XmlElement {
    const children = (file.outputs ?? []).map((output, index) => this.output(output, ['outputs', index]));
    return this.make('outputs', ['outputs'], {}, children);
  }

  private group(inputs: readonly UserInput[], path: Path): XmlElement[] {
    const seen = new Set<string>();
    for (const [index, { name }] of inputs.entries()) {
      if (seen.has(name)) throw malformed(`the input "${name}" is there twice`, this.source.spot([...path, index]));
      seen.add(name);
    }
    return inputs.map((input, index) => this.input(input, [...path, index]));
  }

  private input(input: UserInput, path: Path): XmlElement {
    const { name, label, help } = input;
    switch (input.type) {
      case 'conditional': {
        const whens = input.whens.map(({ discriminator, parameters }, index) => {
          const at = [...path, 'whens', index];
          return this.make('when', at, { value: discriminator }, this.group(parameters, [...at, 'parameters']));
        });
        const test = this.input(input.test_parameter, [...path, 'test_parameter']);
        return this.make('conditional', path, { name, label, help }, [test, ...whens]);
      }
      case 'repeat': {
        const { min, max, parameters } = input;
        const inner = this.group(parameters, [...path, 'parameters']);
        return this.make('repeat', path, { name, title: label ?? name, help, min, max }, inner);
      }
      case 'section': {
        const inner = this.group(input.parameters, [...path, 'parameters']);
        return this.make('section', path, { name, title: label ?? name, help }, inner);
      }
      default:
        return this.param(input, path);
    }
  }

  private param(input: Exclude<UserInput, { type: 'conditional' | 'repeat' | 'section' }>, path: Path): XmlElement {
    const { name, type, label, help, optional } = input;
    const base: Attributes = { name, type, label: label ?? name, help, optional };
    switch (input.type) {
      case 'boolean':
        return this.make('param', path, { ...base, checked: input.value ?? false });
      case 'integer':
      case 'float': {
        const { value, min, max } = input;
        return this.make('param', path, { ...base, value, min, max }, this.validators(input.validators, path));
      }
      case 'text': {
        const { value, area } = input;
        return this.make('param', path, { ...base, value, area }, this.validators(input.validators, path));
      }
      case 'select': {
        const options = input.options.map(({ label: shown, value, selected }, index) =>
          this.withText('option', [...path, 'options', index], { value, selected }, shown),
        );
        const children = [...options, ...this.validators(input.validators, path)];
        return this.make('param', path, { ...base, multiple: input.multiple }, children);
      }
      case 'color':
        return this.make('param', path, { ...base, value: input.value });
      case 'data':
        return this.make('param', path, { ...base, format: input.format, multiple: input.multiple });
      case 'data_collection':
        return this.make('param', path, { ...base, format: input.format, collection_type: input.collection_type });
    }
  }

  private validators(
    given: readonly ({ type: string; expression?: string } & Attributes)[] | null | undefined,
    path: Path,
  ): XmlElement[] {
    return (given ?? []).map(({ expression, ...attributes }, index) =>
      this.withText('validator', [...path, 'validators', index], attributes, expression ?? ''),
    );
  }

  private output(output: UserOutput, path: Path): XmlElement {
    const { name, label, hidden, format, format_source, metadata_source } = output;
    const discover = (output.discover_datasets ?? []).map((rule, index) => {
      const { pattern, format: found, visible, assign_primary_output, directory, recurse, match_relative_path } = rule;
      const reverse = rule.sort_reverse ? 'reverse_' : '';
      return this.make('discover_datasets', [...path, 'discover_datasets', index], {
        pattern,
        format: found,
        visible,
        assign_primary_output,
        directory,
        recurse,
        match_relative_path,
        sort_by: `${reverse}${rule.sort_comp ?? 'lexical'}_${rule.sort_key ?? 'filename'}`,
      });
    });
    const base: Attributes = { name, label, hidden, format, format_source, metadata_source };
    if (output.type === 'data') {
      const { from_work_dir, precreate_directory } = output;
      return this.make('data', path, { ...base, from_work_dir, precreate_directory }, discover);
    }
    const { collection_type: type, collection_type_source: type_source, structured_like, inherit_format } = output;
    return this.make('collection', path, { ...base, type, type_source, structured_like, inherit_format }, discover);
  }
}
