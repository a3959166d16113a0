/**
 * Structured logs: a fixed message plus data. Goes to stderr, because stdout carries what scripts read (`ready` lines,
 * `--json`). Fields that can hold secrets are redacted here, once, rather than by each caller.
 */
import { type LoggerOptions, pino } from 'pino';
import { describeError, isDomainError } from './errors.js';

export interface Logger {
  debug(data: object, message: string): void;
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
  child(bindings: object): Logger;
}

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

const REDACTED = ['password', 'key', 'secret', 'ticket', 'token', 'cookie', 'authorization', 'masterApiKey'];

/**
 * A failure of the world is one sentence: where in the program it was noticed helps nobody but at the level debug. Of our
 * own bugs the stack is what helps.
 */
export function errorForLog(error: unknown, level: LogLevel): unknown {
  if (!(error instanceof Error)) return error;
  if (level === 'debug' || !isDomainError(error)) return pino.stdSerializers.err(error);
  const { cause } = error;
  return { code: error.code, message: describeError(error), ...(cause ? { cause: describeError(cause) } : {}) };
}

export function createLogger(options: { level: LogLevel; name: string }): Logger {
  const settings: LoggerOptions = {
    name: options.name,
    level: options.level,
    serializers: { err: (error: unknown) => errorForLog(error, options.level) },
    redact: { paths: [...REDACTED, ...REDACTED.map((field) => `*.${field}`), '*["x-api-key"]'], censor: '[redacted]' },
  };
  // Synchronous: a process that dies right after a line must not take the line with it.
  return pino(settings, pino.destination({ fd: 2, sync: true }));
}

export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};

/** A URL with every credential-like query value removed, for log lines. */
export function redactUrl(url: string): string {
  return url.replace(/([?&](?:key|ticket|token|api_key|password)=)[^&#]*/gi, '$1[redacted]');
}
