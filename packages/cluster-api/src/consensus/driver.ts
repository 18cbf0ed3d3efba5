import type { Store } from '@metad/kv-store';
import { assert, type Entry, type InstallSnapshot, type Raft, type Ready } from '@metad/raft-core';
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
}

/** Carries out what the core makes ready: sends, persists, applies, answers, and advances the core. */
export class Driver {
  readonly #options: DriverOptions;
  readonly #outgoing: CommitNotices;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#outgoing = new CommitNotices((messages) => options.transport.send(messages));
  }

  /** Persist, send, answer, advance: in the order that `Ready` demands. */
  carryOut(ready: Ready): void {
    const { raft, store, barriers, trace } = this.#options;
    this.#sendEarly(ready);
    trace.writing(ready.entries);
    this.#persist(ready);
    trace.written(ready.entries);
    this.#outgoing.send(ready.messages);
    if (ready.committed.length > 0) this.#apply(ready.committed);
    const { applied } = store.state;
    for (const { id, index } of ready.reads) barriers.confirm(id, index, applied.index);
    for (const id of ready.droppedReads) barriers.drop(id);
    raft.advance(ready);
  }

  /** Lets the peers know at once what is committed: a client of one of them waits for it. */
  tellCommitted(): void {
    this.#outgoing.flush();
  }

  stop(): void {
    this.#outgoing.stop();
  }

  #sendEarly({ early }: Ready): void {
    const snapshots = early.filter((message) => message.type === 'installSnapshot');
    for (const message of snapshots) this.#options.sendSnapshot(message);
    const others = snapshots.length === 0 ? early : early.filter(({ type }) => type !== 'installSnapshot');
    this.#outgoing.send(others);
  }

  #persist(ready: Ready): void {
    const { storage, proposals, barriers } = this.#options;
    const installed = storage.persist(ready);
    if (installed === null) return;
    proposals.skip(installed.applied.index);
    barriers.applied(installed.applied.index);
  }

  #apply(entries: readonly Entry[]): void {
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
