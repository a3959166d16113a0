/** First step: the coordinator knows that this node leaves; it counts as holder for nobody and gets no users. */
import type { DrainGate } from './gate.js';
import type { Handover } from './handover.js';
import type { Drainable, StepContext, StepResult } from './part.js';

export class AnnounceStep implements Drainable {
  readonly name = 'announce';
  readonly say = 'telling the coordinator that this node leaves';

  constructor(
    private readonly deps: {
      handover: Pick<Handover, 'announce'>;
      gate: DrainGate;
      /** Copies that the coordinator will insist on. */
      agreed: (copies: number) => void;
    },
  ) {}

  async begin(): Promise<void> {
    this.deps.gate.close();
  }

  /** Errors: `handover/too-few-domains`, `handover/not-registered`, `drain/away`. */
  async run({ acceptCopies, signal }: StepContext): Promise<StepResult> {
    const { copies } = await this.deps.handover.announce(acceptCopies, signal);
    this.deps.agreed(copies);
    return undefined;
  }

  async undo(): Promise<void> {
    this.deps.gate.open();
  }
}
