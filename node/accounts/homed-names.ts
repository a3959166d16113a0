/**
 * E-mail and public name → account, for the accounts at home here, out of their own logs: so that people can sign in at
 * their home while the network's directory is away. Made when it is first asked, because it reads every account once, and
 * anew after a change of a name.
 */
import type { AccountRecord } from '../../protocol/account/records.js';
import type { AccountLog, Applied, LeaseSource } from '../../protocol/log/account-log.js';

export class HomedNames {
  private names: Promise<Map<string, string>> | undefined;

  constructor(private readonly deps: { accountLog: AccountLog; leases: LeaseSource }) {}

  async find(login: string): Promise<AccountRecord | undefined> {
    this.names ??= this.read();
    const reading = this.names;
    reading.catch(() => {
      if (this.names === reading) this.names = undefined;
    });
    const account = (await reading).get(login.trim().toLowerCase());
    if (account === undefined || this.deps.leases.current(account) === undefined) return undefined;
    return (await this.deps.accountLog.view(account)).get('account', account);
  }

  applied(entries: Applied['entries']): void {
    const renames = ({ type, payload }: Applied['entries'][number]) =>
      type === 'account.created' ||
      (type === 'account.updated' && (payload.email !== undefined || payload.username !== undefined));
    if (entries.some(renames)) this.names = undefined;
  }

  private async read(): Promise<Map<string, string>> {
    const names = new Map<string, string>();
    for await (const account of this.deps.accountLog.accounts()) {
      // Also copies of accounts at home elsewhere: where they are is asked at each sign-in, it changes.
      const record = (await this.deps.accountLog.view(account)).get('account', account);
      if (record === undefined) continue;
      names.set(record.username.toLowerCase(), account);
      names.set(record.email.toLowerCase(), account);
    }
    return names;
  }
}
