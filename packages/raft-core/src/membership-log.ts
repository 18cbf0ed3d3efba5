import { assert } from './assert.ts';
import type { Entry } from './entry.ts';
import { type LogIndex, ZERO_LOG_ID } from './ids.ts';
import type { StoredMembership } from './log-reader.ts';
import { EMPTY_MEMBERSHIP } from './membership.ts';
import type { SnapshotMeta } from './message.ts';

/**
 * The memberships that still matter, in log order: the one the state machine holds, then every later one in the log.
 * A membership is in effect as soon as it is appended (thesis §4.1), so the last one counts; when its entry is
 * truncated, the one before counts again.
 */
export class MembershipLog {
  #stored: [StoredMembership, ...StoredMembership[]];

  constructor(stored: readonly StoredMembership[], applied: LogIndex) {
    this.#stored = [{ logId: ZERO_LOG_ID, membership: EMPTY_MEMBERSHIP }];
    for (const one of stored) this.#push(one);
    this.appliedTo(applied);
  }

  get effective(): StoredMembership {
    return this.#stored.at(-1) ?? this.#stored[0];
  }

  get applied(): StoredMembership {
    return this.#stored[0];
  }

  /** The last one at or before `index`, which is not before what is applied. */
  at(index: LogIndex): StoredMembership {
    return this.#stored.findLast((one) => one.logId.index <= index) ?? this.#stored[0];
  }

  append(entry: Entry): void {
    if (entry.payload.type !== 'membership') return;
    const { term, leader, index, payload } = entry;
    this.#push({ logId: { term, leader, index }, membership: payload.membership });
  }

  /** Rolls back to what was in effect before the entry at `from`. */
  truncateFrom(from: LogIndex): void {
    while (this.effective.logId.index >= from) {
      assert(this.#stored.length > 1, 'an applied membership is never truncated');
      this.#stored.pop();
    }
  }

  appliedTo(index: LogIndex): void {
    if (this.#stored.length === 1) return;
    const current = this.#stored.findLastIndex((one) => one.logId.index <= index);
    if (current <= 0) return;
    const [first, ...rest] = this.#stored.slice(current);
    assert(first !== undefined, 'one membership is always applied');
    this.#stored = [first, ...rest];
  }

  restore(snapshot: SnapshotMeta): void {
    this.#stored = [{ logId: snapshot.membershipLogId, membership: snapshot.membership }];
  }

  #push(stored: StoredMembership): void {
    assert(
      stored.logId.index > this.effective.logId.index || this.effective.logId.index === 0,
      'memberships come in log order',
    );
    this.#stored.push(stored);
  }
}
