import {
  assert,
  checkInvariants,
  checkReady,
  checkStep,
  checkTick,
  checkTransition,
  compareLogId,
  EMPTY_MEMBERSHIP,
  type InstallSnapshot,
  type LogId,
  type LogIndex,
  type Message,
  type NodeId,
  Raft,
  type RaftConfig,
  type RaftStatus,
  type ReadId,
  type Ready,
  ZERO_LOG_ID,
} from '@metad/raft-core';
import { describeEntry, describeLogId, describeMembership, describeMessage } from './describe-message.ts';
import { TICK } from './event-queue.ts';
import type { NodeView } from './invariant.ts';
import { instanceOf } from './memberships-seen.ts';
import { PendingCalls, type ReadResult, type WriteResult } from './pending-calls.ts';
import type { SimulatedStore, Snapshot } from './simulated-store.ts';
import { ProcessEnded } from './store-fate.ts';
import type { World } from './world.ts';
import type { Write } from './write.ts';

/** The driver's part of the contract of Ready, in its order; it can be cut short before each of them. */
const STEPS = ['sendEarly', 'persist', 'sendMessages', 'apply', 'advance'] as const;
type Step = (typeof STEPS)[number];

/** A Ready that its driver has not finished. */
interface Turn {
  readonly ready: Ready;
  readonly left: Step[];
}

interface Delivery {
  readonly message: Message;
  readonly snapshot: Snapshot | null;
}

/** What a node says of itself when it connects to another one. */
interface Introduction {
  readonly id: NodeId;
  readonly instance: string;
  /** The last membership that it knows to be committed. */
  readonly membership: LogId;
}

/** What waits in the socket buffers of a process that stands still. */
const MAX_BUFFERED = 300;

export type ProposeWrite =
  | { readonly type: 'appended' }
  | { readonly type: 'refused'; readonly leader: NodeId | null };

/** One whole node but for its store: the core, and a driver that does what a real one does, faults included. */
export class SimulatedNode implements NodeView {
  readonly id: NodeId;
  readonly store: SimulatedStore;
  readonly #world: World;
  readonly #limits: Omit<RaftConfig, 'id' | 'random'>;
  /** Between two ticks. */
  tickLength = TICK;
  /** How long a synced write takes. */
  syncLength = 0;
  #disk = 1;
  /** Counts the node's processes, so that what an earlier one has scheduled ends with it. */
  #life = 0;
  #raft: Raft | null = null;
  #status: RaftStatus | null = null;
  #turn: Turn | null = null;
  #turnScheduled = false;
  #paused = false;
  #buffered: (() => void)[] = [];
  readonly #received = new Map<LogIndex, Snapshot>();
  #calls = new PendingCalls();
  #nextReadId: ReadId = 1;

  constructor(
    world: World,
    options: {
      readonly id: NodeId;
      readonly store: SimulatedStore;
      readonly limits: Omit<RaftConfig, 'id' | 'random'>;
    },
  ) {
    this.#world = world;
    this.id = options.id;
    this.store = options.store;
    this.#limits = options.limits;
  }

  get name(): string {
    return `n${this.id}`;
  }

