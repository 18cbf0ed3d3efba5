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
 *     write(ready), begin to sync it        snapshot, then entries, then hard state; one sync for all
 *     apply(onDiskBefore(ready))            while the disk is at it; inputs may come meanwhile as well
 *     note ready.reads and droppedReads     each read is answered once its index is applied
 *     wait until it is on disk
 *     send(ready.messages)                  votes and acknowledgements promise what is now on disk (thesis §3.8)
 *     apply(the rest of ready.committed)
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
  /** Reads that may be served once `index` is applied: with this Ready's `committed`, at the latest. */
  readonly reads: readonly { readonly id: ReadId; readonly index: LogIndex }[];
  /** Reads that got no read index (leader lost, or none known): they may be asked for again. */
  readonly droppedReads: readonly ReadId[];
}

/** The first of `committed`: those that no entry of this Ready's own write is among, so that they are on disk already. */
export function onDiskBefore({ snapshot, entries, committed }: Ready): readonly Entry[] {
  if (snapshot !== null) return [];
  const [first] = entries;
  if (first === undefined) return committed;
  const written = committed.findIndex(({ index }) => index >= first.index);
  return written === -1 ? committed : committed.slice(0, written);
}
