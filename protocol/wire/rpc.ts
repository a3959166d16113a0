/**
 * Calls between two processes: a request, an answer, a deadline, a size limit, a quota per peer. Bodies are JSON in a
 * frame, checked by zod on both sides; binary fields are base64. A stream carries one call at a time and is kept for the
 * next one. Rejected: many calls interleaved on one stream, which would be a second multiplexer on top of yamux; and
 * protobuf for small control messages, which would say every shape twice.
 *
 * A call is never repeated here: only its caller knows whether that is safe.
 */

import { z } from 'zod';
import { type Cancel, type Clock, startDeadline, systemClock } from '../runtime/clock.js';
import { DomainError, type ErrorData, errorFromCode } from '../runtime/errors.js';
import type { ByteStream, Host } from '../runtime/host.js';
import type { Logger } from '../runtime/logger.js';
import { check, sentenceOf } from '../runtime/schema-words.js';
import { abortOn, FrameReader, writeFrame } from './bulk.js';
import { wireErrors } from './errors.js';
import { CALL_STREAM_IDLE_MS, CALLS_WAITING_MAX, LIMITS, PROTOCOLS, type ProtocolName } from './limits.js';
import { Quota } from './quota.js';

export interface CallDef<Req extends z.ZodType = z.ZodType, Res extends z.ZodType = z.ZodType> {
  protocol: ProtocolName;
  /** Unique within its protocol. */
  name: string;
  request: Req;
  response: Res;
}

export function defineCall<Req extends z.ZodType, Res extends z.ZodType>(def: CallDef<Req, Res>): CallDef<Req, Res> {
  return def;
}

export interface CallContext {
  /** PeerId of the caller, proven by the connection. */
  peer: string;
  /** Ends with the call's deadline, or when the caller has gone. */
  signal: AbortSignal;
}

/** A call with its handler; made by `answer`, which keeps the two's types together. */
export interface AnsweredCall {
  def: CallDef;
  handle(request: unknown, context: CallContext): Promise<unknown>;
}

export function answer<Req extends z.ZodType, Res extends z.ZodType>(
  def: CallDef<Req, Res>,
  handle: (request: z.output<Req>, context: CallContext) => Promise<z.input<Res>>,
): AnsweredCall {
  return { def, handle: (request, context) => handle(request as z.output<Req>, context) };
}

const requestFrame = z.object({ call: z.string().max(100), body: z.unknown() });
const answerFrame = z.union([
  z.object({ ok: z.unknown() }).refine((frame) => 'ok' in frame),
  z.object({
    error: z.object({
      code: z.string().max(200),
      message: z.string().max(2000),
      data: z.record(z.string().max(100), z.union([z.string().max(4000), z.number(), z.boolean()])),
    }),
  }),
]);

