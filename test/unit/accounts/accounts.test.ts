import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkEmail, checkPassword, checkUsername } from '../../../node/accounts/account-rules.js';
import { accountOfApiKey, newApiKey, openSealer, Sealer } from '../../../node/accounts/api-keys.js';
import { Attempts } from '../../../node/accounts/attempts.js';
import { LocalDirectory } from '../../../node/accounts/local-directory.js';
import { LocalLeases } from '../../../node/accounts/local-leases.js';
import { Passwords } from '../../../node/accounts/passwords.js';
import { type SessionIssuers, Sessions } from '../../../node/accounts/session.js';
import type { LeaseSource } from '../../../protocol/log/account-log.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { openStore, type Store } from '../../../protocol/runtime/store.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { checkLease, issueLease } from '../../../protocol/trust/lease.js';
import { ManualClock } from '../../support/manual-clock.js';

const ACCOUNT = '0123456789abcdef';
const random = systemRandom;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'galaxy-accounts-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the rules of names', () => {
  it('accept what Galaxy accepts and give it back trimmed', () => {
    expect(checkEmail(' Ada.Lovelace+x@mail.example.org ')).toBe('Ada.Lovelace+x@mail.example.org');
    expect(checkUsername('ada_l-1.2')).toBe('ada_l-1.2');
    expect(checkPassword('123456', '123456')).toBe('123456');
  });

  it.each(['', 'a', 'a@b', '@b.c', 'a b@c.de', 'a@b@c.de', `${'a'.repeat(251)}@b.cd`, '"<x>"@b.cd'])(
    'refuse the address %s',
    (email) => expect(() => checkEmail(email)).toThrow(/email address/i),
  );

  it.each(['', 'ab', 'Ada', 'a b c', 'ada/x', 'ädä', 'a'.repeat(256)])('refuse the name %s', (name) =>
    expect(() => checkUsername(name)).toThrow(/Public name/),
  );
});

describe('the sealer', () => {
  it('opens what it sealed, for the same owner only, and never what was changed', () => {
    const sealer = new Sealer(random.bytes(32), { random });
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), fc.nat(), (text, at) => {
        const sealed = sealer.seal(text, ACCOUNT);
        expect(sealer.open(sealed, ACCOUNT)).toBe(text);
        expect(sealer.open(sealed, 'fedcba9876543210')).toBeUndefined();
        const bytes = Buffer.from(sealed.slice(3), 'base64url');
        const place = at % bytes.length;
        bytes[place] = (bytes[place] as number) ^ 1;
        expect(sealer.open(`v1.${bytes.toString('base64url')}`, ACCOUNT)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
    for (const text of ['', 'v1.', 'v1.AAAA', 'v2.x', 'nonsense']) expect(sealer.open(text, ACCOUNT)).toBeUndefined();
  });

  it('keeps its key in a file that only the owner reads, and finds it again', async () => {
    const file = join(folder, 'sealing.key');
    const sealed = (await openSealer(file, { random })).seal('a key', ACCOUNT);
    expect((await stat(file)).mode % 0o1000).toBe(0o600);
    expect((await openSealer(file, { random })).open(sealed, ACCOUNT)).toBe('a key');
  });

  it('makes one key when several processes start at once', async () => {
    const file = join(folder, 'sealing.key');
    const opened = await Promise.all([1, 2, 3].map(() => openSealer(file, { random })));
    const again = await openSealer(file, { random });
    for (const sealer of opened) expect(again.open(sealer.seal('x', ACCOUNT), ACCOUNT)).toBe('x');
    expect(await readdir(folder)).toEqual(['sealing.key']);
  });

  it('refuses a file that others can read or that holds something else', async () => {
    const file = join(folder, 'sealing.key');
    await openSealer(file, { random });
    await chmod(file, 0o644);
    await expect(openSealer(file, { random })).rejects.toMatchObject({ code: 'accounts/key-file' });
    await rm(file);
    await writeFile(file, 'nonsense', { mode: 0o600 });
    await expect(openSealer(file, { random })).rejects.toMatchObject({ code: 'accounts/key-file' });
    expect(await readFile(file, 'utf8')).toBe('nonsense');
  });
});

describe('API keys', () => {
  it('name their account', () => {
    expect(accountOfApiKey(newApiKey(ACCOUNT, random))).toBe(ACCOUNT);
    for (const text of ['', ACCOUNT, 'z'.repeat(48), 'A'.repeat(48)]) expect(accountOfApiKey(text)).toBeUndefined();
  });
});

describe('passwords', () => {
  const passwords = new Passwords({ memoryKiB: 8, iterations: 1, parallelism: 1 });

  it('are kept as argon2id with their cost, never twice the same', async () => {
    const [one, two] = await Promise.all([passwords.hash('secret'), passwords.hash('secret')]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=8,t=1,p=1\$/);
    expect(one).not.toBe(two);
    expect(await passwords.verify(one, 'secret')).toBe(true);
    expect(await passwords.verify(one, 'Secret')).toBe(false);
    expect(await passwords.verify('nonsense', 'secret')).toBe(false);
    expect(await passwords.verifyNobody('nobody has this password')).toBe(false);
  });

  it('a crowd waits in a bounded line', async () => {
    const results = await Promise.allSettled(Array.from({ length: 200 }, () => passwords.hash('secret')));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(70);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'accounts/busy' });
    expect(await passwords.verify(await passwords.hash('again'), 'again')).toBe(true);
  });
});

