import { compareLogId, type Entry, type LogId, type Term } from '@metad/raft-core';
import { Violation } from '../invariant.ts';

/** The one log that the cluster has agreed on so far, as far as any node has applied it. */
export class CommittedLog {
  readonly #entries: (LogId & { readonly committedIn: Term })[] = [];

  get length(): number {
    return this.#entries.length;
  }

  /** `committedIn`: the first term in which somebody knew that the entry is committed. */
  at(index: number): (LogId & { readonly committedIn: Term }) | undefined {
    return this.#entries[index - 1];
  }

  /** Throws a Violation when another entry has been applied at its index. */
  add({ term, leader, index }: Entry, committedIn: Term): void {
    const known = this.#entries[index - 1];
    if (known === undefined) {
      if (index !== this.#entries.length + 1)
        throw new Violation('state machine safety', `entry ${index} came early`);
      this.#entries.push({ term, leader, index, committedIn });
    } else if (compareLogId(known, { term, leader, index }) !== 0) {
      throw new Violation(
        'state machine safety',
        `entry ${index} is of term ${known.term} and of term ${term}`,
      );
    }
  }
}
