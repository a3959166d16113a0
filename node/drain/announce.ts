/** First step: the coordinator knows that this node leaves; it counts as holder for nobody and gets no users. */
import { isDomainError } from '../../protocol/runtime/errors.js';
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
      /** Copying begins with the announcement, and to as many as the coordinator will insist on. */
      copying: { open(copies?: number): Promise<void> };
    },
  ) {}

  async begin(): Promise<void> {
    this.deps.gate.close();
    await this.deps.copying.open();
  }

  /** Errors: `handover/too-few-domains`, `handover/not-registered`, `drain/away`. */
  async run({ acceptCopies, signal }: StepContext): Promise<StepResult> {
    const { copies } = await this.deps.handover.announce(acceptCopies, signal);
    await this.deps.copying.open(copies);
    return undefined;
  }

  refuses(error: unknown): boolean {
    return isDomainError(error, 'handover/too-few-domains') || isDomainError(error, 'handover/not-registered');
  }

  async undo(): Promise<void> {
    this.deps.gate.open();
  }
}

/** A coordinator that was started anew has forgotten the announcement: it is made again, and what follows it. */
export async function whileAnnounced(work: () => Promise<StepResult>): Promise<StepResult> {
  try {
    return await work();
  } catch (error) {
    if (isDomainError(error, 'handover/not-draining')) return { backTo: 'announce' };
    throw error;
  }
}
