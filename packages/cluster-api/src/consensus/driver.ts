import type { Store } from '@metad/kv-store';
import {
  assert,
  type Entry,
  type InstallSnapshot,
  onDiskBefore,
  type Raft,
  type Ready,
} from '@metad/raft-core';
import type { PeerTransport } from '../peers/transport.ts';
import { CommitNotices } from './commit-notices.ts';
import type { Proposals } from './proposals.ts';
import type { ReadBarriers } from './read-barriers.ts';
import type { Storage } from './storage.ts';
import type { WriteTrace } from './write-trace.ts';

export interface DriverOptions {
  readonly raft: Raft;
  readonly store: Store;
  readonly storage: Storage;
  readonly transport: Pick<PeerTransport, 'send'>;
  readonly sendSnapshot: (message: InstallSnapshot) => void;
  readonly proposals: Proposals;
  readonly barriers: ReadBarriers;
  readonly trace: WriteTrace;
  /** Runs what follows a sync, unless the node has stopped meanwhile, and then whatever that makes ready. */
  readonly resume: (finish: () => void) => void;
  readonly fail: (error: unknown) => void;
}

/** A Ready whose write is on its way to the disk. */
interface Turn {
  readonly ready: Ready;
  /** Those that can be applied only once it is there. */
  readonly unapplied: readonly Entry[];
}

/**
 * Carries out what the core makes ready: sends, writes, applies, answers, and advances the core, in the order that
 * `Ready` demands. The disk has the thread wait for nothing: what comes while it syncs is stepped, and is in the next Ready.
 */
export class Driver {
  readonly #options: DriverOptions;
  readonly #outgoing: CommitNotices;
  #turn: Turn | null = null;
  readonly #whenIdle: (() => void)[] = [];

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#outgoing = new CommitNotices((messages) => options.transport.send(messages));
  }

  /** Does it all, or begins to: the core is advanced when it has no Ready out any more. */
  carryOut(ready: Ready): void {
    const { storage, trace, resume, fail } = this.#options;
    this.#sendEarly(ready);
    trace.writing(ready.entries);
    this.#write(ready);
    const applicable = onDiskBefore(ready);
    const turn = { ready, unapplied: ready.committed.slice(applicable.length) };
    this.#turn = turn;
    const isOnItsWay = ready.mustSync && ready.snapshot === null;
    if (isOnItsWay) {
      storage.sync().then(
        () => resume(() => this.#finish(turn)),
        (error: unknown) => fail(error),
      );
    }
    this.#apply(applicable);
    this.#noteReads(ready);
    if (!isOnItsWay) this.#finish(turn);
  }

  /**
   * Calls `action` while the core has no Ready out: now, or between this one and the next, however soon that comes; or when
   * it will never be advanced again.
   */
  whenIdle(action: () => void): void {
    if (this.#turn === null) action();
    else this.#whenIdle.push(action);
  }

  /** Ends what waits for the disk, and has the thread wait for it: the core has no Ready out when it returns. */
  complete(): void {
    if (this.#turn === null) return;
    this.#options.store.log.syncNow();
    this.#finish(this.#turn);
  }

  /** Lets the peers know at once what is committed: a client of one of them waits for it. */
  tellCommitted(): void {
    this.#outgoing.flush();
  }

  stop(): void {
    this.#outgoing.stop();
    this.#turn = null;
    this.#runIdle();
  }

  #sendEarly({ early }: Ready): void {
    const snapshots = early.filter((message) => message.type === 'installSnapshot');
    for (const message of snapshots) this.#options.sendSnapshot(message);
    const others = snapshots.length === 0 ? early : early.filter(({ type }) => type !== 'installSnapshot');
    this.#outgoing.send(others);
  }

  /** What the write was needed for. Nothing when that was done already. */
  #finish(turn: Turn): void {
    if (this.#turn !== turn) return;
    this.#turn = null;
    const { raft, trace } = this.#options;
    const { ready, unapplied } = turn;
    trace.written(ready.entries);
    this.#outgoing.send(ready.messages);
    this.#apply(unapplied);
    raft.advance(ready);
    this.#runIdle();
  }

  #runIdle(): void {
    for (const action of this.#whenIdle.splice(0)) action();
  }

  #noteReads({ reads, droppedReads }: Ready): void {
    const { store, barriers } = this.#options;
    for (const { id, index } of reads) barriers.confirm(id, index, store.state.applied.index);
    for (const id of droppedReads) barriers.drop(id);
  }

  #write(ready: Ready): void {
    const { storage, proposals, barriers } = this.#options;
    const installed = storage.write(ready);
    if (installed === null) return;
    proposals.skip(installed.applied.index);
    barriers.applied(installed.applied.index);
  }

  #apply(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const { store, storage, proposals, barriers, trace } = this.#options;
    trace.applying(entries);
    const results = storage.apply(entries);
    trace.applied(entries);
    const { membership, applied } = store.state;
    entries.forEach((entry, i) => {
      const result = results[i];
      assert(result !== undefined, 'every entry has a result');
      proposals.settle(entry, result, membership.membership);
    });
    barriers.applied(applied.index);
  }
}
