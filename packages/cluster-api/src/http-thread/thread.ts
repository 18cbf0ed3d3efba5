import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { type AppliedBatch, StoreError, type Version, type WriteResult } from '@metad/kv-store';
import type { ProposeOutcome, ReplicaStatus } from '@metad/metad-api';
import { assert, unreachable } from '@metad/raft-core';
import type { NodeConfig } from '../config/node-config.ts';
import type { CallOutcome } from '../consensus/call.ts';
import { explainCallError } from '../consensus/call-error.ts';
import type { CallRouter } from '../consensus/call-router.ts';
import type { Node } from '../consensus/node.ts';
import { removalMessage } from '../consensus/removal.ts';
import type { WriteTrace } from '../consensus/write-trace.ts';
import { ListenError } from '../http-listener.ts';
import { AppliedVersion } from './applied-version.ts';
import { HttpPort } from './http-port.ts';
import { unpackProposals } from './packed-proposals.ts';
import type { HttpPorts, HttpThreadData, Serve, ToConsensus } from './port.ts';

export interface HttpThreadOptions {
  readonly config: NodeConfig;
  /** The thread died: without it the node serves nobody. */
  readonly onFault: (error: unknown) => void;
}

/** Threads run what was built, also where the rest runs from the sources. */
const WORKER_FILE = new URL('../../dist/http-thread/worker.js', import.meta.url);

/** The node that the thread serves. */
export interface ServedNode {
  readonly node: Node;
  readonly stateFile: string;
  readonly router: CallRouter;
  readonly metrics: () => Promise<string>;
  readonly trace: Pick<WriteTrace, 'begin' | 'answered'>;
  /** The state is in another file, which this thread opens with a little delay … */
  readonly onBehind: () => void;
  /** … and now it has. */
  readonly onReopened: () => void;
}

/**
 * The consensus thread's end of the HTTP thread: forwards each applied batch, carries out its proposals and barriers,
 * and sends the outcomes of one turn together.
 */
export class HttpThread {
  readonly #options: HttpThreadOptions;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #appliedVersion = new AppliedVersion();
  readonly #toHttp: HttpPort;
  #served: ServedNode | null = null;
  #opened: { done: (ports: HttpPorts) => void; failed: (error: Error) => void } | null = null;
  #onServing = (): void => undefined;
  #stopping = false;
  readonly #exited: Promise<void>;

  /** Opens its ports at once. */
  constructor(options: HttpThreadOptions) {
    this.#options = options;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#toHttp = new HttpPort(port1, this.#appliedVersion);
    this.#port.on('message', (message: ToConsensus) => this.#receive(message));
    const data: HttpThreadData = { config: options.config, appliedVersion: this.#appliedVersion.buffer };
    this.#worker = new Worker(WORKER_FILE, {
      workerData: { ...data, port: port2 },
      transferList: [port2],
      execArgv: [],
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        if (!this.#stopping) this.#fail(new Error(`the HTTP thread ended with code ${code}`));
        resolve();
      });
    });
  }

  /** Resolves once both ports are open; rejects with what is wrong with them. */
  listening(): Promise<HttpPorts> {
    return new Promise((resolve, reject) => {
      this.#opened = { done: resolve, failed: reject };
    });
  }

  /** Has the ports, which listen, answer for this node; resolves when they do. */
  serve(served: ServedNode): Promise<void> {
    const { node, stateFile } = served;
    this.#served = served;
    this.#appliedVersion.set(node.version);
    const serve: Serve = { type: 'serve', stateFile, status: replicaStatus(node) };
    this.#port.postMessage(serve);
    node.onApplied((batch) => this.#tell(batch));
    node.onState((state, last) => {
      this.#toHttp.post({ type: 'status', status: replicaStatus(node) });
      // Who waits would never be told of anything: all look once more, and find out.
      if (state.isRemoved && !last.isRemoved) this.#toHttp.postBatch(node.nothingKnown());
    });
    return new Promise((resolve) => {
      this.#onServing = resolve;
    });
  }

  /** Answers what is open, releases the waiters, closes the ports. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#toHttp.post({ type: 'stop' });
    await this.#exited;
    this.#port.close();
  }

  /** What the thread asks for concerns the node that it serves. */
  get #service(): ServedNode {
    assert(this.#served !== null, 'the HTTP thread asks for nothing before it serves a node');
    return this.#served;
  }

  #tell(batch: AppliedBatch): void {
    if (batch.stateFile === undefined) this.#appliedVersion.set(batch.version);
    this.#toHttp.postBatch(batch);
    if (batch.stateFile !== undefined) this.#noteReplacement(batch.version);
  }

  #noteReplacement(version: Version): void {
    this.#service.onBehind();
    // The version last: whoever sees it finds the new file.
    this.#appliedVersion.noteReplacement();
    this.#appliedVersion.set(version);
  }

  #receive(message: ToConsensus): void {
    switch (message.type) {
      case 'propose':
        unpackProposals(message.proposals, (id, command) => this.#propose(id, command, message.postedAt));
        return;
      case 'watching':
        this.#toHttp.flush();
        return;
      case 'barrier':
        void this.#service.node
          .readBarrier()
          .then((outcome) => this.#toHttp.post({ type: 'barrier', id: message.id, outcome }));
        return;
      case 'metrics':
        this.#service.metrics().then(
          (text) => this.#toHttp.post({ type: 'metrics', id: message.id, text }),
          (error: unknown) => this.#fail(error),
        );
        return;
      case 'reopened':
        this.#service.onReopened();
        return;
      case 'listening':
        this.#opened?.done(message.ports);
        return;
      case 'serving':
        this.#onServing();
        return;
      case 'notListening':
        this.#stopping = true;
        this.#opened?.failed(new ListenError(message.message));
        return;
      case 'fault':
        this.#fail(new StoreError('damaged', message.message));
        return;
      default:
        unreachable(message);
    }
  }

  #propose(id: number, command: Uint8Array, postedAt: number): void {
    const { trace, router } = this.#service;
    trace.begin(command, { stage: 'hop', since: postedAt - performance.timeOrigin });
    void router.execute({ type: 'propose', command }).then((outcome) => {
      trace.answered(command);
      this.#toHttp.postOutcome(id, proposeOutcome(outcome));
    });
  }

  #fail(error: unknown): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#options.onFault(error);
  }
}

function replicaStatus(node: Node): ReplicaStatus {
  const { caughtUp, leader, isRemoved, quarantine } = node.state;
  const removal = isRemoved ? removalMessage(node.id) : null;
  return { caughtUp, hasLeader: leader !== null, removal, quarantine };
}

function proposeOutcome(outcome: CallOutcome): ProposeOutcome {
  switch (outcome.type) {
    case 'done':
      return resultOutcome(outcome.result);
    case 'unknown':
      return outcome;
    case 'refused':
      return {
        type: 'refused',
        reason: refusalReason(outcome.error.type),
        message: explainCallError(outcome.error),
      };
    default:
      return unreachable(outcome);
  }
}

function resultOutcome(result: WriteResult): ProposeOutcome {
  switch (result.type) {
    case 'applied':
    case 'repeated':
      return { type: 'applied', version: result.version, repeated: result.type === 'repeated' };
    case 'preconditionFailed':
    case 'keyReused':
      return result;
    default:
      return unreachable(result);
  }
}

function refusalReason(error: Extract<CallOutcome, { type: 'refused' }>['error']['type']) {
  switch (error) {
    case 'overloaded':
    case 'tooLarge':
    case 'stateFull':
    case 'stopping':
      return error;
    default:
      return 'noLeader';
  }
}
