import { mkdirSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { assert, compareLogId, type LogId } from '@metad/raft-core';
import { databasesIn, removeDatabase, syncDirectory } from './durable-file.ts';
import { logIdFromRow } from './log-id-row.ts';
import { carryOut, carryOutInWorker, type SnapshotJob } from './snapshot-jobs.ts';
import type { SnapshotManifest } from './snapshot-manifest.ts';
import { SnapshotReader } from './snapshot-reader.ts';
import { type SnapshotOffer, SnapshotReceiver } from './snapshot-receiver.ts';
import { namingFile, StoreError } from './store-error.ts';

/** A snapshot in the directory. */
export interface SnapshotFile {
  readonly file: string;
  /** The last entry that it holds. */
  readonly last: LogId;
}

/** What was received whole and verified, and waits to be installed. */
export interface ReceivedSnapshot {
  readonly file: string;
  readonly manifest: SnapshotManifest;
}

/** What a snapshot is taken of. */
export interface SnapshotSource {
  readonly stateFile: string;
  readonly cluster: string | null;
}

/**
 * The directory `snapshots`: the newest snapshot taken here, older ones for as long as they are being sent, and the one
 * that is being received. A name without `.part` is given only to what is whole and on disk.
 */
export class SnapshotStore {
  readonly #directory: string;
  readonly #onStep: (step: SnapshotStep) => void;
  #snapshots: SnapshotFile[];
  /** How many readers each file has. */
  readonly #leases = new Map<string, number>();
  /** What is known of files that were verified since the start. */
  readonly #verified = new Map<string, SnapshotManifest>();
  readonly #closing = new AbortController();
  #building = false;
  #receiver: SnapshotReceiver | null = null;
  #receivers = 0;
  #received: ReceivedSnapshot[] = [];

  private constructor(directory: string, snapshots: SnapshotFile[], onStep: (step: SnapshotStep) => void) {
    this.#directory = directory;
    this.#snapshots = snapshots;
    this.#onStep = onStep;
  }

  /** Creates the directory when absent and removes what did not get to its end. */
  static open(directory: string, onStep: (step: SnapshotStep) => void): SnapshotStore {
    const snapshots: SnapshotFile[] = [];
    namingFile(directory, () => mkdirSync(directory, { recursive: true, mode: 0o700 }));
    for (const file of databasesIn(directory)) {
      const last = logIdOfName(basename(file));
      if (last !== null) snapshots.push({ file, last });
      else if (PART.test(basename(file))) removeDatabase(file);
    }
    return new SnapshotStore(directory, snapshots.sort(byAge), onStep);
  }

  /** The newest one that was taken here; null when there is none. */
  get newest(): SnapshotFile | null {
    return this.#snapshots.at(-1) ?? null;
  }

  get isBuilding(): boolean {
    return this.#building;
  }

  /**
   * Takes a snapshot in a thread of its own; one at a time. When it resolves the snapshot is on disk, and older ones
   * that nobody reads are gone. Rejects with a StoreError.
   */
  async build(source: SnapshotSource): Promise<SnapshotManifest> {
    const job = this.#beginBuild(source);
    try {
      return this.#publish(await carryOutInWorker(job, this.#closing.signal));
    } finally {
      this.#endBuild();
    }
  }

  /** `build` on this thread, which is blocked meanwhile. */
  buildSync(source: SnapshotSource): SnapshotManifest {
    const job = this.#beginBuild(source);
    try {
      return this.#publish(carryOut(job));
    } finally {
      this.#endBuild();
    }
  }

  /**
   * Opens the newest snapshot for sending, after verifying it; null when there is none. A damaged one is removed, as
   * another one can be taken.
   */
  async openNewest(): Promise<SnapshotReader | null> {
    const { newest } = this;
    if (newest === null) return null;
    const release = this.#lease(newest.file);
    try {
      const known = this.#verified.get(newest.file);
      const manifest =
        known ?? (await carryOutInWorker({ type: 'verify', file: newest.file }, this.#closing.signal));
      this.#verified.set(newest.file, manifest);
      return new SnapshotReader(newest.file, manifest, release);
    } catch (error) {
      release();
      this.#dropIfDamaged(newest, error);
      return null;
    }
  }

  openNewestSync(): SnapshotReader | null {
    const { newest } = this;
    if (newest === null) return null;
    try {
      const manifest = this.#verified.get(newest.file) ?? carryOut({ type: 'verify', file: newest.file });
      this.#verified.set(newest.file, manifest);
      return new SnapshotReader(newest.file, manifest, this.#lease(newest.file));
    } catch (error) {
      this.#dropIfDamaged(newest, error);
      return null;
    }
  }

  /** A receiver has refused what was read here: it is verified again before it is sent again. */
  doubt(): void {
    this.#verified.clear();
  }

  /**
   * Where the bytes of an offered snapshot go. The same offer again, after a connection broke, goes on where it was;
   * another one drops what came of the one before, whose receiver must have no call under way. What was received whole
   * stays until it is installed or dropped.
   */
  receive(offer: SnapshotOffer): SnapshotReceiver {
    const current = this.#receiver;
    if (current !== null && !current.hasEnded && current.offer.checksum === offer.checksum) return current;
    this.#abandonReceiver();
    this.#receivers += 1;
    const file = join(this.#directory, `received-${this.#receivers}.part`);
    this.#receiver = new SnapshotReceiver(file, {
      offer,
      signal: this.#closing.signal,
      onComplete: (manifest) => this.#keepReceived({ file, manifest }),
    });
    return this.#receiver;
  }

  /** What was received whole, and not yet installed: the newest. */
  get received(): ReceivedSnapshot | null {
    return this.#received.at(-1) ?? null;
  }

  /** The snapshot received whole up to `last`, which is about to be installed; older ones are dropped. */
  takeReceived(last: LogId): ReceivedSnapshot {
    const taken = this.#received.find(({ manifest }) => compareLogId(manifest.meta.last, last) === 0);
    assert(taken !== undefined, 'only a snapshot that was received whole is installed');
    if (this.#receiver?.file === taken.file) this.#receiver = null;
    const older = this.#received.filter(({ manifest }) => compareLogId(manifest.meta.last, last) < 0);
    for (const { file } of older) removeDatabase(file);
    this.#received = this.#received.filter((other) => other !== taken && !older.includes(other));
    return taken;
  }

  /** Drops what was received, whole or in part. No call of a receiver may be under way. */
  dropReceived(): void {
    this.#abandonReceiver();
    for (const { file } of this.#received) removeDatabase(file);
    this.#received = [];
  }

  /** Ends what runs in other threads: it rejects with an AbortError. */
  close(): void {
    this.#closing.abort();
  }

  #abandonReceiver(): void {
    const current = this.#receiver;
    this.#receiver = null;
    if (current === null || current.hasEnded || current.isComplete) return;
    current.abandonSync();
  }

  #keepReceived(received: ReceivedSnapshot): void {
    const others = this.#received.filter(({ file }) => file !== received.file);
    this.#received = [...others, received].sort((a, b) =>
      compareLogId(a.manifest.meta.last, b.manifest.meta.last),
    );
    this.#onStep('received');
  }

  #beginBuild({ stateFile, cluster }: SnapshotSource): SnapshotJob {
    assert(!this.#building, 'one snapshot is taken at a time');
    this.#building = true;
    return { type: 'build', plan: { stateFile, cluster, to: join(this.#directory, BUILDING) } };
  }

  /** What a failed build has left would take up room that the log may need. */
  #endBuild(): void {
    this.#building = false;
    removeDatabase(join(this.#directory, BUILDING));
  }

  #publish(manifest: SnapshotManifest): SnapshotManifest {
    this.#onStep('built');
    const { last } = manifest.meta;
    const built = join(this.#directory, BUILDING);
    const file = join(this.#directory, nameOfLogId(last));
    if ((this.#leases.get(file) ?? 0) > 0) {
      // The same state, but maybe not the same bytes: whoever sends it must go on with what it began.
      return this.#verified.get(file) ?? manifest;
    }
    namingFile(file, () => renameSync(built, file));
    this.#onStep('renamed');
    syncDirectory(this.#directory);
    this.#verified.set(file, manifest);
    this.#snapshots = [...this.#snapshots.filter((other) => other.file !== file), { file, last }].sort(byAge);
    this.removeOld();
    this.#onStep('oldRemoved');
    return manifest;
  }

  #lease(file: string): () => void {
    this.#leases.set(file, (this.#leases.get(file) ?? 0) + 1);
    return () => {
      const left = (this.#leases.get(file) ?? 0) - 1;
      if (left > 0) this.#leases.set(file, left);
      else this.#leases.delete(file);
      this.removeOld();
    };
  }

  /** Removes all but the newest and those that are being sent. */
  removeOld(): void {
    const { newest } = this;
    this.#snapshots = this.#snapshots.filter((snapshot) => {
      if (snapshot === newest || (this.#leases.get(snapshot.file) ?? 0) > 0) return true;
      this.#remove(snapshot.file);
      return false;
    });
  }

  #dropIfDamaged({ file }: SnapshotFile, error: unknown): void {
    if (!(error instanceof StoreError) || error.code !== 'damaged') throw error;
    this.#snapshots = this.#snapshots.filter((snapshot) => snapshot.file !== file);
    this.#remove(file);
  }

  #remove(file: string): void {
    this.#leases.delete(file);
    this.#verified.delete(file);
    removeDatabase(file);
  }
}

const BUILDING = 'building.part';
/** What this class gives up when it ends half way; any other file in the directory is somebody else's. */
const PART = /^(building|received-\d+)\.part$/;

/** Where a process may end while a snapshot is taken or received. */
export type SnapshotStep = 'built' | 'renamed' | 'oldRemoved' | 'received';

function nameOfLogId({ term, leader, index }: LogId): string {
  return `${term}-${leader}-${index}.db`;
}

function logIdOfName(name: string): LogId | null {
  const match = /^(\d+)-(\d+)-(\d+)\.db$/.exec(name);
  if (match === null) return null;
  return logIdFromRow([Number(match[1]), Number(match[2]), Number(match[3])]);
}

function byAge(a: SnapshotFile, b: SnapshotFile): number {
  return compareLogId(a.last, b.last);
}