describe('failed sign-ins', () => {
  it('lock one login for one address, and an address after many logins, for a while', () => {
    const clock = new ManualClock();
    const attempts = new Attempts({ clock });
    for (let n = 0; n < 10; n++) attempts.failed('ada', '10.0.0.1');
    expect(attempts.allowed('ADA', '10.0.0.1')).toBe(false);
    expect(attempts.allowed('ada', '10.0.0.2')).toBe(true);
    expect(attempts.allowed('bob', '10.0.0.1')).toBe(true);
    for (let n = 0; n < 50; n++) attempts.failed(`user${n}`, '10.0.0.1');
    expect(attempts.allowed('bob', '10.0.0.1')).toBe(false);
    clock.advance(5 * 60_000);
    expect(attempts.allowed('ada', '10.0.0.1')).toBe(true);
  });

  it('are forgotten for a login that succeeds, and never fill the memory', () => {
    const attempts = new Attempts({ clock: new ManualClock() });
    for (let n = 0; n < 9; n++) attempts.failed('ada', 'a');
    attempts.succeeded('ada', 'a');
    attempts.failed('ada', 'a');
    expect(attempts.allowed('ada', 'a')).toBe(true);
    // Signing in costs an address nothing, and wipes out no guess at another login.
    for (let n = 0; n < 100; n++) {
      attempts.failed('bob', 'b');
      attempts.succeeded('bob', 'b');
    }
    expect(attempts.allowed('eve', 'b')).toBe(true);
    for (let n = 0; n < 60; n++) attempts.failed(`guess${n}`, 'b');
    attempts.succeeded('bob', 'b');
    attempts.failed('bob', 'b');
    expect(attempts.allowed('eve', 'b')).toBe(false);
    for (let n = 0; n < 30_000; n++) attempts.failed(`user${n}`, `10.${n}`);
    expect((attempts as unknown as { failures: Map<string, object> }).failures.size).toBeLessThanOrEqual(10_000);
  });
});

