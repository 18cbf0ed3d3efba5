import type { AppliedBatch, Store, Version } from '@metad/kv-store';
import {
  type InstallSnapshot,
  type LogId,
  type LogIndex,
  type MembershipChange,
  type MembershipResult,
  type Message,
  type NodeId,
  type ProposeResult,
  Raft,
  type RaftConfig,
  type RaftStatus,
} from '@metad/raft-core';
import type { Logger } from 'pino';
import type { PeerTransport } from '../peers/transport.ts';
import type { CallOutcome } from './call.ts';
import { refusalOf } from './call-error.ts';
import { Driver } from './driver.ts';
import type { ConsensusMetrics } from './metrics.ts';
import { describeChange, type NodeState, StateFeed } from './node-state.ts';
import { PeerList } from './peer-list.ts';
import { Proposals } from './proposals.ts';
import { QuorumContact } from './quorum-contact.ts';
import { type BarrierOutcome, ReadBarriers } from './read-barriers.ts';
import { REMOVED, Removal } from './removal.ts';
import { StatusWatches } from './status-watches.ts';
import { Storage } from './storage.ts';

export interface NodeOptions {
  readonly store: Store;
  readonly raft: RaftConfig;
  readonly transport: Pick<PeerTransport, 'send' | 'setPeers'>;
  /** A peer needs a snapshot: `reportSnapshot` must tell how that ended, later. */
  readonly sendSnapshot: (message: InstallSnapshot) => void;
  readonly metrics: ConsensusMetrics;
  readonly logger: Logger;
  /** The length of one tick. A stalled event loop loses ticks and never makes up for them. */
  readonly tickMs: number;
  /** How long a write or a read may wait for a quorum, in ticks. */
  readonly patienceTicks: number;
  /** Beyond it, calls are refused as `overloaded`. */
  readonly maxInflightProposals: number;
  /** A broken invariant or a failing disk: the node has stopped taking part, and the process must end. */
  readonly onFault: (error: unknown) => void;
}

/** A long backlog is worked off in several turns, with everything else that the thread has to do between them. */
const MAX_TURN_MS = 20;

/**
 * The consensus loop: ticks, messages, proposals and reads go into one `Raft`, and what it makes ready is carried out
 * in turns: persist, send, answer, advance. What arrives while the disk syncs for one turn is taken together in the
 * next: that is the group commit.
 */
