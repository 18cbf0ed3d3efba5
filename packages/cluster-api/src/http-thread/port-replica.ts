import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import {
  type AppliedBatch,
  encodeCommand,
  type StateCursor,
  type StateDatabase,
  type StateSource,
  type StateView,
  type Version,
  version,
  type WriteCommand,
} from '@metad/kv-store';
import type { BarrierOutcome, ProposeOutcome, Replica, ReplicaStatus } from '@metad/metad-api';
import type { AppliedVersion } from './applied-version.ts';
import { type PackedBatch, unpackBatch } from './packed-batch.ts';
import { packProposals } from './packed-proposals.ts';
import type { PackedOutcomes, ToConsensus, ToHttp } from './port.ts';

/** The replica as the HTTP thread sees it: reads from its own connection, everything else over the port. */
export class PortReplica implements Replica {
  readonly state: StateSource = {
    read: (look) => this.#read(look),
    openCursor: () => this.#openCursor(),
  };
  readonly #database: StateDatabase;
  readonly #port: MessagePort;
  readonly #maxEntryBytes: number;
  readonly #appliedVersion: AppliedVersion;
  readonly #onStop: () => void;
  readonly #listeners = new Set<(batch: AppliedBatch) => void>();
  readonly #proposals = new Map<number, (outcome: ProposeOutcome) => void>();
  readonly #barriers = new Map<number, (outcome: BarrierOutcome) => void>();
  readonly #metrics = new Map<number, (text: string) => void>();
  #openBarrier: Promise<BarrierOutcome> | null = null;
  /** The commands of this turn; their ids end with the last one. */
  #outbox: Uint8Array[] = [];
  #lastProposal = 0;
  #status: ReplicaStatus;
  #lastId = 0;
  /** How often the state's file has been replaced, as far as this thread knows. */
  #replacements: bigint;
  #isTakingReplacement = false;

  constructor(options: {
    port: MessagePort;
    state: StateDatabase;
    status: ReplicaStatus;
    appliedVersion: AppliedVersion;
    maxEntryBytes: number;
    onStop: () => void;
  }) {
    this.#database = options.state;
    this.#replacements = 0n;
    this.#port = options.port;
    this.#status = options.status;
    this.#maxEntryBytes = options.maxEntryBytes;
    this.#appliedVersion = options.appliedVersion;
    this.#onStop = options.onStop;
  }

  /** Takes one message from the consensus thread. */
  receive(message: ToHttp): void {
    switch (message.type) {
      case 'stop':
        this.#onStop();
        return;
      case 'applied':
        this.#takeBatch(message.batch);
        return;
      case 'status':
        this.#status = message.status;
        return;
      case 'outcomes':
        if (message.batch !== null) this.#takeBatch(message.batch);
        this.#takeOutcomes(message);
        return;
      case 'barrier':
        settle(this.#barriers, message.id, message.outcome);
        return;
      case 'metrics':
        settle(this.#metrics, message.id, message.text);
        return;
    }
  }

  /** All writes of one turn of the event loop cross the port in one message. */
  propose(write: WriteCommand): Promise<ProposeOutcome> {
    const bytes = encodeCommand(write);
    if (bytes.byteLength > this.#maxEntryBytes) {
      const message = `the request needs ${bytes.byteLength} bytes in the log, at most ${this.#maxEntryBytes} are allowed`;
      return Promise.resolve({ type: 'refused', reason: 'tooLarge', message });
    }
    return new Promise((resolve) => {
      this.#lastProposal += 1;
      this.#proposals.set(this.#lastProposal, resolve);
      this.#outbox.push(bytes);
      if (this.#outbox.length === 1) setImmediate(() => this.#flush());
    });
  }

  version(): Version {
    return this.#appliedVersion.get();
  }

  /** All who ask in one turn of the event loop share one barrier: it begins after the last of them asked. */
  readBarrier(): Promise<BarrierOutcome> {
    this.#openBarrier ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#openBarrier = null;
        resolve(this.#ask(this.#barriers, (id) => ({ type: 'barrier', id })));
      });
    });
    return this.#openBarrier;
  }

  /** The consensus thread's metrics in Prometheus' text format. */
  consensusMetrics(): Promise<string> {
    return this.#ask(this.#metrics, (id) => ({ type: 'metrics', id }));
  }

  subscribe(listener: (batch: AppliedBatch) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  status(): ReplicaStatus {
    return this.#status;
  }

  /** Whether anybody may wait for changes. */
  setWatched(isWatched: boolean): void {
    this.#appliedVersion.setWatched(isWatched);
    if (isWatched) this.#post({ type: 'watching' });
  }

  #read<T>(look: (view: StateView) => T): T {
    if (this.#replacements !== this.#appliedVersion.replacements) this.#takeReplacement();
    return this.#database.readInTurn(this.version(), look);
  }

  #openCursor(): StateCursor {
    if (this.#replacements !== this.#appliedVersion.replacements) this.#takeReplacement();
    return this.#database.openCursor();
  }

  /**
   * The state's file was replaced, and the batch that says so is still in the port. Whoever was told of the newer state
   * on the other thread must find it here: so what is in the port is taken now, in its order.
   */
  #takeReplacement(): void {
    // Those who are told of it read, too: they see the state as it was, and are told again.
    if (this.#isTakingReplacement) return;
    this.#isTakingReplacement = true;
    try {
      while (this.#replacements !== this.#appliedVersion.replacements) {
        const next: { message: ToHttp } | undefined = receiveMessageOnPort(this.#port);
        if (next === undefined) return;
        this.receive(next.message);
      }
    } finally {
      this.#isTakingReplacement = false;
    }
  }

  #takeBatch(packed: PackedBatch): void {
    if (packed.stateFile !== undefined) this.#reopen(packed.stateFile);
    const batch = unpackBatch(packed);
    for (const listener of this.#listeners) listener(batch);
  }

  #takeOutcomes({ applied, others }: PackedOutcomes): void {
    for (let i = 0; i + 1 < applied.length; i += 2) {
      const outcome = { type: 'applied', version: version(applied[i + 1] ?? 0), repeated: false } as const;
      settle(this.#proposals, applied[i] ?? 0, outcome);
    }
    for (const { id, outcome } of others) settle(this.#proposals, id, outcome);
  }

  #reopen(file: string): void {
    this.#database.reopen(file);
    this.#replacements += 1n;
    this.#post({ type: 'reopened' });
  }

  #flush(): void {
    const proposals = packProposals(this.#lastProposal - this.#outbox.length + 1, this.#outbox);
    this.#outbox = [];
    this.#post({ type: 'propose', proposals, postedAt: performance.timeOrigin + performance.now() });
  }

  #ask<T>(waiting: Map<number, (answer: T) => void>, message: (id: number) => ToConsensus): Promise<T> {
    return new Promise((resolve) => {
      const id = this.#nextId();
      waiting.set(id, resolve);
      this.#post(message(id));
    });
  }

  #post(message: ToConsensus): void {
    this.#port.postMessage(message);
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}

function settle<T>(waiting: Map<number, (answer: T) => void>, id: number, answer: T): void {
  const resolve = waiting.get(id);
  waiting.delete(id);
  resolve?.(answer);
}
