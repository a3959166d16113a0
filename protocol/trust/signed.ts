/**
 * Everything that is signed travels as a JWS in compact form (RFC 7515, EdDSA as in RFC 8037), whose `typ` names the
 * kind, so that a signature over one kind is worthless as another, and whose `kid` is the signer's PeerId, which for
 * Ed25519 holds the public key itself. Any JOSE library can make and check them; ours is node:crypto, because JOSE's
 * WebCrypto is asynchronous and leases are checked inside synchronous decisions.
 */
import { z } from 'zod';
import { trustErrors } from './errors.js';
import { isPeerId, type Signer, verifySignature } from './identity.js';

/** A token longer than this is refused unread. */
export const TOKEN_CHARS_MAX = 64 * 1024;

const SIGNATURE_BYTES = 64;
const TYPE_PREFIX = 'galaxy-';

// Strict: a header member that we do not know (`crit`, `jwk`, `b64`) could change what the signature means.
const header = z.strictObject({
  alg: z.literal('EdDSA'),
  typ: z.string().max(64),
  kid: z.string().max(64),
});

/** Signs `payload` as `galaxy-<kind>`. */
export function signToken<T extends object>(signer: Signer, kind: string, payload: T): string {
  const head = encodeJson({ alg: 'EdDSA', typ: TYPE_PREFIX + kind, kid: signer.peerId });
  const signed = `${head}.${encodeJson(payload)}`;
  const token = `${signed}.${Buffer.from(signer.sign(Buffer.from(signed))).toString('base64url')}`;
  if (token.length > TOKEN_CHARS_MAX) throw new Error(`a ${kind} of ${token.length} characters would be refused`);
  return token;
}

/**
 * Checks kind, signature and shape. The caller decides whether `signer` may say this, and whether it is in time.
 * Errors: `trust/malformed`, `trust/bad-signature`, `trust/wrong-kind`.
 */
export function openToken<S extends z.ZodType>(
  token: string,
  kind: string,
  schema: S,
): { payload: z.output<S>; signer: string } {
  const malformed = (reason: string) => trustErrors('malformed', { kind, reason });
  if (token.length > TOKEN_CHARS_MAX) throw malformed(`it has ${token.length} characters`);
  const parts = token.split('.');
  const [head, body, signature] = parts;
  if (head === undefined || body === undefined || signature === undefined || parts.length !== 3) {
    throw malformed('it does not have three parts');
  }
  const parsedHeader = header.safeParse(decodeJson(head));
  if (!parsedHeader.success) throw malformed('its header is not one of ours');
  const { typ, kid } = parsedHeader.data;
  if (!isPeerId(kid)) throw malformed('its signer is not a PeerId');
  if (typ !== TYPE_PREFIX + kind) throw trustErrors('wrong-kind', { kind, found: typ });
  const signatureBytes = decodeBase64Url(signature);
  if (signatureBytes?.length !== SIGNATURE_BYTES) throw malformed('its signature is not 64 bytes');
  if (!verifySignature(kid, Buffer.from(`${head}.${body}`), signatureBytes)) {
    throw trustErrors('bad-signature', { kind });
  }
  const payload = schema.safeParse(decodeJson(body));
  if (!payload.success) {
    const issue = payload.error.issues[0];
    throw malformed(`${issue?.path.join('.') || 'its content'}: ${issue?.message ?? 'not valid'}`);
  }
  return { payload: payload.data, signer: kid };
}

function encodeJson(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Only the one canonical spelling: two texts for one token would defeat comparing tokens as texts. */
function decodeBase64Url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

function decodeJson(part: string): unknown {
  const bytes = decodeBase64Url(part);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
