import {
  assert,
  type bootstrapLog,
  type Entry,
  type InitialState,
  type LogId,
  type LogIndex,
  type StoredMembership,
  ZERO_LOG_ID,
} from '@metad/raft-core';

import { type DiskWrite, MemoryDisk } from './memory-disk.ts';
import type { AppliedState, SimulatedStore, Snapshot } from './simulated-store.ts';
import { decodeWrite, encodeWrite, type Write } from './write.ts';

/** A state machine's whole state; a later one is a new value, so that a snapshot is a reference. */
interface State extends AppliedState {
  readonly stored: StoredMembership | null;
  readonly values: ReadonlyMap<string, string>;
}

const EMPTY: State = { applied: ZERO_LOG_ID, version: 0, digest: '0', stored: null, values: new Map() };

/** A disk in memory, and the state that its log makes. */
export class MemoryStore implements SimulatedStore {
  #disk: MemoryDisk;
  readonly #decode: (command: Uint8Array) => Write;
  #state: State = EMPTY;
  /** What a loss of power leaves of the state: it may be old, but never older than where the log begins. */
  #durable: State = EMPTY;

  /** `decode`: for those that propose other commands than `encode` makes. */
  constructor(formed: ReturnType<typeof bootstrapLog> | null, decode = decodeWrite) {
    this.#disk =
      formed === null
        ? new MemoryDisk()
        : new MemoryDisk({ hardState: formed.hardState, log: [formed.entry] });
    this.#decode = decode;
  }

  get log(): MemoryDisk {
    return this.#disk;
  }

  get lastLog(): LogId {
    return this.#disk.last;
  }

  get compacted(): LogId {
    return this.#disk.compacted;
  }

  get state(): AppliedState {
    return this.#state;
  }

  /** In the order in which they were first written. */
  get keys(): readonly string[] {
    return [...this.#state.values.keys()];
  }

  initialState(): InitialState {
    return this.#disk.initialState(this.#state.applied, this.#state.stored);
  }

  /** `write` and `sync` in one. */
  persist(write: DiskWrite, received: Snapshot | null): void {
    this.write(write, received);
    if (write.mustSync) this.sync();
  }

  write(write: DiskWrite, received: Snapshot | null): void {
    if (write.snapshot !== null) {
      assert(received !== null, 'a snapshot is installed once it was received');
      this.#state = this.#durable = received.content as State;
    }
    this.#disk.write(write);
  }

  sync(): void {
    this.#disk.sync();
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) this.#state = this.#applied(entry);
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

  /** Makes durable what is applied. */
  checkpoint(): void {
    this.#durable = this.#state;
  }

  compact(to: LogIndex): LogId | null {
    this.checkpoint();
    const logId = to <= this.#durable.applied.index ? this.#disk.logId(to) : undefined;
    if (logId === undefined) return null;
    this.#disk.compact(logId);
    return this.#disk.compacted;
  }

  crash({ loseUnsynced }: { readonly loseUnsynced: boolean }): void {
    if (loseUnsynced) {
      this.#disk.loseUnsynced();
      this.#state = this.#durable;
    }
    // Who starts next goes by what it finds, and puts that on the disk first.
    this.#disk.sync();
  }

  wipe(): void {
    this.#disk = new MemoryDisk();
    this.#state = this.#durable = EMPTY;
  }

  close(): void {
    // Memory needs no closing.
  }

  #applied(entry: Entry): State {
    const { payload, term, leader, index } = entry;
    const state = this.#state;
    assert(index === state.applied.index + 1, 'entries are applied one after the other');
    const next = { ...state, applied: { term, leader, index }, digest: chained(state.digest, entry) };
    switch (payload.type) {
      case 'command':
        return changed(next, this.#decode(payload.data));
      case 'membership':
        return { ...next, stored: { logId: next.applied, membership: payload.membership } };
      case 'blank':
        return next;
    }
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
