import type { LogIndex, Message, NodeId, Raft, RaftConfig, RaftStatus, ReadId } from '@metad/raft-core';
import { CheckedRaft } from './checked-raft.ts';
import { CrashPoints } from './crash-points.ts';
import { describeLogId } from './describe-message.ts';
import { Driver } from './driver.ts';
import { Lifetime } from './lifetime.ts';
import { PendingCalls, type ReadResult, type WriteResult } from './pending-calls.ts';
import { ReadySteps } from './ready-steps.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Snapshot } from './simulated-store.ts';
import { SnapshotTransfer } from './snapshot-transfer.ts';
import type { World } from './world.ts';
import type { Write } from './write.ts';

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
  readonly #driver: Driver;
  readonly #snapshots: SnapshotTransfer;
  readonly #calls = new PendingCalls();
  #nextReadId: ReadId = 1;

  constructor(world: World, node: SimulatedNode, limits: Omit<RaftConfig, 'id' | 'random'>) {
    this.#world = world;
    this.#node = node;
    const lifetime = new Lifetime(world);
    const crashPoints = new CrashPoints(world, node);
    const raft = new CheckedRaft(world, { node, lifetime, limits, moved: () => this.#driver.wake() });
    const snapshots = new SnapshotTransfer(world, { node, lifetime, raft });
    const steps = new ReadySteps(world, { node, raft, crashPoints, snapshots, calls: this.#calls });
    this.#lifetime = lifetime;
    this.#crashPoints = crashPoints;
    this.#raft = raft;
    this.#snapshots = snapshots;
    this.#driver = new Driver(world, { node, lifetime, raft, crashPoints, steps });
    lifetime.later(world.random.below(node.tickLength), () => this.#tick());
    this.#driver.wake();
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
    this.#driver.resume();
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
}
