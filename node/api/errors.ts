/**
 * From an error to what Galaxy's clients expect: `{err_msg, err_code}` and a status. The only place that knows Galaxy's
 * codes; route files throw DomainErrors and never set a status for a failure.
 */
import {
  type DomainError,
  defineErrors,
  describeError,
  type ErrorKind,
  isDomainError,
} from '../../protocol/runtime/errors.js';
import { API_BODY_BYTES_MAX } from '../../protocol/wire/limits.js';

export const FILE_LIMIT = 'the option uploads.sizeMaxBytes says how large a file may be';

export const apiErrors = defineErrors('api', {
  'bad-parameter': {
    kind: 'bad-request',
    say: '{parameter} {reason}.',
    mend: '',
  },
  'malformed-body': {
    kind: 'bad-request',
    say: 'The body of the request could not be read: {reason}.',
    mend: 'Send well-formed JSON with "Content-Type: application/json".',
  },
  'malformed-id': {
    kind: 'malformed-id',
    say: 'Malformed id ( {id} ) specified, unable to decode.',
    mend: 'An id is 16 lower-case hexadecimal digits.',
  },
  'sign-in-needed': {
    kind: 'unauthenticated',
    say: 'API authentication required for this request.',
    mend: 'Sign in, or send an API key in the header x-api-key.',
  },
  'bad-key': {
    kind: 'unauthenticated',
    say: 'Provided API key is not valid.',
    mend: 'Make a new key under User, Preferences, Manage API Key.',
  },
  'basic-needed': {
    kind: 'unauthenticated',
    say: 'Authentication failed, bad user name or password.',
    mend: 'Send e-mail or public name and password by HTTP Basic authentication.',
  },
  'admin-needed': {
    kind: 'admin-required',
    say: 'You must be an administrator to access this feature.',
    mend: '',
  },
  'no-access': { kind: 'forbidden', say: 'You are not allowed to access this {what}.', mend: '' },
  'not-owner': { kind: 'not-owner', say: 'You do not own this {what}.', mend: '' },
  'not-found': { kind: 'not-found', say: 'There is no {what} with id {id} here.', mend: '' },
  'no-such': { kind: 'not-found', say: 'There is no {what} "{id}" here.', mend: '' },
  'no-endpoint': { kind: 'not-found', say: 'There is no {method} {path} on this node.', mend: '' },
  'not-implemented': {
    kind: 'not-implemented',
    say: '{method} {path} is not implemented on this node.',
    mend: '',
  },
  'too-large': { kind: 'too-large', say: 'The request is larger than this node takes: {limit}.', mend: '' },
  'cross-site': {
    kind: 'forbidden',
    say: 'The request came from another site and was refused.',
    mend: 'Open the page on this server again and repeat what you did.',
  },
  'bad-run-as': { kind: 'bad-request', say: 'There is no user {id} to run as.', mend: '' },
});

export interface ErrorAnswer {
  status: number;
  body: { err_msg: string; err_code: number; validation_errors?: unknown };
  /** Seconds; for `Retry-After`. */
  retryAfter?: number;
  /** Ours to mend: logged with its cause. */
  internal: boolean;
}

/** Galaxy's own numbers (lib/galaxy/exceptions/error_codes.json). Status is the first three digits, but for 403001. */
const GALAXY: Record<ErrorKind, { status: number; code: number; retryAfter?: number }> = {
  'bad-request': { status: 400, code: 400008 },
  'malformed-id': { status: 400, code: 400009 },
  unauthenticated: { status: 401, code: 401001 },
  forbidden: { status: 403, code: 403002 },
  'not-owner': { status: 403, code: 403003 },
  'admin-required': { status: 403, code: 403006 },
  'not-found': { status: 404, code: 404001 },
  moved: { status: 410, code: 410001 },
  conflict: { status: 409, code: 409001 },
  'too-large': { status: 413, code: 413001 },
  'too-many': { status: 429, code: 429001, retryAfter: 30 },
  'no-space': { status: 507, code: 507001 },
  unavailable: { status: 503, code: 503001, retryAfter: 5 },
  timeout: { status: 503, code: 503001, retryAfter: 5 },
  'not-implemented': { status: 501, code: 501001 },
  untrusted: { status: 403, code: 403002 },
  corrupt: { status: 500, code: 500001 },
  internal: { status: 500, code: 500001 },
};

/** Where Galaxy is finer than our kinds. */
const BY_CODE: Record<string, { status: number; code: number }> = {
  'api/sign-in-needed': { status: 403, code: 403001 },
};

const BODY_LIMIT = `a body has at most ${API_BODY_BYTES_MAX / 2 ** 20} MiB; files are uploaded`;
/** Codes of fastify and its plugins that are the caller's doing. */
const FASTIFY: Record<string, () => DomainError> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => apiErrors('too-large', { limit: BODY_LIMIT }),
  FST_REQ_FILE_TOO_LARGE: () => apiErrors('too-large', { limit: FILE_LIMIT }),
  FST_PARTS_LIMIT: () => apiErrors('too-large', { limit: 'a form has too many parts' }),
  FST_FILES_LIMIT: () => apiErrors('too-large', { limit: 'a form has too many files' }),
  FST_FIELDS_LIMIT: () => apiErrors('too-large', { limit: 'a form has too many fields' }),
};

export function answerOf(error: unknown): ErrorAnswer {
  if (isDomainError(error)) {
    const galaxy = GALAXY[error.kind];
    const { status, code } = BY_CODE[error.code] ?? galaxy;
    const internal = error.kind === 'internal' || error.kind === 'corrupt';
    return {
      status,
      body: { err_msg: error.kind === 'internal' ? INTERNAL : describeError(error), err_code: code },
      ...(galaxy.retryAfter !== undefined ? { retryAfter: galaxy.retryAfter } : {}),
      internal,
    };
  }
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  const known = code === undefined ? undefined : FASTIFY[code];
  if (known) return answerOf(known());
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    if (statusCode === 413) return answerOf(apiErrors('too-large', { limit: BODY_LIMIT }));
    return answerOf(apiErrors('malformed-body', { reason: (message ?? 'not readable').replace(/\.+$/, '') }));
  }
  return { status: 500, body: { err_msg: INTERNAL, err_code: 500001 }, internal: true };
}

/** A refusal that another protocol decided on: its status, in Galaxy's shape. */
export function refusalBody(status: number, text: string): ErrorAnswer['body'] {
  const known = Object.values(GALAXY).find((one) => one.status === status);
  return { err_msg: text.trim() || INTERNAL, err_code: known?.code ?? status * 1000 + 1 };
}

const INTERNAL = 'Something went wrong on this node. Its log has the details.';
