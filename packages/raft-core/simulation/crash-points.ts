import type { SimulatedNode } from './simulated-node.ts';
import { ProcessEnded } from './store-fate.ts';
import type { World } from './world.ts';

/** Where a process may end in the middle of what it does: before a step of its turn, or within a call of its store. */
export class CrashPoints {
  readonly #world: World;
  readonly #node: SimulatedNode;

  constructor(world: World, node: SimulatedNode) {
    this.#world = world;
    this.#node = node;
  }

  /** Whether the process has ended here. */
  maybeCutShort(before: string): boolean {
    const { troubles, random } = this.#world;
    if (!random.chance(troubles.crashWithinTurn)) return false;
    this.#cutShort(`before ${before}`);
    return true;
  }

  /** Does what may come to the end of the process in its middle; null when it did. */
  unlessEnded<T>(act: () => T): T | null {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof ProcessEnded)) throw error;
      this.#cutShort(`behind '${error.step}'`);
      return null;
    }
  }

  #cutShort(where: string): void {
    const { random, coverage } = this.#world;
    this.#node.note(() => `is cut short ${where}`);
    coverage.met('crash within a turn');
    this.#node.crash({ powerLoss: random.chance(0.5) });
  }
}
