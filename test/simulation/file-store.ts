import { encodeCommand, type NodeIdentity, type PurgeLimits, StateDatabase, Store } from '@metad/kv-store';
import {
  assert,
  type bootstrapLog,
  type Entry,
  type InitialState,
  type LogId,
  type LogIndex,
  type LogReader,
  type NodeId,
  type Ready,
} from '@metad/raft-core';
import type {
  AppliedState,
  Random,
  SimulatedStore,
  Snapshot,
  StoreFactory,
  StoreFate,
  Write,
} from '@metad/raft-core/simulation';
import { Disk } from './disk.ts';
import { readSnapshot, SnapshotBytes, writeSnapshot } from './snapshot-bytes.ts';

/** A snapshot of a small state is some tens of kilobytes. */
const CHUNK_BYTES = 20_000;

/**
 * The real store on real files. The process ends by leaving them as they are at that moment, and the store that is
 * opened next finds a copy of that; the power goes by taking from the copy what no sync has covered.
 */
class FileStore implements SimulatedStore {
  readonly #node: NodeId;
  readonly #random: Random;
  readonly #fate: StoreFate;
  readonly #disk: Disk;
  #disks = 1;
  /** Whether the process may end within the call that is under way. */
  #mayEnd = false;
  #store: Store;
  #reader: StateDatabase;

  constructor(node: NodeId, formed: ReturnType<typeof bootstrapLog> | null, fate: StoreFate) {
    this.#node = node;
    this.#fate = fate;
    this.#random = fate.random;
    this.#disk = new Disk(fate.random, (what) => this.#reached(what));
    this.#store = this.#openStore();
    this.#reader = StateDatabase.open(this.#store.stateFile);
    if (formed?.entry.payload.type === 'membership') {
      this.#store.bootstrap(formed.entry.payload.membership, this.#identity);
    } else this.#store.log.saveIdentity(this.#identity);
  }

  get log(): LogReader {
    return this.#store.log;
  }

  get lastLog(): LogId {
    return this.#store.log.lastLog;
  }

  get compacted(): LogId {
    return this.#store.log.compacted;
  }

  get state(): AppliedState {
    return this.#store.state;
  }

  initialState(): InitialState {
    return this.#store.initialState();
  }

  write(ready: Ready, received: Snapshot | null): void {
    this.#mayEndWithin(() => {
      if (ready.snapshot !== null) {
        assert(received !== null, 'a snapshot is installed once it was received');
        this.#receive(received);
      }
      const reset = this.#store.write(ready);
      if (reset?.stateFile === undefined) return;
      this.#reader.reopen(reset.stateFile);
      if (this.#random.chance(0.7)) this.#store.removeReplacedStates();
    });
  }

  sync(): void {
    const { log } = this.#store;
    if (this.#random.chance(0.1)) {
      log.checkpointBeyond(1);
      this.#disk.logMoved();
    }
    log.syncNow();
  }

  apply(entries: readonly Entry[]): void {
    const { state } = this.#store;
    state.apply(entries);
    // What a node does when it has nothing else to do.
    if (this.#random.chance(0.05)) state.checkpointBeyond(1);
    if (this.#random.chance(0.05)) state.makeDurable();
  }

  read(key: string): string | null {
    return this.#reader.read((view) => {
      assert(view.applied().index === this.state.applied.index, 'readers see what was applied');
      return view.value('data', pathOf(key)) ?? null;
    });
  }

  encode(write: Write): Uint8Array {
    const path = pathOf(write.key);
    switch (write.type) {
      case 'put':
        return encodeCommand({ type: 'merge', tree: 'data', leaves: [[path, write.value]] });
      case 'delete':
        return encodeCommand({ type: 'deleteValue', tree: 'data', path });
    }
  }

  takeSnapshot(): Snapshot {
    return this.#mayEndWithin(() => {
      const { snapshots, state } = this.#store;
      const isNew = snapshots.newest?.last.index === state.applied.index;
      if (!isNew || this.#random.chance(0.3)) this.#store.takeSnapshotSync();
      const reader = snapshots.openNewestSync();
      assert(reader !== null, 'a snapshot that was taken is there');
      try {
        return { meta: reader.manifest.meta, content: readSnapshot(reader, CHUNK_BYTES) };
      } finally {
        reader.closeSync();
      }
    });
  }

  compact(to: LogIndex): LogId | null {
    const { log } = this.#store;
    if (to <= log.compacted.index) return null;
    return this.#mayEndWithin(() => {
      const compacted = this.#store.compact(to);
      this.#reached('compacted');
      while (this.#random.chance(0.7) && log.purge(this.#drawPurge())) this.#reached('purged');
      return compacted;
    });
  }

  crash({ loseUnsynced }: { readonly loseUnsynced: boolean }): void {
    this.#disk.copy();
    this.#closeAll();
    this.#disk.useCopy({ loseUnsynced });
    this.#open();
    assert(this.#store.log.identity()?.instance === this.#instance, 'the disk knows whose it is');
  }

  wipe(): void {
    this.#closeAll();
    this.#disk.replace();
    this.#disks += 1;
    this.#open();
    this.#store.log.saveIdentity(this.#identity);
  }

  close(): void {
    this.#closeAll();
    this.#disk.remove();
  }

  #receive({ meta, content }: Snapshot): void {
    assert(content instanceof SnapshotBytes, 'a store on files gets what such a store has sent');
    const { checksum, bytes } = content;
    const receiver = this.#store.snapshots.receive({ meta, checksum, bytes: bytes.length });
    writeSnapshot(content, receiver, CHUNK_BYTES);
    const outcome = receiver.finishSync();
    assert(outcome.type === 'complete', () => `a snapshot that was sent whole is ${outcome.type}`);
  }

  #open(): void {
    this.#store = this.#openStore();
    this.#reader = StateDatabase.open(this.#store.stateFile);
  }

  #openStore(): Store {
    return Store.open(this.#disk.path, { onStep: (step) => this.#reached(step) });
  }

  #closeAll(): void {
    this.#reader.close();
    this.#store.close();
  }

  #mayEndWithin<T>(act: () => T): T {
    this.#mayEnd = true;
    try {
      return act();
    } finally {
      this.#mayEnd = false;
    }
  }

  #reached(step: string): void {
    if (this.#mayEnd) this.#fate.reached(step, () => this.#disk.copy());
  }

  #drawPurge(): PurgeLimits {
    return { maxEntries: 1 + this.#random.below(20), maxBytes: 1000 };
  }

  get #instance(): string {
    return `n${this.#node}#${this.#disks}`;
  }

  get #identity(): NodeIdentity {
    return { node: this.#node, instance: this.#instance, cluster: 'simulated' };
  }
}

function pathOf(key: string): string {
  return `/k/${key}`;
}

export const openFileStore: StoreFactory = (node, formed, fate) => new FileStore(node, formed, fate);
