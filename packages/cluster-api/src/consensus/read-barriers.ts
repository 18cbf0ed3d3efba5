import { assert, type LogIndex, type ReadId } from '@metad/raft-core';

export type BarrierOutcome =
  | { readonly type: 'ready' }
  | { readonly type: 'unavailable'; readonly message: string };

/** Everybody who asked in one turn of the loop: one read index serves them all. */
interface Group {
  readonly deadlineTick: number;
  readonly resolvers: ((outcome: BarrierOutcome) => void)[];
  /** Known once a quorum has confirmed the leader; the group then waits for this index to be applied. */
  index: LogIndex | null;
}

/**
 * Linearizable reads (thesis §6.4): each waits for a read index, then until this node has applied it. What the core
 * drops (no leader, a change of leader) is asked for again until its time is over.
 */
export class ReadBarriers {
  readonly #ask: (id: ReadId) => void;
  readonly #groups = new Map<ReadId, Group>();
  readonly #retries: Group[] = [];
  #open: Group | null = null;
  #lastId = 0;

  constructor(ask: (id: ReadId) => void) {
    this.#ask = ask;
  }

  /** Resolves once this node has applied everything that was committed anywhere before the call. */
  request(deadlineTick: number): Promise<BarrierOutcome> {
    return new Promise((resolve) => {
      this.#open ??= { deadlineTick, resolvers: [], index: null };
      this.#open.resolvers.push(resolve);
    });
  }

  /** Asks for one read index on behalf of all that came since the last turn. */
  flush(): void {
    if (this.#open === null) return;
    const group = this.#open;
    this.#open = null;
    this.#send(group);
  }

  #send(group: Group): void {
    this.#lastId += 1;
    this.#groups.set(this.#lastId, group);
    this.#ask(this.#lastId);
  }

  /** The core vouches for `index`; the reads are served when it is applied. */
  confirm(id: ReadId, index: LogIndex, applied: LogIndex): void {
    const group = this.#groups.get(id);
    if (!group) return; // it has expired
    group.index = index;
    if (index <= applied) this.#finish(id, group);
  }

  /** The core could not get a read index: asked again with the next tick. */
  drop(id: ReadId): void {
    const group = this.#groups.get(id);
    if (!group) return;
    assert(group.index === null, 'a confirmed read is not dropped');
    this.#groups.delete(id);
    this.#retries.push(group);
  }

  /** Called after entries were applied. */
  applied(index: LogIndex): void {
    for (const [id, group] of this.#groups) {
      if (group.index !== null && group.index <= index) this.#finish(id, group);
    }
  }

  /** Asks again for what was dropped, and ends what has waited too long. */
  tick(tick: number): void {
    for (const group of this.#retries.splice(0)) {
      if (group.deadlineTick <= tick) end(group, 'no leader with a quorum confirmed the read in time');
      else this.#send(group);
    }
    for (const [id, group] of this.#groups) {
      if (group.deadlineTick > tick) continue;
      this.#groups.delete(id);
      end(
        group,
        group.index === null ? 'no leader with a quorum confirmed the read in time' : 'this node lags behind',
      );
    }
  }

  abandon(): void {
    const groups = [...this.#groups.values(), ...this.#retries, ...(this.#open ? [this.#open] : [])];
    for (const group of groups) end(group, 'this node is stopping');
    this.#groups.clear();
    this.#retries.length = 0;
    this.#open = null;
  }

  #finish(id: ReadId, group: Group): void {
    this.#groups.delete(id);
    for (const resolve of group.resolvers) resolve({ type: 'ready' });
  }
}

function end(group: Group, message: string): void {
  for (const resolve of group.resolvers) resolve({ type: 'unavailable', message });
}
