/** The engine in the test's own thread: what it answers is what the thread's answers are. */
import type { Isolate } from '../../../node/toolbox/user-tool/evaluation.js';
import { type Engine, openEngine } from '../../../node/toolbox/user-tool/quickjs.js';

export function hereIsolate(): Isolate {
  let engine: Engine | undefined;
  return {
    async evaluate(request) {
      if (engine === undefined || engine.isSpent()) engine = await openEngine();
      return engine.evaluate(request);
    },
  };
}
