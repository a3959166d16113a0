import { describe, expect, it } from 'vitest';
import { Origins } from '../../../node/accounts/origins.js';
import { OriginCheck } from '../../../node/peers/origin-check.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { issueLease } from '../../../protocol/trust/lease.js';
import { directoryErrors } from '../../../protocol/wire/calls/directory-errors.js';

const ACCOUNT = '00000000000000a1';

describe('who made an account', () => {
  it('is said by the lease that is held, when the coordinator signed it', async () => {
    const [node, maker, coordinator] = [await NodeKey.generate(), await NodeKey.generate(), await NodeKey.generate()];
    const lease = { account: ACCOUNT, epoch: 5, node: node.peerId, origin: maker.peerId };
    const originsOn = (signer: NodeKey) => {
      const token = issueLease(signer, lease, 1);
      const leases = { current: () => ({ account: ACCOUNT, epoch: 5, token }) };
      return new Origins({ leases, coordinator: () => coordinator.peerId });
    };
    expect(originsOn(coordinator).of(ACCOUNT)).toBe(maker.peerId);
    expect(originsOn(node).of(ACCOUNT)).toBeUndefined();
  });

  it('is known before a lease is held, once one was seen', () => {
    const origins = new Origins({ leases: { current: () => undefined }, coordinator: () => undefined });
    expect(origins.of(ACCOUNT)).toBeUndefined();
    origins.note({ account: ACCOUNT, epoch: 5, node: 'n', origin: 'm', issuedAt: 1 });
    expect(origins.of(ACCOUNT)).toBe('m');
    // However many were seen since: what is needed now was noted last.
    for (let n = 0; n < 9_999; n++) origins.note({ account: `${n}`, epoch: 5, node: 'n', origin: 'o', issuedAt: 1 });
    origins.note({ account: ACCOUNT, epoch: 5, node: 'n', origin: 'm', issuedAt: 1 });
    origins.note({ account: 'one more', epoch: 5, node: 'n', origin: 'o', issuedAt: 1 });
    expect([origins.of(ACCOUNT), origins.of('0')]).toEqual(['m', undefined]);
  });
});

describe('entries of epoch 0 that a member pushes', () => {
  it('are judged by what is known here, else by the directory; what it vouched for goes on without it', async () => {
    const known = new Map<string, string>();
    let isAway = false;
    const directory = {
      byId: async () => {
        if (isAway) throw directoryErrors('away');
        return { origin: 'maker' };
      },
    };
    const check = new OriginCheck({ known: (account) => known.get(account), directory });
    const by = (node: string) => check.whyNot('pusher', { account: ACCOUNT, node });
    expect(await by('maker')).toBeUndefined();
    expect(await by('stranger')).toContain('another node than made');
    isAway = true;
    expect(await by('maker')).toBeUndefined();
    await expect(by('stranger')).rejects.toMatchObject({ code: 'directory/away' });
    known.set(ACCOUNT, 'other');
    expect(await by('maker')).toContain('another node than made');
  });

  it('of an account that nobody has claimed are asked for again: whoever claims it decides', async () => {
    let claimed: { origin: string } | undefined;
    const check = new OriginCheck({ known: () => undefined, directory: { byId: async () => claimed } });
    const mine = () => check.whyNot('forger', { account: ACCOUNT, node: 'forger' });
    expect(await mine()).toBeUndefined();
    claimed = { origin: 'maker' };
    expect(await mine()).toContain('another node than made');
  });
});
