import type { RaftStatus } from '@metad/raft-core';

interface Watch {
  readonly holds: (status: RaftStatus) => boolean;
  readonly deadlineTick: number;
  readonly resolve: (held: boolean) => void;
}

/** Those who wait until something holds of a node's status. */
export class StatusWatches {
  readonly #watches = new Set<Watch>();

  /** Resolves to true once `holds` does, or to false at `deadlineTick`. */
  until(holds: (status: RaftStatus) => boolean, deadlineTick: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.#watches.add({ holds, deadlineTick, resolve });
    });
  }

  get size(): number {
    return this.#watches.size;
  }

  /** Called after each turn. */
  check(status: RaftStatus, tick: number): void {
    for (const watch of this.#watches) {
      const held = watch.holds(status);
      if (held || watch.deadlineTick <= tick) this.#end(watch, held);
    }
  }

  abandon(): void {
    for (const watch of this.#watches) this.#end(watch, false);
  }

  #end(watch: Watch, held: boolean): void {
    this.#watches.delete(watch);
    watch.resolve(held);
  }
}
