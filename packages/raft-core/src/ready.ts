import type { Entry } from './entry.ts';
import type { LogIndex, NodeId, Term } from './ids.ts';
import type { Message, ReadId, SnapshotMeta } from './message.ts';

/** What a node must remember through a crash. `committed` may be old: it only shortens recovery. */
export interface HardState {
  readonly term: Term;
  readonly votedFor: NodeId | null;
  readonly committed: LogIndex;
}

export const INITIAL_HARD_STATE: HardState = { term: 0 as Term, votedFor: null, committed: 0 as LogIndex };

export type Role = 'learner' | 'follower' | 'preCandidate' | 'candidate' | 'leader';

/**
 * What the driver must do now, in this order:
 *
 *     send(ready.early)                     a leader's entries may leave before its own sync (thesis §10.2.1)
 *     persist(ready)                        snapshot, then entries, then hard state; one sync for all
 *     send(ready.messages)                  votes and acknowledgements promise what is now on disk (thesis §3.8)
 *     apply(ready.committed), answer(ready.reads)
 *     raft.advance(ready)
 */
export interface Ready {
  /** Promises nothing about this node's disk; may be sent at once. */
  readonly early: readonly Message[];
  /** To install before anything else: it replaces the state machine and the whole log. */
  readonly snapshot: SnapshotMeta | null;
  /** To append. Whatever the log holds at or behind the first of them is replaced. */
  readonly entries: readonly Entry[];
  /** To save when not null. */
  readonly hardState: HardState | null;
  /** Whether term, vote, entries or snapshot changed, so that the write must be synced before `messages` leave. */
  readonly mustSync: boolean;
  /** To send only when all of the above is on disk. */
  readonly messages: readonly Message[];
  /** To apply, in order: all of them are committed and, after the write above, on this node's disk. */
  readonly committed: readonly Entry[];
  /** Reads that may be served once `index` is applied (this Ready's `committed` included). */
  readonly reads: readonly { readonly id: ReadId; readonly index: LogIndex }[];
  /** Reads that got no read index (leader lost, or none known): they may be asked for again. */
  readonly droppedReads: readonly ReadId[];
}
