/**
 * Expressions are evaluated in a thread of its own, which is ended when a request takes too long: QuickJS asks whether to
 * go on between its own steps, and not within a loop of a builtin (`indexOf` over an array that claims 2^53 places). The
 * thread begins with the first request and ends when none is left, so nothing has to be stopped and nothing idles.
 *
 * A request: waiting → being evaluated → answered | given up after `wallMs`, and the next one gets a new thread.
 * Rejected: the node's own thread, which one such expression would stop; a process, which costs ten times as much.
 */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../../protocol/runtime/clock.js';
import { toolErrors } from '../errors.js';
import { type EvaluationRequest, type EvaluationResult, type Isolate, LIMITS } from './evaluation.js';

export interface IsolateOptions {
  /** The thread's script; by default isolate-main.js beside this file. */
  entry?: string;
  wallMs?: number;
}

interface Waiting {
  request: EvaluationRequest;
  answer(result: EvaluationResult): void;
}

const QUEUE_MAX = 1000;
/** WebAssembly uses the thread's own stack beside the one that it counts. */
const RESOURCES = { stackSizeMb: 8, maxOldGenerationSizeMb: 64 };

export class ThreadIsolate implements Isolate {
  private readonly queue: Waiting[] = [];
  private working = false;

  constructor(
    private readonly deps: { clock: Pick<Clock, 'after'> },
    private readonly options: IsolateOptions = {},
  ) {}

  async evaluate(request: EvaluationRequest): Promise<EvaluationResult> {
    if (this.queue.length >= QUEUE_MAX) throw toolErrors('expressions-busy');
    return new Promise((answer) => {
      this.queue.push({ request, answer });
      if (this.working) return;
      this.working = true;
      void this.work();
    });
  }

  private async work(): Promise<void> {
    let worker: Worker | undefined;
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      worker ??= this.begin();
      const result = await this.ask(worker, next.request);
      if (typeof result === 'string') {
        await worker.terminate();
        worker = undefined;
      }
      next.answer(typeof result === 'string' ? faultOf(result) : result);
    }
    this.working = false;
    await worker?.terminate();
  }

  private begin(): Worker {
    const entry = this.options.entry ?? fileURLToPath(new URL('./isolate-main.js', import.meta.url));
    // WebAssembly's last words about itself are for nobody.
    const worker = new Worker(entry, { resourceLimits: RESOURCES, env: {}, argv: [], stdout: true, stderr: true });
    worker.stdout.resume();
    worker.stderr.resume();
    // What happens between two requests is seen by the next one.
    worker.on('error', () => {});
    return worker;
  }

  /** Without an answer the reason, in words. */
  private ask(worker: Worker, request: EvaluationRequest): Promise<EvaluationResult | string> {
    return new Promise((resolve) => {
      const end = (result: EvaluationResult | string) => {
        cancel();
        worker.off('message', end);
        worker.off('error', died);
        worker.off('exit', died);
        resolve(result);
      };
      const died = () => end('it ended the thread in which it was evaluated');
      const cancel = this.deps.clock.after(this.options.wallMs ?? LIMITS.wallMs, () => end(NO_END));
      worker.on('message', end);
      worker.on('error', died);
      worker.on('exit', died);
      worker.postMessage(request);
    });
  }
}

const NO_END = 'it does not come to an end';

function faultOf(reason: string): EvaluationResult {
  return { fault: { where: 'expression', index: 0, line: 0, reason } };
}
