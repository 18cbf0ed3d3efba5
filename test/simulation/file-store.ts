import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { encodeCommand, type NodeIdentity, StateDatabase, Store } from '@metad/kv-store';
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
import { DataDirectory } from './data-directory.ts';
import { loseUnsynced } from './power-loss.ts';
import { readSnapshot, SnapshotBytes, writeSnapshot } from './snapshot-bytes.ts';
import { readBackfilled, readWal, type WalPosition } from './wal-file.ts';

/** A snapshot of a small state is some tens of kilobytes. */
const CHUNK_BYTES = 20_000;

/**
 * The real store on real files. The process ends by taking a copy of the files as they are and going on with that; the
 * power goes by cutting off what no sync has covered, too. SQLite syncs without saying so, hence the marks: what a log
 * of its must still hold.
 */
class FileStore implements SimulatedStore {
  readonly #node: NodeId;
  readonly #random: Random;
  readonly #fate: StoreFate;
  readonly #directory = new DataDirectory();
  #disk = 1;
  #store: Store;
  #reader: StateDatabase;
  /** Whether the process has ended within a call, and the files were copied then. */
  #ended = false;
  /** How much of the state's write-ahead log is on the disk. */
  #stateSynced: WalPosition[] = [];
  /** How much of the log's is; null: all of it, as each write is synced but those that compact. */
  #logSynced: WalPosition | null = null;

  constructor(node: NodeId, formed: ReturnType<typeof bootstrapLog> | null, fate: StoreFate) {
    this.#node = node;
    this.#fate = fate;
    this.#random = fate.random;
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

  persist(ready: Ready, received: Snapshot | null): void {
    if (ready.snapshot !== null) {
      assert(received !== null, 'a snapshot is installed once it was received');
      this.#receive(received);
    }
    const reset = this.#store.persist(ready);
    if (ready.mustSync) this.#logSynced = null;
    if (this.#logSynced === null && this.#random.chance(0.1)) this.#store.log.checkpointBeyond(1);
    if (reset?.stateFile === undefined) return;
    this.#reader.reopen(reset.stateFile);
    if (this.#random.chance(0.7)) this.#store.removeReplacedStates();
  }

  apply(entries: readonly Entry[]): void {
    const { state } = this.#store;
    state.apply(entries);
    // What a node does when it has nothing else to do.
    if (this.#random.chance(0.05)) state.checkpointBeyond(1);
    if (this.#random.chance(0.05)) {
      state.makeDurable();
      this.#markState();
    }
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
    const { snapshots, state } = this.#store;
    const isNew = snapshots.newest?.last.index === state.applied.index;
    if (!isNew || this.#random.chance(0.3)) this.#store.takeSnapshotSync();
    const reader = snapshots.openNewestSync();
    assert(reader !== null, 'a snapshot that was taken is there');
    try {
      return { meta: reader.manifest.meta, content: readSnapshot(reader) };
    } finally {
      reader.closeSync();
    }
  }

  compact(to: LogIndex): LogId | null {
    const { log, state } = this.#store;
    if (to <= log.compacted.index) return null;
    this.#logSynced ??= readWal(this.#file('log.db-wal')) ?? NOTHING;
    const compacted = this.#store.compact(to);
    if (state.durable.index === state.applied.index) this.#markState();
    this.#reached('compacted');
    while (
      this.#random.chance(0.7) &&
      log.purge({ maxEntries: 1 + this.#random.below(20), maxBytes: 1000 })
    ) {
      this.#reached('purged');
    }
    return compacted;
  }

  crash({ loseUnsynced: powerLoss }: { readonly loseUnsynced: boolean }): void {
    if (!this.#ended) this.#directory.copy();
    this.#ended = false;
    const stateFile = basename(this.#store.stateFile);
    this.#closeAll();
    this.#directory.useCopy();
    const backfilled = readBackfilled(this.#file(`${stateFile}-shm`));
    if (backfilled !== null) this.#stateSynced.push(backfilled);
    if (powerLoss) this.#losePower(stateFile);
    this.#open();
    assert(this.#store.log.identity()?.instance === this.#instance, 'the disk knows whose it is');
  }

  wipe(): void {
    this.#closeAll();
    this.#directory.replace();
    this.#disk += 1;
    this.#stateSynced = [];
    this.#logSynced = null;
    this.#open();
    this.#store.log.saveIdentity(this.#identity);
  }

  close(): void {
    this.#closeAll();
    this.#directory.remove();
  }

  #receive({ meta, content }: Snapshot): void {
    assert(content instanceof SnapshotBytes, 'a store on files gets what such a store has sent');
    const { checksum, bytes } = content;
    const receiver = this.#store.snapshots.receive({ meta, checksum, bytes: bytes.length });
    writeSnapshot(content, receiver, {
      chunkBytes: CHUNK_BYTES,
      afterEach: () => this.#reached('chunkWritten'),
    });
    const outcome = receiver.finishSync();
    assert(outcome.type === 'complete', () => `a snapshot that was sent whole is ${outcome.type}`);
  }

  #open(): void {
    this.#store = this.#openStore();
    this.#reader = StateDatabase.open(this.#store.stateFile);
  }

  #openStore(): Store {
    return Store.open(this.#directory.path, {
      onStep: (step) => {
        if (step === 'switched') this.#markAll();
        this.#reached(step);
      },
    });
  }

  /** What the process would still write belongs to a disk that nobody uses any more. */
  #closeAll(): void {
    this.#reader.close();
    this.#store.close();
  }

  #reached(step: string): void {
    this.#fate.reached(step, () => {
      this.#directory.copy();
      this.#ended = true;
    });
  }

  #losePower(stateFile: string): void {
    const walFile = this.#file(`${stateFile}-wal`);
    loseUnsynced(walFile, this.#stateSynced, this.#random);
    if (this.#logSynced !== null) loseUnsynced(this.#file('log.db-wal'), [this.#logSynced], this.#random);
    rmSync(this.#file(`${stateFile}-shm`), { force: true });
    this.#stateSynced = marksOf(walFile);
    this.#logSynced = null;
  }

  /** A snapshot was installed, durably, with all that was to be written to the log. */
  #markAll(): void {
    this.#markState();
    this.#logSynced = null;
  }

  #markState(): void {
    this.#stateSynced = marksOf(`${this.#store.stateFile}-wal`);
  }

  #file(name: string): string {
    return join(this.#directory.path, name);
  }

  get #instance(): string {
    return `n${this.#node}#${this.#disk}`;
  }

  get #identity(): NodeIdentity {
    return { node: this.#node, instance: this.#instance, cluster: 'simulated' };
  }
}

/** No frame of any log. */
const NOTHING: WalPosition = { salt: '', frames: 0 };

function marksOf(walFile: string): WalPosition[] {
  const wal = readWal(walFile);
  return wal === null ? [] : [wal];
}

function pathOf(key: string): string {
  return `/k/${key}`;
}

export const openFileStore: StoreFactory = (node, formed, fate) => new FileStore(node, formed, fate);
