import {
  assert,
  type Entry,
  type LogIndex,
  type Message,
  type NodeId,
  onDiskBefore,
  type Raft,
  type RaftConfig,
  type RaftStatus,
  type ReadId,
  type Ready,
} from '@metad/raft-core';
import { CheckedRaft } from './checked-raft.ts';
import { CrashPoints } from './crash-points.ts';
import { describeEntry, describeLogId } from './describe-message.ts';
import { TICK } from './event-queue.ts';
import { Lifetime } from './lifetime.ts';
import { PendingCalls, type ReadResult, type WriteResult } from './pending-calls.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Snapshot } from './simulated-store.ts';
import { SnapshotTransfer } from './snapshot-transfer.ts';
import type { World } from './world.ts';
import type { Write } from './write.ts';

/** The driver's part of the contract of Ready, in its order; it can be cut short before each of them. */
const STEPS = [
  'sendEarly',
  'write',
  'applyWhileSyncing',
  'sync',
  'sendMessages',
  'apply',
  'advance',
] as const;
type Step = (typeof STEPS)[number];

/** A Ready that its driver has not finished. */
interface Turn {
  readonly ready: Ready;
  readonly left: Step[];
}

/** A message, and the bytes that came with it when it is about a snapshot. */
export interface Delivery {
  readonly message: Message;
  readonly snapshot: Snapshot | null;
}

export type ProposeWrite =
  | { readonly type: 'appended' }
  | { readonly type: 'refused'; readonly leader: NodeId | null };

/** One life of a node, from its start to its end: the core, and a driver that does what a real one does. */
export class SimulatedProcess {
  readonly #world: World;
  readonly #node: SimulatedNode;
  readonly #lifetime: Lifetime;
  readonly #raft: CheckedRaft;
  readonly #crashPoints: CrashPoints;
  readonly #snapshots: SnapshotTransfer;
  readonly #calls = new PendingCalls();
  #turn: Turn | null = null;
  #turnScheduled = false;
  #nextReadId: ReadId = 1;

