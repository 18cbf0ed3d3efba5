import { assert } from './assert.ts';
import { countOwnVote, preCampaign } from './candidate.ts';
import { maybeCommit } from './commit.ts';
import { type RaftConfig, validateConfig } from './config.ts';
import { tickElection } from './follower.ts';
import { type LogId, maxIndex, type NodeId, nextIndex } from './ids.ts';
import { type ProposeResult, propose, proposeMembership, tickLeader } from './leader.ts';
import { RaftLog } from './log.ts';
import type { InitialState, LogReader } from './log-reader.ts';
import type { MembershipChange, MembershipResult } from './membership-change.ts';
import { MembershipLog } from './membership-log.ts';
import type { Message, ReadId } from './message.ts';
import { beginReads, canBeginReads, forwardReads, readIndex } from './read-index.ts';
import type { HardState, Ready } from './ready.ts';
import { hasAppendsDue, sendAppends } from './replication.ts';
import { followerState } from './role.ts';
import { knownLeader, type Outbox, type RaftState, resetElectionTimer } from './state.ts';
import { placeOf, type RaftPlace, type RaftStatus, statusOf } from './status.ts';
import { step } from './step.ts';
import { startTransfer, type TransferResult } from './transfer.ts';

/**
 * One node of a Raft cluster as a value machine: inputs change it, `ready` says what its driver has to do. It does
 * nothing by itself, knows no clock and no disk, and given the same inputs it ends in the same state.
 *
 * Inputs may come at any time, also between `ready` and `advance`. Every AssertionError means that this node must
 * stop: its state, or what it was told, is impossible.
 */
export class Raft {
  readonly #state: RaftState;
  /** The hard state that the driver has, or has been handed. */
  #handedOut: HardState;
  #outstanding: Ready | null = null;
  /** Forwarded reads travel under ids that begin somewhere else after each start. */
  #nextWireReadId: ReadId;

  /** Throws a RangeError for a config out of range, an AssertionError for a state that no node can have. */
  constructor(config: RaftConfig, initial: InitialState, log: LogReader) {
    validateConfig(config);
    const { hardState, memberships, applied } = initial;
    this.#state = {
      config,
      log: new RaftLog(initial, log, config.maxTailBytes),
      memberships: new MembershipLog(memberships, applied.index),
      outbox: emptyOutbox(),
      term: hardState.term,
      votedFor: hardState.votedFor,
      role: followerState(null),
      electionElapsedTicks: 0,
      electionTimeoutTicks: config.electionTimeoutTicks,
      persisted: hardState,
    };
    this.#handedOut = hardState;
    this.#nextWireReadId = Math.floor(config.random() * WIRE_READ_IDS);
    resetElectionTimer(this.#state);
  }

