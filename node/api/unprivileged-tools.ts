/** /api/unprivileged_tools: tools that users write for themselves. */
import type { components } from '@galaxyproject/galaxy-api-client';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { JsonObject } from '../../protocol/log/entry.js';
import { toolContext } from '../datasets/tool-context.js';
import type { UserTool } from '../toolbox/user-tool/user-tools.js';
import { requireAccount } from './auth.js';
import type { Routes } from './context.js';
import { galaxyTime } from './serializers/time.js';
import { entityId, flag, parse } from './validation.js';

type Answer = components['schemas']['UnprivilegedToolResponse'];
type Uses = 'userTools' | 'toolbox' | 'histories' | 'datatypes' | 'blobs' | 'tables';

const listQuery = z.object({ active: flag.optional() });
const buildQuery = z.object({ history_id: entityId.optional() });
const representation = z.record(z.string(), z.json());
const createBody = z.object({
  src: z.literal('representation').default('representation'),
  representation,
  active: z.boolean().nullish(),
  hidden: z.boolean().nullish(),
});

export const unprivilegedToolRoutes: Routes<Uses> = (app, deps) => {
  const { userTools, toolbox, histories } = deps;
  const uuidIn = (request: FastifyRequest) => (request.params as { uuid: string }).uuid.toLowerCase();

  app.get('/api/unprivileged_tools', async (request): Promise<Answer[]> => {
    const { active } = parse(listQuery, request.query);
    const { view } = request.caller;
    return view === undefined ? [] : userTools.list(view, active ?? true).map(answer);
  });

  app.get('/api/unprivileged_tools/:uuid', async (request): Promise<Answer> => {
    const { view } = requireAccount(request);
    return answer(userTools.get(view, uuidIn(request)));
  });

  app.post('/api/unprivileged_tools', async (request): Promise<Answer> => {
    const { account } = requireAccount(request);
    const body = parse(createBody, request.body);
    const given = {
      representation: body.representation as JsonObject,
      active: body.active ?? true,
      hidden: body.hidden ?? false,
    };
    return answer(await userTools.create(account, request.caller, given));
  });

  app.delete('/api/unprivileged_tools/:uuid', async (request) => {
    const { account } = requireAccount(request);
    await userTools.deactivate(account, uuidIn(request));
    return null;
  });

  // The form of a tool that is being written.
  app.post('/api/unprivileged_tools/build', async (request) => {
    const { view } = requireAccount(request);
    const { history_id } = parse(buildQuery, request.query);
    const body = parse(createBody, request.body);
    const tool = await userTools.read(request.caller, body.representation as JsonObject);
    const history = history_id === undefined ? histories.pickCurrent(view) : histories.own(view, history_id);
    return toolbox.form(tool, toolContext(view, history?.id ?? '', deps), {});
  });
};

function answer({ uuid, record }: UserTool): Answer {
  const { representation: written, active, hidden, createdAt, id } = record;
  const text = (value: unknown) => (typeof value === 'string' ? value : null);
  return {
    id,
    uuid,
    active,
    hidden,
    tool_id: text(written.id) ?? uuid,
    tool_format: text(written.class),
    create_time: galaxyTime(createdAt),
    representation: { ...written },
    representation_status: 'ok',
    representation_errors: [],
  };
}
