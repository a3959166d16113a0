/** What can go wrong with tools. A wrapper that is not loaded is a `ToolProblem`, not an error of the process. */
import { defineErrors } from '../../protocol/runtime/errors.js';
import { TemplateError } from './cheetah/template.js';

export const toolErrors = defineErrors('toolbox', {
  template: {
    kind: 'bad-request',
    say: 'The template at {file}, line {line}, cannot be rendered: {reason}.',
    mend: 'Check the parameters; if they are right, the wrapper is wrong: correct it and reload the tools.',
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
  path: {
    kind: 'internal',
    say: 'The path {path} holds a character that no command line can carry safely.',
    mend: 'Move the data folder to a path without quotes, backslashes, dollar signs or line ends.',
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
}

export const unsupported = (what: string, { file, line }: Spot) => toolErrors('unsupported', { file, line, what });
export const malformed = (reason: string, { file, line }: Spot) => toolErrors('wrapper', { file, line, reason });

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
