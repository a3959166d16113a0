/** Tools as `galaxy-node tool list` and `show` print them. */
import type { LoadedParameter, LoadedTool } from '../toolbox/loaded.js';
import type { Resolution } from '../toolbox/requirements/requirements.js';
import type { Tool, ToolProblem } from '../toolbox/tool.js';
import type { OfflineToolbox } from './offline.js';

export interface ToolLine {
  id: string;
  version: string;
  name: string;
  description: string;
  section: string;
  origin: string;
  hidden: boolean;
  file: string;
  /** Packages that nothing here gives. */
  missing: string[];
}

export interface ToolList {
  tools: ToolLine[];
  problems: ToolProblem[];
}

export function listTools({ toolbox, resolver, origin }: OfflineToolbox): ToolList {
  const order = new Map(toolbox.sections().map(({ name }, index) => [name, index]));
  const place = (section: string) => order.get(section) ?? order.size;
  const tools = toolbox.tools().map((tool) => ({
    id: tool.id,
    version: tool.version,
    name: tool.name,
    description: tool.description,
    section: tool.section.name,
    origin: origin(tool.file),
    hidden: tool.hidden,
    file: tool.file,
    missing: resolver.resolve(loaded(tool)).missing.map(({ name }) => name),
  }));
  tools.sort((a, b) => place(a.section) - place(b.section) || (a.id < b.id ? -1 : 1));
  return { tools, problems: toolbox.problems() };
}

export function listText({ tools, problems }: ToolList): string[] {
  const lines: string[] = [];
  const width = Math.min(36, Math.max(0, ...tools.map(({ id }) => id.length)));
  let section: string | undefined;
  for (const tool of tools) {
    if (tool.section !== section) lines.push(...(section === undefined ? [] : ['']), tool.section);
    section = tool.section;
    const marks = [
      ...(tool.origin === 'bundled' ? [] : [tool.origin]),
      ...(tool.hidden ? ['hidden'] : []),
      ...(tool.missing.length > 0 ? [`not installed here: ${tool.missing.join(', ')}`] : []),
    ];
    const said = `${tool.name} ${tool.description}`.trim();
    lines.push(
      `  ${tool.id.padEnd(width)}  ${tool.version.padEnd(10)}  ${said}${marks.length > 0 ? ` [${marks.join('; ')}]` : ''}`,
    );
  }
  if (problems.length > 0) {
    lines.push('', 'Not loaded:');
    for (const { file, line, message } of problems) {
      lines.push(`  ${file}${line === undefined ? '' : `:${line}`}`, `    ${message}`);
    }
  }
  return lines;
}

export interface ShownTool {
  id: string;
  version: string;
  versions: string[];
  name: string;
  description: string;
  section: string;
  origin: string;
  file: string;
  profile: string;
  inputs: ShownParameter[];
  outputs: { name: string; kind: string; format: string; label: string | null }[];
  packages: Resolution['packages'];
  container: string | null;
  missing: string[];
  tests: number;
  notes: { file: string; line: number; message: string }[];
}

interface ShownParameter {
  /** As a test or a request names it. */
  path: string;
  type: string;
  label: string;
  optional: boolean;
  detail: string;
}

export function describeShown(
  { toolbox, resolver, origin }: OfflineToolbox,
  id: string,
  version: string | undefined,
): ShownTool | undefined {
  const found = toolbox.tool(id, version);
  if (found === undefined) return undefined;
  const tool = loaded(found);
  const { packages, container, missing } = resolver.resolve(tool);
  return {
    id: tool.id,
    version: tool.version,
    versions: toolbox
      .tools()
      .filter((one) => one.id === id)
      .map((one) => one.version),
    name: tool.name,
    description: tool.description,
    section: tool.section.name,
    origin: origin(tool.file),
    file: tool.file,
    profile: tool.profile,
    inputs: parameters(tool.inputs, ''),
    outputs: tool.outputs.map(({ name, kind, format, label }) => ({ name, kind, format, label: label ?? null })),
    packages,
    container: container === undefined ? null : `${container.engine}: ${container.image}`,
    missing: missing.map(({ name }) => name),
    tests: tool.tests.length,
    notes: tool.notes,
  };
}

