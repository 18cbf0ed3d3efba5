import type { BarrierOutcome, ProposeOutcome, ReplicaStatus } from '@metad/metad-api';
import type { NodeConfig } from '../config/node-config.ts';
import type { PackedBatch } from './packed-batch.ts';
import type { PackedProposals } from './packed-proposals.ts';

/** What the HTTP thread is started with: enough to open its ports. */
export interface HttpThreadData {
  readonly config: NodeConfig;
  /** See AppliedVersion. */
  readonly appliedVersion: SharedArrayBuffer;
}

/** Consensus thread → HTTP thread, before all else but perhaps a `stop`: the node is there, and is to be served. */
export interface Serve {
  readonly type: 'serve';
  /** `state.db`, which the thread reads through a connection of its own. */
  readonly stateFile: string;
  readonly status: ReplicaStatus;
}

/** HTTP thread → consensus thread. `id` pairs a request with its answer. */
export type ToConsensus =
  | {
      readonly type: 'propose';
      readonly proposals: PackedProposals;
      /** When it was posted, in milliseconds since 1970. */
      readonly postedAt: number;
    }
  | { readonly type: 'barrier'; readonly id: number }
  | { readonly type: 'metrics'; readonly id: number }
  /** Somebody asks for something: the batches that were held back are wanted. */
  | { readonly type: 'watching' }
  /** The state is read from where the last snapshot has put it. */
  | { readonly type: 'reopened' }
  /** Both ports are open, and say that the node is starting. */
  | { readonly type: 'listening'; readonly ports: HttpPorts }
  /** They answer as they should. */
  | { readonly type: 'serving' }
  /** A port could not be opened: the process must end with this message. */
  | { readonly type: 'notListening'; readonly message: string }
  /** The state can't be read: so must it. */
  | { readonly type: 'fault'; readonly message: string };

/** Those that are really open, where the settings let the system choose. */
export interface HttpPorts {
  readonly metadata: number;
  readonly manage: number;
}

/**
 * Consensus thread → HTTP thread. The one port keeps the order: a batch arrives before the answers that it allows. While
 * nobody asks or waits on the HTTP ports batches are held back, and arrive as one.
 */
export type ToHttp =
  | { readonly type: 'applied'; readonly batch: PackedBatch }
  | { readonly type: 'status'; readonly status: ReplicaStatus }
  /** What the batch, if any, has made of proposals, or what has become of them without one. */
  | ({ readonly type: 'outcomes'; readonly batch: PackedBatch | null } & PackedOutcomes)
  | { readonly type: 'barrier'; readonly id: number; readonly outcome: BarrierOutcome }
  | { readonly type: 'metrics'; readonly id: number; readonly text: string }
  | { readonly type: 'stop' };

export interface PackedOutcomes {
  /** Id and version, by turns, of writes that were applied for the first time: nearly all. */
  readonly applied: readonly number[];
  readonly others: readonly { readonly id: number; readonly outcome: ProposeOutcome }[];
}
