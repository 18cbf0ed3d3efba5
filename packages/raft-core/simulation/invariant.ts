import type { Entry, InitialState, LogIndex, Message, NodeId, RaftStatus, ReadId } from '@metad/raft-core';
import type { SimulatedStore } from './simulated-store.ts';

/** One node as the checks see it. */
export interface NodeView {
  readonly id: NodeId;
  /** Names its disk; a node with a new disk is another one to the rest of the cluster. */
  readonly instance: string;
  readonly store: SimulatedStore;
}

/** What one input has done to one node. */
export interface Transition {
  readonly node: NodeView;
  readonly before: RaftStatus;
  readonly after: RaftStatus;
}

/**
 * Something that must hold for a whole cluster, watched from outside: it sees what no node sees. Each method throws a
 * Violation, and keeps what it needs of what it has seen.
 */
export interface Invariant {
  started?(node: NodeView, initial: InitialState): void;
  moved?(transition: Transition, nodes: readonly NodeView[]): void;
  /** The entries are in the log, instead of what was there, but may not be on the disk yet. */
  written?(node: NodeView, entries: readonly Entry[]): void;
  persisted?(node: NodeView, entries: readonly Entry[]): void;
  /** A message leaves, at a moment when its driver thinks that it may. */
  sent?(node: NodeView, message: Message, status: RaftStatus): void;
  /** The entries are applied, and the store's state is the one behind the last of them. */
  applied?(node: NodeView, entries: readonly Entry[], status: RaftStatus): void;
  /** A snapshot has replaced the state and the log. */
  installed?(node: NodeView): void;
  ticked?(node: NodeView, status: RaftStatus): void;
  received?(node: NodeView, message: Message, status: RaftStatus): void;
  readAsked?(node: NodeView, id: ReadId): void;
  readIndexed?(node: NodeView, id: ReadId, index: LogIndex): void;
}

/** The cluster has broken a promise. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, message: string) {
    super(`${invariant}: ${message}`);
    this.name = 'Violation';
    this.invariant = invariant;
  }
}
