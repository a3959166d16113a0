import { createPrivateKey, createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { CompactSign, compactVerify } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { NodeKey, publicKeyOf } from '../../../protocol/trust/identity.js';
import { openToken, signToken, TOKEN_CHARS_MAX } from '../../../protocol/trust/signed.js';

const schema = z.object({ account: z.string(), n: z.number().int() });
const seed = (n: number) => new Uint8Array(32).fill(n);
let key: NodeKey;
let other: NodeKey;

beforeAll(async () => {
  key = await NodeKey.fromSeed(seed(1));
  other = await NodeKey.fromSeed(seed(2));
});

const base64url = (value: object | string) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token with any header, properly signed. */
function signedWith(signer: NodeKey, header: object, payload: object | string): string {
  const signed = `${base64url(header)}.${base64url(payload)}`;
  return `${signed}.${Buffer.from(signer.sign(Buffer.from(signed))).toString('base64url')}`;
}

const josePrivate = (n: number) =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed(n)]),
    format: 'der',
    type: 'pkcs8',
  });
const josePublic = (peerId: string) =>
  createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKeyOf(peerId)).toString('base64url') },
    format: 'jwk',
  });

describe('signed tokens', () => {
  it('open to what was signed, and name the signer', () => {
    const token = signToken(key, 'thing', { account: 'a', n: 1 });
    expect(openToken(token, 'thing', schema)).toEqual({ payload: { account: 'a', n: 1 }, signer: key.peerId });
  });

  it('are JWS that another JOSE library verifies', async () => {
    const token = signToken(key, 'thing', { account: 'a', n: 1 });
    const { payload, protectedHeader } = await compactVerify(token, josePublic(key.peerId));
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual({ account: 'a', n: 1 });
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'galaxy-thing', kid: key.peerId });
  });

  it('of another JOSE library are accepted', async () => {
    const token = await new CompactSign(Buffer.from(JSON.stringify({ account: 'b', n: 2 })))
      .setProtectedHeader({ kid: key.peerId, typ: 'galaxy-thing', alg: 'EdDSA' })
      .sign(josePrivate(1));
    expect(openToken(token, 'thing', schema)).toEqual({ payload: { account: 'b', n: 2 }, signer: key.peerId });
  });

  it('are refused with any one character changed, removed or added', () => {
    const token = signToken(key, 'thing', { account: 'a', n: 1 });
    const alphabet = 'ABgw09-_.=+/ ';
    for (let i = 0; i < token.length; i++) {
      for (const character of alphabet) {
        if (character === token[i]) continue;
        const changed = token.slice(0, i) + character + token.slice(i + 1);
        expect(() => openToken(changed, 'thing', schema), changed).toThrow(
          expect.objectContaining({ kind: 'untrusted' }),
        );
      }
      expect(() => openToken(token.slice(0, i) + token.slice(i + 1), 'thing', schema)).toThrow();
      expect(() => openToken(`${token.slice(0, i)}A${token.slice(i)}`, 'thing', schema)).toThrow();
    }
  });

  it('are refused with any one byte of their decoded parts flipped', () => {
    const token = signToken(key, 'thing', { account: 'a', n: 1 });
    const parts = token.split('.').map((part) => Buffer.from(part, 'base64url'));
    for (const [p, part] of parts.entries()) {
      for (let i = 0; i < part.length; i++) {
        const flipped = Buffer.from(part);
        flipped[i] = (flipped[i] as number) ^ 1;
        const changed = parts.map((one, q) => (p === q ? flipped : one).toString('base64url')).join('.');
        expect(() => openToken(changed, 'thing', schema)).toThrow(expect.objectContaining({ kind: 'untrusted' }));
      }
    }
  });

  it('of one kind are worthless as another', () => {
    const token = signToken(key, 'thing', { account: 'a', n: 1 });
    expect(() => openToken(token, 'other', schema)).toThrow(expect.objectContaining({ code: 'trust/wrong-kind' }));
  });

  it('that name a signer who did not sign are refused', () => {
    const token = signedWith(other, { alg: 'EdDSA', typ: 'galaxy-thing', kid: key.peerId }, { account: 'a', n: 1 });
    expect(() => openToken(token, 'thing', schema)).toThrow(expect.objectContaining({ code: 'trust/bad-signature' }));
  });

  it('with a header that could mean something else are refused', () => {
    const kid = key.peerId;
    const typ = 'galaxy-thing';
    for (const header of [
      { alg: 'none', typ, kid },
      { alg: 'HS256', typ, kid },
      { alg: 'EdDSA', typ, kid, crit: ['b64'], b64: false },
      { alg: 'EdDSA', typ, kid, jwk: {} },
      { alg: 'EdDSA', typ },
      { alg: 'EdDSA', kid },
      { alg: 'EdDSA', typ, kid: 'me' },
      // The same key in another spelling of PeerId would be another name for one signer.
      { alg: 'EdDSA', typ, kid: `f${Buffer.from(kid).toString('hex')}` },
    ]) {
      const token = signedWith(key, header, { account: 'a', n: 1 });
      expect(() => openToken(token, 'thing', schema)).toThrow(expect.objectContaining({ code: 'trust/malformed' }));
    }
  });

  it('with the right signature over the wrong content are refused, and the field is named', () => {
    const header = { alg: 'EdDSA', typ: 'galaxy-thing', kid: key.peerId };
    expect(() => openToken(signedWith(key, header, { account: 'a', n: 1.5 }), 'thing', schema)).toThrow(/n: /);
    expect(() => openToken(signedWith(key, header, 'not json'), 'thing', schema)).toThrow();
  });

  it('of any text give an error of trust and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\w-]*\.[\w-]*\.[\w-]*$/)), (text) => {
        expect(() => openToken(text, 'thing', schema)).toThrow(expect.objectContaining({ kind: 'untrusted' }));
      }),
    );
  });

  it('over the bound are neither read nor made', () => {
    expect(() => openToken('a'.repeat(TOKEN_CHARS_MAX + 1), 'thing', schema)).toThrow(/characters/);
    expect(() => signToken(key, 'thing', { account: 'a'.repeat(TOKEN_CHARS_MAX), n: 1 })).toThrow(/would be refused/);
  });
});
