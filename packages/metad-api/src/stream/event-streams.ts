import type { Version } from '@metad/kv-store';
import type { ChangeFeed } from '../wait/change-feed.ts';
import { type Clock, Deadlines } from '../wait/deadlines.ts';
import type { Waiters } from '../wait/wait.ts';
import type { EventStream, StreamGround } from './event-stream.ts';

/** Often enough for the proxies on the way, which cut what is silent for a minute. */
const HEARTBEAT_MS = 15_000;

/** The open streams of one node, whose heartbeats share one timer. */
export class EventStreams implements StreamGround {
  readonly waiters: Waiters;
  readonly #feed: ChangeFeed;
  readonly #random: () => number;
  readonly #open = new Set<EventStream>();
  readonly #heartbeats: Deadlines<EventStream>;

  constructor(options: {
    readonly feed: ChangeFeed;
    readonly waiters: Waiters;
    readonly clock: Clock;
    readonly random: () => number;
  }) {
    this.waiters = options.waiters;
    this.#feed = options.feed;
    this.#random = options.random;
    this.#heartbeats = new Deadlines(options.clock, (stream) => {
      this.#heartbeats.add(stream, HEARTBEAT_MS);
      void stream.beat();
    });
  }

  deliveredVersion(): Version {
    return this.#feed.deliveredVersion;
  }

  opened(stream: EventStream): void {
    this.#open.add(stream);
    // Those that were opened together do not all beat together.
    this.#heartbeats.add(stream, HEARTBEAT_MS * this.#random());
  }

  closed(stream: EventStream): void {
    this.#open.delete(stream);
    this.#heartbeats.delete(stream);
  }

  stop(): void {
    for (const stream of [...this.#open]) stream.stop();
  }
}
