/**
 * The whole story on one machine, on real parts: three institutions and a coordinator, a user, real data, a drain, a
 * crash, the coordinator away, and those who must be refused. Each check looks for itself. Each chapter stands on the one
 * before: after a failure the rest is not reached.
 */
import { alone } from './chapters/alone.js';
import { crash } from './chapters/crash.js';
import { drain } from './chapters/drain.js';
import { join } from './chapters/join.js';
import { lies } from './chapters/lies.js';
import { refused } from './chapters/refused.js';
import { work } from './chapters/work.js';
import type { Chapter, Scene } from './scene.js';

export const CHAPTERS: readonly Chapter[] = [join, work, drain, crash, alone, refused, lies];

export async function tell(scene: Scene, chapters: readonly Chapter[] = CHAPTERS): Promise<void> {
  for (const chapter of chapters) {
    if (scene.report.failed > 0) scene.report.notReached(chapter.step);
    else {
      await scene.narrator.announce(chapter, scene);
      await chapter.play(scene);
    }
  }
}
