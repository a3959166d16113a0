/** Chapter 1: a coordinator, and three institutions that join it with one line each. */
import { COORDINATOR_ADDRESS, PLACES } from '../network.js';
import type { Chapter, Scene } from '../scene.js';

const SERVE_MS = 20_000;

export const join: Chapter = {
  step: '1 join',
  title: 'Three institutions join',
  telling: () =>
    `A coordinator starts (at ${COORDINATOR_ADDRESS}): the one light server of the network, which knows who belongs to it and who is at home where. Then three Galaxy nodes start, each a process of its own with its own folder and address: ${Object.values(
      PLACES,
    )
      .map(({ name }) => name)
      .join(
        ', ',
      )}. The coordinator's operator gives each one line of text, \`galaxy-invite:…\`; with it the node joins, once.`,

  async play(scene: Scene): Promise<void> {
    const { network } = scene;
    await scene.check(join, 'the coordinator starts', () => network.startCoordinator());
    await scene.check(join, 'three institutions join with one line each and are listed as serving', async () => {
      await Promise.all(Object.entries(PLACES).map(([id, place]) => network.startNode(id, place)));
      for (const id of Object.keys(PLACES)) await network.join(id);
      await scene.serving(Object.keys(PLACES).length, SERVE_MS);
    });
  },
};
