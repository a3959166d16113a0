/** Users as Galaxy's clients read them. */
import type { components } from '@galaxyproject/galaxy-api-client';
import type { AccountRecord, AccountView } from '../../../protocol/account/records.js';
import type { Accounts } from '../../accounts/accounts.js';
import { galaxyTime, niceSize } from './time.js';

type Schemas = components['schemas'];
export type DetailedUser = Schemas['DetailedUserModel'] & { model_class: 'User'; tags_used: string[]; active: boolean };
export type PlainUser = Schemas['UserModel'];
export type AnonymousUser = Schemas['AnonUserModel'];

export const ANONYMOUS_USER: AnonymousUser = {
  total_disk_usage: 0,
  nice_total_disk_usage: niceSize(0),
  quota_percent: null,
};

export function detailedUser(record: AccountRecord, view: AccountView, accounts: Accounts): DetailedUser {
  const { bytes, tags } = accounts.usageOf(view);
  return {
    model_class: 'User',
    id: record.id,
    email: record.email,
    username: record.username,
    deleted: record.deleted ?? false,
    purged: false,
    active: true,
    is_admin: accounts.isAdmin(record.id),
    preferences: shownPreferences(record),
    preferred_object_store_id: null,
    total_disk_usage: bytes,
    nice_total_disk_usage: niceSize(bytes),
    quota: 'unlimited',
    quota_bytes: null,
    quota_percent: null,
    tags_used: tags,
  };
}

export function plainUser(record: AccountRecord): PlainUser {
  return {
    model_class: 'User',
    id: record.id,
    email: record.email,
    username: record.username,
    deleted: record.deleted ?? false,
    active: true,
    last_password_change: galaxyTime(record.sessionsNotBefore ?? record.createdAt),
  };
}

/** A removed preference is null in the log and absent to the client. */
function shownPreferences(record: AccountRecord): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record.preferences).filter(([, value]) => value !== null));
}
