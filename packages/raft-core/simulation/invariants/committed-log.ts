import { compareLogId, type Entry, type LogId } from '@metad/raft-core';
import { Violation } from '../invariant.ts';

/** The one log that the cluster has agreed on so far, as far as any node has applied it. */
export class CommittedLog {
  readonly #entries: LogId[] = [];

  get length(): number {
    return this.#entries.length;
  }

  get last(): LogId | undefined {
    return this.#entries.at(-1);
  }

  at(index: number): LogId | undefined {
    return this.#entries[index - 1];
  }

  /** Throws a Violation when another entry has been applied at its index. */
  add({ term, leader, index }: Entry): void {
    const known = this.#entries[index - 1];
    if (known === undefined) {
      if (index !== this.#entries.length + 1)
        throw new Violation('state machine safety', `entry ${index} came early`);
      this.#entries.push({ term, leader, index });
    } else if (compareLogId(known, { term, leader, index }) !== 0) {
      throw new Violation(
        'state machine safety',
        `entry ${index} is of term ${known.term} and of term ${term}`,
      );
    }
  }
}
