import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Message, NodeId } from '@metad/raft-core';
import type { Call, CallOutcome } from '../consensus/call.ts';
import type { DigestMark } from '../consensus/digest-check.ts';
import { PeerCalls } from './calls.ts';
import type { LinkDirection, PeerEvent } from './event.ts';
import { FRAME_HEADER_BYTES, FrameParser } from './frame.ts';
import type { PeerLimits } from './limits.ts';
import { messageBytesAtMost } from './message-codec.ts';
import { decodeFrame, encodeFrame, encodeFrameParts, type PeerFrame } from './protocol.ts';
import { type SnapshotChannel, whenQuiet } from './snapshot-channel.ts';
import type { SnapshotFrame } from './snapshot-frame.ts';
import type { PeerHandlers, PeerIdentity } from './transport.ts';
import { WireError } from './wire-reader.ts';

export interface LinkOptions {
  readonly socket: Duplex;
  readonly direction: LinkDirection;
  readonly self: NodeId;
  readonly peer: PeerIdentity;
  readonly limits: PeerLimits;
  readonly handlers: Pick<PeerHandlers, 'receive' | 'call' | 'snapshot' | 'digests'>;
  readonly onEvent: (event: PeerEvent) => void;
  /** Once, when nothing more can be sent or received. */
  readonly onClosed: (link: PeerLink, reason: string) => void;
}

/** One open connection to an admitted peer: frames both ways, bounded queue, calls in flight, pings. */
export class PeerLink {
  readonly peer: PeerIdentity;
  readonly direction: LinkDirection;
  /** Snapshots travel over the link too, a little at a time. */
  readonly snapshots: SnapshotChannel;
  /** Whether the link has lived to see the end of a ping interval. */
  held = false;

  readonly #options: LinkOptions;
  readonly #socket: Duplex;
  readonly #parser: FrameParser;
  readonly #calls = new PeerCalls();
  readonly #gone = new AbortController();
  /** The peer's calls that are being worked on here. */
  #answering = 0;
  #closed = false;
  #closeReason: string | null = null;
  #closeTimer: NodeJS.Timeout | null = null;
  #silentIntervals = 0;
  #sentSinceTick = false;

