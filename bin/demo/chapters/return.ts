/** After the story, for a person: the institution that left comes back as a new member, so that all three serve again. */
import { PLACES } from '../network.js';
import type { Chapter, Scene } from '../scene.js';

const SERVE_MS = 20_000;

export const comeBack: Chapter = {
  step: '8 return',
  title: 'Uppsala comes back',
  telling: () =>
    'That was the story. So that you have a whole network to play with, Uppsala comes back: as a new node, with an empty folder, a new key and a new invitation. What was drained is gone for good.',

  async play(scene: Scene): Promise<void> {
    await scene.check(comeBack, 'Uppsala joins again, and three nodes serve', async () => {
      await scene.network.startNode('uppsala', PLACES.uppsala);
      await scene.network.join('uppsala');
      await scene.serving(Object.keys(PLACES).length, SERVE_MS);
    });
    await scene.check(comeBack, 'everything she has is safe', () => scene.untilSafe(scene.home()[0]));
  },
};
