import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AppliedBatch,
  type AppliedEntries,
  type Command,
  type ContentCommand,
  encodeCommand,
  StateDatabase,
  StateMachine,
  type Version,
  type WriteCommand,
  type WriteResult,
} from '@metad/kv-store';
import { type Entry, logIndex, nodeId, term } from '@metad/raft-core';
import type { BarrierOutcome, ProposeOutcome, Replica, ReplicaStatus } from '../src/replica.ts';

/** A replica over a real store in this process: every proposal is committed and applied at once. */
export class InProcessReplica implements Replica {
  readonly state: StateDatabase;
  /** All that was proposed, and the operations in it. */
  readonly writes: WriteCommand[] = [];
  readonly commands: ContentCommand[] = [];
  /** What the next write is stamped with: one millisecond more for each. */
  now = 1;
  caughtUp = true;
  hasLeader = true;
  barriers = 0;
  barrier: BarrierOutcome = { type: 'ready' };
  /** What the next proposals come to instead of being applied. */
  outcome: ProposeOutcome | null = null;
  readonly #directory = mkdtempSync(join(tmpdir(), 'metad-api-'));
  readonly #machine: StateMachine;
  readonly #listeners = new Set<(batch: AppliedBatch) => void>();
  /** Batches that are applied but not delivered yet; null while they are delivered at once. */
  #heldBack: AppliedBatch[] | null = null;

  constructor() {
    const file = join(this.#directory, 'state.db');
    this.#machine = StateMachine.open(file);
    this.state = StateDatabase.open(file);
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  version(): Version {
    return this.#machine.version;
  }

  propose(write: WriteCommand): Promise<ProposeOutcome> {
    this.writes.push(write);
    this.commands.push(...write.operations);
    if (this.outcome !== null) return Promise.resolve(this.outcome);
    const [result] = this.#apply([{ ...write, time: this.now++ }]).results;
    if (result === undefined) throw new Error('one entry has one result');
    return Promise.resolve(outcomeOf(result));
  }

  /** Applies several commands as one batch, as a group commit does. */
  applyAll(commands: readonly Command[]): AppliedBatch {
    return this.#apply(commands).batch;
  }

  #apply(commands: readonly Command[]): AppliedEntries {
    const { index } = this.#machine.applied;
    const entries = commands.map(
      (command, i): Entry => ({
        term: term(1),
        leader: nodeId(1),
        index: logIndex(index + 1 + i),
        payload: { type: 'command', data: encodeCommand(command) },
      }),
    );
    const applied = this.#machine.apply(entries);
    this.deliver(applied.batch);
    return applied;
  }

  deliver(batch: AppliedBatch): void {
    if (this.#heldBack !== null) this.#heldBack.push(batch);
    else for (const listener of this.#listeners) listener(batch);
  }

  /** From now on the state runs ahead of the changes that are delivered. */
  holdBack(): void {
    this.#heldBack ??= [];
  }

  deliverHeldBack(): void {
    const batches = this.#heldBack ?? [];
    this.#heldBack = null;
    for (const batch of batches) this.deliver(batch);
  }

  readBarrier(): Promise<BarrierOutcome> {
    this.barriers += 1;
    return Promise.resolve(this.barrier);
  }

  subscribe(listener: (batch: AppliedBatch) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  status(): ReplicaStatus {
    return { caughtUp: this.caughtUp, hasLeader: this.hasLeader };
  }

  close(): void {
    this.state.close();
    this.#machine.close();
    rmSync(this.#directory, { recursive: true });
  }
}

function outcomeOf(result: WriteResult): ProposeOutcome {
  const { type, version } = result;
  if (type !== 'applied' && type !== 'repeated') return result;
  return { type: 'applied', version, repeated: type === 'repeated' };
}
