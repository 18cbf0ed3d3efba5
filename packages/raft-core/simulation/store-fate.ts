import type { Random } from './random.ts';
import type { World } from './world.ts';

/** What befalls a store: decided by the seed, as everything is. */
export interface StoreFate {
  readonly random: Random;
  /**
   * A call has come to a point where the process may end, with what is on the disk by then. When it does end, `keep` is
   * called, so that the store remembers that, and this throws ProcessEnded, which the store lets through; its next call
   * is `crash`.
   */
  reached(step: string, keep: () => void): void;
}

/** Ends a call in its middle: nobody that runs in the process may take notice of it. */
export class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded';
  /** Behind which the process ended. */
  readonly step: string;

  constructor(step: string) {
    super(`the process ends behind '${step}'`);
    this.step = step;
  }
}

/** Such points are few, so that most of them would never be met at the rate of the others. */
const CRASH_AT_STEP = 0.03;

export function storeFate(world: World): StoreFate {
  const { random } = world;
  return {
    random,
    reached(step, keep) {
      if (world.troubles.crashWithinTurn === 0 || !random.chance(CRASH_AT_STEP)) return;
      keep();
      throw new ProcessEnded(step);
    },
  };
}
