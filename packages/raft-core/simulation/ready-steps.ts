import { type Entry, type Message, onDiskBefore, type Ready } from '@metad/raft-core';
import type { CheckedRaft } from './checked-raft.ts';
import type { CrashPoints } from './crash-points.ts';
import { describeEntry, describeLogId } from './describe-message.ts';
import type { PendingCalls } from './pending-calls.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { SnapshotTransfer } from './snapshot-transfer.ts';
import type { World } from './world.ts';

/** The driver's part of the contract of Ready, in its order; it can be cut short before each of them. */
export const STEPS = [
  'sendEarly',
  'write',
  'applyWhileSyncing',
  'sync',
  'sendMessages',
  'apply',
  'advance',
] as const;
export type Step = (typeof STEPS)[number];

interface Parts {
  readonly node: SimulatedNode;
  readonly raft: CheckedRaft;
  readonly crashPoints: CrashPoints;
  readonly snapshots: SnapshotTransfer;
  readonly calls: PendingCalls;
}

/** What each step does with a Ready, told to those that watch the cluster. When, and whether at all, is the driver's. */
export class ReadySteps {
  readonly #world: World;
  readonly #node: SimulatedNode;
  readonly #raft: CheckedRaft;
  readonly #crashPoints: CrashPoints;
  readonly #snapshots: SnapshotTransfer;
  readonly #calls: PendingCalls;

  constructor(world: World, { node, raft, crashPoints, snapshots, calls }: Parts) {
    this.#world = world;
    this.#node = node;
    this.#raft = raft;
    this.#crashPoints = crashPoints;
    this.#snapshots = snapshots;
    this.#calls = calls;
  }

  do(step: Step, ready: Ready): void {
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

  #send(messages: readonly Message[]): void {
    for (const message of messages) {
      this.#world.checks.sent(this.#node, message, this.#raft.status);
      if (message.type === 'installSnapshot') this.#snapshots.send(message);
      else this.#node.transmit({ message, snapshot: null });
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
    if (!this.#node.isRunning && this.#node.store.compacted.index < (snapshot?.last.index ?? Infinity))
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

  #noteMembership(configs: number): void {
    if (this.#raft.status.role !== 'leader') return;
    this.#world.coverage.met(configs > 1 ? 'joint membership' : 'membership change');
  }

  #serveReads(): void {
    this.#calls.serve(this.#node.store.state.applied.index, (key) => this.#node.store.read(key));
  }
}