/** Serves calls of one protocol on a host. An error that is not a `DomainError` stays here, in the log. */
export async function serveCalls(
  deps: { host: Pick<Host, 'handle'>; clock: Clock; log: Logger },
  protocol: ProtocolName,
  calls: readonly AnsweredCall[],
): Promise<void> {
  const limits = LIMITS[protocol];
  const byName = new Map(calls.map((call) => [call.def.name, call]));
  if (byName.size !== calls.length) throw new Error(`a call of ${protocol} is served twice`);
  for (const { def } of calls) if (def.protocol !== protocol) throw new Error(`${def.name} is not of ${protocol}`);
  const quota = new Quota({ perMinute: limits.callsPerMinuteMax });

  const respond = async (frame: Uint8Array, peer: string, ended: AbortSignal): Promise<Uint8Array> => {
    let method = '?';
    try {
      if (!quota.take(peer, deps.clock.monotonic())) {
        throw wireErrors('too-many', { protocol, limit: limits.callsPerMinuteMax, unit: 'a minute' });
      }
      const request = parse(protocol, requestFrame, decode(protocol, frame));
      method = request.call;
      const call = byName.get(method);
      if (call === undefined) throw wireErrors('unknown-method', { protocol, method });
      const body = parse(protocol, call.def.request, request.body);
      const gone = () =>
        ended.aborted
          ? wireErrors('closed', { protocol, peer })
          : wireErrors('timeout', { protocol, method, ms: limits.deadlineMs });
      const limit = startDeadline(deps.clock, limits.deadlineMs, ended);
      let result: unknown;
      try {
        result = await orAborted(call.handle(body, { peer, signal: limit.signal }), limit.signal, gone);
      } finally {
        limit.cancel();
      }
      const bytes = encode({ ok: parse(protocol, call.def.response, result) ?? null });
      if (bytes.byteLength > limits.messageBytesMax) {
        throw wireErrors('too-large', { protocol, bytes: bytes.byteLength, limit: limits.messageBytesMax });
      }
      return bytes;
    } catch (error) {
      if (!(error instanceof DomainError)) deps.log.error({ protocol, method, err: error }, 'a call failed');
      const known = error instanceof DomainError ? error : wireErrors('internal', { protocol, method });
      return encode({ error: { code: known.code, message: known.message, data: withoutUndefined(known.data) } });
    }
  };

  await deps.host.handle(PROTOCOLS[protocol], limits, async (stream, ended) => {
    const reader = new FrameReader(stream);
    while (true) {
      // The caller drops an idle stream first, so that none of its calls meets a stream that is being closed.
      const cancelIdle = deps.clock.after(2 * CALL_STREAM_IDLE_MS, () => stream.abort(new Error('idle')));
      let frame: Uint8Array | undefined;
      try {
        frame = await reader.readFrame(limits.messageBytesMax);
      } catch (error) {
        // Whoever sends too much gets told why; the stream cannot go on, its next frame is not to be found.
        if (!(error instanceof DomainError) || stream.closed) throw error;
        await writeFrame(
          stream,
          encode({ error: { code: error.code, message: error.message, data: withoutUndefined(error.data) } }),
        );
        return;
      } finally {
        cancelIdle();
      }
      if (frame === undefined) return;
      const reply = await respond(frame, stream.remotePeer, ended);
      const cancelWrite = deps.clock.after(limits.deadlineMs, () => stream.abort(new Error('the answer is not taken')));
      try {
        await writeFrame(stream, reply);
      } finally {
        cancelWrite();
      }
    }
  });
}

/**
 * Calls a peer that is connected.
 * Errors: what the other side threw, by its code; `wire/timeout`, `wire/closed`, `wire/too-large`, `wire/malformed`,
 * `wire/too-many`, and the host's. When `signal` aborts, its reason.
 */
export async function call<Req extends z.ZodType, Res extends z.ZodType>(
  host: Pick<Host, 'openStream'>,
  peer: string,
  def: CallDef<Req, Res>,
  request: z.input<Req>,
  signal?: AbortSignal,
  clock: Clock = systemClock,
): Promise<z.output<Res>> {
  const { protocol, name: method } = def;
  const limits = LIMITS[protocol];
  const frame = encode({ call: method, body: parse(protocol, def.request, request) });
  if (frame.byteLength > limits.messageBytesMax) {
    throw wireErrors('too-large', { protocol, bytes: frame.byteLength, limit: limits.messageBytesMax });
  }
  const limit = startDeadline(clock, limits.deadlineMs, signal);
  const ended = (cause?: unknown) =>
    signal?.aborted ? signal.reason : wireErrors('timeout', { protocol, method, ms: limits.deadlineMs }, { cause });
  let bytes: Uint8Array | undefined;
  try {
    const pool = poolOf(host, peer, protocol, clock);
    const lane = await pool.take(limit.signal);
    const unwatch = abortOn(lane.stream, limit.signal);
    try {
      await writeFrame(lane.stream, frame);
      bytes = await lane.reader.readFrame(limits.messageBytesMax);
    } finally {
      unwatch();
      pool.give(lane, bytes !== undefined && lane.reader.buffered === 0);
    }
  } catch (error) {
    throw limit.signal.aborted ? ended(error) : error;
  } finally {
    limit.cancel();
  }
  if (bytes === undefined) throw wireErrors('closed', { protocol, peer });
  const reply = parse(protocol, answerFrame, decode(protocol, bytes));
  if ('error' in reply) throw errorFromCode(reply.error.code, reply.error.data as ErrorData, reply.error.message);
  return parse(protocol, def.response, reply.ok);
}

