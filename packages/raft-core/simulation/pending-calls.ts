import { assert, type Entry, type LogId, type LogIndex, type ReadId, type Term } from '@metad/raft-core';

export type WriteResult = 'ok' | 'superseded' | 'unknown';
export type ReadResult =
  | { readonly type: 'ok'; readonly value: string | null }
  | { readonly type: 'dropped' };

interface PendingWrite {
  readonly term: Term;
  readonly settle: (result: WriteResult) => void;
}

interface PendingRead {
  readonly key: string;
  readonly settle: (result: ReadResult) => void;
}

/** The clients' calls that wait on one node for its Raft. All of them die with its process. */
export class PendingCalls {
  readonly #writes = new Map<LogIndex, PendingWrite[]>();
  readonly #asked = new Map<ReadId, PendingRead>();
  /** Reads whose index is known and not applied yet. */
  #indexed: { readonly read: PendingRead; readonly index: LogIndex }[] = [];

  get reads(): number {
    return this.#asked.size + this.#indexed.length;
  }

  write({ index, term }: LogId, settle: PendingWrite['settle']): void {
    const waiting = this.#writes.get(index);
    if (waiting === undefined) this.#writes.set(index, [{ term, settle }]);
    else waiting.push({ term, settle });
  }

  read(id: ReadId, read: PendingRead): void {
    this.#asked.set(id, read);
  }

  /** An entry that stands where a write was appended decides what became of it. */
  applied({ index, term }: Entry): void {
    for (const write of this.#writes.get(index) ?? [])
      write.settle(write.term === term ? 'ok' : 'superseded');
    this.#writes.delete(index);
  }

  /** A snapshot says what the state is, not which entries made it. */
  installed({ index }: LogId): void {
    for (const [at, writes] of this.#writes) {
      if (at > index) continue;
      for (const write of writes) write.settle('unknown');
      this.#writes.delete(at);
    }
  }

  indexed({ id, index }: { readonly id: ReadId; readonly index: LogIndex }): void {
    this.#indexed.push({ read: this.#take(id), index });
  }

  dropped(id: ReadId): void {
    this.#take(id).settle({ type: 'dropped' });
  }

  /** Answers the reads that may be served now. */
  serve(applied: LogIndex, look: (key: string) => string | null): void {
    if (this.#indexed.length === 0) return;
    const due = this.#indexed.filter(({ index }) => index <= applied);
    this.#indexed = this.#indexed.filter(({ index }) => index > applied);
    for (const { read } of due) read.settle({ type: 'ok', value: look(read.key) });
  }

  /** The process ends; who asked it will never hear. */
  abandon(): void {
    for (const writes of this.#writes.values()) for (const write of writes) write.settle('unknown');
    this.#writes.clear();
    this.#asked.clear();
    this.#indexed = [];
  }

  #take(id: ReadId): PendingRead {
    const read = this.#asked.get(id);
    assert(read !== undefined, 'a read is answered or dropped once');
    this.#asked.delete(id);
    return read;
  }
}
