import type { NodeId } from '@metad/raft-core';
import type { Coverage } from './coverage.ts';
import { type EventQueue, TICK } from './event-queue.ts';
import type { Random } from './random.ts';

/** How the network treats what travels on it. Times in units of virtual time. */
export interface NetworkQuality {
  readonly loss: number;
  readonly duplication: number;
  readonly minDelay: number;
  readonly maxDelay: number;
  /** Most delays are short, and few are very long: what comes late is as late as can be. */
  readonly stragglers: boolean;
  /** Each connection delivers in order, as TCP does; otherwise messages overtake each other. */
  readonly ordered: boolean;
}

export const PERFECT: NetworkQuality = {
  loss: 0,
  duplication: 0,
  minDelay: 1,
  maxDelay: 1,
  stragglers: false,
  ordered: true,
};

export interface Link {
  readonly from: NodeId;
  readonly to: NodeId;
}

/** Connections that lose, double, delay, reorder, and are cut one way or both. */
export class Network {
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #coverage: Coverage;
  readonly #cut = new Set<string>();
  readonly #lastArrival = new Map<string, number>();
  quality: NetworkQuality = PERFECT;
  /** Everything that was handed to the network, doubles not counted. */
  sent = 0;

  constructor(queue: EventQueue, random: Random, coverage: Coverage) {
    this.#queue = queue;
    this.#random = random;
    this.#coverage = coverage;
  }

  /** Calls `arrive` once, twice, or never; whether anything is under way. `size` is how many delays it takes. */
  send(link: Link, arrive: () => void, size = 1): boolean {
    this.sent += 1;
    const { loss, duplication } = this.quality;
    if (this.isCut(link) || this.#random.chance(loss)) {
      this.#coverage.met('message lost');
      return false;
    }
    this.#travel(link, arrive, size);
    if (this.#random.chance(duplication)) {
      this.#coverage.met('message doubled');
      this.#travel(link, arrive, size);
    }
    return true;
  }

  isCut({ from, to }: Link): boolean {
    return this.#cut.has(nameOf({ from, to }));
  }

  cut(links: readonly Link[]): void {
    for (const link of links) this.#cut.add(nameOf(link));
  }

  mend(links: readonly Link[]): void {
    for (const link of links) this.#cut.delete(nameOf(link));
  }

  mendAll(): void {
    this.#cut.clear();
  }

  #travel(link: Link, arrive: () => void, size: number): void {
    let delay = 0;
    for (let i = 0; i < size; i += 1) delay += this.#delay();
    if (this.quality.ordered) {
      const name = nameOf(link);
      const earliest = (this.#lastArrival.get(name) ?? 0) - this.#queue.now;
      delay = Math.max(delay, earliest);
      this.#lastArrival.set(name, this.#queue.now + delay);
    }
    this.#queue.after(delay, () => {
      if (this.isCut(link)) this.#coverage.met('message lost');
      else arrive();
    });
  }

  #delay(): number {
    const { minDelay, maxDelay, stragglers } = this.quality;
    const share = this.#random.next() ** (stragglers ? 8 : 1);
    return minDelay + Math.floor(share * (maxDelay - minDelay + 1));
  }
}

function nameOf({ from, to }: Link): string {
  return `${from}>${to}`;
}

/** A network within one room: a tenth of a tick at most. */
export function nearby(random: Random): NetworkQuality {
  return { ...PERFECT, minDelay: 1, maxDelay: 1 + random.below(TICK / 10) };
}
