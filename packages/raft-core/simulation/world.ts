import type { NodeId } from '@metad/raft-core';
import type { Checks } from './checks.ts';
import type { Coverage } from './coverage.ts';
import type { EventQueue } from './event-queue.ts';
import type { NodeView } from './invariant.ts';
import type { Network } from './network.ts';
import type { Random } from './random.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Trace } from './trace.ts';

/** What all parts of one simulated cluster share. */
export interface World {
  readonly queue: EventQueue;
  readonly random: Random;
  readonly network: Network;
  readonly trace: Trace;
  readonly coverage: Coverage;
  readonly checks: Checks;
  /** How likely a driver is cut short before a step of its turn; set to 0 to have peace. */
  troubles: Troubles;
  readonly nodes: readonly NodeView[];
  node(id: NodeId): SimulatedNode;
}

/** What may befall a driver between two steps of a turn. */
export interface Troubles {
  readonly crashWithinTurn: number;
  /** It goes on after a while; inputs come in meanwhile. */
  readonly stallWithinTurn: number;
}

export const NO_TROUBLES: Troubles = { crashWithinTurn: 0, stallWithinTurn: 0 };
