/**
 * Tools that users write for themselves: kept in the log of their account, so that they go with it; seen and run by their
 * owner alone; and never run unconfined, whoever may add them (`confine`, jobs/run-spec.ts). Whoever changes a tool adds
 * another one and puts the old one away: a job goes on to be of the tool that it was.
 */
import type { AccountView, UserToolRecord } from '../../../protocol/account/records.js';
import type { AccountLog } from '../../../protocol/log/account-log.js';
import type { JsonObject } from '../../../protocol/log/entry.js';
import type { Clock } from '../../../protocol/runtime/clock.js';
import { uuidOf } from '../../datasets/uuid.js';
import { toolErrors } from '../errors.js';
import type { Tool, Toolbox } from '../tool.js';

export interface UserToolsDeps {
  log: Pick<AccountLog, 'view' | 'append'>;
  ids: { next(): string };
  clock: Pick<Clock, 'now'>;
  toolbox: Pick<Toolbox, 'ofUser' | 'checkExpressions'>;
}

export interface UserToolsOptions {
  /** Who may add and run them. */
  who: 'nobody' | 'admins' | 'everyone';
}

export interface UserTool {
  uuid: string;
  record: UserToolRecord;
}

/** Room for the rest of the entry. */
const BYTES_MAX = 60 * 1024;
const ACTIVE_MAX = 200;

export class UserTools {
  constructor(
    private readonly deps: UserToolsDeps,
    private readonly options: UserToolsOptions,
  ) {}

  mayUse(caller: { admin: boolean }): boolean {
    return this.options.who === 'everyone' || (this.options.who === 'admins' && caller.admin);
  }

  /** Newest first. */
  list(view: AccountView, active: boolean): UserTool[] {
    return [...view.list('userTool')]
      .filter((record) => record.active === active)
      .map((record) => ({ uuid: uuidOf(record.id), record }))
      .reverse();
  }

  /** Also one that was put away. Errors: `toolbox/user-tool-unknown`. */
  get(view: AccountView, uuid: string): UserTool {
    const found = find(view, uuid);
    if (found === undefined) throw toolErrors('user-tool-unknown', { uuid });
    return found;
  }

  /** The active tool of that UUID, when the caller has one and may run it. Errors: `toolbox/user-tools-off`. */
  tool(view: AccountView, caller: { admin: boolean }, uuid: string): Tool | undefined {
    const found = find(view, uuid);
    if (found === undefined || !found.record.active) return undefined;
    if (!this.mayUse(caller)) throw toolErrors('user-tools-off');
    return ownTool(this.deps.toolbox, view, uuid);
  }

  /** As it would be, without keeping it. Errors: those of the loader, with the line of the YAML that is made of it. */
  async read(caller: { admin: boolean }, representation: JsonObject): Promise<Tool> {
    if (!this.mayUse(caller)) throw toolErrors('user-tools-off');
    return this.load(uuidOf(this.deps.ids.next()), representation);
  }

  async create(
    account: string,
    caller: { admin: boolean },
    given: { representation: JsonObject; active: boolean; hidden: boolean },
  ): Promise<UserTool> {
    if (!this.mayUse(caller)) throw toolErrors('user-tools-off');
    const { representation, active, hidden } = given;
    const bytes = Buffer.byteLength(JSON.stringify(representation));
    if (bytes > BYTES_MAX) throw toolErrors('user-tool-large', { bytes, max: BYTES_MAX });
    const id = this.deps.ids.next();
    await this.load(uuidOf(id), representation);
    const payload = { id, createdAt: this.deps.clock.now(), representation, active, hidden };
    await this.deps.log.append(account, (view) => {
      if (this.list(view, true).length >= ACTIVE_MAX) throw toolErrors('user-tools-many', { max: ACTIVE_MAX });
      return [{ type: 'user_tool.created', payload }];
    });
    return this.get(await this.deps.log.view(account), uuidOf(id));
  }

  /** It is seen no more; jobs of it that wait are run. */
  async deactivate(account: string, uuid: string): Promise<void> {
    await this.deps.log.append(account, (view) => [
      { type: 'user_tool.updated', payload: { id: this.get(view, uuid).record.id, active: false } },
    ]);
  }

  private async load(uuid: string, representation: JsonObject): Promise<Tool> {
    const { toolbox } = this.deps;
    const tool = toolbox.ofUser?.(uuid, representation);
    if (tool === undefined) throw toolErrors('user-tools-off');
    await toolbox.checkExpressions?.(tool);
    return tool;
  }
}

/** The tool of that UUID of an account's owner, active or not: what a job asks for. */
export function ownTool(toolbox: Pick<Toolbox, 'ofUser'>, view: AccountView, uuid: string): Tool | undefined {
  const found = find(view, uuid);
  return found && toolbox.ofUser?.(found.uuid, found.record.representation);
}

function find(view: AccountView, uuid: string): UserTool | undefined {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) return undefined;
  for (const record of view.list('userTool')) if (uuidOf(record.id) === uuid) return { uuid, record };
  return undefined;
}
