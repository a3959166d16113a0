/** The thread in which expressions of tools are evaluated: one request after the other, and nothing else. */
import { parentPort } from 'node:worker_threads';
import type { EvaluationRequest } from './evaluation.js';
import { openEngine } from './quickjs.js';

let opening = openEngine();

parentPort?.on('message', async (request: EvaluationRequest) => {
  const engine = await opening;
  const result = engine.evaluate(request);
  if (engine.isSpent()) opening = openEngine();
  parentPort?.postMessage(result);
});
