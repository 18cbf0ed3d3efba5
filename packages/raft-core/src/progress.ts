import { assert } from './assert.ts';
import { addToIndex, type LogIndex, maxIndex, nextIndex, previousIndex } from './ids.ts';
import type { Round } from './message.ts';

/**
 * How a peer is fed.
 *
 *     probe ──accepted──▶ replicate      probe: one append at a time, to find where the logs agree
 *       ▲ ◀──rejected,───────┘           replicate: many in flight, within a window
 *       │    unreachable                 snapshot: nothing until the driver has sent one
 *       └─ sent, failed ── snapshot
 */
export type Flow =
  /** `paused`: the one append is out; an answer to it or to a heartbeat releases the next. */
  | { readonly type: 'probe'; paused: boolean }
  | {
      readonly type: 'replicate';
      readonly inflight: Inflight;
      /**
       * What matched when a heartbeat was last answered with appends in flight: no move until the next answer smells of
       * a loss. Null when no heartbeat was answered since the first of them left.
       */
      matchedAtHeartbeat: LogIndex | null;
      /** One append is to go out even through a full window, so that a loss is noticed by its rejection. */
      nudge: boolean;
    }
  | { readonly type: 'snapshot'; readonly last: LogIndex };

/** The leader's view of one peer. */
export class Progress {
  /** The peer's log equals the leader's up to here, on its disk. Never falls within a term. */
  matched: LogIndex;
  /** The next entry to send. Invariant: matched < next <= last + 1. */
  next: LogIndex;
  /** The highest commit index told to it in an append. */
  committedSent: LogIndex;
  /** Whether it answered since the last check of the quorum. */
  recentlyActive = false;
  /** The latest round of contact that it answered. */
  answeredRound: Round = 0;
  flow: Flow = { type: 'probe', paused: false };

  /** Starts optimistically behind the leader's last entry (paper figure 2, nextIndex). */
  constructor(next: LogIndex) {
    this.matched = 0 as LogIndex;
    this.next = next;
    this.committedSent = 0 as LogIndex;
  }

  /** `next` is moved back, never to what is known to match. */
  becomeProbe(next: LogIndex, paused: boolean): void {
    this.next = maxIndex(next, nextIndex(this.matched));
    this.flow = { type: 'probe', paused };
  }

  becomeReplicate(limits: InflightLimits): void {
    this.next = nextIndex(this.matched);
    this.flow = {
      type: 'replicate',
      inflight: new Inflight(limits),
      matchedAtHeartbeat: null,
      nudge: false,
    };
  }

  becomeSnapshot(last: LogIndex): void {
    this.flow = { type: 'snapshot', last };
  }

  /** Takes note of what the peer has; stale answers change nothing. Returns whether it is new. */
  maybeMatch(matched: LogIndex): boolean {
    if (matched <= this.matched) return false;
    this.matched = matched;
    this.next = maxIndex(this.next, nextIndex(matched));
    if (this.flow.type === 'replicate') this.flow.inflight.freeTo(matched);
    return true;
  }

  /** Entries up to the one before `next + count` are on their way. */
  sent(count: number, bytes: number): void {
    switch (this.flow.type) {
      case 'probe':
        this.flow.paused = true;
        return;
      case 'replicate':
        this.flow.nudge = false;
        if (count === 0) return;
        if (this.flow.inflight.messages === 0) this.flow.matchedAtHeartbeat = null;
        this.next = addToIndex(this.next, count);
        this.flow.inflight.add({ last: previousIndex(this.next), bytes });
        return;
      case 'snapshot':
        assert(false, 'nothing is appended to a peer that waits for a snapshot');
    }
  }
}

export interface InflightLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

interface Sent {
  /** The index of the last entry in it. */
  readonly last: LogIndex;
  readonly bytes: number;
}

/** Appends sent and not answered, oldest first. */
export class Inflight {
  readonly #limits: InflightLimits;
  #sent: Sent[] = [];
  #head = 0;
  #bytes = 0;

  constructor(limits: InflightLimits) {
    this.#limits = limits;
  }

  get messages(): number {
    return this.#sent.length - this.#head;
  }

  get full(): boolean {
    return this.messages >= this.#limits.maxMessages || this.#bytes >= this.#limits.maxBytes;
  }

  add(sent: Sent): void {
    assert(!this.full, 'nothing is sent beyond the window');
    this.#sent.push(sent);
    this.#bytes += sent.bytes;
  }

  /** An answer covers every append before it: answers to those may have been lost. */
  freeTo(matched: LogIndex): void {
    for (;;) {
      const oldest = this.#sent[this.#head];
      if (oldest === undefined || oldest.last > matched) break;
      this.#bytes -= oldest.bytes;
      this.#head += 1;
    }
    if (this.#head * 2 >= this.#sent.length) {
      this.#sent = this.#sent.slice(this.#head);
      this.#head = 0;
    }
  }
}