  /** Time passes. The only clock; a driver that was stalled may leave ticks out, never make up for them in a burst. */
  tick(): void {
    const { role } = this.#state;
    if (role.type === 'leader') tickLeader(this.#state, role);
    else tickElection(this.#state);
  }

  /** Takes one message of a peer, which the driver has validated: well-formed, for this node, of this cluster. */
  step(message: Message): void {
    step(this.#state, message);
  }

  /**
   * `appended` promises nothing but a place in this leader's log. It is committed when an entry with this log id is in
   * Ready.committed, and lost for certain when one of another term is there at its index.
   */
  propose(data: Uint8Array): ProposeResult {
    const { role } = this.#state;
    if (role.type === 'leader') return propose(this.#state, role, data);
    return { type: 'notLeader', leader: knownLeader(this.#state) };
  }

  proposeMembership(change: MembershipChange): MembershipResult {
    const { role } = this.#state;
    if (role.type === 'leader') return proposeMembership(this.#state, role, change);
    return { type: 'notLeader', leader: knownLeader(this.#state) };
  }

  /** Asks for a read index, in any role; `id` comes back once, in Ready.reads or in Ready.droppedReads. */
  readIndex(id: ReadId): void {
    readIndex(this.#state, id);
  }

  /** Hands leadership to a voter; null: to the one that has most of the log. */
  transferLeadership(to: NodeId | null): TransferResult {
    const { role } = this.#state;
    if (role.type === 'leader') return startTransfer(this.#state, role, to);
    return { type: 'notLeader', leader: knownLeader(this.#state) };
  }

  /** Campaigns now instead of at the election timeout, by pre-vote as ever. Nothing on a leader or a learner. */
  campaign(): void {
    preCampaign(this.#state);
  }

  /** The connection to a peer broke: what was in flight to it is likely lost. */
  reportUnreachable(peer: NodeId): void {
    const progress = this.#progress(peer);
    if (progress?.flow.type === 'replicate') progress.becomeProbe(nextIndex(progress.matched), true);
  }

  /** How the installSnapshot to `peer` ended. Each one must be reported, else the peer is fed no more. */
  reportSnapshot(peer: NodeId, result: 'sent' | 'failed'): void {
    const progress = this.#progress(peer);
    if (progress?.flow.type !== 'snapshot') return;
    // What was sent may be newer than what was asked for. Assumed to reach what is compacted meanwhile: if it does not,
    // the probe there says so, while a probe before it would be another snapshot at once.
    const { last } = progress.flow;
    const next = result === 'sent' ? maxIndex(last, this.#state.log.compacted.index) : progress.matched;
    // Paused: the peer's own answer, or that to the next heartbeat, goes on from here.
    progress.becomeProbe(nextIndex(maxIndex(next, progress.matched)), true);
  }

  /** The driver's log begins behind `to` from now on; never beyond `status().applied`. */
  compacted(to: LogId): void {
    this.#state.log.compactTo(to);
  }

  /** Whether `ready` may be called and has something to do. */
  hasReady(): boolean {
    if (this.#outstanding !== null) return false;
    const { log, outbox, role } = this.#state;
    if (log.hasUnpersisted || log.hasUnapplied || this.#hardStateChanged()) return true;
    if (outbox.early.length > 0 || outbox.messages.length > 0) return true;
    if (outbox.reads.length > 0 || outbox.droppedReads.length > 0) return true;
    if (role.type === 'leader') return canBeginReads(this.#state, role) || hasAppendsDue(this.#state, role);
    return role.type === 'follower' && role.unsentReads.length > 0;
  }

  /** What to do now. Everything in it is handed out once; `advance` with it before the next one. */
  ready(): Ready {
    assert(this.#outstanding === null, 'the last Ready was not advanced');
    this.#collect();
    const state = this.#state;
    const { early, messages, reads, droppedReads } = state.outbox;
    state.outbox.early = [];
    state.outbox.messages = [];
    state.outbox.reads = [];
    state.outbox.droppedReads = [];
    const { snapshot, entries } = state.log.takeUnpersisted();
    const hardState = this.#hardStateChanged() ? this.#hardState() : null;
    const mustSync = snapshot !== null || entries.length > 0 || this.#voteChanged();
    if (hardState !== null) this.#handedOut = hardState;
    const committed = state.log.unapplied(state.config.maxCommittedBytes);
    const ready = { early, snapshot, entries, hardState, mustSync, messages, committed, reads, droppedReads };
    this.#outstanding = ready;
    return ready;
  }

  /** The driver has done all that `ready` asked for, in its order. */
  advance(ready: Ready): void {
    assert(this.#outstanding === ready, 'advance takes the Ready that was handed out last');
    this.#outstanding = null;
    const state = this.#state;
    state.log.advance(ready.committed.at(-1)?.index ?? null);
    state.memberships.appliedTo(state.log.applied);
    state.persisted = this.#handedOut;
    countOwnVote(state);
    const { role, log } = state;
    // Only what this node's own disk has beyond the commit index can move it.
    if (role.type === 'leader' && log.persisted > log.committed) maybeCommit(state, role);
  }

  /** The part of the status that says who leads whom. */
  place(): RaftPlace {
    return placeOf(this.#state);
  }

  status(): RaftStatus {
    return statusOf(this.#state);
  }

  /** Turns what has gathered since the last Ready into messages: one batch for many proposals or reads. */
  #collect(): void {
    const { role } = this.#state;
    if (role.type === 'leader') {
      if (canBeginReads(this.#state, role)) beginReads(this.#state, role);
      sendAppends(this.#state, role);
    }
    if (role.type === 'follower') forwardReads(this.#state, role, () => this.#takeWireReadId());
  }

  #takeWireReadId(): ReadId {
    const id = this.#nextWireReadId;
    this.#nextWireReadId = (id + 1) % WIRE_READ_IDS;
    return id;
  }

  #progress(peer: NodeId) {
    const { role } = this.#state;
    return role.type === 'leader' ? role.peers.get(peer) : undefined;
  }

  #hardState(): HardState {
    const { term, votedFor, log } = this.#state;
    return { term, votedFor, committed: log.committed };
  }

  #voteChanged(): boolean {
    const { term, votedFor } = this.#state;
    return term !== this.#handedOut.term || votedFor !== this.#handedOut.votedFor;
  }

  #hardStateChanged(): boolean {
    return this.#voteChanged() || this.#state.log.committed !== this.#handedOut.committed;
  }
}

/** How many ids forwarded reads cycle through: far more than can wait, and few enough to be exact numbers. */
const WIRE_READ_IDS = 2 ** 52;

function emptyOutbox(): Outbox {
  return { early: [], messages: [], reads: [], droppedReads: [] };
}