  get instance(): string {
    return instanceOf(this.id, this.#disk);
  }

  get isRunning(): boolean {
    return this.#raft !== null;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** Null while the node is down. */
  get status(): RaftStatus | null {
    return this.#status;
  }

  get pendingReads(): number {
    return this.#calls.reads;
  }

  start(): void {
    assert(this.#raft === null, 'a node that runs is not started');
    const initial = this.store.initialState();
    this.#world.checks.started(this, initial);
    this.#note(() => `starts in term ${initial.hardState.term} with ${describeLogId(initial.lastLog)}`);
    this.#life += 1;
    this.#raft = new Raft(
      { ...this.#limits, id: this.id, random: this.#world.random.next },
      initial,
      this.store.log,
    );
    this.#status = this.#raft.status();
    checkInvariants(this.#status);
    this.#later(this.#world.random.below(this.tickLength), () => this.#tick());
    this.#wake();
  }

  /** The process ends at once, in the middle of whatever it did; with `powerLoss` the disk forgets what was not synced. */
  crash(options: { readonly powerLoss: boolean }): void {
    this.#note(() => (options.powerLoss ? 'loses power' : 'crashes'));
    this.#world.coverage.met('crash');
    if (options.powerLoss) this.#world.coverage.met('power loss');
    this.#life += 1;
    this.#raft = null;
    this.#status = null;
    this.#turn = null;
    this.#turnScheduled = false;
    this.#paused = false;
    this.#buffered = [];
    this.#received.clear();
    this.#calls.abandon();
    this.store.crash({ loseUnsynced: options.powerLoss });
  }

  /** The node is down and gets a new disk: to its cluster it is another instance from now on. */
  wipe(): void {
    assert(this.#raft === null, 'the disk of a running node is not replaced');
    this.#note(() => 'gets an empty disk');
    this.#disk += 1;
    this.store.wipe();
  }

  /** The process stands still and does not know it; the world goes on. */
  pause(): void {
    this.#note(() => 'stands still');
    this.#paused = true;
  }

  resume(): void {
    this.#note(() => 'goes on');
    this.#paused = false;
    const buffered = this.#buffered;
    this.#buffered = [];
    // One connection is read after the other, and what came last may be read first.
    for (const act of buffered) this.#later(1 + this.#world.random.below(TICK), () => this.whenAwake(act));
    this.#wake();
    if (this.#turn !== null) this.#continueTurn();
  }

  /** Does `act` as soon as the process runs; never, when it ends before, or too much waits already. */
  whenAwake(act: () => void): void {
    if (!this.#paused) act();
    else if (this.#buffered.length < MAX_BUFFERED) this.#buffered.push(act);
  }

  receive({ message, snapshot }: Delivery): void {
    this.whenAwake(() => {
      if (snapshot !== null) this.#received.set(snapshot.meta.last.index, snapshot);
      const before = this.#running;
      this.input((raft) => raft.step(message));
      checkStep(before, message, this.#running);
      this.#world.checks.received(this, message, this.#running);
    });
  }

  /** Gives one input to the core and checks what it has done. */
  input<T>(act: (raft: Raft) => T): T {
    const [raft, before] = [this.#raft, this.#status];
    assert(raft !== null && before !== null, `node ${this.id} is down`);
    const result = act(raft);
    const after = raft.status();
    this.#status = after;
    checkInvariants(after);
    checkTransition(before, after);
    this.#noteTransition(before, after);
    this.#world.checks.moved({ node: this, before, after }, this.#world.nodes);
    this.#wake();
    return result;
  }

  propose(write: Write, settle: (result: WriteResult) => void): ProposeWrite {
    const result = this.input((raft) => raft.propose(this.store.encode(write)));
    if (result.type === 'appended') {
      this.#calls.write(result.logId, settle);
      return { type: 'appended' };
    }
    return { type: 'refused', leader: result.type === 'notLeader' ? result.leader : null };
  }

  read(key: string, settle: (result: ReadResult) => void): void {
    const id = this.#nextReadId++;
    this.#world.checks.readAsked(this, id);
    this.#calls.read(id, { key, settle });
    this.input((raft) => raft.readIndex(id));
  }

  /** Compacts the log up to what is applied, less `keep` entries. */
  compact(keep: number): void {
    const applied = Math.min(this.store.state.applied.index, this.#status?.applied ?? 0);
    if (applied <= keep) return;
    const to = this.#unlessEnded(() => this.store.compact((applied - keep) as LogIndex));
    if (to === null) return;
    this.#note(() => `compacts its log up to ${describeLogId(to)}`);
    this.#world.coverage.met('compaction');
    this.input((raft) => raft.compacted(to));
  }

  #tick(): void {
    if (!this.#paused) {
      const before = this.#running;
      this.input((raft) => raft.tick());
      checkTick(before, this.#running);
      this.#world.checks.ticked(this, this.#running);
    }
    this.#later(this.tickLength, () => this.#tick());
  }

  /** Schedules a turn, so that what arrives until then is taken together. */
  #wake(): void {
    if (this.#turnScheduled || this.#paused || this.#turn !== null || this.#raft?.hasReady() !== true) return;
    this.#turnScheduled = true;
    this.#later(1, () => {
      this.#turnScheduled = false;
      if (this.#paused || this.#turn !== null || this.#raft?.hasReady() !== true) return;
      const ready = this.input((raft) => raft.ready());
      checkReady(this.#running, ready);
      this.#turn = { ready, left: [...STEPS] };
      this.#continueTurn();
    });
  }

  /** Does one step after the other, until the turn is done or something comes between. */
  #continueTurn(): void {
    const life = this.#life;
    while (this.#life === life && !this.#paused && this.#turn !== null) {
      const { ready, left } = this.#turn;
      if (this.#maybeCutShort(left)) return;
      const step = left.shift();
      assert(step !== undefined, 'a turn ends with its last step');
      if (step === 'advance') this.#turn = null;
      this.#unlessEnded(() => this.#do(step, ready));
      if (this.#life !== life) return;
      const wait = this.#waitAfter(step, ready);
      if (wait === 0) continue;
      this.#later(wait, () => this.#continueTurn());
      return;
    }
  }

  #maybeCutShort(left: readonly Step[]): boolean {
    const { troubles, random, coverage } = this.#world;
    if (!random.chance(troubles.crashWithinTurn)) return false;
    this.#note(() => `is cut short before ${left[0]}`);
    coverage.met('crash within a turn');
    this.crash({ powerLoss: random.chance(0.5) });
    return true;
  }

  /** Does what may come to the end of the process in its middle; null when it did. */
  #unlessEnded<T>(act: () => T): T | null {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof ProcessEnded)) throw error;
      const { random, coverage } = this.#world;
      this.#note(() => `is cut short behind '${error.step}'`);
      coverage.met('crash within a turn');
      this.crash({ powerLoss: random.chance(0.5) });
      return null;
    }
  }

  #waitAfter(step: Step, { mustSync }: Ready): number {
    const { troubles, random } = this.#world;
    if (step !== 'advance' && random.chance(troubles.stallWithinTurn)) return 1 + random.below(2 * TICK);
    // The disk works while the early messages travel.
    return step === 'sendEarly' && mustSync ? this.syncLength : 0;
  }

  #do(step: Step, ready: Ready): void {
    switch (step) {
      case 'sendEarly':
        this.#send(ready.early);
        return;
      case 'persist':
        this.#persist(ready);
        return;
      case 'sendMessages':
        this.#send(ready.messages);
        return;
      case 'apply':
        this.#apply(ready);
        return;
      case 'advance':
        this.input((raft) => raft.advance(ready));
        return;
    }
  }

  #persist(ready: Ready): void {
    const { snapshot, entries } = ready;
    const { coverage } = this.#world;
    const received = snapshot === null ? null : (this.#received.get(snapshot.last.index) ?? null);
    const [first] = entries;
    if (first !== undefined && first.index <= this.store.lastLog.index) coverage.met('log truncated');
    const life = this.#life;
    this.#unlessEnded(() => this.store.persist(ready, received));
    // A snapshot is installed in several steps, and by one of them: the process may have ended before or behind it.
    if (this.#life !== life && this.store.compacted.index < (snapshot?.last.index ?? Infinity)) return;
    if (snapshot !== null) {
      this.#note(() => `installs the snapshot ${describeLogId(snapshot.last)}`);
      coverage.met('snapshot installed');
      // A newer one may have come meanwhile.
      for (const index of this.#received.keys())
        if (index <= snapshot.last.index) this.#received.delete(index);
      this.#calls.installed(snapshot.last);
      this.#world.checks.installed(this);
    }
    if (entries.length > 0) this.#note(() => `writes [${entries.map(describeEntry).join(', ')}]`);
    this.#world.checks.persisted(this, entries);
  }

  #apply({ committed, reads, droppedReads }: Ready): void {
    if (committed.length > 0) {
      this.store.apply(committed);
      this.#note(
        () => `applies up to ${describeLogId(this.store.state.applied)}, version ${this.store.state.version}`,
      );
      this.#world.checks.applied(this, committed, this.#running);
      for (const entry of committed) {
        if (entry.payload.type === 'membership')
          this.#noteMembership(entry.payload.membership.configs.length);
        this.#calls.applied(entry);
      }
    }
    for (const read of reads) {
      this.#world.checks.readIndexed(this, read.id, read.index);
      this.#calls.indexed(read);
    }
    for (const id of droppedReads) this.#calls.dropped(id);
    this.#calls.serve(this.store.state.applied.index, (key) => this.store.read(key));
  }

  #noteMembership(configs: number): void {
    if (this.#status?.role !== 'leader') return;
    this.#world.coverage.met(configs > 1 ? 'joint membership' : 'membership change');
  }

  #send(messages: readonly Message[]): void {
    for (const message of messages) {
      this.#world.checks.sent(this, message, this.#running);
      if (message.type === 'installSnapshot') this.#sendSnapshot(message);
      else this.#transmit({ message, snapshot: null });
    }
  }

  /** The bytes of the newest state, whose meta goes into the message; the outcome is reported once it is known. */
  #sendSnapshot(asked: InstallSnapshot): void {
    const { network, coverage, random } = this.#world;
    const snapshot = this.store.takeSnapshot();
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
      this.#note(() => `knows its snapshot for n${asked.to} ${result}`);
      this.input((raft) => raft.reportSnapshot(asked.to, result));
    };
    const life = this.#life;
    const message = { ...asked, snapshot: snapshot.meta };
    this.#transmit({ message, snapshot }, () => {
      network.send({ from: asked.to, to: this.id }, () => {
        if (this.#life === life) this.whenAwake(() => report('sent'));
      });
    });
    // A transfer that is not confirmed in time has failed, whatever became of it.
    this.#later(TICK * (4 + random.below(8)), () => this.whenAwake(() => report('failed')));
  }

  #transmit(delivery: Delivery, delivered?: () => void): void {
    const { network, node } = this.#world;
    const { message, snapshot } = delivery;
    const self = this.#introduction();
    this.#note(() => describeMessage(message));
    network.send(
      message,
      () => {
        const receiver = node(message.to);
        if (!receiver.isRunning || !receiver.accepts(self)) return;
        if (this.isRunning && !this.accepts(receiver.#introduction())) return;
        receiver.receive(delivery);
        delivered?.();
      },
      snapshot === null ? 1 : 5,
    );
  }

  /**
   * Whether a peer is the one that this node's membership means, by its disk. One that knows a later membership, and is
   * committed to it, knows better: this node may have missed that the disk was replaced.
   */
  accepts({ id, instance, membership }: Introduction): boolean {
    const own = this.#status?.membership;
    const known = own?.membership.nodes.get(id)?.instance;
    if (own === undefined || known === undefined || known === instance) return true;
    return compareLogId(membership, own.logId) > 0;
  }

  /** Whether the node's disk is the one that `member`, a running node, means by its id. */
  isMemberOf(member: SimulatedNode): boolean {
    const { membership } = member.status?.membership ?? { membership: EMPTY_MEMBERSHIP };
    return membership.nodes.get(this.id)?.instance === this.instance;
  }

  #introduction(): Introduction {
    const membership = this.#status?.committedMembership.logId ?? ZERO_LOG_ID;
    return { id: this.id, instance: this.instance, membership };
  }

  /** Schedules for this process: nothing of it happens after its end. */
  #later(delay: number, act: () => void): void {
    const life = this.#life;
    this.#world.queue.after(delay, () => {
      if (this.#life === life) act();
    });
  }

  get #running(): RaftStatus {
    assert(this.#status !== null, () => `node ${this.id} is down`);
    return this.#status;
  }

  #noteTransition(before: RaftStatus, after: RaftStatus): void {
    const { coverage } = this.#world;
    if (before.role !== after.role || before.term !== after.term) {
      this.#note(() => `${after.role} in term ${after.term}`);
      if (after.role === 'leader') coverage.met('election');
      if (before.role === 'candidate' && after.role !== 'leader') coverage.met('failed election');
    }
    if (before.membership !== after.membership) {
      this.#note(
        () =>
          `has ${describeMembership(after.membership.membership)} at ${describeLogId(after.membership.logId)}`,
      );
    }
  }

  #note(what: () => string): void {
    this.#world.trace.note(this.name, what);
  }
}
