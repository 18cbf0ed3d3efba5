import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AppliedBatch,
  type Command,
  encodeCommand,
  StateDatabase,
  StateMachine,
  type Version,
} from '@metad/kv-store';
import { type Entry, logIndex, nodeId, term } from '@metad/raft-core';
import type { BarrierOutcome, ProposeOutcome, Replica, ReplicaStatus } from '../src/replica.ts';

/** A replica over a real store in this process: every proposal is committed and applied at once. */
export class InProcessReplica implements Replica {
  readonly state: StateDatabase;
  readonly commands: Command[] = [];
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

  propose(command: Command): Promise<ProposeOutcome> {
    this.commands.push(command);
    if (this.outcome !== null) return Promise.resolve(this.outcome);
    const batch = this.applyAll([command]);
    return Promise.resolve({ type: 'applied', version: batch.version });
  }

  /** Applies several commands as one batch, as a group commit does. */
  applyAll(commands: readonly Command[]): AppliedBatch {
    const { index } = this.#machine.applied;
    const entries = commands.map(
      (command, i): Entry => ({
        term: term(1),
        leader: nodeId(1),
        index: logIndex(index + 1 + i),
        payload: { type: 'command', data: encodeCommand(command) },
      }),
    );
    const { batch } = this.#machine.apply(entries);
    this.deliver(batch);
    return batch;
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
