/**
 * Whether entries of epoch 0 that a member pushes here count, by what this node knows of who made the account, else by the
 * directory. What the directory has vouched for is not asked again, and goes on while the coordinator is away; what was
 * never asked waits for it, and its sender comes again.
 */
import { whyNotOrigin } from '../../protocol/log/origin.js';
import type { DirectoryAccount } from '../accounts/directory.js';

const VOUCHED_MAX = 10_000;

export class OriginCheck {
  private readonly vouched = new Set<string>();

  constructor(
    private readonly deps: {
      known: (account: string) => string | undefined;
      directory: { byId(account: string): Promise<Pick<DirectoryAccount, 'origin'> | undefined> };
    },
  ) {}

  /** A reason when they do not count. Errors: `directory/away`. */
  async whyNot(pusher: string, { account, node }: { account: string; node: string }): Promise<string | undefined> {
    const origin = this.deps.known(account);
    if (origin !== undefined) return whyNotOrigin({ node, pusher }, { origin });
    const name = `${pusher}/${account}/${node}`;
    if (this.vouched.has(name)) return undefined;
    const known = await this.deps.directory.byId(account);
    const reason = whyNotOrigin({ node, pusher }, known);
    // Nobody's yet: whoever claims it decides, so it is asked again.
    if (reason !== undefined || known === undefined) return reason;
    if (this.vouched.size >= VOUCHED_MAX) this.vouched.clear();
    this.vouched.add(name);
    return undefined;
  }
}