export function shownText(tool: ShownTool): string[] {
  const lines = [
    `${tool.name} ${tool.description}`.trim(),
    `  id        ${tool.id}, version ${tool.version}${tool.versions.length > 1 ? ` (also ${tool.versions.filter((one) => one !== tool.version).join(', ')})` : ''}`,
    `  section   ${tool.section}`,
    `  wrapper   ${tool.file} (${tool.origin}, profile ${tool.profile}, ${tool.tests} tests)`,
  ];
  lines.push('Inputs');
  if (tool.inputs.length === 0) lines.push('  none');
  for (const { path, type, label, optional, detail } of tool.inputs) {
    const facts = [type, ...(optional ? ['optional'] : []), ...(detail === '' ? [] : [detail])].join(', ');
    lines.push(`  ${path}  (${facts})${label === '' ? '' : `  ${label}`}`);
  }
  lines.push('Outputs');
  if (tool.outputs.length === 0) lines.push('  none');
  for (const { name, kind, format, label } of tool.outputs) {
    lines.push(
      `  ${name}  (${kind === 'collection' ? 'collection of ' : ''}${format})${label === null ? '' : `  ${label}`}`,
    );
  }
  lines.push('Packages');
  if (tool.packages.length === 0) lines.push('  none');
  for (const { name, version, by, programs } of tool.packages) {
    lines.push(`  ${version === undefined ? name : `${name} ${version}`}  ${sourceOf(by, programs)}`);
  }
  if (tool.container !== null) lines.push(`  runs in a container (${tool.container})`);
  if (tool.missing.length > 0) {
    lines.push('  Install what is missing, or configure tools.environment or tools.container (docs/TOOLS.md).');
  }
  if (tool.notes.length > 0) lines.push('Without effect here');
  for (const { line, message } of tool.notes) lines.push(`  line ${line}: ${message}`);
  return lines;
}

function sourceOf(by: Resolution['packages'][number]['by'], programs: readonly string[]): string {
  switch (by) {
    case 'path':
      return programs.length === 0 ? 'nothing to look for' : `on PATH: ${programs.join(', ')}`;
    case 'environment':
      return 'by the script tools.environment';
    case 'container':
      return 'in the container';
    case 'nothing':
      return `NOT INSTALLED: ${programs.join(', ')} is not on PATH`;
  }
}

function parameters(inputs: readonly LoadedParameter[], prefix: string): ShownParameter[] {
  return inputs.flatMap((one): ShownParameter[] => {
    const path = `${prefix}${one.name}`;
    const base = { path, type: one.type, label: one.label, optional: one.optional };
    switch (one.type) {
      case 'section':
        return [{ ...base, detail: '' }, ...parameters(one.inputs ?? [], `${path}|`)];
      case 'repeat':
        return [{ ...base, detail: '' }, ...parameters(one.inputs ?? [], `${path}_0|`)];
      case 'conditional': {
        const test = one.test ? parameters([one.test], `${path}|`) : [];
        const cases = (one.cases ?? []).flatMap(({ value, inputs: inner }) =>
          parameters(inner, `${path}|`).map((shown) => ({
            ...shown,
            detail: [shown.detail, `when ${value}`].filter(Boolean).join(', '),
          })),
        );
        return [...test, ...cases];
      }
      default:
        return [{ ...base, detail: detailOf(one) }];
    }
  });
}

function detailOf({ formats, options, multiple, value }: LoadedParameter): string {
  const parts: string[] = [];
  if (formats?.length) parts.push(formats.join('/'));
  if (multiple) parts.push('several');
  if (options?.length)
    parts.push(
      options
        .slice(0, 12)
        .map((option) => option.value)
        .join('|'),
    );
  if (value !== undefined && value !== null && value !== '') parts.push(`default ${JSON.stringify(value)}`);
  return parts.join(', ');
}

/** Every tool of a toolbox is one. */
export function loaded(tool: Tool): LoadedTool {
  return tool as LoadedTool;
}
