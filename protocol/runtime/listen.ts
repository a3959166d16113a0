/**
 * Why an address cannot be listened on, in words and with a code, the same in both programs: for the web addresses and
 * for those of libp2p, whose own text speaks of its settings, which nobody here can change.
 */
import { type DomainError, defineErrors, printable } from './errors.js';
import { hostErrors } from './host-errors.js';

const httpErrors = defineErrors('http', {
  'port-taken': {
    kind: 'conflict',
    say: '{address} is used by another program.',
    mend: 'Stop that program, or set the option listen to another port (port 0 takes a free one).',
  },
  'cannot-listen': {
    kind: 'bad-request',
    say: 'The web interface cannot listen on {address}: {reason}.',
    mend: 'Check the option listen.',
  },
});

/** Of Node.js and the system. */
const REASONS: Record<string, string> = {
  EACCES: 'this user may not use that port',
  EADDRNOTAVAIL: 'that is not an address of this machine',
  EADDRINUSE: 'another program uses it',
  EAI_AGAIN: 'that name cannot be looked up',
  ENOTFOUND: 'that name is not known',
  ERR_SOCKET_BAD_PORT: 'a port is at most 65535',
};

/** HOST:PORT taken apart; an IPv6 address stands in brackets. */
export function splitHostPort(listen: string): { host: string; port: number } {
  const at = listen.lastIndexOf(':');
  return { host: listen.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(listen.slice(at + 1)) };
}

/** For the option `listen`: `http/port-taken`, `http/cannot-listen`. */
export function webListenError(cause: unknown, listen: string): DomainError {
  const { code, message } = cause as { code?: string; message?: string };
  if (code === 'EADDRINUSE') return httpErrors('port-taken', { address: listen }, { cause });
  return httpErrors('cannot-listen', { address: listen, reason: reasonOf(code, message ?? String(cause)) }, { cause });
}

/** A line of what libp2p says when it could not listen: an address, and what came of it. */
const LIBP2P_LINE = /^\s*(\/\S+): (.+)$/gm;

/** For addresses of libp2p: `host/port-taken`, `host/cannot-listen`. */
export function hostListenError(cause: unknown, listen: readonly string[]): DomainError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const failed = [...text.matchAll(LIBP2P_LINE)].map(([, address = '', why = '']) => {
    const code = /\b(?:E[A-Z]{3,}|ERR_[A-Z_]+)\b/.exec(why)?.[0];
    return { address, isTaken: code === 'EADDRINUSE', reason: reasonOf(code, why) };
  });
  const taken = failed.filter(({ isTaken }) => isTaken).map(({ address }) => address);
  if (taken.length > 0) return hostErrors('port-taken', { addresses: taken.join(', ') }, { cause });
  const addresses = (failed.length > 0 ? failed.map(({ address }) => address) : listen).join(', ');
  const reason = failed.length > 0 ? [...new Set(failed.map((one) => one.reason))].join('; ') : reasonOf('', text);
  return hostErrors('cannot-listen', { addresses, reason }, { cause });
}

/** Without the dot of a sentence: it stands in one. */
function reasonOf(code: string | undefined, text: string): string {
  return REASONS[code ?? ''] ?? printable(text.trim()).replace(/\.+$/, '');
}