  constructor(world: World, node: SimulatedNode, limits: Omit<RaftConfig, 'id' | 'random'>) {
    this.#world = world;
    this.#node = node;
    this.#lifetime = new Lifetime(world);
    this.#crashPoints = new CrashPoints(world, node);
    this.#raft = new CheckedRaft(world, {
      node,
      lifetime: this.#lifetime,
      limits,
      moved: () => this.#wake(),
    });
    this.#snapshots = new SnapshotTransfer(world, { node, lifetime: this.#lifetime, raft: this.#raft });
    this.#lifetime.later(world.random.below(node.tickLength), () => this.#tick());
    this.#wake();
  }

  get status(): RaftStatus {
    return this.#raft.status;
  }

  get isPaused(): boolean {
    return this.#lifetime.isPaused;
  }

  get pendingReads(): number {
    return this.#calls.reads;
  }

  /** Nothing that it has begun goes on; who has asked it something will never hear. */
  end(): void {
    this.#lifetime.end();
    this.#calls.abandon();
  }

  /** The process stands still and does not know it; the world goes on. */
  pause(): void {
    this.#node.note(() => 'stands still');
    this.#lifetime.pause();
  }

  resume(): void {
    this.#node.note(() => 'goes on');
    this.#lifetime.resume();
    this.#wake();
    if (this.#turn !== null) this.#continueTurn();
  }

  /** Does `act` as soon as the process runs; never, when it ends before, or too much waits already. */
  whenAwake(act: () => void): void {
    this.#lifetime.whenAwake(act);
  }

  receive({ message, snapshot }: Delivery): void {
    this.whenAwake(() => {
      if (snapshot !== null) this.#snapshots.received(snapshot);
      this.#raft.step(message);
    });
  }

  /** Gives one input to the core, checked. */
  input<T>(act: (raft: Raft) => T): T {
    return this.#raft.input(act);
  }

  propose(write: Write, settle: (result: WriteResult) => void): ProposeWrite {
    const result = this.#raft.input((raft) => raft.propose(this.#node.store.encode(write)));
    if (result.type === 'appended') {
      this.#calls.write(result.logId, settle);
      return { type: 'appended' };
    }
    return { type: 'refused', leader: result.type === 'notLeader' ? result.leader : null };
  }

  read(key: string, settle: (result: ReadResult) => void): void {
    const id = this.#nextReadId++;
    this.#world.checks.readAsked(this.#node, id);
    this.#calls.read(id, { key, settle });
    this.#raft.input((raft) => raft.readIndex(id));
  }

  /** Compacts the log up to what is applied, less `keep` entries. */
  compact(keep: number): void {
    const applied = Math.min(this.#node.store.state.applied.index, this.#raft.status.applied);
    if (applied <= keep) return;
    const to = this.#crashPoints.unlessEnded(() => this.#node.store.compact((applied - keep) as LogIndex));
    if (to === null) return;
    this.#node.note(() => `compacts its log up to ${describeLogId(to)}`);
    this.#world.coverage.met('compaction');
    this.#raft.input((raft) => raft.compacted(to));
  }

  #tick(): void {
    if (!this.#lifetime.isPaused) this.#raft.tick();
    this.#lifetime.later(this.#node.tickLength, () => this.#tick());
  }

  /** Schedules a turn, so that what arrives until then is taken together. */
  #wake(): void {
    if (this.#turnScheduled || this.#lifetime.isPaused || this.#turn !== null || !this.#raft.hasReady())
      return;
    this.#turnScheduled = true;
    this.#lifetime.later(1, () => {
      this.#turnScheduled = false;
      if (this.#lifetime.isPaused || this.#turn !== null || !this.#raft.hasReady()) return;
      this.#turn = { ready: this.#raft.ready(), left: [...STEPS] };
      this.#continueTurn();
    });
  }

  /** Does one step after the other, until the turn is done or something comes between. */
  #continueTurn(): void {
    while (!this.#lifetime.isEnded && !this.#lifetime.isPaused && this.#turn !== null) {
      const { ready, left } = this.#turn;
      const [step] = left;
      assert(step !== undefined, 'a turn ends with its last step');
      if (this.#crashPoints.maybeCutShort(step)) return;
      left.shift();
      if (step === 'advance') this.#turn = null;
      this.#crashPoints.unlessEnded(() => this.#do(step, ready));
      if (this.#lifetime.isEnded) return;
      const wait = this.#waitAfter(step, ready);
      if (wait === 0) continue;
      this.#lifetime.later(wait, () => this.#continueTurn());
      return;
    }
  }

  #waitAfter(step: Step, { mustSync }: Ready): number {
    const { troubles, random } = this.#world;
    if (step !== 'advance' && random.chance(troubles.stallWithinTurn)) return 1 + random.below(2 * TICK);
    // The disk works while the early messages travel and more of them come.
    return step === 'applyWhileSyncing' && mustSync ? this.#node.syncLength : 0;
  }

  #do(step: Step, ready: Ready): void {
    switch (step) {
      case 'sendEarly':
        this.#send(ready.early);
        return;
      case 'write':
        this.#write(ready);
        return;
      case 'applyWhileSyncing':
        this.#applyWhileSyncing(ready);
        return;
      case 'sync':
        this.#sync(ready);
        return;
      case 'sendMessages':
        this.#send(ready.messages);
        return;
      case 'apply':
        this.#apply(ready);
        return;
      case 'advance':
        this.#raft.input((raft) => raft.advance(ready));
        return;
    }
  }

  #write(ready: Ready): void {
    const { snapshot, entries } = ready;
    const { coverage } = this.#world;
    const received = snapshot === null ? null : this.#snapshots.find(snapshot);
    const [first] = entries;
    if (first !== undefined && first.index <= this.#node.store.lastLog.index) coverage.met('log truncated');
    this.#crashPoints.unlessEnded(() => this.#node.store.write(ready, received));
    // A snapshot is installed in several steps, and by one of them: the process may have ended before or behind it.
    if (this.#lifetime.isEnded && this.#node.store.compacted.index < (snapshot?.last.index ?? Infinity))
      return;
    if (snapshot !== null) {
      this.#node.note(() => `installs the snapshot ${describeLogId(snapshot.last)}`);
      coverage.met('snapshot installed');
      this.#snapshots.installed(snapshot);
      this.#calls.installed(snapshot.last);
      this.#world.checks.installed(this.#node);
    }
    if (entries.length > 0) this.#node.note(() => `writes [${entries.map(describeEntry).join(', ')}]`);
    this.#world.checks.written(this.#node, entries);
    if (snapshot !== null) this.#world.checks.persisted(this.#node, entries);
  }

  #sync({ snapshot, entries, mustSync }: Ready): void {
    if (snapshot !== null) return;
    if (mustSync) this.#node.store.sync();
    this.#world.checks.persisted(this.#node, entries);
  }

  #applyEntries(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    this.#node.store.apply(entries);
    this.#node.note(
      () =>
        `applies up to ${describeLogId(this.#node.store.state.applied)}, version ${this.#node.store.state.version}`,
    );
    this.#world.checks.applied(this.#node, entries, this.#raft.status);
    for (const entry of entries) {
      if (entry.payload.type === 'membership') this.#noteMembership(entry.payload.membership.configs.length);
      this.#calls.applied(entry);
    }
  }

  /** What the disk need not have got for it. */
  #applyWhileSyncing(ready: Ready): void {
    this.#applyEntries(onDiskBefore(ready));
    for (const read of ready.reads) {
      this.#world.checks.readIndexed(this.#node, read.id, read.index);
      this.#calls.indexed(read);
    }
    for (const id of ready.droppedReads) this.#calls.dropped(id);
    this.#serveReads();
  }

  #apply(ready: Ready): void {
    this.#applyEntries(ready.committed.slice(onDiskBefore(ready).length));
    this.#serveReads();
  }

  #serveReads(): void {
    this.#calls.serve(this.#node.store.state.applied.index, (key) => this.#node.store.read(key));
  }

  #noteMembership(configs: number): void {
    if (this.#raft.status.role !== 'leader') return;
    this.#world.coverage.met(configs > 1 ? 'joint membership' : 'membership change');
  }

  #send(messages: readonly Message[]): void {
    for (const message of messages) {
      this.#world.checks.sent(this.#node, message, this.#raft.status);
      if (message.type === 'installSnapshot') this.#snapshots.send(message);
      else this.#node.transmit({ message, snapshot: null });
    }
  }
}