  constructor(options: LinkOptions) {
    this.peer = options.peer;
    this.direction = options.direction;
    this.#options = options;
    this.#socket = options.socket;
    this.#parser = new FrameParser(options.limits.maxFrameBytes);
    this.snapshots = {
      peer: options.peer,
      gone: this.#gone.signal,
      send: (frame) => this.#sendSnapshotFrame(frame),
      quiet: () => whenQuiet(this.#socket, this.#gone.signal),
      destroy: (reason) => this.destroy(reason),
    };
  }

  /** Begins to read; `head` was received together with the handshake. */
  start(head: Buffer): void {
    const socket = this.#socket;
    if (socket instanceof Socket) {
      socket.setNoDelay(true);
      socket.setTimeout(0);
    }
    socket.on('error', (error) => this.#closing(error.message));
    socket.on('close', () => this.#finish());
    // The server leaves its sockets half open; a peer that says no more is not worth answering.
    socket.on('end', () => this.end('the peer closed the connection'));
    if (head.length > 0) this.#receive(head);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  /** Sends the messages, as few frames and in one write. Returns how many found no room. */
  sendMessages(messages: readonly Message[]): number {
    let dropped = 0;
    this.#socket.cork();
    for (const batch of this.#batches(messages)) {
      const reason = this.#sendBatch(batch);
      if (reason === null) continue;
      dropped += batch.length;
      const { node } = this.peer;
      this.#options.onEvent({ type: 'messagesDropped', node, count: batch.length, reason });
    }
    this.#socket.uncork();
    return dropped;
  }

  sendDigests(marks: readonly DigestMark[]): void {
    if (this.#canSend() && this.#hasRoom(1)) this.#write(encodeFrame({ type: 'digests', marks }));
  }

  call(call: Call, timeoutMs: number): Promise<CallOutcome> {
    const { maxCallsPerLink, maxFrameBytes } = this.#options.limits;
    if (!this.#canSend())
      return refused({ type: 'noLink', message: this.#closeReason ?? 'the link is closing' });
    if (this.#calls.size >= maxCallsPerLink) return refused({ type: 'overloaded' });
    const { id, outcome } = this.#calls.expect(timeoutMs);
    const bytes = encodeFrame({ type: 'call', id, call });
    if (bytes.length - FRAME_HEADER_BYTES > maxFrameBytes) {
      const maxBytes = maxFrameBytes - CALL_OVERHEAD_BYTES;
      this.#calls.settle(id, { type: 'refused', error: { type: 'tooLarge', maxBytes } });
    } else if (!this.#hasRoom(bytes.length)) {
      this.#calls.settle(id, { type: 'refused', error: { type: 'overloaded' } });
    } else {
      this.#write(bytes);
    }
    return outcome;
  }

  /** One ping interval has passed. Counts intervals, not time: after a stall of this process they come as one. */
  tick(): void {
    const { maxSilentIntervals } = this.#options.limits;
    this.held = true;
    this.#silentIntervals += 1;
    if (this.#silentIntervals > maxSilentIntervals) {
      this.destroy('the peer has been silent for too long');
      return;
    }
    if (!this.#sentSinceTick && this.#canSend() && this.#socket.writableLength === 0) this.#write(PING);
    this.#sentSinceTick = false;
  }

  /** Ends calls in flight as unknown; they can still take effect. */
  abandonCalls(message: string): void {
    this.#calls.abandon(message);
  }

  /** Sends what is queued and closes; by force when that takes too long. */
  end(reason: string): void {
    if (this.#closed || this.#closeTimer) return;
    this.#closing(reason);
    this.#closeTimer = setTimeout(() => this.destroy(reason), this.#options.limits.closeTimeoutMs);
    this.#socket.end();
  }

  /** Closes at once. */
  destroy(reason: string): void {
    this.#closing(reason);
    this.#socket.destroy();
    this.#finish();
  }

  /** The first reason is the cause; what follows are its effects. */
  #closing(reason: string): void {
    this.#closeReason ??= reason;
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#closeTimer) clearTimeout(this.#closeTimer);
    const reason = this.#closeReason ?? 'the connection broke';
    this.#calls.abandon(`the connection to node ${this.peer.node} broke: ${reason}`);
    this.#gone.abort();
    this.#options.onClosed(this, reason);
  }

  #canSend(): boolean {
    return !this.#closed && this.#socket.writable;
  }

  /** An empty queue takes any frame, so that no setting of the limits makes one impossible to send. */
  #hasRoom(bytes: number): boolean {
    const queued = this.#socket.writableLength;
    return queued === 0 || queued + bytes <= this.#options.limits.maxQueuedBytes;
  }

  #write(bytes: Uint8Array): void {
    this.#sentSinceTick = true;
    this.#socket.write(bytes);
  }

  #sendSnapshotFrame(frame: SnapshotFrame): void {
    if (!this.#canSend()) return;
    this.#socket.cork();
    for (const part of encodeFrameParts({ type: 'snapshot', frame })) this.#write(part);
    this.#socket.uncork();
  }

  /** Groups messages so that a frame stays small enough to be worked on while the next one travels. */
  *#batches(messages: readonly Message[]): Generator<readonly Message[], void> {
    const most = Math.min(FRAME_TARGET_BYTES, this.#options.limits.maxFrameBytes / 2);
    let batch: Message[] = [];
    let bytes = 0;
    for (const message of messages) {
      const messageBytes = messageBytesAtMost(message);
      if (batch.length > 0 && bytes + messageBytes > most) {
        yield batch;
        batch = [];
        bytes = 0;
      }
      batch.push(message);
      bytes += messageBytes;
    }
    if (batch.length > 0) yield batch;
  }

  #sendBatch(messages: readonly Message[]): 'queueFull' | 'tooLarge' | null {
    const { maxFrameBytes } = this.#options.limits;
    // The close that is under way will be reported.
    if (!this.#canSend()) return null;
    // Before the encoding, which would be in vain.
    if (!this.#hasRoom(1)) return 'queueFull';
    const bytes = encodeFrame({ type: 'messages', messages });
    if (bytes.length - FRAME_HEADER_BYTES > maxFrameBytes) return 'tooLarge';
    if (!this.#hasRoom(bytes.length)) return 'queueFull';
    this.#write(bytes);
    return null;
  }

  #receive(chunk: Buffer): void {
    this.#silentIntervals = 0;
    const { frames, error } = this.#parse(chunk);
    for (const frame of frames) {
      if (this.#closed) return;
      this.#handle(frame);
    }
    if (!error || this.#closed) return;
    this.#options.onEvent({ type: 'frameRejected', node: this.peer.node, reason: error.message });
    this.destroy(`a frame was rejected: ${error.message}`);
  }

  /** The frames that the chunk completes, and what is wrong behind them. */
  #parse(chunk: Buffer): { readonly frames: readonly PeerFrame[]; readonly error: WireError | null } {
    const frames: PeerFrame[] = [];
    try {
      for (const body of this.#parser.push(chunk)) frames.push(this.#decode(body));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return { frames, error };
    }
    return { frames, error: null };
  }

  #decode(body: Uint8Array): PeerFrame {
    const frame = decodeFrame(body);
    for (const { from, to, type } of messagesOf(frame)) {
      if (from === this.peer.node && to === this.#options.self) continue;
      throw new WireError(`a ${type} from node ${from} to node ${to} does not belong on this connection`);
    }
    return frame;
  }

  #handle(frame: PeerFrame): void {
    switch (frame.type) {
      case 'messages':
        this.#options.handlers.receive(frame.messages, this.peer);
        return;
      case 'call':
        void this.#answer(frame.id, frame.call);
        return;
      case 'answer':
        this.#calls.settle(frame.id, frame.outcome);
        return;
      case 'snapshot':
        this.#options.handlers.snapshot(frame.frame, this.snapshots);
        return;
      case 'digests':
        this.#options.handlers.digests(frame.marks, this.peer);
        return;
      case 'ping':
        return;
    }
  }

  /**
   * An answer is not dropped like a message, even behind a full queue: it may take as much room again. A peer that
   * asks and asks and reads nothing loses its connection.
   */
  async #answer(id: number, call: Call): Promise<void> {
    const outcome = await this.#outcomeOf(call);
    if (!this.#canSend()) return;
    if (this.#socket.writableLength >= 2 * this.#options.limits.maxQueuedBytes)
      this.destroy('the peer does not read the answers to its calls');
    else this.#write(encodeFrame({ type: 'answer', id, outcome }));
  }

  async #outcomeOf(call: Call): Promise<CallOutcome> {
    if (this.#answering >= this.#options.limits.maxCallsPerLink) return refused({ type: 'overloaded' });
    this.#answering += 1;
    const outcome = await this.#options.handlers.call(call, this.peer);
    this.#answering -= 1;
    return outcome;
  }
}

const FRAME_TARGET_BYTES = 1024 * 1024;
/** What a call's frame holds beside a command. */
const CALL_OVERHEAD_BYTES = 64;

const PING = encodeFrame({ type: 'ping' });

function messagesOf(frame: PeerFrame): readonly Message[] {
  if (frame.type === 'messages') return frame.messages;
  return frame.type === 'snapshot' && frame.frame.type === 'finish' ? [frame.frame.message] : [];
}

function refused(error: Extract<CallOutcome, { type: 'refused' }>['error']): Promise<CallOutcome> {
  return Promise.resolve({ type: 'refused', error });
}
