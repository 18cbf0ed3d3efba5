import { assert, type Ready } from '@metad/raft-core';
import type { CheckedRaft } from './checked-raft.ts';
import type { CrashPoints } from './crash-points.ts';
import { TICK } from './event-queue.ts';
import type { Lifetime } from './lifetime.ts';
import { type ReadySteps, STEPS, type Step } from './ready-steps.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { World } from './world.ts';

/** A Ready that its driver has not finished. */
interface Turn {
  readonly ready: Ready;
  readonly left: Step[];
}

interface Parts {
  readonly node: SimulatedNode;
  readonly lifetime: Lifetime;
  readonly raft: CheckedRaft;
  readonly crashPoints: CrashPoints;
  readonly steps: ReadySteps;
}

/**
 * Takes one Ready after the other from the core and does its steps. Between any two of them the process may end, stand
 * still, wait for its disk or stall, while inputs go on coming in.
 */
export class Driver {
  readonly #world: World;
  readonly #node: SimulatedNode;
  readonly #lifetime: Lifetime;
  readonly #raft: CheckedRaft;
  readonly #crashPoints: CrashPoints;
  readonly #steps: ReadySteps;
  #turn: Turn | null = null;
  #turnScheduled = false;

  constructor(world: World, { node, lifetime, raft, crashPoints, steps }: Parts) {
    this.#world = world;
    this.#node = node;
    this.#lifetime = lifetime;
    this.#raft = raft;
    this.#crashPoints = crashPoints;
    this.#steps = steps;
  }

  /** Schedules a turn if there is need for one, so that what arrives until then is taken together. */
  wake(): void {
    if (this.#turnScheduled || !this.#mayBeginTurn()) return;
    this.#turnScheduled = true;
    this.#lifetime.later(1, () => {
      this.#turnScheduled = false;
      if (!this.#mayBeginTurn()) return;
      this.#turn = { ready: this.#raft.ready(), left: [...STEPS] };
      this.#continueTurn();
    });
  }

  /** The process no longer stands still. */
  resume(): void {
    this.wake();
    this.#continueTurn();
  }

  #mayBeginTurn(): boolean {
    return !this.#lifetime.isPaused && this.#turn === null && this.#raft.hasReady();
  }

  /** Does one step after the other, until the turn is done or something comes between. */
  #continueTurn(): void {
    while (!this.#lifetime.isEnded && !this.#lifetime.isPaused && this.#turn !== null) {
      const { ready, left } = this.#turn;
      const [step] = left;
      assert(step !== undefined, 'a turn ends with its last step');
      if (this.#crashPoints.maybeCutShort(step)) return;
      left.shift();
      // With `advance` the core may have the next Ready, which wakes the driver.
      if (step === 'advance') this.#turn = null;
      this.#crashPoints.unlessEnded(() => this.#steps.do(step, ready));
      if (this.#lifetime.isEnded) return;
      const wait = this.#waitAfter(step, ready);
      if (wait === 0) continue;
      this.#lifetime.later(wait, () => this.#continueTurn());
      return;
    }
  }

  #waitAfter(step: Step, { mustSync }: Ready): number {
    const { troubles, random } = this.#world;
    if (step !== 'advance' && random.chance(troubles.stallWithinTurn)) return 1 + random.below(2 * TICK);
    // The disk works while the early messages travel and more of them come.
    return step === 'applyWhileSyncing' && mustSync ? this.#node.syncLength : 0;
  }
}
