import { TICK } from './event-queue.ts';
import type { World } from './world.ts';

/** What waits in the socket buffers of a process that stands still. */
const MAX_BUFFERED = 300;

/** When one process acts: from its start to its end, but not while it stands still. */
export class Lifetime {
  readonly #world: World;
  #paused = false;
  #ended = false;
  #buffered: (() => void)[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  end(): void {
    this.#ended = true;
  }

  pause(): void {
    this.#paused = true;
  }

  /** What has come meanwhile is done soon. */
  resume(): void {
    this.#paused = false;
    const buffered = this.#buffered;
    this.#buffered = [];
    // One connection is read after the other, and what came last may be read first.
    for (const act of buffered) this.later(1 + this.#world.random.below(TICK), () => this.whenAwake(act));
  }

  /** Schedules something that ends with the process; it happens although the process stands still. */
  later(delay: number, act: () => void): void {
    this.#world.queue.after(delay, () => {
      if (!this.#ended) act();
    });
  }

  /** For the process' own timers: they wait while it stands still, and get lost only with it. */
  onceAwake(act: () => void): void {
    if (this.#paused) this.later(TICK, () => this.onceAwake(act));
    else act();
  }

  /** For what comes from others: done as soon as the process runs; never, when too much waits already. */
  whenAwake(act: () => void): void {
    if (!this.#paused) act();
    else if (this.#buffered.length < MAX_BUFFERED) this.#buffered.push(act);
  }
}
