import type { Version } from '@metad/kv-store';
import { assert } from '@metad/raft-core';
import type { Answer } from '../http/answer.ts';
import type { Problem } from '../http/problem.ts';
import { nextTurn } from '../steps.ts';
import type { Timed } from '../wait/deadlines.ts';
import type { Waiters } from '../wait/wait.ts';
import type { WaitEnd, Waiter } from '../wait/waiter.ts';
import type { EventSink } from './event-sink.ts';
import { heartbeat, OPENING, STOPPING, type StateEvent, stateEventOf } from './state-event.ts';

/** What is asked of a stream: which state, from where on, for whom. */
export interface StreamRequest {
  readonly host: string | null;
  readonly path: string;
  /** The client has seen the state at this version; null: it has seen nothing. */
  readonly since: Version | null;
  readonly jitterMs: number;
  /** What goes out with status 200: names and values by turns. */
  readonly fields: readonly string[];
  /** What the client sees now: compact JSON, or 404. Any other answer is that it can't be shown now. */
  look(): Answer | Promise<Answer>;
  /** Why this node must no longer show it what it has, or null. */
  findProblem(): Problem | null | Promise<Problem | null>;
  onGone(listener: () => void): () => void;
  /** Called once, when the stream has ended. */
  onClosed(): void;
}

/** What the streams of one node share. */
export interface StreamGround {
  readonly waiters: Waiters;
  /** Up to here every change was delivered. */
  deliveredVersion(): Version;
  opened(stream: EventStream): void;
  closed(stream: EventStream): void;
}

/** A client that has read nothing over so many heartbeats is taken for dead. */
const MAX_UNREAD_HEARTBEATS = 4;

/**
 * One client that is sent the state it sees, and each later one: a wait that begins anew from the version of what was
 * sent, so that the rules of waits hold and nothing falls between. A client that reads slowly is sent the newest state
 * once it is ready for it, never a backlog.
 */
export class EventStream implements Timed {
  /** Of the next heartbeat. */
  deadlineSlot: number | null = null;
  readonly fields: readonly string[];
  readonly #request: StreamRequest;
  readonly #ground: StreamGround;
  #sink: EventSink | null = null;
  #waiter: Waiter | null = null;
  /** Whether the client has yet to take what it was sent. */
  #isBlocked = false;
  #unblock: (() => void) | null = null;
  /** Whether a part of an event is yet to be written: nothing else may be. */
  #isWithinEvent = false;
  #unreadHeartbeats = 0;
  #lastId: Version | null;
  #lastDigest: string | null = null;
  #end: WaitEnd | null = null;

  constructor(request: StreamRequest, ground: StreamGround) {
    this.fields = request.fields;
    this.#request = request;
    this.#ground = ground;
    this.#lastId = request.since;
  }

  /** Resolves when the stream has ended, on whichever side. */
  async run(sink: EventSink): Promise<void> {
    this.#sink = sink;
    this.#ground.opened(this);
    const leave = this.#request.onGone(() => this.#finish('gone'));
    try {
      await this.#follow(sink);
    } finally {
      leave();
      this.#ground.closed(this);
      this.#request.onClosed();
    }
    if (this.#end !== 'stopped') return;
    sink.write(STOPPING);
    sink.end();
  }

  /** Ends the stream and tells its client to go elsewhere. */
  stop(): void {
    this.#finish('stopped');
  }

  /** To be called from time to time: a heartbeat. */
  async beat(): Promise<void> {
    const sink = this.#sink;
    if (sink === null || this.#end !== null) return;
    if (this.#isBlocked) {
      this.#unreadHeartbeats += 1;
      if (this.#unreadHeartbeats === MAX_UNREAD_HEARTBEATS) sink.destroy();
      return;
    }
    if (!this.#isWithinEvent) this.#write(sink, heartbeat(this.#newId()));
    if ((await this.#request.findProblem()) !== null) this.stop();
  }

  async #follow(sink: EventSink): Promise<void> {
    let seen = this.#request.since;
    this.#write(sink, OPENING);
    while (this.#end === null) {
      if (seen !== null) await this.#untilChange(seen);
      await this.#untilWritable();
      if (this.#end === null) seen = await this.#sendState(sink);
    }
  }

  async #untilChange(since: Version): Promise<void> {
    const { host, path, jitterMs } = this.#request;
    const end = await new Promise<WaitEnd>((onEnd) => {
      const timeoutMs = Number.POSITIVE_INFINITY;
      const held = this.#ground.waiters.hold({ host, path, since, jitterMs, timeoutMs, onEnd });
      if (typeof held === 'string') onEnd(held);
      else this.#waiter = held;
    });
    this.#waiter = null;
    if (end !== 'changed') this.#finish(end);
  }

  /** Nothing is rendered for a client that does not take it. */
  async #untilWritable(): Promise<void> {
    if (!this.#isBlocked || this.#end !== null) return;
    await new Promise<void>((resolve) => {
      this.#unblock = resolve;
    });
    this.#unblock = null;
  }

  /** What looks the same as what was sent last is not sent again: a wait may end for nothing. */
  async #sendState(sink: EventSink): Promise<Version> {
    const answer = await this.#request.look();
    assert(answer.version !== null, 'a state has a version');
    if (answer.status !== 200 && answer.status !== 404) {
      this.stop();
      return answer.version;
    }
    const { frame, digest } = await stateEventOf(answer);
    if (this.#end !== null || digest === this.#lastDigest) return answer.version;
    this.#lastDigest = digest;
    this.#lastId = answer.version;
    await this.#writeEvent(sink, frame);
    return answer.version;
  }

  /** As the client takes it; all the rest of it when the stream is stopped meanwhile. */
  async #writeEvent(sink: EventSink, [first = '', ...others]: StateEvent['frame']): Promise<void> {
    this.#write(sink, first);
    this.#isWithinEvent = others.length > 0;
    for (const piece of others) {
      await this.#untilWritable();
      await nextTurn();
      if (this.#end === 'gone') return;
      this.#write(sink, piece);
    }
    this.#isWithinEvent = false;
  }

  /** Up to where the client has seen everything, when that is further than it knows. */
  #newId(): Version | null {
    // Once a wait has ended, there may be a change that is not sent yet.
    if (this.#waiter?.state !== 'parked') return null;
    const version = this.#ground.deliveredVersion();
    if (this.#lastId !== null && version <= this.#lastId) return null;
    this.#lastId = version;
    return version;
  }

  #write(sink: EventSink, chunk: string | Buffer): void {
    if (sink.write(chunk) || this.#isBlocked) return;
    this.#isBlocked = true;
    sink.onceWritable(() => {
      this.#isBlocked = false;
      this.#unreadHeartbeats = 0;
      this.#unblock?.();
    });
  }

  #finish(end: WaitEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    if (this.#waiter !== null) this.#ground.waiters.end(this.#waiter, end);
    this.#unblock?.();
  }
}
