/**
 * Where a job's tool runs and what its programs need before it, as the toolbox's resolver decides at that moment. Whoever
 * must be confined and cannot be, is refused here too: programs may have gone since the job was submitted.
 */
import { dirname } from 'node:path';
import { toolErrors } from '../toolbox/errors.js';
import type { RequirementResolver } from '../toolbox/requirements/requirements.js';
import type { PreparedCommand, Tool } from '../toolbox/tool.js';
import type { RunPlace } from './run-spec.js';

export type Programs = Pick<RequirementResolver, 'refuse' | 'resolve'>;

/** `reads`: files of this node that the job's command names. Errors: `toolbox/programs`, `toolbox/unconfined`. */
export function runPlace(
  programs: Programs | undefined,
  tool: Tool,
  command: Pick<PreparedCommand, 'confine'>,
  reads: readonly string[],
): { place?: RunPlace; setUp?: string } {
  const confine = tool.confine ?? command.confine;
  if (programs === undefined) {
    if (confine !== undefined) throw toolErrors('unconfined', { tool: tool.id });
    return {};
  }
  const needs = { id: tool.id, requirements: tool.requirements ?? [], ...(confine ? { confine } : {}) };
  programs.refuse(needs);
  const { place, container, setUp } = programs.resolve(needs);
  const before = setUp === '' ? {} : { setUp };
  if (place === 'here') return before;
  if (place === 'sandbox') return { ...before, place: { kind: 'sandbox', reads: [...reads] } };
  if (place === 'nowhere' || container === undefined) throw toolErrors('unconfined', { tool: tool.id });
  const { readable, engineEnvironment, ...use } = container;
  // Beside a file that a user wrote lie those of others.
  const beside = confine === undefined ? [dirname(tool.file)] : [];
  return {
    ...before,
    place: {
      kind: 'container',
      ...use,
      reads: [...reads, ...beside, ...readable],
      confined: confine !== undefined,
      engineEnvironment: { ...engineEnvironment },
    },
  };
}
