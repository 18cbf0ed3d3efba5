import type { WriteResult } from '@metad/kv-store';
import { assert, type Entry, type LogId, type LogIndex, type Membership } from '@metad/raft-core';
import type { CallOutcome } from './call.ts';

interface Pending {
  /** The entry that was appended for it; another term's entry at its index means that it never will be. */
  readonly logId: LogId;
  /** A membership change is done with the first uniform config at or behind `logId`. */
  readonly awaits: 'entry' | 'uniformMembership';
  readonly deadlineTick: number;
  readonly resolve: (outcome: CallOutcome) => void;
}

/**
 * The calls whose entries are in the log but not applied yet. Each ends exactly once: done, definitely superseded, or,
 * when its time is over or the node stops, with an outcome that says that it is unknown.
 */
export class Proposals {
  readonly #entries = new Map<number, Pending>();
  readonly #changes: Pending[] = [];

  get size(): number {
    return this.#entries.size + this.#changes.length;
  }

  /** Resolves when the entry, or with it the membership change it begins, is applied here. */
  track(options: Omit<Pending, 'resolve'>): Promise<CallOutcome> {
    return new Promise((resolve) => {
      const pending = { ...options, resolve };
      if (options.awaits === 'uniformMembership') {
        this.#changes.push(pending);
        return;
      }
      const replaced = this.#entries.get(options.logId.index);
      if (replaced) {
        // Overwritten in this log, yet another node may still hold the old entry and bring it back.
        replaced.resolve(unknown('this node lost the lead before it was confirmed'));
        // Anew, so that the order of the map stays that of the deadlines.
        this.#entries.delete(options.logId.index);
      }
      this.#entries.set(options.logId.index, pending);
    });
  }

  /** Called for each applied entry, in order, after the state machine holds it. */
  settle(entry: Entry, result: WriteResult, membership: Membership): void {
    const pending = this.#entries.get(entry.index);
    if (pending) {
      this.#entries.delete(entry.index);
      pending.resolve(pending.logId.term === entry.term ? done(entry, result, membership) : superseded());
    }
    if (this.#changes.length > 0) this.#settleChanges(entry, result);
  }

  #settleChanges(entry: Entry, result: WriteResult): void {
    for (const pending of [...this.#changes]) {
      if (entry.index < pending.logId.index) continue;
      if (entry.index === pending.logId.index && entry.term !== pending.logId.term) {
        this.#endChange(pending, superseded());
      } else if (entry.payload.type === 'membership' && entry.payload.membership.configs.length === 1) {
        this.#endChange(pending, done(entry, result, entry.payload.membership));
      }
    }
  }

  #endChange(pending: Pending, outcome: CallOutcome): void {
    const at = this.#changes.indexOf(pending);
    assert(at >= 0, 'a membership change ends once');
    this.#changes.splice(at, 1);
    pending.resolve(outcome);
  }

  /** A snapshot was installed: what became of the entries up to its last one can't be told. */
  skip(upTo: LogIndex): void {
    for (const [index, pending] of this.#entries) {
      if (index > upTo) continue;
      this.#entries.delete(index);
      pending.resolve(unknown('this node got a snapshot in place of the log'));
    }
    for (const pending of [...this.#changes]) {
      if (pending.logId.index <= upTo)
        this.#endChange(pending, unknown('this node got a snapshot in place of the log'));
    }
  }

  /** Ends what has waited too long: it may still be committed later. */
  expire(tick: number): void {
    for (const [index, pending] of this.#entries) {
      if (pending.deadlineTick > tick) break; // all have the same patience, so the first in is the first out
      this.#entries.delete(index);
      pending.resolve(unknown('no quorum confirmed it in time'));
    }
    for (const pending of [...this.#changes]) {
      if (pending.deadlineTick <= tick) this.#endChange(pending, unknown('no quorum confirmed it in time'));
    }
  }

  /** Ends everything that is still open, when the node stops. */
  abandon(): void {
    for (const pending of [...this.#entries.values(), ...this.#changes]) {
      pending.resolve(unknown('this node stopped before it was confirmed'));
    }
    this.#entries.clear();
    this.#changes.length = 0;
  }
}

function done(entry: Entry, result: WriteResult, membership: Membership): CallOutcome {
  const { term, leader, index } = entry;
  return { type: 'done', logId: { term, leader, index }, result, membership };
}

/** Definite: an entry of another term was committed in its place. */
function superseded(): CallOutcome {
  return { type: 'refused', error: { type: 'forwardToLeader', leader: null } };
}

function unknown(message: string): CallOutcome {
  return { type: 'unknown', message };
}
