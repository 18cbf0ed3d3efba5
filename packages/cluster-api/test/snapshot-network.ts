import { type NodeId, nodeId, ZERO_LOG_ID } from '@metad/raft-core';
import type { SnapshotChannel } from '../src/peers/snapshot-channel.ts';
import type { SnapshotFrame } from '../src/peers/snapshot-frame.ts';

export interface Way {
  readonly from: NodeId;
  readonly to: NodeId;
}

/** Both ends of one connection. */
class Wire {
  readonly gone = new AbortController();
  readonly ends: ReadonlyMap<NodeId, SnapshotChannel>;

  constructor(nodes: readonly [NodeId, NodeId], send: (frame: SnapshotFrame, way: Way, wire: Wire) => void) {
    const [one, other] = nodes;
    const end = (self: NodeId, peer: NodeId): SnapshotChannel => ({
      peer: {
        node: peer,
        instance: `instance-${peer}`,
        run: 'run',
        cluster: 'test',
        membership: ZERO_LOG_ID,
        levels: { known: 1, allowed: 1 },
      },
      gone: this.gone.signal,
      send: (frame) => send(frame, { from: self, to: peer }, this),
      quiet: () => Promise.resolve(),
      destroy: () => this.gone.abort(),
    });
    this.ends = new Map([
      [one, end(one, other)],
      [other, end(other, one)],
    ]);
  }
}

/** Connections for snapshots between nodes of one process: frames arrive in order, a turn later, until they are cut. */
export class SnapshotNetwork {
  /** All that arrived, in order. */
  readonly log: { readonly way: Way; readonly frame: SnapshotFrame }[] = [];
  readonly #wires = new Map<string, Wire>();
  readonly #deliver: (frame: SnapshotFrame, to: NodeId, channel: SnapshotChannel) => void;
  readonly #tamper: (frame: SnapshotFrame, way: Way) => SnapshotFrame | null;

  constructor(options: {
    readonly deliver: (frame: SnapshotFrame, to: NodeId, channel: SnapshotChannel) => void;
    readonly tamper: (frame: SnapshotFrame, way: Way) => SnapshotFrame | null;
  }) {
    this.#deliver = options.deliver;
    this.#tamper = options.tamper;
  }

  channel(from: NodeId, to: NodeId): SnapshotChannel | null {
    const name = `${from} ${to}`;
    const known = this.#wires.get(name);
    const wire = known?.gone.signal.aborted === false ? known : new Wire([from, to], this.#send);
    this.#wires.set(name, wire);
    return wire.ends.get(from) ?? null;
  }

  /** Breaks every connection of a node; they can be opened again. */
  cut(node: NodeId): void {
    for (const wire of this.#wires.values()) if (wire.ends.has(nodeId(node))) wire.gone.abort();
  }

  readonly #send = (frame: SnapshotFrame, way: Way, wire: Wire): void => {
    const arriving = this.#tamper(frame, way);
    setImmediate(() => {
      const channel = wire.ends.get(way.to);
      if (arriving === null || channel === undefined || wire.gone.signal.aborted) return;
      this.log.push({ way, frame: arriving });
      this.#deliver(arriving, way.to, channel);
    });
  };
}