describe('the local directory', () => {
  let store: Store;
  let directory: LocalDirectory;
  const claim = { account: ACCOUNT, email: 'Ada@Example.org', username: 'ada', passwordHash: 'hash' };

  beforeEach(async () => {
    store = await openStore(join(folder, 'store'));
    directory = new LocalDirectory({ store, peerId: 'me' });
  });
  afterEach(() => store.close());

  it('claims a name once, finds it in any case, and repeats an answer that was lost', async () => {
    const first = await directory.claim(claim);
    expect(first).toEqual({ ...claim, home: 'me', epoch: 0 });
    expect(await directory.claim(claim)).toEqual(first);
    expect(await directory.find('ada@example.ORG')).toEqual(first);
    expect(await directory.find('ADA')).toEqual(first);
    const other = { ...claim, account: 'f'.repeat(16) };
    await expect(directory.claim({ ...other, username: 'bob' })).rejects.toMatchObject({
      code: 'directory/email-taken',
    });
    await expect(directory.claim({ ...other, email: 'b@b.cd' })).rejects.toMatchObject({
      code: 'directory/username-taken',
    });
    expect(await directory.byId(other.account)).toBeUndefined();
  });

  it('gives a name to exactly one of many at once', async () => {
    const claims = Array.from({ length: 20 }, (_, n) => ({ ...claim, account: n.toString(16).padStart(16, '0') }));
    const results = await Promise.allSettled(claims.map((one) => directory.claim(one)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('frees a name that was changed, and not before', async () => {
    await directory.claim(claim);
    await directory.update(ACCOUNT, { email: 'new@example.org' });
    expect(await directory.find('ada@example.org')).toBeUndefined();
    await directory.claim({ ...claim, account: 'f'.repeat(16), username: 'bob' });
    await expect(directory.update(ACCOUNT, { username: 'BOB' })).rejects.toMatchObject({
      code: 'directory/username-taken',
    });
    await directory.update(ACCOUNT, { email: 'NEW@example.org' });
    expect((await directory.byId(ACCOUNT))?.email).toBe('NEW@example.org');
  });

  it('a revoked key never comes back', async () => {
    await directory.claim(claim);
    const key = { account: ACCOUNT, hash: 'h', revoked: false };
    await directory.putKey(key);
    expect((await directory.byKeyHash('h'))?.account).toBe(ACCOUNT);
    await directory.putKey({ ...key, revoked: true });
    expect(await directory.byKeyHash('h')).toBeUndefined();
    await expect(directory.putKey(key)).rejects.toMatchObject({ code: 'directory/key-revoked' });
  });
});

describe('sessions', () => {
  const none: LeaseSource = { current: () => undefined };

  async function people() {
    const [node, other, coordinator] = await Promise.all([NodeKey.generate(), NodeKey.generate(), NodeKey.generate()]);
    const clock = new ManualClock();
    const at = (
      signer: NodeKey,
      leases: LeaseSource,
      trust: Omit<SessionIssuers, 'admits'> & Partial<SessionIssuers>,
    ) =>
      new Sessions(
        { clock, random, signer, leases, trust: () => ({ admits: () => true, ...trust }) },
        { sessionHours: 12 },
      );
    return { node, other, coordinator, clock, at };
  }

  it('hold for the issuers given and for nobody else', async () => {
    const { node, other, coordinator, at } = await people();
    const here = at(node, none, { issuers: [node.peerId, coordinator.peerId], coordinator: coordinator.peerId });
    const session = here.issue(ACCOUNT);
    expect(here.open(session.token)).toEqual(session.session);
    const trusted = at(coordinator, none, { issuers: [], coordinator: undefined });
    expect(here.open(trusted.issue(ACCOUNT).token)?.account).toBe(ACCOUNT);
    const stranger = at(other, none, { issuers: [], coordinator: undefined });
    expect(here.open(stranger.issue(ACCOUNT).token)).toBeUndefined();
    for (const text of ['', 'a.b.c', session.token.slice(0, -2)]) expect(here.open(text)).toBeUndefined();
  });

  it('of another node hold when it attaches its lease for that very account', async () => {
    const { node, other, coordinator, clock, at } = await people();
    const here = at(node, none, { issuers: [node.peerId], coordinator: coordinator.peerId });
    const leaseFor = (account: string, holder: NodeKey, signer: NodeKey): LeaseSource => ({
      current: () => ({
        account,
        epoch: 7,
        token: issueLease(signer, { account, epoch: 7, node: holder.peerId }, clock.now()),
      }),
    });
    const trust = { issuers: [], coordinator: coordinator.peerId };
    const good = at(other, leaseFor(ACCOUNT, other, coordinator), trust).issue(ACCOUNT);
    expect(here.open(good.token)?.account).toBe(ACCOUNT);
    const foreignAccount = at(other, leaseFor('f'.repeat(16), other, coordinator), trust).issue(ACCOUNT);
    const foreignHolder = at(other, leaseFor(ACCOUNT, node, coordinator), trust).issue(ACCOUNT);
    const selfMade = at(other, leaseFor(ACCOUNT, other, other), trust).issue(ACCOUNT);
    for (const { token } of [foreignAccount, foreignHolder, selfMade]) expect(here.open(token)).toBeUndefined();
  });

  it('of a node that is no member any more hold not, whatever lease it still has', async () => {
    const { node, other, coordinator, clock, at } = await people();
    const members = new Set([other.peerId]);
    const here = at(node, none, {
      issuers: [node.peerId, coordinator.peerId],
      coordinator: coordinator.peerId,
      admits: (peer) => members.has(peer),
    });
    const token = issueLease(coordinator, { account: ACCOUNT, epoch: 7, node: other.peerId }, clock.now());
    const leases: LeaseSource = { current: () => ({ account: ACCOUNT, epoch: 7, token }) };
    const foreign = at(other, leases, { issuers: [], coordinator: coordinator.peerId }).issue(ACCOUNT);
    expect(here.open(foreign.token)?.account).toBe(ACCOUNT);
    members.clear();
    expect(here.open(foreign.token)).toBeUndefined();
    expect(here.open(here.issue(ACCOUNT).token)).toBeDefined();
  });

  it('end by themselves, and a token that claims a longer life holds not at all', async () => {
    const { node, clock, at } = await people();
    const here = at(node, none, { issuers: [node.peerId], coordinator: undefined });
    const { token, session } = here.issue(ACCOUNT);
    clock.advance(12 * 3_600_000 - 1);
    expect(here.open(token)).toBeDefined();
    expect(here.isDue(session)).toBe(true);
    clock.advance(1);
    expect(here.open(token)).toBeUndefined();
    const greedy = new Sessions(
      {
        clock,
        random,
        signer: node,
        leases: none,
        trust: () => ({ issuers: [node.peerId], coordinator: undefined, admits: () => true }),
      },
      { sessionHours: 1000 },
    );
    expect(greedy.lifeMs).toBe(12 * 3_600_000);
  });

  it('a renewed one is the same session with a later end', async () => {
    const { node, clock, at } = await people();
    const here = at(node, none, { issuers: [node.peerId], coordinator: undefined });
    const { session } = here.issue(ACCOUNT);
    clock.advance(5 * 3_600_000);
    const renewed = here.issue(ACCOUNT, session).session;
    expect({ id: renewed.id, csrf: renewed.csrf }).toEqual({ id: session.id, csrf: session.csrf });
    expect(renewed.expiresAt - session.expiresAt).toBe(5 * 3_600_000);
  });
});

describe('local leases', () => {
  it('are of epoch 0, signed by the node for itself', async () => {
    const signer = await NodeKey.generate();
    const leases = new LocalLeases({ signer, clock: new ManualClock() });
    const lease = leases.current(ACCOUNT);
    expect(checkLease(lease.token, { coordinator: undefined })).toMatchObject({
      account: ACCOUNT,
      epoch: 0,
      node: signer.peerId,
    });
    expect(leases.current(ACCOUNT)).toBe(lease);
  });
});