export class Node {
  readonly contact = new QuorumContact();
  readonly #options: NodeOptions;
  readonly #raft: Raft;
  readonly #proposals = new Proposals();
  readonly #barriers: ReadBarriers;
  readonly #storage: Storage;
  readonly #watches = new StatusWatches();
  readonly #removal = new Removal();
  readonly #state: StateFeed;
  readonly #peers: PeerList;
  readonly #driver: Driver;
  #tick = 0;
  #ticker: NodeJS.Timeout | null = null;
  #turn: NodeJS.Immediate | null = null;
  #stopped = false;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#raft = new Raft(options.raft, options.store.initialState(), options.store.log);
    this.#peers = new PeerList(options.transport);
    this.#storage = new Storage(options.store, options.metrics);
    this.#barriers = new ReadBarriers((id) => this.#raft.readIndex(id));
    this.#driver = new Driver({
      ...options,
      raft: this.#raft,
      storage: this.#storage,
      proposals: this.#proposals,
      barriers: this.#barriers,
      trace: options.metrics.writeTrace,
      resume: (finish) => this.#enterAndRun(finish),
      fail: (error) => this.fail(error),
    });
    const { role, term, leader } = this.#raft.place();
    this.#state = new StateFeed({ role, term, leader, caughtUp: false, isRemoved: false, quarantine: null });
    this.#state.listen((state, last) => this.#tellState(state, last));
  }

  get id(): NodeId {
    return this.#options.raft.id;
  }

  get state(): NodeState {
    return this.#state.current;
  }

  /** Whether the node has ended, on request or by a fault. */
  get isStopped(): boolean {
    return this.#stopped;
  }

  /** How many calls wait for their entries to be applied. */
  get inFlight(): number {
    return this.#proposals.size;
  }

  /** The version of the state that this node has applied. */
  get version(): Version {
    return this.#options.store.state.version;
  }

  /** See StateMachine. */
  hasRequest(idempotencyKey: string, now: number): boolean {
    return this.#options.store.state.hasRequest(idempotencyKey, now);
  }

  /** A batch that says of nothing whether it has changed: all who wait for changes look once more. */
  nothingKnown(): AppliedBatch {
    const { applied, version } = this.#options.store.state;
    return { applied, version, changes: [{ type: 'reset', version }] };
  }

  status(): RaftStatus {
    return this.#raft.status();
  }

  start(): void {
    this.#ticker = setInterval(() => this.#onTick(), this.#options.tickMs);
    this.#turn = setImmediate(() => this.#runTurn());
    void this.#catchUp();
  }

  /** Ends the loop; what is still open is answered as unknown. The store stays open for its owner to close. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#ticker) clearInterval(this.#ticker);
    if (this.#turn) clearImmediate(this.#turn);
    this.#turn = null;
    this.#driver.stop();
    this.#state.resign();
    this.#proposals.abandon();
    this.#barriers.abandon();
    this.#watches.abandon();
  }

  /** Ends the loop, and keeps this node from being read: its state can't be trusted, for that reason. */
  quarantine(reason: string): void {
    this.stop();
    this.#state.enter({ leader: null, caughtUp: false, quarantine: reason });
  }

  /** Calls `listener` with each applied batch, in log order, once this node's state shows it. */
  onApplied(listener: (batch: AppliedBatch) => void): void {
    this.#storage.onApplied(listener);
  }

  /** Calls `listener` whenever role, term, leader or readiness change. */
  onState(listener: (state: NodeState, last: NodeState) => void): void {
    this.#state.listen(listener);
  }

  receive(messages: readonly Message[]): void {
    this.#enter(() => {
      for (const message of messages) this.#take(message);
    });
  }

  /** Takes the message of a snapshot that was received whole; that is installed, or never will be, when it returns. */
  installSnapshot(message: InstallSnapshot): void {
    this.#enterAndRun(() => {
      this.#driver.complete();
      this.#take(message);
    });
  }

  /** How the sending of a snapshot ended; `sent` once the peer has stepped its message. */
  reportSnapshot(peer: NodeId, result: 'sent' | 'failed'): void {
    this.#enter(() => this.#raft.reportSnapshot(peer, result));
  }

  /**
   * Lets the log begin behind that entry, or behind a little less: no further than the state is durable. Resolves when that
   * is done, which is once the disk has what it is being given (a disk that hangs must not hold up the thread), or when the
   * node has stopped.
   */
  compactLog(upTo: LogIndex): Promise<void> {
    return new Promise((resolve) => {
      this.#driver.whenIdle(() => {
        this.#enter(() => this.#raft.compacted(this.#options.store.compact(upTo)));
        resolve();
      });
    });
  }

  #take(message: Message): void {
    this.contact.observe(message);
    this.#raft.step(message);
  }

  /** A member has refused this node: this committed membership does not have it. */
  reportNotMember(without: LogId): void {
    this.#enter(() => this.#removal.learn(without));
  }

  reportUnreachable(peer: NodeId): void {
    this.#enter(() => this.#raft.reportUnreachable(peer));
  }

  /** Appends a command if this node leads. `done` when it is applied here. */
  propose(command: Uint8Array): Promise<CallOutcome> {
    const { metrics, patienceTicks } = this.#options;
    const started = performance.now();
    const append = () => {
      const result = this.#raft.propose(command);
      if (result.type === 'appended') metrics.writeTrace.proposed(command, result.logId);
      return result;
    };
    const outcome = this.#append(append, 'entry', patienceTicks);
    void outcome.then(({ type }) => {
      if (type === 'done') metrics.commitSeconds.observe((performance.now() - started) / 1000);
    });
    return outcome;
  }

  /** Lets the other nodes know at once what this leader has committed: a client of theirs waits for it. */
  tellCommitted(): void {
    this.#driver.tellCommitted();
  }

  /** Begins a change of membership if this node leads. `done` when its last entry is applied here. */
  changeMembership(change: MembershipChange, patienceTicks: number): Promise<CallOutcome> {
    return this.#append(() => this.#raft.proposeMembership(change), 'uniformMembership', patienceTicks);
  }

  /** Hands the lead over; `transferred` once another node leads. */
  async transferLeadership(
    to: NodeId | null,
  ): Promise<'transferred' | 'notLeader' | 'noTarget' | 'timedOut' | 'stopping'> {
    const result = this.#enter(() => this.#raft.transferLeadership(to));
    if (result === undefined) return 'stopping';
    if (result.type !== 'started') return result.type;
    const { electionTimeoutTicks } = this.#options.raft; // after that, the core itself gives up
    const moved = await this.until(
      ({ leader }) => leader !== null && leader !== this.id,
      electionTimeoutTicks,
    );
    return moved ? 'transferred' : 'timedOut';
  }

  /** Resolves once this node has applied everything that was committed anywhere before the call. */
  readBarrier(): Promise<BarrierOutcome> {
    if (this.#stopped) return unavailable(`this node is ${this.state.quarantine ?? 'stopping'}`);
    return this.state.isRemoved ? unavailable(REMOVED) : this.#barrier();
  }

  #barrier(): Promise<BarrierOutcome> {
    const barrier = this.#barriers.request(this.#tick + this.#options.patienceTicks);
    this.#schedule();
    return barrier;
  }

  /**
   * Resolves to true after the first turn at whose end `holds` does, or to false after that many ticks or when the node
   * stops. Never sooner than the next turn: who asks again and again must not keep the loop from running.
   */
  until(holds: (status: RaftStatus) => boolean, ticks: number): Promise<boolean> {
    if (this.#stopped) return Promise.resolve(false);
    const held = this.#watches.until(holds, this.#tick + ticks);
    this.#schedule();
    return held;
  }

  /** Whether an entry is applied on this node within the node's patience. */
  appliedHere(index: LogIndex): Promise<boolean> {
    return this.until((status) => status.applied >= index, this.#options.patienceTicks);
  }

  #append(
    append: () => ProposeResult | MembershipResult,
    awaits: 'entry' | 'uniformMembership',
    patienceTicks: number,
  ): Promise<CallOutcome> {
    if (this.#stopped) return Promise.resolve({ type: 'refused', error: { type: 'stopping' } });
    if (this.#proposals.size >= this.#options.maxInflightProposals) {
      return Promise.resolve({ type: 'refused', error: { type: 'overloaded' } });
    }
    const result = this.#enter(append);
    if (result === undefined) return Promise.resolve({ type: 'unknown', message: 'this node has failed' });
    if (result.type !== 'appended') return Promise.resolve({ type: 'refused', error: refusalOf(result) });
    return this.#proposals.track({ logId: result.logId, awaits, deadlineTick: this.#tick + patienceTicks });
  }

  /**
   * Runs one input to completion; its consequences come with the next turn. What it throws stops the node. Undefined
   * when it could not run.
   */
  #enter<T>(input: () => T): T | undefined {
    if (this.#stopped) return undefined;
    try {
      const result = input();
      this.#schedule();
      return result;
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }

  /** The same, and the turn as well, before anything else comes. */
  #enterAndRun(input: () => void): void {
    this.#enter(input);
    if (this.#turn === null) return;
    clearImmediate(this.#turn);
    this.#runTurn();
  }

  #schedule(): void {
    if (!this.#stopped) this.#turn ??= setImmediate(() => this.#runTurn());
  }

  #onTick(): void {
    this.#tick += 1;
    this.#enter(() => {
      this.#raft.tick();
      this.#proposals.expire(this.#tick);
      this.#barriers.tick(this.#tick);
    });
  }

  #runTurn(): void {
    this.#turn = null;
    try {
      this.#barriers.flush();
      const started = performance.now();
      while (this.#raft.hasReady()) {
        this.#driver.carryOut(this.#raft.ready());
        if (performance.now() - started < MAX_TURN_MS) continue;
        this.#schedule();
        break;
      }
      this.#observe();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Tells the others what has changed since the last turn. */
  #observe(): void {
    const place = this.#raft.place();
    this.#peers.follow(place);
    const { role, term, leader } = place;
    const isRemoved = this.#removal.isIn(place);
    this.#state.enter({ role, term, leader, isRemoved, caughtUp: this.state.caughtUp && !isRemoved });
    if (this.#watches.size > 0) this.#watches.check(this.#raft.status(), this.#tick);
  }

  #tellState(state: NodeState, last: NodeState): void {
    const { role, term, leader, caughtUp } = state;
    if (last.leader !== leader) {
      this.contact.clear();
      if (leader !== null) this.#options.metrics.leaderChanges.inc();
    }
    this.#options.logger.info({ role, term, leader, caughtUp }, describeChange(last, state));
    // A node that is added again has missed what came meanwhile.
    if (last.caughtUp && !caughtUp) void this.#catchUp();
  }

  /** Until the first read barrier holds, this node can't know what it lacks. */
  async #catchUp(): Promise<void> {
    while (!this.#stopped && !this.state.caughtUp) {
      const barrier = await this.#barrier();
      if (barrier.type === 'ready' && !this.#stopped) this.#state.enter({ caughtUp: true });
    }
  }

  /** Ends the node for this reason. */
  fail(error: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.onFault(error);
  }
}

function unavailable(message: string): Promise<BarrierOutcome> {
  return Promise.resolve({ type: 'unavailable', message });
}
