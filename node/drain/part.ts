/** One step of a drain, as drain.ts knows it: something that must hold before the next may begin. */
import type { Unsafe } from './handover.js';

export interface Left {
  objects: number;
  bytes?: number;
  /** Of the step's own work; for a bar. */
  bytesDone?: number;
  bytesTotal?: number;
  /** What is waited for, in plain words. */
  say?: string;
}

export interface StepContext {
  /** Ends when the node stops or the drain is called off. */
  readonly signal: AbortSignal;
  /** The operator's `--accept-copies`. */
  readonly acceptCopies: number | undefined;
  /** When this step was begun for the first time, ms since 1970; a restart does not move it. */
  readonly since: number;
  report(left: Left): void;
  /** What the coordinator says is not safe; undefined: it has not been asked, or all is. */
  unsafe(unsafe: Unsafe | undefined): void;
}

export type StepResult =
  | undefined
  /** An earlier step does not hold (any more). */
  | { backTo: string }
  /** The last step: all is done. */
  | { receipt: string };

export interface Drainable {
  readonly name: string;
  /** For people: what is done now. */
  readonly say: string;
  /** The same in a word, before a bar of its bytes. */
  readonly bar?: string;
  /**
   * Closes what has to be closed for this step. Called before `run`, and again at each start for steps that were done:
   * a door that was shut stays shut. Cheap, idempotent.
   */
  begin?(context: StepContext): Promise<void>;
  /** Resolves when the step's statement holds. Idempotent: after a restart every step is run again, and finds it holds. */
  run(context: StepContext): Promise<StepResult>;
  /** Whether an error at the very beginning means that no drain is begun at all, rather than one that waits. */
  refuses?(error: unknown): boolean;
  /** The drain cannot be called off now. */
  binding?(): boolean;
  /** Called off: opens again what `begin` closed. Called for every step, the last first. */
  undo?(): Promise<void>;
}