interface Lane {
  stream: ByteStream;
  reader: FrameReader;
  cancelIdle?: Cancel;
}

/** The streams from one host to one peer for one protocol: idle ones are used again, and no more are open than allowed. */
class LanePool {
  private readonly idle: Lane[] = [];
  private readonly waiting: (() => void)[] = [];
  private busy = 0;

  constructor(
    private readonly host: Pick<Host, 'openStream'>,
    private readonly peer: string,
    private readonly protocol: ProtocolName,
    private readonly clock: Clock,
    private readonly onEmpty: () => void,
  ) {}

  async take(signal: AbortSignal): Promise<Lane> {
    if (this.busy >= LIMITS[this.protocol].outboundStreamsMax) await this.waitTurn(signal);
    else this.busy++;
    for (let lane = this.idle.pop(); lane !== undefined; lane = this.idle.pop()) {
      lane.cancelIdle?.();
      if (!lane.stream.closed) return lane;
    }
    try {
      const stream = await this.host.openStream(this.peer, PROTOCOLS[this.protocol], signal);
      return { stream, reader: new FrameReader(stream) };
    } catch (error) {
      this.free();
      throw error;
    }
  }

  give(lane: Lane, reusable: boolean): void {
    if (!reusable || lane.stream.closed) {
      lane.stream.abort(new Error('the call did not end properly'));
    } else {
      lane.cancelIdle = this.clock.after(CALL_STREAM_IDLE_MS, () => {
        this.idle.splice(this.idle.indexOf(lane), 1);
        lane.stream.abort(new Error('idle'));
        this.forgetIfEmpty();
      });
      this.idle.push(lane);
    }
    this.free();
  }

  private waitTurn(signal: AbortSignal): Promise<void> {
    if (this.waiting.length >= CALLS_WAITING_MAX) {
      throw wireErrors('too-many', { protocol: this.protocol, limit: CALLS_WAITING_MAX, unit: 'waiting' });
    }
    return new Promise((resolve, reject) => {
      const turn = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        this.waiting.splice(this.waiting.indexOf(turn), 1);
        reject(signal.reason);
      };
      this.waiting.push(turn);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  private free(): void {
    const next = this.waiting.shift();
    if (next !== undefined) {
      next();
    } else {
      this.busy--;
      this.forgetIfEmpty();
    }
  }

  private forgetIfEmpty(): void {
    if (this.busy === 0 && this.idle.length === 0) this.onEmpty();
  }
}

const pools = new WeakMap<object, Map<string, LanePool>>();

function poolOf(host: Pick<Host, 'openStream'>, peer: string, protocol: ProtocolName, clock: Clock): LanePool {
  let ofHost = pools.get(host);
  if (ofHost === undefined) {
    ofHost = new Map();
    pools.set(host, ofHost);
  }
  const key = `${protocol} ${peer}`;
  let pool = ofHost.get(key);
  if (pool === undefined) {
    const made: LanePool = new LanePool(host, peer, protocol, clock, () => {
      if (ofHost.get(key) === made) ofHost.delete(key);
    });
    ofHost.set(key, made);
    pool = made;
  }
  return pool;
}

/** Bytes of a JSON message. */
export function encode(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** Errors: `wire/malformed`. */
export function decode(protocol: ProtocolName, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes)) as unknown;
  } catch (cause) {
    throw wireErrors('malformed', { protocol, reason: 'it is not JSON' }, { cause });
  }
}

/** Errors: `wire/malformed`, which names the field. */
export function parse<S extends z.ZodType>(protocol: ProtocolName, schema: S, value: unknown): z.output<S> {
  const { data, problem } = check(schema, value);
  if (problem === undefined) return data;
  throw wireErrors('malformed', { protocol, reason: sentenceOf(problem) });
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function withoutUndefined(data: ErrorData): ErrorData {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined));
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal, error: () => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(error());
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
