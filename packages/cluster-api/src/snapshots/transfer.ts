import type { SnapshotReader } from '@metad/kv-store';
import type { InstallSnapshot } from '@metad/raft-core';
import type { SnapshotChannel } from '../peers/snapshot-channel.ts';
import type { SnapshotAnswer } from '../peers/snapshot-frame.ts';
import type { SnapshotLimits } from './limits.ts';
import { ReadAhead } from './read-ahead.ts';
import { SendWindow } from './send-window.ts';

export type TransferOutcome =
  /** The peer has stepped the message. */
  | { readonly type: 'sent' }
  /** The connection is gone: the same snapshot goes on where it was. */
  | { readonly type: 'broken' }
  /** By the peer: for want of room, or because what came is not what was offered. */
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'failed'; readonly reason: string };

export interface TransferOptions {
  /** Unique among the transfers of this process. */
  readonly id: number;
  readonly reader: SnapshotReader;
  readonly channel: SnapshotChannel;
  readonly limits: SnapshotLimits;
  /** What the peer has to step: the newest one, once all of it is there. */
  readonly message: () => InstallSnapshot;
  readonly onSent: (bytes: number) => void;
  /** Ends the transfer. */
  readonly signal: AbortSignal;
}

/** Sends one snapshot over one connection: offer, chunks within a window, end. */
export class SnapshotTransfer {
  readonly #options: TransferOptions;
  readonly #answers: SnapshotAnswer[] = [];
  readonly #window: SendWindow;
  readonly #chunks: ReadAhead;
  readonly #ends: AbortSignal;
  #wake: (() => void) | null = null;
  /** Where the next chunk begins. */
  #next = 0;
  /** Up to where the peer has it. */
  #confirmed = 0;
  #isFinished = false;

  constructor(options: TransferOptions) {
    this.#options = options;
    this.#window = new SendWindow(options.limits);
    this.#chunks = new ReadAhead(options.reader, options.limits);
    this.#ends = AbortSignal.any([options.channel.gone, options.signal]);
  }

  /** Takes an answer of the peer to this transfer. */
  receive(answer: SnapshotAnswer): void {
    this.#answers.push(answer);
    this.#wake?.();
  }

  async run(): Promise<TransferOutcome> {
    try {
      return await this.#run();
    } finally {
      // Who closes the reader relies on that.
      await this.#chunks.end();
    }
  }

  async #run(): Promise<TransferOutcome> {
    const { id, channel, reader, message } = this.#options;
    const { meta, bytes, checksum } = reader.manifest;
    channel.send({ type: 'offer', id, term: message().term, meta, bytes, checksum });
    let isOpen = false;
    for (;;) {
      const answer = this.#answers.shift();
      if (answer?.type === 'done') return { type: 'sent' };
      if (answer?.type === 'refused') return { type: 'refused', reason: answer.reason };
      if (answer?.type === 'progress') {
        const isRight = isOpen ? this.#confirm(answer.offset) : this.#begin(answer.offset);
        if (!isRight) return { type: 'failed', reason: `it has ${answer.offset} bytes of ${this.#next}` };
        isOpen = true;
      } else if (isOpen && this.#maySend()) {
        await this.#sendNext();
      } else {
        const end = await this.#wait();
        if (end !== null) return end;
      }
    }
  }

  #begin(offset: number): boolean {
    if (offset > this.#options.reader.manifest.bytes) return false;
    this.#next = offset;
    this.#confirmed = offset;
    return true;
  }

  /** What was confirmed before is still there, or the peer has begun anew. */
  #confirm(offset: number): boolean {
    if (offset > this.#next) return false;
    if (offset < this.#confirmed) {
      this.#isFinished = false;
      return this.#begin(offset);
    }
    this.#confirmed = offset;
    this.#window.confirmed(offset, performance.now());
    return true;
  }

  #maySend(): boolean {
    const { bytes } = this.#options.reader.manifest;
    if (this.#next >= bytes) return this.#confirmed >= bytes && !this.#isFinished;
    return this.#next - this.#confirmed < this.#window.bytes;
  }

  async #sendNext(): Promise<void> {
    const { id, channel, reader, message, onSent } = this.#options;
    if (this.#next >= reader.manifest.bytes) {
      this.#isFinished = true;
      channel.send({ type: 'finish', id, message: { ...message(), snapshot: reader.manifest.meta } });
      return;
    }
    const offset = this.#next;
    const [bytes] = await Promise.all([this.#chunks.next(offset), channel.quiet()]);
    if (bytes.byteLength === 0) throw new Error('a snapshot is shorter than it was');
    channel.send({ type: 'chunk', id, offset, bytes });
    onSent(bytes.byteLength);
    this.#next = offset + bytes.byteLength;
    this.#window.sent(this.#next, performance.now());
  }

  /** Until the peer answers; or how the transfer ends without. */
  async #wait(): Promise<TransferOutcome | null> {
    const { channel, limits, signal } = this.#options;
    await this.#answered();
    if (this.#answers.length > 0) return null;
    if (channel.gone.aborted) return { type: 'broken' };
    const silence = `it has said nothing for ${limits.stallMs} ms`;
    return { type: 'failed', reason: signal.aborted ? 'this node is stopping' : silence };
  }

  #answered(): Promise<void> {
    if (this.#ends.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#ends.removeEventListener('abort', wake);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(wake, this.#options.limits.stallMs);
      this.#ends.addEventListener('abort', wake);
      this.#wake = wake;
    });
  }
}
