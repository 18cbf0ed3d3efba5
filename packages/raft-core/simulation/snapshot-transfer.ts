import {
  assert,
  compareLogId,
  type InstallSnapshot,
  type LogIndex,
  type SnapshotMeta,
} from '@metad/raft-core';
import type { CheckedRaft } from './checked-raft.ts';
import { TICK } from './event-queue.ts';
import type { Lifetime } from './lifetime.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Snapshot } from './simulated-store.ts';
import type { World } from './world.ts';

interface Parts {
  readonly node: SimulatedNode;
  readonly lifetime: Lifetime;
  readonly raft: CheckedRaft;
}

/** The snapshots that one process sends, and those that have come to it. */
export class SnapshotTransfer {
  readonly #world: World;
  readonly #node: SimulatedNode;
  readonly #lifetime: Lifetime;
  readonly #raft: CheckedRaft;
  readonly #received = new Map<LogIndex, Snapshot>();

  constructor(world: World, { node, lifetime, raft }: Parts) {
    this.#world = world;
    this.#node = node;
    this.#lifetime = lifetime;
    this.#raft = raft;
  }

  /** Sends the newest state, whose meta goes into the message; the outcome is reported once it is known. */
  send(asked: InstallSnapshot): void {
    const { network, coverage, random } = this.#world;
    const node = this.#node;
    const lifetime = this.#lifetime;
    const snapshot = node.store.takeSnapshot();
    assert(
      compareLogId(snapshot.meta.last, asked.snapshot.last) >= 0,
      'a snapshot is not older than what was asked for',
    );
    coverage.met('snapshot sent');
    let reported = false;
    const report = (result: 'sent' | 'failed') => {
      if (reported) return;
      reported = true;
      if (result === 'failed') coverage.met('snapshot failed');
      node.note(() => `knows its snapshot for n${asked.to} ${result}`);
      this.#raft.input((raft) => raft.reportSnapshot(asked.to, result));
    };
    const confirm = () => lifetime.later(0, () => lifetime.onceAwake(() => report('sent')));
    node.transmit({ message: { ...asked, snapshot: snapshot.meta }, snapshot }, () =>
      network.send({ from: asked.to, to: node.id }, confirm),
    );
    // A transfer that is not confirmed in time has failed, whatever became of it.
    lifetime.later(TICK * (4 + random.below(8)), () => lifetime.onceAwake(() => report('failed')));
  }

  /** Keeps what has come with a message until the core wants it installed. */
  received(snapshot: Snapshot): void {
    this.#received.set(snapshot.meta.last.index, snapshot);
  }

  find({ last }: SnapshotMeta): Snapshot | null {
    return this.#received.get(last.index) ?? null;
  }

  /** Forgets it and all that are older; a newer one may have come meanwhile. */
  installed({ last }: SnapshotMeta): void {
    for (const index of this.#received.keys()) if (index <= last.index) this.#received.delete(index);
  }
}
