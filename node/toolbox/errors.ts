/** What can go wrong with tools. A wrapper that is not loaded is a `ToolProblem`, not an error of the process. */
import { defineErrors } from '../../protocol/runtime/errors.js';
import { TemplateError } from './cheetah/template.js';

export const toolErrors = defineErrors('toolbox', {
  template: {
    kind: 'bad-request',
    say: 'The template at {file}, line {line}, cannot be rendered: {reason}.',
    mend: 'Check the parameters; if they are right, the wrapper is wrong: correct it and reload the tools.',
  },
  expression: {
    kind: 'bad-request',
    say: 'The expression at {file}, line {line}, gives no value for the command: {reason}.',
    mend: 'Check the parameters; if they are right, correct the tool (docs/TOOLS.md, user tools).',
  },
  'expressions-busy': {
    kind: 'too-many',
    say: 'Too many tools of users are being prepared at the same time.',
    mend: 'Run the job again in a moment.',
  },
  'user-tools-off': {
    kind: 'forbidden',
    say: 'This node does not let you add or run tools of your own.',
    mend: 'Ask the administrator: the option is tools.userTools.',
  },
  'user-tool-unknown': {
    kind: 'not-found',
    say: 'You have no tool of your own with the UUID {uuid}.',
    mend: 'GET /api/unprivileged_tools lists them.',
  },
  'user-tool-large': {
    kind: 'too-large',
    say: 'The tool has {bytes} bytes as JSON; {max} are possible.',
    mend: 'Make it smaller: put large data into a dataset.',
  },
  'user-tools-many': {
    kind: 'too-many',
    say: 'You have {max} tools of your own, which is as many as are possible.',
    mend: 'Delete one that you do not need any more.',
  },
  wrapper: {
    kind: 'bad-request',
    say: 'The wrapper {file}, line {line}, cannot be used: {reason}.',
    mend: 'Correct the wrapper and reload the tools.',
  },
  unsupported: {
    kind: 'not-implemented',
    say: 'The wrapper {file}, line {line}, uses {what}, which this node does not support.',
    mend: 'Leave the construct out of the wrapper, or run the tool on a Galaxy server.',
  },
  profile: {
    kind: 'not-implemented',
    say: 'The wrapper {file}, line {line}, is written for Galaxy {profile}; this node knows profiles up to {newest}.',
    mend: 'Update this node, or use an older version of the tool.',
  },
  import: {
    kind: 'bad-request',
    say: 'The wrapper {file}, line {line}, imports {name}: {reason}.',
    mend: 'Put the macro file into the folder of the tool, correct its name, and reload the tools.',
  },
  recursion: {
    kind: 'bad-request',
    say: 'The wrapper {file}, line {line}, uses a macro inside itself: {chain}.',
    mend: 'Take the macro out of its own text and reload the tools.',
  },
  growth: {
    kind: 'bad-request',
    say: 'The macros of the wrapper {file}, line {line}, make too much: {what}.',
    mend: 'Make its macros and tokens smaller and reload the tools.',
  },
  folder: {
    kind: 'not-found',
    say: 'The tool folder {folder} cannot be read: {reason}.',
    mend: 'Create the folder or take it out of the configuration.',
  },
  sections: {
    kind: 'bad-request',
    say: 'The panel sections in {file} cannot be used: {reason}.',
    mend: 'It is a list of {id, name, tools}; correct it and reload the tools.',
  },
  'table-line': {
    kind: 'bad-request',
    say: 'Line {line} of {file} cannot be used for the data table {table}: {reason}.',
    mend: 'Correct the file; it is read again when it has changed.',
  },
  'table-unknown': {
    kind: 'not-found',
    say: 'There is no data table {table} on this node; there are {known}.',
    mend: 'Define it in tool_data_table_conf.xml in the folder tool-data of the data folder.',
  },
  'table-row': {
    kind: 'bad-request',
    say: 'The line cannot be added to the data table {table}: {reason}.',
    mend: 'Correct what was given and add it again.',
  },
  path: {
    kind: 'internal',
    say: 'The path {path} holds a character that no command line can carry safely.',
    mend: 'Move the data folder to a path without quotes, backslashes, dollar signs or line ends.',
  },
  programs: {
    kind: 'bad-request',
    say: 'The tool {tool} cannot run on this node: {missing} is not installed here.',
    mend: 'Ask the administrator to install it, or to configure tools.environment or tools.container (docs/TOOLS.md).',
  },
  unconfined: {
    kind: 'bad-request',
    say: 'The tool {tool} only runs confined, and this node has nothing to confine it with.',
    mend: 'Ask the administrator to install bubblewrap (the program bwrap), or to configure tools.container (docs/TOOLS.md).',
  },
  image: {
    kind: 'bad-request',
    say: 'The container image {image} cannot be used: it is no name of an image.',
    mend: 'Correct it in the wrapper, or in the option tools.container. A name is like quay.io/biocontainers/samtools:1.20.',
  },
  install: {
    kind: 'bad-request',
    say: '{path} cannot be installed: {reason}.',
    mend: 'Nothing was changed. Mend it, and install it again.',
  },
  foreign: {
    kind: 'internal',
    say: 'The tool {tool} was not loaded by this toolbox.',
    mend: 'Ask the toolbox for the tool by its id.',
  },
});

/** Where in which wrapper. */
export interface Spot {
  file: string;
  line: number;
  column?: number;
}

export const unsupported = (what: string, { file, line }: Spot) => toolErrors('unsupported', { file, line, what });
export const malformed = (reason: string, { file, line, column }: Spot) =>
  toolErrors('wrapper', { file, line, reason, ...(column === undefined ? {} : { column }) });

/** Runs `work`; a template's own error becomes one of the toolbox's. `loading`: what is unsupported is said as such. */
export function translated<T>(loading: boolean, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const { file, line, reason } = error;
    if (loading && error.fault === 'unsupported') throw toolErrors('unsupported', { file, line, what: reason });
    throw toolErrors('template', { file, line, reason }, { cause: error });
  }
}
