import {
  assert,
  type bootstrapLog,
  type Entry,
  type HardState,
  INITIAL_HARD_STATE,
  type InitialState,
  type LogId,
  type LogIndex,
  logIndex,
  type Ready,
  type StoredMembership,
  ZERO_LOG_ID,
} from '@metad/raft-core';

import { MemoryLog } from './memory-log.ts';
import type { AppliedState, SimulatedStore, Snapshot } from './simulated-store.ts';
import { decodeWrite, encodeWrite, type Write } from './write.ts';

/** A state machine's whole state; a later one is a new value, so that a snapshot is a reference. */
interface State extends AppliedState {
  readonly stored: StoredMembership | null;
  readonly values: ReadonlyMap<string, string>;
}

const EMPTY: State = { applied: ZERO_LOG_ID, version: 0, digest: '0', stored: null, values: new Map() };

/** A disk in memory. Writes are atomic; one that no sync covers may be lost with the power. */
export class MemoryStore implements SimulatedStore {
  #log = new MemoryLog();
  #hardState: HardState = INITIAL_HARD_STATE;
  #syncedHardState: HardState = INITIAL_HARD_STATE;
  #state: State = EMPTY;
  /** What a loss of power leaves of the state: it may be old, but never older than where the log begins. */
  #durable: State = EMPTY;

  constructor(formed: ReturnType<typeof bootstrapLog> | null) {
    if (formed === null) return;
    this.#log.append([formed.entry]);
    this.#hardState = this.#syncedHardState = formed.hardState;
  }

  get log(): MemoryLog {
    return this.#log;
  }

  get lastLog(): LogId {
    return this.#log.last;
  }

  get compacted(): LogId {
    return this.#log.compacted;
  }

  get state(): AppliedState {
    return this.#state;
  }

  initialState(): InitialState {
    const { applied, stored } = this.#state;
    const memberships: StoredMembership[] = stored === null ? [] : [stored];
    for (const { payload, term, leader, index } of this.#log.after(applied.index)) {
      if (payload.type === 'membership') {
        memberships.push({ logId: { term, leader, index }, membership: payload.membership });
      }
    }
    const committed = logIndex(Math.max(this.#hardState.committed, applied.index));
    return {
      hardState: { ...this.#hardState, committed },
      compacted: this.#log.compacted,
      lastLog: this.#log.last,
      applied,
      memberships,
    };
  }

  persist({ snapshot, entries, hardState, mustSync }: Ready, received: Snapshot | null): void {
    if (snapshot !== null) {
      assert(received !== null, 'a snapshot is installed once it was received');
      this.#state = this.#durable = received.content as State;
      this.#log.reset(snapshot.last);
    }
    this.#log.append(entries);
    if (hardState !== null) this.#hardState = hardState;
    if (mustSync) this.#syncedHardState = this.#hardState;
    else assert(entries.length === 0 && snapshot === null, 'entries and snapshots are synced');
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) this.#state = applied(this.#state, entry);
  }

  read(key: string): string | null {
    return this.#state.values.get(key) ?? null;
  }

  encode(write: Write): Uint8Array {
    return encodeWrite(write);
  }

  takeSnapshot(): Snapshot {
    const { applied: last, stored } = this.#state;
    assert(stored !== null, 'a state that is sent holds a membership');
    return {
      meta: { last, membership: stored.membership, membershipLogId: stored.logId },
      content: this.#state,
    };
  }

  compact(to: LogIndex): LogId | null {
    this.#durable = this.#state;
    const logId = to <= this.#durable.applied.index ? this.#log.logId(to) : undefined;
    if (logId === undefined) return null;
    this.#log.compact(logId);
    return this.#log.compacted;
  }

  crash({ loseUnsynced }: { readonly loseUnsynced: boolean }): void {
    if (!loseUnsynced) return;
    this.#hardState = this.#syncedHardState;
    this.#state = this.#durable;
  }

  wipe(): void {
    this.#log = new MemoryLog();
    this.#hardState = this.#syncedHardState = INITIAL_HARD_STATE;
    this.#state = this.#durable = EMPTY;
  }

  close(): void {
    // Memory needs no closing.
  }
}

function applied(state: State, entry: Entry): State {
  const { payload, term, leader, index } = entry;
  assert(index === state.applied.index + 1, 'entries are applied one after the other');
  const next = { ...state, applied: { term, leader, index }, digest: chained(state.digest, entry) };
  switch (payload.type) {
    case 'command':
      return changed(next, decodeWrite(payload.data));
    case 'membership':
      return { ...next, stored: { logId: next.applied, membership: payload.membership } };
    case 'blank':
      return next;
  }
}

/** A command that changes nothing makes no version. */
function changed(state: State, write: Write): State {
  const values = new Map(state.values);
  switch (write.type) {
    case 'put':
      if (values.get(write.key) === write.value) return state;
      values.set(write.key, write.value);
      break;
    case 'delete':
      if (!values.delete(write.key)) return state;
      break;
  }
  return { ...state, version: state.version + 1, values };
}

/** FNV-1a over the digest before and the entry: enough to tell two histories apart. */
function chained(digest: string, { term, index, payload }: Entry): string {
  let hash = Number.parseInt(digest, 16) ^ term ^ (index << 8);
  for (const byte of payload.type === 'command' ? payload.data : [])
    hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16);
}
