/** `<environment_variables>` and `<configfiles>`: what a tool finds beside its command line. */
import { malformed, unsupported } from '../errors.js';
import type { ConfigFile, EnvironmentVariable } from '../loaded.js';
import { type Rendering, templateIn } from './source-template.js';
import { elements, flag, textOf, type XmlElement } from './wrapper-xml.js';

export function parseEnvironment(parent: XmlElement | undefined, rendering: Rendering): EnvironmentVariable[] {
  return elements(parent, 'environment_variable').map((child) => {
    const { name, inject } = child.attributes;
    if (inject !== undefined && inject !== '') {
      // An API key or a token of the person in a job's environment: a job could act in her name, on any node.
      throw unsupported(`inject="${inject}", which would give the job a secret or an address of its user`, child);
    }
    if (!name || !/^[A-Za-z_]\w*$/.test(name)) throw malformed(`"${name ?? ''}" cannot be a variable's name`, child);
    return { name, template: templateIn(child, rendering), strip: flag(child.attributes.strip, false) };
  });
}

const DATA_STYLES = new Set(['', 'paths', 'staging_path_and_source_path']);

export function parseConfigFiles(parent: XmlElement | undefined, rendering: Rendering): ConfigFile[] {
  return elements(parent).map((child, index): ConfigFile => {
    const { filename, name = filename ?? `config_${index}` } = child.attributes;
    if (filename !== undefined && !/^\w[\w.-]*$/.test(filename)) {
      throw malformed(`"${filename}" cannot be a configuration file's name`, child);
    }
    if (!/^\w[\w.-]*$/.test(name)) throw malformed(`"${name}" cannot be a configuration file's name`, child);
    switch (child.name) {
      case 'configfile':
        return { kind: 'template', name, filename, template: templateIn(child, rendering) };
      case 'inputs': {
        const style = child.attributes.data_style ?? '';
        if (!DATA_STYLES.has(style)) throw unsupported(`data_style="${style}"`, child);
        if (textOf(child).trim() !== '') throw unsupported('<inputs> with text in <configfiles>', child);
        return {
          kind: 'inputs',
          name: child.attributes.name ?? filename ?? 'inputs',
          filename,
          dataStyle: style === '' ? 'none' : (style as 'paths' | 'staging_path_and_source_path'),
          spot: { file: child.file, line: child.line },
        };
      }
      default:
        throw unsupported(`<${child.name}> in <configfiles>`, child);
    }
  });
}
