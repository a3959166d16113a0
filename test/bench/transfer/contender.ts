/** What a program must be able to do to be measured beside the others. */
import type { Material } from './material.js';

export interface Measured {
  ms: number;
  /** The larger process, at its largest. */
  peakBytes: number;
  /** Where the files are now, to be compared with what was sent. */
  received: string;
}

export interface Contender {
  readonly name: string;
  /** Why it cannot be measured here. */
  unavailable(): Promise<string | undefined>;
  /** What is not part of a transfer: taking the files in on the sending side, where it has a store of its own. */
  prepare?(material: Material, folder: string): Promise<void>;
  /** One transfer into an empty folder; nothing of it runs afterwards. */
  run(material: Material, folder: string): Promise<Measured>;
}
