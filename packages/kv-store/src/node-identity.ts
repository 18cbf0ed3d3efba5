import type { NodeId } from '@metad/raft-core';

/** Who this data directory speaks for. */
export interface NodeIdentity {
  readonly node: NodeId;
  /** Random name of this data directory, made once. */
  readonly instance: string;
  /** The cluster it belongs to; null until it has joined one. */
  readonly cluster: string | null;
}
