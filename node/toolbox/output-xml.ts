/** `<outputs>` → what a tool makes. Collections and discovered datasets are refused by name. */
import { isAbsolute } from 'node:path';
import { compileExpression, compileTemplate } from './cheetah/template.js';
import { malformed, translated, unsupported } from './errors.js';
import type { LoadedOutput } from './loaded.js';
import { element, elements, flag, templateOf, textOf, type XmlElement } from './wrapper-xml.js';

export function parseOutputs(parent: XmlElement | undefined): LoadedOutput[] {
  if (parent?.attributes.provided_metadata_file !== undefined) throw unsupported('provided_metadata_file', parent);
  const outputs = elements(parent).map((child) => {
    if (child.name !== 'data') throw unsupported(`<${child.name}> among the outputs`, child);
    return parseData(child);
  });
  const names = new Set(outputs.map(({ name }) => name));
  if (parent && names.size < outputs.length) throw malformed('two outputs have one name', parent);
  return outputs;
}

function parseData(child: XmlElement): LoadedOutput {
  const { name, label, format_source: formatSource, metadata_source: metadataSource } = child.attributes;
  if (!name || !/^[A-Za-z_]\w*$/.test(name)) throw malformed(`"${name ?? ''}" cannot be an output's name`, child);
  const known = new Set(['filter', 'change_format', 'label']);
  const other = elements(child).find((inner) => !known.has(inner.name));
  if (other) throw unsupported(`<${other.name}> in an output`, other);
  const fromWorkDir = child.attributes.from_work_dir;
  if (fromWorkDir !== undefined && (isAbsolute(fromWorkDir) || fromWorkDir.split('/').includes('..'))) {
    throw malformed(`from_work_dir="${fromWorkDir}" leaves the working folder`, child);
  }
  const filters = elements(child, 'filter').filter((filter) => textOf(filter).trim() !== '');
  const changes = elements(child, 'change_format').flatMap((change) => elements(change, 'when'));
  const labelText = label ?? (element(child, 'label') ? textOf(element(child, 'label')) : undefined);
  return {
    name,
    kind: 'data',
    format: flag(child.attributes.auto_format, false) ? '_sniff_' : (child.attributes.format ?? 'data').trim(),
    ...(formatSource === undefined ? {} : { formatSource }),
    ...(metadataSource === undefined ? {} : { metadataSource }),
    ...(labelText === undefined ? {} : { label: labelText }),
    ...(fromWorkDir === undefined ? {} : { fromWorkDir }),
    hidden: flag(child.attributes.hidden, false),
    filters: filters.map((filter) => textOf(filter).trim()),
    changeFormat: changes
      .filter((when) => when.attributes.input_dataset === undefined)
      .map((when) => ({
        input: required(when, 'input'),
        value: required(when, 'value'),
        format: required(when, 'format'),
      })),
    labelTemplate:
      labelText === undefined
        ? undefined
        : translated(true, () => compileTemplate(labelText, { file: child.file, line: child.line })),
    filterExpressions: filters.map((filter) => {
      const { text, place } = templateOf(filter);
      return translated(true, () => compileExpression(text, place));
    }),
    changeByValue: changes
      .filter((when) => when.attributes.input_dataset === undefined)
      .map((when) => {
        const input = required(when, 'input');
        const source = input.includes('$') ? input : `\${${input}}`;
        return {
          input: translated(true, () => compileTemplate(source, when)),
          value: required(when, 'value'),
          format: required(when, 'format'),
        };
      }),
    changeByDataset: changes
      .filter((when) => when.attributes.input_dataset !== undefined)
      .map((when) => ({
        input: required(when, 'input_dataset'),
        attribute: when.attributes.attribute ?? 'ext',
        value: required(when, 'value'),
        format: required(when, 'format'),
      })),
  };
}

function required(when: XmlElement, name: string): string {
  const value = when.attributes[name];
  if (value === undefined) throw malformed(`<when> in <change_format> without ${name}`, when);
  return value;
}
